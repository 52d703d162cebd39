"""What archives, indexes, repositories and registries have now that is newer than what a lock has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reproc import catalog
from reproc.diagnostics.diagnostic import Diagnostic, Outcome
from reproc.lock import archives, net, toolchains
from reproc.lock.archives import Site
from reproc.lock.conda import channel
from reproc.lock.debian import version
from reproc.lock.debian.index import Universe
from reproc.lock.fetch import together, workers
from reproc.lock.model import CondaTree, GitTree, ImageBase, ImageTree, Lock, LockedTarget, PythonEnvironment
from reproc.lock.problem import attempt
from reproc.lock.providers import apt, image, image_folder, pypi
from reproc.lock.providers.refs import refs
from reproc.lock.requests import CondaRequest, FolderRequest, GitRequest, PythonRequest, TargetRequest
from reproc.lock.store import Store
from reproc.lock.update import debs_of
from reproc.progress import Progress
from reproc.record import record, replace


@record
class Newer:
    """Something that there is a newer one of."""

    section: str
    """`packages`, `python main`, `code model`, `base`."""
    name: str
    locked: str
    within: str
    """What `reproc lock --update` would take, with the spec as it is."""
    newest: str
    held: str = ""
    """What keeps it from the newest."""
    targets: tuple[str, ...] = ()


def newer(
    lock: Lock,
    requests: Sequence[TargetRequest],
    store: Store,
    progress: Progress,
    *,
    now: int,
    site: Site | None = None,
) -> Outcome[tuple[Newer, ...]]:
    """Everything that there is a newer one of, section by section; what cannot be asked is told."""
    run = _Run(lock, store, site or Site(), now)
    locked = {each.name: each for each in lock.targets}
    jobs: list[tuple[str, Callable[[], Iterable[Newer]]]] = []
    for request in requests:
        jobs += ((request.name, job) for job in run.jobs(locked[request.name], request))

    def done(job: Callable[[], Iterable[Newer]]) -> Outcome[tuple[Newer, ...]]:
        return attempt(lambda: Outcome(tuple(job())))

    with progress.task("asking what is new"), workers() as pool:
        outcomes = list(pool.map(done, (job for _, job in jobs)))
    targets: dict[Newer, list[str]] = {}
    told: list[Diagnostic] = []
    for (name, _), outcome in zip(jobs, outcomes, strict=True):
        told += outcome.diagnostics
        for each in outcome.value or ():
            targets.setdefault(each, []).append(name)
    found = (
        Newer(e.section, e.name, e.locked, e.within, e.newest, e.held, tuple(names))
        for e, names in targets.items()
    )
    order = {"base": 0, "packages": 1}
    return Outcome(
        tuple(sorted(found, key=lambda e: (order.get(e.section, 2), e.section, e.name, e.targets))),
        together(told),
    )


@dataclass
class _Run:
    lock: Lock
    store: Store
    site: Site
    now: int
    client: net.Client = field(default_factory=net.Client)

    def __post_init__(self) -> None:
        self.archives = apt.Archives(self.site, self.client, self.store, self.now)

    def jobs(self, target: LockedTarget, request: TargetRequest) -> Iterator[Callable[[], Iterable[Newer]]]:
        """One question for each source of a target."""
        for system, wish in zip(target.systems, (request, *request.further), strict=True):
            alone = replace(system, further=())
            if next(debs_of(alone), None) is not None:
                yield lambda s=alone, w=wish: self._debs(s, w)  # type: ignore[misc]
            if isinstance(system.base, ImageBase):
                yield lambda base=system.base: self._image(base, target.platform)  # type: ignore[misc]
        for environment in target.python:
            asked = next(each for each in request.python if each.name == environment.name)
            yield lambda e=environment, a=asked: self._python(e, a, target)  # type: ignore[misc]
        trees = dict(target.trees)
        for name, tree in request.trees:
            locked = trees[name]
            if isinstance(tree, GitRequest) and isinstance(locked, GitTree):
                yield lambda n=name, t=locked, a=tree: self._git(n, t, a)  # type: ignore[misc]
            elif isinstance(tree, FolderRequest) and isinstance(locked, ImageTree):
                yield lambda n=name, t=locked, a=tree: self._folder(n, t, a)  # type: ignore[misc]
            elif isinstance(tree, CondaRequest) and isinstance(locked, CondaTree):
                yield lambda n=name, t=locked, a=tree: self._conda(n, t, a)  # type: ignore[misc]

    def _debs(self, target: LockedTarget, request: TargetRequest) -> Iterator[Newer]:
        base = request.base
        release = catalog.release(base.distribution or "", base.release or "")
        architecture = archives.architecture(target.platform)
        assert release is not None and architecture is not None, "packages were locked"
        universe = self.archives.universe(release, architecture, request.sources)
        wider = toolchains.beside(self.archives, universe, release, request.apt)
        pins = {name: f"pinned to {own}" for name, own in _pins(request)}
        day = self._day(request.as_of)
        for deb in sorted(set(debs_of(target)), key=lambda deb: (deb.name, deb.version)):
            found = self._newest(deb.name, (universe, *wider.values()))
            if found is None or version.key(found) <= version.key(deb.version):
                continue
            held = day or pins.get(deb.name, "")
            yield Newer("packages", deb.name, deb.version, deb.version if held else found, found, held)

    def _newest(self, name: str, universes: Iterable[Universe]) -> str | None:
        found = next((p for each in universes if (p := each.newest(name)) is not None), None)
        return found.version if found is not None else None

    def _day(self, as_of: int | None) -> str:
        """What is told of an `as-of`, the lock's own before the spec's."""
        moment = self.lock.as_of if self.lock.as_of is not None else as_of
        return f"as of {archives.day(moment)}" if moment is not None else ""

    def _image(self, base: ImageBase, platform: str) -> Iterator[Newer]:
        name, at, _ = base.reference.partition("@")
        found = image.digest(name, None, platform, self.client, self.site)
        if found != base.digest:
            held = "named by its digest" if at else ""
            yield Newer("base", name, base.digest, base.digest if held else found, found, held)

    def _folder(self, section: str, tree: ImageTree, asked: FolderRequest) -> Iterator[Newer]:
        found = image_folder.digest(tree, asked.platform, self.client, self.site)
        if found != tree.digest:
            yield Newer(section, tree.reference, tree.digest, found, found)

    def _conda(self, section: str, tree: CondaTree, asked: CondaRequest) -> Iterator[Newer]:
        day = self._day(asked.as_of)
        today = channel.solved(replace(asked, as_of=None), self.client, self.site, self.store)
        found = {each.name: f"{each.version}-{each.build}" for each in today}
        for each in tree.packages:
            own = f"{each.version}-{each.build}"
            newest = found.get(each.name, own)
            if newest != own:
                yield Newer(section, each.name, own, own if day else newest, newest, day)

    def _python(
        self, environment: PythonEnvironment, asked: PythonRequest, target: LockedTarget
    ) -> Iterator[Newer]:
        wheels = {wheel.name: wheel.version for wheel in environment.wheels}
        newest = pypi.newest(sorted(wheels), asked, target.platform, self.site)
        behind = {name for name, own in wheels.items() if _later(newest.get(name, own), own)}
        if not behind:
            return
        within = self._within(asked, target)
        day = self._day(asked.as_of)
        for name in sorted(behind):
            reach = within.get(name, wheels[name])
            held = "" if reach == newest[name] else day or "kept by what is asked for"
            yield Newer(f"python {environment.name}", name, wheels[name], reach, newest[name], held)

    def _within(self, asked: PythonRequest, target: LockedTarget) -> Mapping[str, str]:
        """What the environment would get today; nothing where its code is not here to be asked."""
        trees = dict(target.trees)
        digests = {each.name: trees[f"code {each.name}"].sha256 for each in asked.installs}
        if any(self.store.path(sha256) is None for sha256 in digests.values()):
            return {}
        if self.lock.as_of is not None:
            asked = replace(asked, as_of=self.lock.as_of)
        found = pypi.lock(asked, target.platform, self.client, self.site, self.store, digests).value
        return {wheel.name: wheel.version for wheel in found.wheels} if found is not None else {}

    def _git(self, section: str, tree: GitTree, asked: GitRequest) -> Iterator[Newer]:
        found = refs(asked, self.site)
        if asked.kind == "branch":
            head = found.get(f"refs/heads/{asked.ref}", tree.commit)
            if head != tree.commit:
                yield Newer(section, asked.ref, tree.commit, head, head)
            return
        tags = {
            name.removeprefix("refs/tags/"): commit for name, commit in found.items() if "refs/tags/" in name
        }
        own = (
            asked.ref
            if asked.kind == "tag"
            else next((t for t, c in sorted(tags.items()) if c == tree.commit), "")
        )
        if own in tags and asked.kind == "tag" and tags[own] != tree.commit:
            yield Newer(section, own, tree.commit, tags[own], tags[own])
        later = newest_tag(own, tags)
        if later is not None:
            yield Newer(section, "tag", own, own, later, f"pinned to a {asked.kind}")


def newest_tag(own: str, tags: Iterable[str]) -> str | None:
    """The newest of the tags that are versions written like this one, if it is newer."""
    shape = re.match(r"(.*?)(\d+(?:\.\d+)*)$", own)
    if shape is None:
        return None
    alike = re.compile(re.escape(shape[1]) + r"\d+(?:\.\d+)*")
    found = max(
        (tag for tag in tags if alike.fullmatch(tag)),
        key=lambda tag: [int(part) for part in tag[len(shape[1]) :].split(".")],
        default=own,
    )
    mine, theirs = ([int(part) for part in tag[len(shape[1]) :].split(".")] for tag in (own, found))
    return found if theirs > mine else None


def _pins(request: TargetRequest) -> Iterator[tuple[str, str]]:
    for layer in request.apt:
        for item in layer.packages:
            name, equals, own = item.text.partition("=")
            if equals:
                yield name, own


def _later(left: str, right: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(left) > Version(right)
    except InvalidVersion:
        return False
