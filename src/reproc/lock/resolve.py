"""From what a spec asks for to a lock; what has not changed is taken from the lock before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error, in_source_order
from reproc.lock import archives, net, toolchains
from reproc.lock.archives import Site
from reproc.lock.debian.solver import Resolver, solve
from reproc.lock.fetch import Fetching, together, workers
from reproc.lock.model import (
    Archive,
    ArchiveBase,
    BootstrapBase,
    ImageBase,
    Lock,
    LockedTarget,
    PythonEnvironment,
    SourceTree,
)
from reproc.lock.problem import Problem, attempt
from reproc.lock.providers import apt, bootstrap, conda, doi, git, image_folder, local, pypi, swh, web
from reproc.lock.requests import (
    CondaRequest,
    DoiRequest,
    FolderRequest,
    GitRequest,
    LocalRequest,
    PythonRequest,
    SwhRequest,
    TargetRequest,
    TreeRequest,
    WebRequest,
)
from reproc.lock.sections import SYSTEM, LockFile, sections
from reproc.lock.store import Store, sha256_of
from reproc.lock.systems import System, Systems
from reproc.lock.update import NOTHING, Update, debs_of
from reproc.progress import Progress
from reproc.record import replace

T = TypeVar("T")


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
    update: Update = NOTHING,
    as_of: int | None = None,
    preview: bool = False,
    site: Site | None = None,
    resolver: Resolver = solve,
) -> Outcome[Lock]:
    """The lock of these requests, its targets by name.

    Sections of `previous` whose requests are the same are kept as they are, unless `update` names them; folders
    beside the spec are read in any case. In a section that is resolved again, packages stay at the versions that
    they had, as far as they can and nobody asked for their update. The distribution's packages are all of one
    moment: if one target's have to be resolved again, all are. The moment moves on only where a package is
    needed that the lock before did not have. `as_of` stands in place of the spec's, also in later locks. In a
    `preview`, new bootstrapped bases are not made: they have no digest. The `resolver` is no part of a lock:
    two that come to the same packages give the same bytes.
    """
    before = previous.lock.as_of if previous is not None and not update.everything else None
    chosen = before if as_of is None else as_of
    asked = {request.name: sections(request) for request in requests}
    if chosen is not None:
        requests = [_as_of(request, chosen) for request in requests]
    moment = next((request.as_of for request in requests), None)
    if moment is not None and moment > now:
        return Outcome(None, (error(codes.AS_OF_LATER, None, date=archives.day(moment)),))
    run = _Run(
        folder,
        store,
        progress,
        site or Site(),
        now if moment is None else moment,
        previous,
        update,
        asked,
        past=moment is not None,
        moved=chosen != before,
        preview=preview,
        resolver=resolver,
    )
    found = attempt(lambda: run.lock(sorted(requests, key=lambda request: request.name)))
    told = together((*run.client.told, *in_source_order((*run.told, *found.diagnostics))))
    return Outcome(replace(found.value, as_of=chosen) if found.value else None, told)


def _as_of(request: TargetRequest, moment: int) -> TargetRequest:
    python = tuple(replace(each, as_of=moment) for each in request.python)
    trees = tuple(
        (name, replace(tree, as_of=moment) if isinstance(tree, CondaRequest) else tree)
        for name, tree in request.trees
    )
    further = tuple(_as_of(each, moment) for each in request.further)
    return replace(request, as_of=moment, python=python, trees=trees, further=further)


@dataclass
class _Run:
    folder: Path
    store: Store
    progress: Progress
    site: Site
    now: int
    previous: LockFile | None
    update: Update
    asked: Mapping[str, Mapping[str, str]]
    """For every target, the digests of what its sections ask for."""
    past: bool = False
    """Whether `now` is a day that was asked for, and not the moment of locking."""
    moved: bool = False
    """Whether that day was another one before."""
    preview: bool = False
    resolver: Resolver = solve
    told: list[Diagnostic] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = net.Client()
        self.fetching = Fetching(self.store, self.site, self.client, self.progress)
        self.archives = apt.Archives(self.site, self.client, self.store, self.now, self.past)
        old = self.previous.lock if self.previous is not None and not self.update.everything else None
        self.systems = Systems(
            self.folder,
            self.site,
            self.client,
            self.store,
            self.archives,
            old,
            self.update,
            self.resolver,
        )

    def lock(self, requests: Sequence[TargetRequest]) -> Outcome[Lock]:
        """What is independent of everything else first, side by side; then the bootstrapped bases."""
        keep_systems = all(self._kept(request, SYSTEM) is not None for request in requests)
        work: _Work = {}
        for request in requests:
            for alone in () if keep_systems else (request, *request.further):
                work[_system_key(alone)] = lambda r=alone: self._system(r)  # type: ignore[misc]
            for each in request.python:
                if not each.installs and self._kept(request, f"python {each.name}") is None:
                    work[(request.platform, each)] = lambda r=request, e=each: self._python(e, r, {})  # type: ignore[misc]
            for name, tree in request.trees:
                if isinstance(tree, LocalRequest) or self._kept(request, name) is None:
                    work[(tree,)] = lambda n=name, t=tree, r=request: self._tree(n, t, r)  # type: ignore[misc]
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
        """The target of the lock before, if this section asks for the same and nobody asked for its update."""
        kept = self.previous.target(request.name) if self.previous is not None else None
        if self.previous is None or kept is None or self.update.moves(kept, section):
            return None
        if self.previous.input(request.name, section) != self.asked[request.name][section]:
            return None
        dated = isinstance(dict(request.trees).get(section), CondaRequest)
        if self.moved and (dated or section.partition(" ")[0] in (SYSTEM, "python")):
            return None
        if section == SYSTEM:
            archived = (each.base for each in kept.systems if isinstance(each.base, ArchiveBase))
            return kept if all(self._same(base) for base in archived) else None
        return kept

    def _same(self, base: ArchiveBase) -> bool:
        path = self.folder / base.path
        return path.is_file() and sha256_of(path) == base.sha256

    def _projects(self, asked: PythonRequest, request: TargetRequest) -> Mapping[str, str]:
        """The versions at which an environment's Python packages stay, by name."""
        if self.previous is None or self.update.everything or self.past:
            return {}
        if f"python {asked.name}" in self.update.sections:
            return {}
        locked = self.previous.target(request.name)
        old = next((each for each in locked.python if each.name == asked.name), None) if locked else None
        return {w.name: w.version for w in old.wheels if w.name not in self.update.projects} if old else {}

    def _target(
        self, request: TargetRequest, found: Mapping[_Asked, Any], keep_systems: bool
    ) -> LockedTarget:
        kept = self._kept(request, SYSTEM) if keep_systems else None
        system: System = System(kept.base, kept.apt) if kept else found[_system_key(request)]
        further = kept.further if kept else tuple(self._further(each, found) for each in request.further)
        python = tuple(
            found.get((request.platform, each)) or self._old_python(request, each) for each in request.python
        )
        trees = tuple(
            (name, found.get((tree,)) or self._old_tree(request, name)) for name, tree in request.trees
        )
        return LockedTarget(
            request.name,
            request.platform,
            system.base,
            system.apt,
            tuple(sorted(python, key=lambda each: each.name)),
            trees,
            further,
        )

    def _further(self, request: TargetRequest, found: Mapping[_Asked, Any]) -> LockedTarget:
        system: System = found[_system_key(request)]
        return LockedTarget(request.name, request.platform, system.base, system.apt, (), ())

    def _old_python(self, request: TargetRequest, asked: PythonRequest) -> PythonEnvironment:
        kept = self._kept(request, f"python {asked.name}")
        assert kept is not None, "what is not kept was resolved"
        return next(each for each in kept.python if each.name == asked.name)

    def _old_tree(self, request: TargetRequest, name: str) -> SourceTree:
        kept = self._kept(request, name)
        assert kept is not None, "what is not kept was resolved"
        return dict(kept.trees)[name]

    def _python(
        self, asked: PythonRequest, request: TargetRequest, trees: Mapping[str, str]
    ) -> Outcome[PythonEnvironment]:
        held = self._projects(asked, request)
        return pypi.lock(asked, request.platform, self.client, self.site, self.store, trees, held)

    def _system(self, request: TargetRequest) -> Outcome[System]:
        try:
            return self.systems.lock(request)
        except Problem as trouble:
            more = toolchains.instead_of_packages(request, trouble.diagnostics)
            raise Problem(*trouble.diagnostics, *more) from trouble

    def _tree(self, name: str, asked: TreeRequest, request: TargetRequest) -> Outcome[Any]:
        try:
            return self._source(asked)
        except Problem as trouble:
            more = toolchains.instead_of(name, asked, request, trouble.diagnostics)
            raise Problem(*trouble.diagnostics, *more) from trouble

    def _source(self, asked: TreeRequest) -> Outcome[Any]:
        match asked:
            case LocalRequest():
                return Outcome(local.lock(asked, self.folder, self.store))
            case GitRequest():
                return git.lock(asked, self.store, self.client, self.site)
            case WebRequest():
                return web.lock(asked, self.client, self.store, self.site)
            case DoiRequest():
                return doi.lock(asked, self.client, self.site, self.store)
            case SwhRequest():
                return Outcome(swh.lock(asked, self.client, self.site, self.store))
            case FolderRequest():
                found = image_folder.lock(asked, self.client, self.site, self.store)
                moving = error(codes.AS_OF_IMAGE, asked.origin, reference=asked.reference)
                return Outcome(found, (moving,) if self.past else ())
            case CondaRequest():
                return Outcome(conda.lock(asked, self.client, self.site, self.store))

    def _moment(self, targets: Sequence[LockedTarget], keep_systems: bool) -> tuple[int, tuple[Archive, ...]]:
        """The lock's time and the archives at it: the old ones while they have all that is needed."""
        if self.previous is not None and (keep_systems or not self.past):
            old = self.previous.lock
            if keep_systems:
                return old.time, old.archives
            had = frozenset(deb for target in old.targets for deb in debs_of(target))
            same_images = _images(targets) <= _images(old.targets)
            if same_images and all(had.issuperset(debs_of(target)) for target in targets):
                return old.time, old.archives
        return self.now, self._confirmed(self.archives.used())

    def _confirmed(self, used: Sequence[Archive]) -> tuple[Archive, ...]:
        """The archives, marked where the snapshot service is seen to hold the same files."""
        asking = net.Client(attempts=1, timeout=(3.0, 10.0))

        def holds(archive: Archive) -> bool:
            if archive.confirmed or archive.address is not None:
                return archive.confirmed
            roots = self.site.snapshots(archive.name, archive.snapshot)
            try:
                return all(
                    net.digest(asking.get([f"{root}/dists/{suite}/InRelease" for root in roots], suite))
                    == sha256
                    for suite, sha256 in archive.suites
                )
            except Problem:
                return False

        return tuple(replace(archive, confirmed=holds(archive)) for archive in used)

    def _finished(self, lock: Lock) -> Lock:
        """The lock with the digests of its bootstrapped bases, which are made where they are not known."""
        made: dict[tuple[str, BootstrapBase], BootstrapBase] = {}

        def finished(target: LockedTarget) -> LockedTarget:
            base = target.base
            if isinstance(base, BootstrapBase):
                key = (target.platform, base)
                if key not in made:
                    made[key] = self._made(base, lock, target.platform)
                base = made[key]
            return replace(target, base=base, further=tuple(finished(each) for each in target.further))

        return replace(lock, targets=tuple(finished(target) for target in lock.targets))

    def _made(self, base: BootstrapBase, lock: Lock, platform: str) -> BootstrapBase:
        if base.sha256:
            return base
        if self.previous is not None and (lock.time, lock.archives) == (
            self.previous.lock.time,
            self.previous.lock.archives,
        ):
            for old in (each for target in self.previous.lock.targets for each in target.systems):
                known = old.base
                if isinstance(known, BootstrapBase) and (known.debs, old.platform) == (base.debs, platform):
                    return known
        here = bootstrap.tool()
        if self.preview:
            return replace(base, tool=here)
        self.fetching.run(
            f"fetching the packages of the {base.distribution} {base.release} base",
            list(self.fetching.debs(base.debs, lock.archives)),
        )
        with self.progress.task(f"making the {base.distribution} {base.release} base"):
            sha256, size = bootstrap.make(
                bootstrap.recipe_of(base, lock, platform), self.store, self.progress
            )
        return replace(base, tool=here, sha256=sha256, size=size)


def _images(targets: Sequence[LockedTarget]) -> frozenset[ImageBase]:
    bases = (each.base for target in targets for each in target.systems)
    return frozenset(base for base in bases if isinstance(base, ImageBase))


def _system_key(request: TargetRequest) -> _Asked:
    return (request.platform, request.base, request.apt, request.sources)
