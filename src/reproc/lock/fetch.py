"""Filling the store from a lock: afterwards a vendored build of the target needs nothing from outside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error, once
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.failures import host_of
from reproc.lock.model import (
    Archive,
    ArchiveBase,
    BootstrapBase,
    CondaTree,
    Deb,
    GitTree,
    ImageBase,
    ImageTree,
    LocalTree,
    Lock,
    LockedTarget,
    SourceTree,
    SwhTree,
    TreeEntry,
    WebTree,
    Wheel,
)
from reproc.lock.net import Client, nothing
from reproc.lock.problem import Problem, attempt, problem
from reproc.lock.providers import (
    archive,
    bootstrap,
    conda,
    git,
    image,
    image_folder,
    purl,
    pypi,
    registry,
    swh,
    web,
)
from reproc.lock.store import Store, sha256_of
from reproc.progress import Progress, amount
from reproc.record import record

WORKERS = 8
LOCK = "repro.lock"
"""The file's name, beside the spec."""
HERE = "local"
"""The source of what is made of files beside the spec."""


@record
class Job:
    """Something that is needed, and how to get it; it can be done beside others."""

    source: str
    """Where it comes from: an archive's or a registry's name, a host."""
    name: str
    sha256: str
    work: Callable[[], None]
    """Gets it if the store does not hold it; raises `Problem`."""
    size: int = 0
    """How many bytes have to come, as far as the lock says."""


@record
class File:
    """Something that has come."""

    name: str
    sha256: str
    size: int
    """In the store."""
    source: str


@record
class Fetched:
    """What has come, and what was there before."""

    files: tuple[File, ...]
    there: frozenset[str]
    """The digests of what was needed and there already."""
    transferred: int
    """How many bytes came; less than the files have where earlier transfers were taken up again."""


def fetch(
    lock: Lock,
    target: LockedTarget,
    folder: Path,
    store: Store,
    progress: Progress,
    *,
    site: Site | None = None,
    without: Container[str] = (),
) -> Outcome[Fetched]:
    """Puts everything that the lock names for the target into the store, each file digest-checked.

    `folder` is the spec's, `without` holds the keys of trees and the names of layers that are not wanted. What is
    there already is not fetched again. The value is what has come, also where something is wrong.
    """
    work = Fetching(store, site or Site(), Client(), progress)

    def all_of_it() -> Outcome[None]:
        store.keep(folder / LOCK)
        return _all(work, lock, target, folder, without)

    found = attempt(all_of_it)
    damaged = (error(codes.STORE_DAMAGED, None, what=f"`{sha256}`") for sha256 in store.damaged)
    return Outcome(work.fetched, (*damaged, *together((*work.client.told, *found.diagnostics))))


def fetch_tree(
    key: str, tree: SourceTree, folder: Path, store: Store, progress: Progress, *, site: Site | None = None
) -> Outcome[None]:
    """Puts the archive of one tree into the store, digest-checked."""
    work = Fetching(store, site or Site(), Client(), progress)

    def obtain() -> Outcome[None]:
        work.run(f"fetching {key}", [work.tree(key, tree, folder)])
        return Outcome(None)

    return attempt(obtain)


def _all(
    work: Fetching, lock: Lock, target: LockedTarget, folder: Path, without: Container[str]
) -> Outcome[None]:
    layers = [layer for each in target.systems for layer in each.apt if layer.name not in without]
    debs = [deb for layer in layers for deb in layer.debs]
    bases = tuple(dict.fromkeys(each.base for each in target.systems))
    made = [b for b in bases if isinstance(b, BootstrapBase) and work.store.path(b.sha256) is None]
    debs += (deb for base in made for deb in base.debs)
    jobs: list[Job] = list(work.debs(debs, lock.archives))
    for environment in target.python:
        version = environment.version
        wheels = (*environment.wheels, *(wheel for each in environment.tools for wheel in each.wheels))
        jobs += (
            work.wheel(wheel, version, target.platform, environment.index) for wheel in dict.fromkeys(wheels)
        )
    jobs += (work.tree(key, tree, folder) for key, tree in target.trees if key not in without)
    jobs += (
        work.base(base, target.platform, folder) for base in bases if not isinstance(base, BootstrapBase)
    )
    work.run(f"fetching what {target.name} needs", jobs)
    for base in made:
        _make(work, base, lock, target.platform)
    return Outcome(None)


