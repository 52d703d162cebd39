"""From what a spec asks for to a lock; what has not changed is taken from the lock before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from reproc import catalog
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error, in_source_order
from reproc.lock import archives, net
from reproc.lock.archives import Site
from reproc.lock.fetch import Fetching, together, workers
from reproc.lock.file import LockFile, sections
from reproc.lock.model import (
    AptLayer,
    Archive,
    ArchiveBase,
    BootstrapBase,
    Deb,
    ImageBase,
    Lock,
    LockedBase,
    LockedTarget,
    PythonEnvironment,
    SourceTree,
)
from reproc.lock.problem import Problem, attempt, problem
from reproc.lock.providers import apt, archive, bootstrap, doi, git, image, local, pypi, swh, web
from reproc.lock.requests import (
    ArchiveRequest,
    BaseRequest,
    BootstrapRequest,
    DoiRequest,
    GitRequest,
    ImageRequest,
    LocalRequest,
    PythonRequest,
    SwhRequest,
    TargetRequest,
    TreeRequest,
    WebRequest,
)
from reproc.lock.store import Store, sha256_of
from reproc.progress import Progress
from reproc.record import record, replace

T = TypeVar("T")


@record
class _System:
    """A base and the layers on it; of a bootstrapped base the digest is not known yet."""

    base: LockedBase
    apt: tuple[AptLayer, ...]

    @property
    def debs(self) -> frozenset[Deb]:
        own = self.base.debs if isinstance(self.base, BootstrapBase) else ()
        return frozenset(own).union(*(layer.debs for layer in self.apt))


_Asked: TypeAlias = tuple[object, ...]
_Work: TypeAlias = dict[_Asked, Callable[[], Outcome[Any]]]


def resolve(
    requests: Sequence[TargetRequest],
    folder: Path,
    store: Store,
    progress: Progress,
    *,
    now: int,
    previous: LockFile | None = None,
    update: bool = False,
    site: Site | None = None,
) -> Outcome[Lock]:
    """The lock of these requests.

    Sections of `previous` whose requests are the same are kept as they are, unless `update`; folders beside
    the spec are read in any case. The distribution's packages are all of one moment: if one target's have to
    be resolved again, all are. The moment moves on only where a package is needed that the lock before did
    not have.
    """
    as_of = next((request.as_of for request in requests), None)
    if as_of is not None and as_of > now:
        return Outcome(None, (error(codes.AS_OF_LATER, None, date=archives.day(as_of)),))
    moment = now if as_of is None else as_of
    run = _Run(folder, store, progress, site or Site(), moment, previous, update, past=as_of is not None)
    found = attempt(lambda: run.lock(requests))
    told = together(in_source_order((*run.told, *found.diagnostics)))
    return Outcome(found.value, told)


@dataclass
class _Run:
    folder: Path
    store: Store
    progress: Progress
    site: Site
    now: int
    previous: LockFile | None
    update: bool
    past: bool = False
    """Whether `now` is what the spec says, and not the moment of locking."""
    told: list[Diagnostic] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = net.Client()
        self.fetching = Fetching(self.store, self.site, self.client, self.progress)
        self.archives = apt.Archives(self.site, self.client, self.store, self.now, self.past)

    def lock(self, requests: Sequence[TargetRequest]) -> Outcome[Lock]:
        """What is independent of everything else first, side by side; then the bootstrapped bases."""
        keep_systems = all(self._kept(request, "system") is not None for request in requests)
        work: _Work = {}
        for request in requests:
            if not keep_systems:
                work[_system_key(request)] = lambda r=request: Outcome(self._system(r))  # type: ignore[misc]
            for each in request.python:
                if not each.installs and self._kept(request, f"python {each.name}") is None:
                    work[(request.platform, each)] = lambda r=request, e=each: self._python(e, r, {})  # type: ignore[misc]
            for name, tree in request.trees:
                if isinstance(tree, LocalRequest) or self._kept(request, name) is None:
                    work[(tree,)] = lambda t=tree: self._tree(t)  # type: ignore[misc]
        found = self._side_by_side(work)
        installed = self._side_by_side(self._installing(requests, found)) if found is not None else None
        if found is None or installed is None:
            return Outcome(None)
        found |= installed
        targets = tuple(self._target(request, found, keep_systems) for request in requests)
        time, used = self._moment(targets, keep_systems)
        return Outcome(self._finished(Lock(time, used, targets)))

    def _installing(self, requests: Sequence[TargetRequest], found: Mapping[_Asked, Any]) -> _Work:
        """The environments into which code is installed: what that needs is known when the code is there."""
        work: _Work = {}
        for request in requests:
            for each in request.python:
                if not each.installs or self._kept(request, f"python {each.name}") is not None:
                    continue
                trees = {
                    one.name: found.get((one.tree,)) or self._old_tree(request, f"code {one.name}")
                    for one in each.installs
                }
                jobs = [self.fetching.tree(f"code {name}", tree, self.folder) for name, tree in trees.items()]
                self.fetching.run("fetching the code that is installed", jobs)
                digests = {name: tree.sha256 for name, tree in trees.items()}
                work[(request.platform, each)] = lambda r=request, e=each, d=digests: self._python(e, r, d)  # type: ignore[misc]
        return work

    def _side_by_side(self, work: _Work) -> dict[_Asked, Any] | None:
        if not work:
            return {}
        with self.progress.task("resolving"), workers() as pool:
            outcomes = dict(zip(work, pool.map(attempt, work.values()), strict=True))
        self.told += (d for outcome in outcomes.values() for d in outcome.diagnostics)
        if any(outcome.value is None for outcome in outcomes.values()):
            return None
        return {key: outcome.value for key, outcome in outcomes.items()}

    def _kept(self, request: TargetRequest, section: str) -> LockedTarget | None:
        """The target of the lock before, if what this section asks for is the same."""
        if self.previous is None or self.update:
            return None
        if self.previous.input(request.name, section) != sections(request)[section]:
            return None
        kept = next((t for t in self.previous.lock.targets if t.name == request.name), None)
        if section == "system" and kept is not None and isinstance(kept.base, ArchiveBase):
            path = self.folder / kept.base.path
            return kept if path.is_file() and sha256_of(path) == kept.base.sha256 else None
        return kept

    def _target(
        self, request: TargetRequest, found: Mapping[_Asked, Any], keep_systems: bool
    ) -> LockedTarget:
        kept = self._kept(request, "system") if keep_systems else None
        system: _System = _System(kept.base, kept.apt) if kept else found[_system_key(request)]
        python = tuple(
            found.get((request.platform, each)) or self._old_python(request, each) for each in request.python
        )
        trees = tuple(
            (name, found.get((tree,)) or self._old_tree(request, name)) for name, tree in request.trees
        )
        return LockedTarget(request.name, request.platform, system.base, system.apt, python, trees)

    def _old_python(self, request: TargetRequest, asked: PythonRequest) -> PythonEnvironment:
        kept = self._kept(request, f"python {asked.name}")
        assert kept is not None, "what is not kept was resolved"
        return next(each for each in kept.python if each.name == asked.name)

    def _old_tree(self, request: TargetRequest, name: str) -> SourceTree:
        kept = self._kept(request, name)
        assert kept is not None, "what is not kept was resolved"
        return dict(kept.trees)[name]

    def _system(self, request: TargetRequest) -> _System:
        architecture = archives.architecture(request.platform)
        if architecture is None:
            known = ", ".join(f"`{p}`" for p in archives.platforms())
            raise problem(codes.PLATFORM, request.base.origin, platform=request.platform, known=known)
        match request.base:
            case BootstrapRequest() as asked:
                release = _release(asked.distribution, asked.release, asked)
                bootstrap.runs_here(asked, request.platform)
                universe = self.archives.universe(release, architecture, request.sources)
                installed = apt.basic_closure(self.archives.universe(release, architecture), release)
                base: LockedBase = BootstrapBase(
                    asked.distribution,
                    asked.release,
                    apt.debs(installed.values()),
                    "",
                    "",
                    0,
                )
                return _System(base, apt.layers(universe, release, installed, request.apt))
            case ImageRequest() as asked:
                if self.past and "@" not in asked.reference:
                    self.told.append(error(codes.AS_OF_IMAGE, asked.origin, reference=asked.reference))
                found = image.lock(
                    asked.reference, asked.origin, request.platform, self.client, self.site, self.store
                )
                return self._on_image(found, asked, request, architecture)
            case ArchiveRequest() as asked:
                kept = archive.lock(asked, self.folder, request.platform, self.store)
                return self._on_image(kept, asked, request, architecture)

    def _on_image(
        self,
        base: ImageBase | ArchiveBase,
        asked: ImageRequest | ArchiveRequest,
        request: TargetRequest,
        architecture: str,
    ) -> _System:
        if not request.apt:
            return _System(base, ())
        release = _release(asked.distribution or "", asked.release or "", asked)
        universe = self.archives.universe(release, architecture, request.sources)
        installed = image.installed(base, self.store, asked.origin)
        return _System(base, apt.layers(universe, release, installed, request.apt))

    def _python(
        self, asked: PythonRequest, request: TargetRequest, trees: Mapping[str, str]
    ) -> Outcome[PythonEnvironment]:
        return pypi.lock(asked, request.platform, self.client, self.site, self.store, trees)

    def _tree(self, asked: TreeRequest) -> Outcome[Any]:
        match asked:
            case LocalRequest():
                return Outcome(local.lock(asked, self.folder, self.store))
            case GitRequest():
                return git.lock(asked, self.store)
            case WebRequest():
                return web.lock(asked, self.client, self.store)
            case DoiRequest():
                return doi.lock(asked, self.client, self.site, self.store)
            case SwhRequest():
                return Outcome(swh.lock(asked, self.client, self.site, self.store))

    def _moment(self, targets: Sequence[LockedTarget], keep_systems: bool) -> tuple[int, tuple[Archive, ...]]:
        """The lock's time and the archives at it: the old ones while they have all that is needed."""
        if self.previous is not None and (keep_systems or not self.past):
            old = self.previous.lock
            if keep_systems:
                return old.time, old.archives
            had = frozenset[Deb]().union(*(_System(t.base, t.apt).debs for t in old.targets))
            images = {t.base for t in old.targets if isinstance(t.base, ImageBase)}
            same_images = all(t.base in images for t in targets if isinstance(t.base, ImageBase))
            if same_images and all(_System(t.base, t.apt).debs <= had for t in targets):
                return old.time, old.archives
        return self.now, self._confirmed(self.archives.used())

    def _confirmed(self, used: Sequence[Archive]) -> tuple[Archive, ...]:
        """The archives, marked where the snapshot service is seen to hold the same files."""
        asking = net.Client(attempts=1, timeout=(3.0, 10.0))

        def holds(archive: Archive) -> bool:
            if archive.confirmed or archive.address is not None:
                return archive.confirmed
            root = self.site.snapshots(archive.name, archive.snapshot)
            try:
                return all(
                    net.digest(asking.get([f"{root}/dists/{suite}/InRelease"], suite)) == sha256
                    for suite, sha256 in archive.suites
                )
            except Problem:
                return False

        return tuple(replace(archive, confirmed=holds(archive)) for archive in used)

    def _finished(self, lock: Lock) -> Lock:
        """The lock with the digests of its bootstrapped bases, which are made where they are not known."""
        made: dict[tuple[str, BootstrapBase], BootstrapBase] = {}
        targets = []
        for target in lock.targets:
            base = target.base
            if isinstance(base, BootstrapBase):
                key = (target.platform, base)
                if key not in made:
                    made[key] = self._made(base, lock, target.platform)
                base = made[key]
            targets.append(replace(target, base=base))
        return replace(lock, targets=tuple(targets))

    def _made(self, base: BootstrapBase, lock: Lock, platform: str) -> BootstrapBase:
        if base.sha256:
            return base
        if self.previous is not None and (lock.time, lock.archives) == (
            self.previous.lock.time,
            self.previous.lock.archives,
        ):
            for old in self.previous.lock.targets:
                known = old.base
                if isinstance(known, BootstrapBase) and (known.debs, old.platform) == (base.debs, platform):
                    return known
        here = bootstrap.tool()
        self.fetching.run(
            f"fetching the packages of the {base.distribution} {base.release} base",
            list(self.fetching.debs(base.debs, lock.archives)),
        )
        with self.progress.task(f"making the {base.distribution} {base.release} base"):
            sha256, size = bootstrap.make(
                bootstrap.recipe_of(base, lock, platform), self.store, self.progress
            )
        return replace(base, tool=here, sha256=sha256, size=size)


def _system_key(request: TargetRequest) -> _Asked:
    return (request.platform, request.base, request.apt, request.sources)


def _release(distribution: str, name: str, asked: BaseRequest) -> catalog.Release:
    found = catalog.release(distribution, name)
    if found is None:
        known = ", ".join(f"`{each.codename}`" for each in catalog.releases(distribution)) or "none"
        raise problem(
            codes.UNKNOWN_RELEASE, asked.origin, distribution=distribution, release=name, known=known
        )
    return found
