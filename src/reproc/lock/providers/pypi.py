"""Python packages: uv resolves, exactly one wheel per package is chosen, addresses stay out of the lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import projects
from reproc.lock.archives import Site
from reproc.lock.model import BuildTools, PythonEnvironment, Wheel
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import python2, uv
from reproc.lock.providers.uv import Ask, place_of
from reproc.lock.requests import PROJECT, InstallRequest, PythonRequest
from reproc.lock.requirements import Wanted, each_of, wanted
from reproc.lock.store import Store
from reproc.record import record, replace
from reproc.source import Span

_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_GLIBC = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv knows as platforms."""
_ADDRESSES = "wheel-address"
_MARKS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "sys_platform": "linux",
}
"""What markers of the target see (PyPA specification "dependency specifiers")."""


def lock(
    request: PythonRequest,
    platform: str,
    client: Client,
    site: Site,
    store: Store,
    trees: Mapping[str, str] = MappingProxyType({}),
    held: Mapping[str, str] = MappingProxyType({}),
) -> Outcome[PythonEnvironment]:
    """The distributions that an environment needs; raises `Problem` with every mistake.

    `trees` has the digest of the archive of each code that is installed, by its name; `held` has the versions
    at which packages stay where that is possible.
    """
    machine = _machine(platform)
    seen = marks(request.version, platform)
    found, mistakes = wanted(request, seen)
    needs = [_of_code(each, trees, store, request) for each in request.installs]
    mistakes += tuple(need for need in needs if isinstance(need, Diagnostic))
    if mistakes:
        raise Problem(*mistakes)
    built = [need for need in needs if isinstance(need, _Needs)]
    found += tuple(each for need in built for each in need.run)
    ask = Ask(
        request.version,
        _uv_platform(machine, request.libc),
        request.index,
        request.built,
        request.as_of,
        tuple(_tags(request.version, machine, request.libc)),
        f"{platform} with glibc {request.libc[0]}.{request.libc[1]}",
        tuple(sorted(held.items())),
    )
    if request.version.startswith("2."):
        return Outcome(_of_python2(request, ask, found, seen, client, site, store))
    # a lock names everything; what its author overrode must not come back
    alone = request.locks and not (request.requirements or request.files or request.projects or built)
    texts = sorted({w.text for w in found})
    packages = uv.resolved(texts, ask, site, found, *(("--no-deps",) if alone else ()))
    done = [_complete(_choose(package, ask, found), client, store) for package in packages]
    built += (_of_archive(each, store, request) for each in done if not each.filename.endswith(".whl"))
    environment = PythonEnvironment(
        request.name,
        request.interpreter,
        request.prefix,
        _sorted(done),
        tuple(
            BuildTools(need.project, _tools(need.build, ask, client, site, store))
            for need in sorted(built, key=lambda need: need.project)
        ),
        request.index,
    )
    return Outcome(environment, tuple(told for need in built for told in need.told))


def _of_python2(
    request: PythonRequest,
    ask: Ask,
    found: Sequence[Wanted],
    seen: Mapping[str, str],
    client: Client,
    site: Site,
    store: Store,
) -> PythonEnvironment:
    """The environment of a Python 2, with what makes it; raises `Problem`."""
    packages = python2.named(found, seen, request.index, client, site)
    wheels = _sorted(_complete(_choose(package, ask, found), client, store) for package in packages)
    for each in wheels:  # what they need stands inside
        _fetch(each, ask, client, site, store)
    if mistakes := tuple(python2.missing(wheels, found, seen, store)):
        raise Problem(*mistakes)
    name, _, version = python2.MAKER.partition("==")
    maker = python2.listed(name, version, None, client, site, None)
    tools = BuildTools(name, (_complete(_choose(maker, ask, ()), client, store),))
    return PythonEnvironment(
        request.name, request.interpreter, request.prefix, wheels, (tools,), request.index
    )


def marks(version: str, platform: str) -> dict[str, str]:
    """What markers of a target see; raises `Problem` for a platform that nothing is known of."""
    own = {"python_version": version, "python_full_version": f"{version}.0"}
    if version == "2.7":  # its last release, and what it calls Linux (docs.python.org/2.7, sys.platform)
        own |= {"python_full_version": "2.7.18", "sys_platform": "linux2"}
    return {**_MARKS, **own, "platform_machine": _machine(platform)}


@record
class _Needs:
    """What a project that is built in the image takes."""

    project: str
    run: tuple[Wanted, ...]
    build: tuple[Wanted, ...]
    told: tuple[Diagnostic, ...] = ()


def _of_code(
    install: InstallRequest, trees: Mapping[str, str], store: Store, request: PythonRequest
) -> _Needs | Diagnostic:
    archive = store.path(trees[install.name])
    assert archive is not None, "an installed tree is fetched before"
    text = projects.described(archive)
    if text is None:
        return error(codes.NO_PROJECT, install.origin, name=install.name)
    project = projects.read(f"{PROJECT} of code {install.name}", text, install.origin, request.version)
    if isinstance(project, Diagnostic):
        return project
    told = (
        ()
        if project.dependencies is not None
        else (error(codes.HIDDEN_NEEDS, install.origin, name=install.name),)
    )
    run, mistakes = each_of(project.dependencies or (), install.origin)
    build, more = each_of(project.requires, install.origin)
    if mistakes or more:
        raise Problem(*mistakes, *more)
    return _Needs(f"code {install.name}", run, build, told)