def _make(work: Fetching, base: BootstrapBase, lock: Lock, platform: str) -> None:
    with work.progress.task(f"making the {base.distribution} {base.release} base"):
        here = bootstrap.tool()
        found, _ = bootstrap.make(bootstrap.recipe_of(base, lock, platform), work.store, work.progress)
    if found != base.sha256:
        raise problem(codes.BASE_DIFFERS, None, found=found, expected=base.sha256, tool=base.tool, here=here)


@dataclass
class Fetching:
    """The ways to fetch things, as jobs that can run side by side."""

    store: Store
    site: Site
    client: Client
    progress: Progress
    _files: list[File] = field(default_factory=list)
    _there: set[str] = field(default_factory=set)
    _transferred: int = 0

    @property
    def fetched(self) -> Fetched:
        """What has come so far."""
        files = sorted(self._files, key=lambda file: (file.source, file.name))
        return Fetched(tuple(files), frozenset(self._there), self._transferred)

    def debs(self, debs: Iterable[Deb], archives: Sequence[Archive]) -> Iterator[Job]:
        """A job for every package."""
        at = {archive.name: archive for archive in archives}
        roots = {archive.name: self.site.places(archive) for archive in archives}
        for deb in {deb.sha256: deb for deb in debs}.values():
            if deb.archive not in at:
                raise problem(codes.LOCK_UNREADABLE, None, reason=f"it has no archive `{deb.archive}`")
            urls = [f"{root}/{_quoted(deb.path)}" for root in roots[deb.archive]]
            yield self._download(deb.archive, deb.filename, deb.sha256, deb.size, urls)

    def _download(self, source: str, name: str, sha256: str, size: int, urls: Sequence[str]) -> Job:
        def work() -> None:
            if self.store.path(sha256) is None:
                self.client.download(urls, sha256, self.store, f"`{name}`")

        return Job(source, name, sha256, work, size)

    def wheel(self, wheel: Wheel, version: str, platform: str, index: str | None = None) -> Job:
        """A job for a distribution of one environment."""

        def work() -> None:
            pypi.fetch((wheel,), version, platform, self.client, self.site, self.store, index)

        source = host_of(index) if index else "pypi"
        return Job(source, wheel.filename, wheel.sha256, work, wheel.size)

    def base(self, base: ImageBase | ArchiveBase, platform: str, folder: Path) -> Job:
        """A job for the root file system of an image or an archive."""
        if isinstance(base, ImageBase):
            return self._image(base, platform)

        def work() -> None:
            if self.store.path(base.rootfs) is None:
                archive.fetch(base, folder, platform, self.store)

        return Job(HERE, base.path, base.rootfs, work)

    def _image(self, base: ImageBase, platform: str) -> Job:
        def work() -> None:
            if self.store.path(base.rootfs) is None:
                image.fetch(base, platform, self.client, self.site, self.store)

        return Job(registry.parsed(base.reference, None).registry, base.reference, base.rootfs, work)

    def tree(self, key: str, tree: SourceTree, folder: Path) -> Job:
        """A job for the archive of a source tree."""

        def work() -> None:
            match tree:
                case LocalTree():
                    again(tree, folder, self.store)
                case _ if self.store.path(tree.sha256) is not None:
                    pass
                case GitTree():
                    git.fetch(tree, self.store, self.client, self.site)
                case WebTree():
                    web.fetch(tree, self.client, self.store, self.site)
                case SwhTree():
                    swh.fetch(tree, self.client, self.site, self.store)
                case ImageTree():
                    image_folder.fetch(tree, self.client, self.site, self.store)
                case CondaTree():
                    conda.fetch(tree, self.client, self.site, self.store)

        return Job(_source(tree), key, tree.sha256, work, _size(tree))

    def run(self, title: str, jobs: Sequence[Job]) -> None:
        """Runs the jobs side by side; raises one `Problem` with everything that went wrong."""
        if not jobs:
            return
        missing = {job.sha256: job for job in jobs if not self.store.place(job.sha256).exists()}
        meter = Meter(self.progress, sum(job.size for job in missing.values()))
        self.client.arrived = meter.add
        try:
            with self.progress.task(title), workers() as pool:
                found = [outcome.diagnostics for outcome in pool.map(self._done, jobs)]
        finally:
            self.client.arrived = nothing
            self._transferred += meter.came
        diagnostics = together(d for each in found for d in each)
        if diagnostics:
            raise Problem(*diagnostics)

    def _done(self, job: Job) -> Outcome[None]:
        def work() -> Outcome[None]:
            place = self.store.place(job.sha256)
            before = place.stat() if place.exists() else None
            job.work()
            after = place.stat()
            if before is not None and os.path.samestat(before, after):
                self._there.add(job.sha256)
            else:
                self._files.append(File(job.name, job.sha256, after.st_size, job.source))
                self.progress.note(job.name)
            return Outcome(None)

        return attempt(work)


