"""Where a channel is, what it has for a platform, and which of its packages belong together.

The solver is rattler's; it is told what the target is, and neither asks this machine nor keeps anything on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reproc.catalog import processors
from reproc.catalog.elsewhere import SUBDIRS
from reproc.catalog.ways import dotted, nearest
from reproc.diagnostics.codes import lock as codes
from reproc.lock import archives
from reproc.lock.archives import Site, mirror_variable
from reproc.lock.conda.package import refused
from reproc.lock.decode import CONDA_NAME, CONDA_PATH
from reproc.lock.failures import Failure, NotServed, Unreachable, host_of, told
from reproc.lock.model import CondaPackage
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.requests import CondaRequest
from reproc.lock.store import Store
from reproc.lock.unpack import Source, unpacked

if TYPE_CHECKING:
    from rattler import GenericVirtualPackage, RepoDataRecord, SparseRepoData

_NOARCH = "noarch"
_FORMS = {"repodata.json.zst": "zst", "repodata.json.bz2": "bz2", "repodata.json": "file"}
"""The forms of an index, the smallest first."""


def address(channel: str) -> str:
    """Where everybody finds a channel."""
    from rattler import Channel

    return Channel(channel).base_url.rstrip("/")


def places(channel: str, public: str, site: Site) -> tuple[str, ...]:
    """Everywhere that a channel's files may be had from, the nearest first."""
    return tuple(dict.fromkeys((*site.mirrors(channel), *site.around(public))))


def solved(request: CondaRequest, client: Client, site: Site, store: Store) -> tuple[CondaPackage, ...]:
    """What a request stands for, with all that it needs, by name; raises `Problem`."""
    subdir = SUBDIRS.get(request.platform)
    if subdir is None:
        known = ", ".join(f"`{each}`" for each in SUBDIRS)
        raise problem(codes.PLATFORM, request.origin, platform=request.platform, known=known)
    with ExitStack() as stack:
        there = (_index(request, each, client, site, store) for each in (subdir, _NOARCH))
        indexes = [stack.enter_context(each) for each in there]
        try:
            for name in request.packages:
                _check_there(request, name, subdir, indexes)
            records = _chosen(request, indexes)
        except OSError as trouble:
            if trouble.errno is not None:
                raise
            raise _no_index(request, f"the index of `{request.channel}`", "its server") from trouble
    found = (_package(record, request) for record in records)
    return tuple(sorted(found, key=lambda package: package.name))


def _chosen(request: CondaRequest, indexes: Sequence[SparseRepoData]) -> list[RepoDataRecord]:
    """The packages that the solver takes."""
    import asyncio

    from rattler import solve_with_sparse_repodata
    from rattler.exceptions import SolverError

    work = solve_with_sparse_repodata(
        [f"{name}=={request.version}" for name in request.packages],
        indexes,
        virtual_packages=list(_surroundings(request)),
        exclude_newer=datetime.fromtimestamp(request.as_of, UTC) if request.as_of is not None else None,
        timestamp_policy="allow-missing",
    )
    try:
        return asyncio.run(work)
    except SolverError as trouble:
        raise problem(
            codes.CONDA_UNSOLVABLE,
            request.origin,
            channel=request.channel,
            packages=", ".join(f"`{name} {request.version}`" for name in request.packages),
            libc=dotted(request.libc),
            day=archives.day(request.as_of) if request.as_of is not None else None,
            output=str(trouble),
        ) from trouble


def _no_index(request: CondaRequest, what: str, source: str) -> Problem:
    """That an index cannot be read: rattler says so by an error of the system without a number."""
    reason = "what it gives is no index"
    return problem(codes.NOT_SERVED, request.origin, what=what, source=source, reason=reason)


def _surroundings(request: CondaRequest) -> Iterator[GenericVirtualPackage]:
    """What the target is, as packages that are there (docs.conda.io, "Managing virtual packages")."""
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version

    family = processors.family_of(request.platform)
    known = (
        ("__unix", "0", "0"),
        ("__linux", "0", "0"),
        ("__glibc", dotted(request.libc), "0"),
        ("__archspec", "1", request.cpu or family),
    )
    for name, version, build in known:
        yield GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))


def _check_there(request: CondaRequest, name: str, subdir: str, indexes: Iterable[SparseRepoData]) -> None:
    """Refuses a version that the channel does not have, before a solver says so in many words."""
    known = {
        str(record.version)
        for index in indexes
        for record in index.load_records(name)
        if request.as_of is None or _made(record) <= request.as_of
    }
    if request.version not in known:
        raise problem(
            codes.CONDA_LACKS,
            request.origin,
            channel=request.channel,
            package=f"{name} {request.version}",
            platform=subdir,
            day=archives.day(request.as_of) if request.as_of is not None else None,
            known=", ".join(f"`{each}`" for each in nearest(request.version, sorted(known))) or None,
        )


def _made(record: RepoDataRecord) -> float:
    return record.timestamp.timestamp() if record.timestamp is not None else 0.0


@contextmanager
def _index(
    request: CondaRequest, subdir: str, client: Client, site: Site, store: Store
) -> Iterator[SparseRepoData]:
    """What a channel has for one platform."""
    from rattler import Channel, SparseRepoData

    what = f"the index `{subdir}` of `{request.channel}`"
    url, packed = _obtained(request, subdir, what, client, site, store)
    form = _FORMS[url.rpartition("/")[2]]
    with ExitStack() as stack:
        source = Source(packed, url, request.origin)
        (found,), _ = stack.enter_context(unpacked(source, form, 0, store))
        plain = stack.enter_context(store.temporary())
        assert found.open is not None, "it is one file"
        with found.open() as content, plain.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
        try:
            index = SparseRepoData(Channel(request.channel), subdir, plain)
        except OSError as trouble:
            if trouble.errno is not None:
                raise
            raise _no_index(request, what, f"`{host_of(url)}`") from trouble
        stack.callback(index.close)
        yield index


def _obtained(
    request: CondaRequest, subdir: str, what: str, client: Client, site: Site, store: Store
) -> tuple[str, Path]:
    """The address and the file of an index, from the nearest place that has it; raises `Problem`."""
    failures: list[tuple[str, Failure]] = []
    for place in places(request.channel, address(request.channel), site):
        for name in _FORMS:
            url = f"{place}/{subdir}/{name}"
            try:
                return url, store.place(client.obtain(url, None, store))
            except NotServed as failure:
                failures.append((url, failure))
            except Unreachable as failure:
                failures.append((url, failure))
                break
    silent = [failure for _, failure in failures if isinstance(failure, Unreachable)]
    if len(silent) == len(failures):
        facts = {"host": silent[-1].host, "reason": silent[-1].reason}
        raise problem(codes.NETWORK, request.origin, variable=mirror_variable(request.channel), **facts)
    raise told(failures, what)


def _package(record: RepoDataRecord, request: CondaRequest) -> CondaPackage:
    """A record as a lock has it; refuses what no lock can hold and what is not installed by unpacking it."""
    name, version, build = record.name.source, str(record.version), str(record.build)
    path = f"{record.subdir}/{record.file_name}"
    if not CONDA_PATH.fullmatch(path) or not all(map(CONDA_NAME.fullmatch, (name, version, build))):
        raise refused(ascii(path)[1:-1], request.origin, "its name has characters that no package's has")
    if record.noarch.python:
        raise refused(
            record.file_name, request.origin, "it is a Python package, which needs an interpreter there"
        )
    if record.sha256 is None or record.size is None:
        raise refused(record.file_name, request.origin, "the index does not say its sha256 and size")
    return CondaPackage(name, version, build, path, record.size, record.sha256.hex())