def _of_archive(archive: Wheel, store: Store, request: PythonRequest) -> _Needs:
    """What building a source archive takes; what it needs to run is known to the index."""
    path = store.path(archive.sha256)
    assert path is not None, "a source archive is fetched when it is locked"
    given = [item.origin for item in request.requirements]
    given += [file.origin for file in (*request.files, *request.projects, *request.locks)]
    origin = next(iter(given), request.installs[0].origin if request.installs else None)
    assert origin is not None, "an archive comes from a requirement"
    # one folder at the top (PyPA specification "source distribution format")
    text = projects.described(path, depth=1) or ""
    project = projects.read(f"{PROJECT} of {archive.filename}", text, origin, request.version)
    if isinstance(project, Diagnostic):
        raise Problem(project)
    build, mistakes = each_of(project.requires, origin)
    if mistakes:
        raise Problem(*mistakes)
    return _Needs(archive.name, (), build)


def _sorted(wheels: Iterable[Wheel]) -> tuple[Wheel, ...]:
    return tuple(sorted(wheels, key=lambda w: (w.name, w.filename)))


def _tools(wishes: Sequence[Wanted], ask: Ask, client: Client, site: Site, store: Store) -> tuple[Wheel, ...]:
    """The wheels that a build takes: they are there for it alone, and never built themselves."""
    ask = replace(ask, built=(), held=())
    packages = uv.resolved([w.text for w in wishes], ask, site, wishes)
    return _sorted(_complete(_choose(package, ask, wishes), client, store) for package in packages)


def fetch(
    wheels: Sequence[Wheel],
    version: str,
    platform: str,
    client: Client,
    site: Site,
    store: Store,
    index: str | None = None,
) -> None:
    """Puts distributions of one environment into the store; raises `Problem`.

    The addresses from locking are remembered as hints; where they are gone, the index is asked again, and the
    mirrors of it one after the other.
    """
    for wheel in wheels:
        built = () if wheel.filename.endswith(".whl") else (wheel.name,)
        ask = Ask(version, _uv_platform(_machine(platform), None), index, built)
        _fetch(wheel, ask, client, site, store)


def _fetch(wheel: Wheel, ask: Ask, client: Client, site: Site, store: Store) -> None:
    if store.path(wheel.sha256) is None:
        urls = _addresses(wheel, ask, client, site, store)
        client.download(urls, wheel.sha256, store, f"`{wheel.filename}`")


def _addresses(wheel: Wheel, ask: Ask, client: Client, site: Site, store: Store) -> Iterator[str]:
    """Where a distribution is, each place looked for when those before it have failed."""
    hint = store.recall(_ADDRESSES, wheel.sha256)
    if hint is not None:
        yield hint.decode("utf-8", "replace")
    *others, last = site.each("pypi")
    for each in (*others, last):
        try:
            packages: Sequence[Mapping[str, Any]]
            if ask.version.startswith("2."):
                maker = f"{wheel.name}=={wheel.version}" == python2.MAKER
                index = None if maker else ask.index
                packages = [python2.listed(wheel.name, wheel.version, index, client, each, None)]
            else:
                packages = uv.resolved([f"{wheel.name}=={wheel.version}"], ask, each, (), "--no-deps")
        except Problem:
            if each is last or ask.index:
                raise
            continue
        offers = (offer for package in packages for offer in _offers(package))
        yield from (offer.url for offer in offers if offer.filename == wheel.filename)


def file_of(name: str, version: str, filename: str | None, site: Site, origin: Span | None) -> Offer | None:
    """A file of a package by its name, or else the wheel that a machine of today would take; raises `Problem`."""
    machine = "aarch64" if "aarch64" in (filename or "") else "x86_64"
    newest = (2, _GLIBC[-1])
    tags = tuple(_tags("3.11", machine, newest))
    ask = Ask("3.11", _uv_platform(machine, newest), tags=tags, words="this platform")
    package = next(iter(uv.resolved([f"{name}=={version}"], ask, site, (), "--no-deps")), None)
    offers = list(_offers(package)) if package is not None else []
    if package is not None and filename is None:
        offers = [offer for _, offer in sorted(_ranked(package, tags), key=lambda pair: pair[0])]
    return next((offer for offer in offers if filename in (None, offer.filename)), None)


def newest(names: Sequence[str], request: PythonRequest, platform: str, site: Site) -> dict[str, str]:
    """The newest version of each package that the environment could take, whatever the spec says; raises `Problem`."""
    if request.version.startswith("2."):  # they are named exactly
        return {}
    ask = Ask(request.version, _uv_platform(_machine(platform), request.libc), request.index, request.built)
    packages = uv.resolved(names, ask, site, (), "--no-deps")
    return {str(package.get("name")): str(package.get("version")) for package in packages}


