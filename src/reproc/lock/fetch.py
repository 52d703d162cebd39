"""Filling the store from a lock: afterwards a vendored build of the target needs nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.model import (
    Archive,
    ArchiveBase,
    BootstrapBase,
    Deb,
    GitTree,
    ImageBase,
    LocalTree,
    Lock,
    LockedBase,
    LockedTarget,
    SourceTree,
    SwhTree,
    TreeEntry,
    WebTree,
    Wheel,
)
from reproc.lock.net import Client
from reproc.lock.problem import Problem, attempt, problem
from reproc.lock.providers import archive, bootstrap, git, image, pypi, swh, web
from reproc.lock.store import Store, sha256_of
from reproc.progress import Progress

WORKERS = 8
Job = Callable[[], None]


def fetch(
    lock: Lock,
    target: LockedTarget,
    folder: Path,
    store: Store,
    progress: Progress,
    *,
    site: Site | None = None,
    without: Container[str] = (),
) -> Outcome[None]:
    """Puts everything that the lock names for the target into the store, each file digest-checked.

    `folder` is the spec's, `without` holds the keys of trees that are not wanted. What is there already is not
    fetched again.
    """
    work = Fetching(store, site or Site(), Client(), progress)
    found = attempt(lambda: _all(work, lock, target, folder, without))
    damaged = (error(codes.STORE_DAMAGED, None, what=f"`{sha256}`") for sha256 in store.damaged)
    return Outcome(None, (*damaged, *together(found.diagnostics)))


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
    debs = [deb for each in target.systems for layer in each.apt for deb in layer.debs]
    bases = tuple(dict.fromkeys(each.base for each in target.systems))
    made = [b for b in bases if isinstance(b, BootstrapBase) and work.store.path(b.sha256) is None]
    debs += (deb for base in made for deb in base.debs)
    jobs: list[Job] = list(work.debs(debs, lock.archives))
    for environment in target.python:
        version = environment.interpreter.removeprefix("python")
        wheels = (*environment.wheels, *(wheel for each in environment.tools for wheel in each.wheels))
        jobs += (
            work.wheels((wheel,), version, target.platform, environment.index)
            for wheel in dict.fromkeys(wheels)
        )
    jobs += (work.tree(key, tree, folder) for key, tree in target.trees if key not in without)
    jobs += (work.base(base, target.platform, folder) for base in bases)
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
    _seen: set[str] = field(default_factory=set)

    def debs(self, debs: Iterable[Deb], archives: Sequence[Archive]) -> Iterator[Job]:
        """A job for every package that the store does not hold."""
        at = {archive.name: archive for archive in archives}
        for deb in {deb.sha256: deb for deb in debs}.values():
            if deb.archive not in at:
                raise problem(codes.LOCK_UNREADABLE, None, reason=f"it has no archive `{deb.archive}`")
            if self.store.path(deb.sha256) is None:
                yield lambda deb=deb: self._deb(deb, at[deb.archive])  # type: ignore[misc]

    def _deb(self, deb: Deb, archive: Archive) -> None:
        addresses = [f"{root}/{_quoted(deb.path)}" for root in self.site.places(archive)]
        self.client.download(addresses, deb.sha256, self.store, f"`{deb.filename}`")
        self.progress.note(deb.filename)

    def wheels(self, wheels: Sequence[Wheel], version: str, platform: str, index: str | None = None) -> Job:
        """A job for some wheels of one environment."""

        def job() -> None:
            pypi.fetch(wheels, version, platform, self.client, self.site, self.store, index)

        return job

    def base(self, base: LockedBase, platform: str, folder: Path) -> Job:
        """A job for the root file system of an image or an archive."""

        def job() -> None:
            match base:
                case ImageBase():
                    if self.store.path(base.rootfs) is None:
                        image.fetch(base, platform, self.client, self.site, self.store)
                case ArchiveBase():
                    if self.store.path(base.rootfs) is None:
                        archive.fetch(base, folder, platform, self.store)
                case BootstrapBase():
                    pass  # it is made of packages, once they are there

        return job

    def tree(self, key: str, tree: SourceTree, folder: Path) -> Job:
        """A job for the archive of a source tree."""

        def job() -> None:
            match tree:
                case LocalTree():
                    again(tree, folder, self.store)
                case GitTree():
                    if self.store.path(tree.sha256) is None:
                        git.fetch(tree, self.store, self.client)
                        self.progress.note(key)
                case WebTree():
                    if self.store.path(tree.sha256) is None:
                        web.fetch(tree, self.client, self.store, self.site)
                        self.progress.note(key)
                case SwhTree():
                    swh.fetch(tree, self.client, self.site, self.store)

        return job

    def run(self, title: str, jobs: Sequence[Job]) -> None:
        """Runs the jobs side by side; raises one `Problem` with everything that went wrong."""
        if not jobs:
            return
        with self.progress.task(title), workers() as pool:
            found = [outcome.diagnostics for outcome in pool.map(_attempted, jobs)]
        diagnostics = together(d for each in found for d in each)
        if diagnostics:
            raise Problem(*diagnostics)


def _attempted(job: Job) -> Outcome[None]:
    def work() -> Outcome[None]:
        job()
        return Outcome(None)

    return attempt(work)


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
    for diagnostic in diagnostics:
        lost = diagnostic.code in codes.UNREACHABLE and any(d.code is diagnostic.code for d in found)
        if not lost and diagnostic not in found:
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
    changed = problem(
        codes.SOURCE_CHANGED, None, source=tree.source, detail=f": `{entry.path or tree.source}`"
    )
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