def _size(tree: SourceTree) -> int:
    """How many bytes have to come for a tree, as far as the lock says."""
    match tree:
        case WebTree():
            return sum(each.size for each in tree.downloads)
        case CondaTree():
            return sum(each.size for each in tree.packages)
        case _:
            return 0


def _source(tree: SourceTree) -> str:
    """Where a tree comes from: a registry's name, or a host."""
    match tree:
        case LocalTree():
            return HERE
        case GitTree():
            return host_of(tree.url)
        case SwhTree():
            return "swh"
        case ImageTree():
            return registry.parsed(tree.reference, None).registry
        case CondaTree():
            return tree.channel
        case WebTree():
            first = tree.downloads[0].urls[0]
            package = first.removeprefix(purl.SCHEME)
            return package.partition("/")[0] if package != first else host_of(first)


class Meter:
    """Says how much has come, and how fast, a few times a second."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.came = 0
        self._guard = threading.Lock()
        self._start = self._told = time.monotonic()

    def add(self, size: int) -> None:
        """Counts bytes; any thread may."""
        now = time.monotonic()
        with self._guard:
            self.came += size
            if now - self._told < 0.2:
                return
            self._told = now
            text = f"{amount(self.came)}{f' of {amount(self.total)}' if self.came <= self.total else ''}"
        self.progress.status(f"{text}, {amount(self.came / (now - self._start))}/s")


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """A pool whose waiting jobs are dropped when the work is stopped."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield pool
    except BaseException:
        # a transfer may hang for minutes; nobody who interrupts wants to wait for it
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def together(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics without repetitions; of what cannot be reached only one: the rest follows from it."""
    found: list[Diagnostic] = []
    for diagnostic in once(diagnostics):
        if diagnostic.code not in codes.UNREACHABLE or all(d.code is not diagnostic.code for d in found):
            found.append(diagnostic)
    return tuple(found)


def again(tree: LocalTree, folder: Path, store: Store) -> None:
    """Puts a local tree's archive into the store, made from the files that were locked; raises `Problem`."""
    root = folder / tree.source
    members = [_member(entry, root, tree) for entry in tree.entries]
    if store.path(tree.sha256) is None and tar.write(members, store) != tree.sha256:
        raise problem(codes.SOURCE_CHANGED, None, source=tree.source, detail="")


def _member(entry: TreeEntry, root: Path, tree: LocalTree) -> tar.Member:
    path = root / entry.path if entry.path else root
    detail = f": `{entry.path}`" if entry.path else ""
    changed = problem(codes.SOURCE_CHANGED, None, source=tree.source, detail=detail)
    try:
        if entry.link is not None:
            if not path.is_symlink() or str(path.readlink()) != entry.link:
                raise changed
            return tar.Member(entry, None)
        if path.is_symlink() and entry.path:
            raise changed
        status = path.stat()
        if bool(status.st_mode & 0o100) != entry.executable or sha256_of(path) != entry.sha256:
            raise changed
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as trouble:
        raise changed from trouble
    return tar.Member(entry, tar.of_file(path), status.st_size)


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path, safe="/+~:")