@record
class Offer:
    """A wheel or a source archive as an index lists it."""

    name: str
    version: str
    filename: str
    url: str
    size: int | None
    sha256: str | None


def _machine(platform: str) -> str:
    machine = _MACHINES.get(platform)
    if machine is None:
        raise problem(codes.PLATFORM, None, platform=platform, known=", ".join(f"`{p}`" for p in _MACHINES))
    return machine


def _uv_platform(machine: str, libc: tuple[int, int] | None) -> str:
    newest = max((minor for minor in _GLIBC if libc is None or minor <= libc[1]), default=_GLIBC[0])
    return f"{machine}-manylinux_2_{newest}"


def _tags(version: str, machine: str, libc: tuple[int, int]) -> Iterator[object]:
    """The wheel tags that the target takes, the best first."""
    from packaging import tags

    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(libc[1], 4, -1)]
    for old, minor in (("2014", 17), ("2010", 12), ("1", 5)):
        if minor <= libc[1]:
            platforms.insert(
                platforms.index(f"manylinux_2_{minor}_{machine}") + 1, f"manylinux{old}_{machine}"
            )
    platforms.append(f"linux_{machine}")
    major, minor = (int(part) for part in version.split(".")[:2])
    interpreter = f"cp{major}{minor}"
    # before 3.8 the ABI's name says that memory comes from pymalloc (bugs.python.org/issue36707)
    # and before 3.3 how wide a character is: that it is four bytes, as distributions have it (PEP 513)
    abi = interpreter if (major, minor) >= (3, 8) else f"{interpreter}m{'u' if major == 2 else ''}"
    yield from tags.cpython_tags((major, minor), [abi], platforms)
    yield from tags.compatible_tags((major, minor), interpreter, platforms)


def _choose(package: Mapping[str, Any], ask: Ask, found: Sequence[Wanted]) -> Offer:
    """The one wheel of a package that installers would take on the target, or the archive that it is built of."""
    name = str(package.get("name", ""))
    built = ask.builds(name)
    ranked = (
        ((0, offer) for offer in _offers(package) if _packed(offer)) if built else _ranked(package, ask.tags)
    )
    fitting = sorted(ranked, key=lambda pair: (pair[0], pair[1].filename))
    asked = [w for w in found if w.name == name]
    if not fitting:
        origin = asked[0].origin if asked else place_of(found)
        if built:
            raise problem(codes.NO_SOURCE_ARCHIVE, origin, name=name)
        raise problem(codes.NO_WHEEL, origin, name=name, python=ask.version, platform=ask.words)
    limits = next((w for w in asked if w.hashes), None)
    if limits is None:
        return fitting[0][1]
    allowed = next((offer for _, offer in fitting if offer.sha256 in limits.hashes), None)
    if allowed is None:
        facts = {"filename": fitting[0][1].filename, "name": name, "path": limits.origin.source.path}
        raise problem(codes.WHEEL_DIGEST, limits.origin, *limits.labels, **facts)
    return allowed


def _ranked(package: Mapping[str, Any], tags: Sequence[object]) -> Iterator[tuple[int, Offer]]:
    """The package's wheels that fit the target, each with the rank of its best tag."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    order = {tag: rank for rank, tag in enumerate(tags)}
    for offer in _offers(package):
        try:
            kinds = parse_wheel_filename(offer.filename)[3]
        except InvalidWheelFilename:
            continue
        ranks = [order[kind] for kind in kinds if kind in order]
        if ranks:
            yield min(ranks), offer


def _packed(offer: Offer) -> bool:
    return not offer.filename.endswith(".whl")


def _offers(package: Mapping[str, Any]) -> Iterator[Offer]:
    for wheel in uv.files_of(package):
        url = str(wheel.get("url") or Path(str(wheel.get("path", ""))).absolute().as_uri())
        filename = str(wheel.get("name") or unquote(urlsplit(url).path.rpartition("/")[2]))
        size, sha256 = wheel.get("size"), wheel.get("hashes", {}).get("sha256")
        yield Offer(
            str(package.get("name")),
            str(package.get("version")),
            filename,
            url,
            size if isinstance(size, int) else None,
            sha256.lower() if isinstance(sha256, str) else None,
        )


def _complete(offer: Offer, client: Client, store: Store) -> Wheel:
    """The distribution as a lock names it.

    An index that gives no digest or size makes a download necessary; a source archive says what its build takes.
    """
    sha256, size = offer.sha256, offer.size
    if sha256 is None:
        content = client.get([offer.url], f"`{offer.filename}`", 1 << 32)
        sha256 = store.add_stream((content,))
    if size is None or _packed(offer):
        kept = store.path(sha256) or client.download([offer.url], sha256, store, f"`{offer.filename}`")
        size = kept.stat().st_size
    store.remember(_ADDRESSES, sha256, offer.url.encode())
    return Wheel(offer.name, offer.version, offer.filename, size, sha256)
