"""A target's base and the distribution's packages on it, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reproc import catalog
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import archives, contents, toolchains
from reproc.lock.archives import Site
from reproc.lock.debian.control import Package
from reproc.lock.debian.held import Held
from reproc.lock.debian.index import Universe
from reproc.lock.debian.solver import Resolver, solve
from reproc.lock.model import AptLayer, ArchiveBase, BootstrapBase, ImageBase, Lock, LockedBase
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import apt, archive, bootstrap, image
from reproc.lock.providers.registry import parsed
from reproc.lock.requests import (
    ArchiveRequest,
    BaseRequest,
    BootstrapRequest,
    ImageRequest,
    TargetRequest,
)
from reproc.lock.store import Store
from reproc.lock.update import BASE, Update, debs_of
from reproc.record import record


@record
class System:
    """A base and the layers on it; of a bootstrapped base the digest is not known yet."""

    base: LockedBase
    apt: tuple[AptLayer, ...]


@dataclass
class Systems:
    """How the systems of a run's targets are resolved."""

    folder: Path
    site: Site
    client: Client
    store: Store
    archives: apt.Archives
    previous: Lock | None
    """The lock whose versions stay where they can; None if everything moves."""
    update: Update
    resolver: Resolver = solve
    """What says which packages an installation brings in."""

    def __post_init__(self) -> None:
        self.held = self._versions()

    def lock(self, request: TargetRequest) -> Outcome[System]:
        """The base and its packages; raises `Problem`."""
        told: tuple[Diagnostic, ...] = ()
        base = request.base
        if self.archives.past and isinstance(base, ImageRequest) and "@" not in base.reference:
            told = (error(codes.AS_OF_IMAGE, base.origin, reference=base.reference),)
        if self.held:
            try:
                return Outcome(self._system(request, self.held), told)
            except Problem:  # what is asked for now does not go with what was locked
                pass
        return Outcome(self._system(request, {}), told)

    def _versions(self) -> Mapping[str, frozenset[str]]:
        """The versions at which packages stay, by name; none for those that move."""
        found: dict[str, set[str]] = {}
        # as of a day there is one answer, whatever was locked before
        for target in self.previous.targets if self.previous is not None and not self.archives.past else ():
            free = self.update.free(target)
            for deb in debs_of(target):
                versions = found.setdefault(deb.name, set())
                if deb.name not in free:
                    versions.add(deb.version)
        return {name: frozenset(each) for name, each in found.items()}

    def _system(self, request: TargetRequest, held: Mapping[str, frozenset[str]]) -> System:
        architecture = archives.architecture(request.platform)
        if architecture is None:
            known = ", ".join(f"`{p}`" for p in archives.platforms())
            raise problem(codes.PLATFORM, request.base.origin, platform=request.platform, known=known)
        match request.base:
            case BootstrapRequest() as asked:
                release = _release(asked.distribution, asked.release, asked)
                bootstrap.runs_here(asked, request.platform)
                own = _stay(self.archives.universe(release, architecture), request, held)
                installed = apt.basic_closure(own, release, self.resolver)
                debs = apt.debs(installed.values())
                contents.note(debs, own, self.store)
                base = BootstrapBase(asked.distribution, asked.release, debs, "", "", 0)
                return System(base, self._layers(release, architecture, installed, request, held))
            case ImageRequest() as asked:
                return self._on_image(self._image(asked, request), asked, request, architecture, held)
            case ArchiveRequest() as asked:
                kept = archive.lock(asked, self.folder, request.platform, self.store)
                return self._on_image(kept, asked, request, architecture, held)

    def _image(self, asked: ImageRequest, request: TargetRequest) -> ImageBase:
        """The image; a tag that was locked stays at its digest."""
        full = str(parsed(asked.reference, asked.origin))
        stays = self.previous is not None and BASE not in self.update.sections
        targets = self.previous.targets if self.previous is not None and stays else ()
        for old in (each for target in targets for each in target.systems):
            base = old.base
            if isinstance(base, ImageBase) and (base.reference, old.platform) == (full, request.platform):
                if request.apt and self.store.path(base.rootfs) is None:
                    image.fetch(base, request.platform, self.client, self.site, self.store)
                return base
        return image.lock(asked.reference, asked.origin, request.platform, self.client, self.site, self.store)

    def _on_image(
        self,
        base: ImageBase | ArchiveBase,
        asked: ImageRequest | ArchiveRequest,
        request: TargetRequest,
        architecture: str,
        held: Mapping[str, frozenset[str]],
    ) -> System:
        if not request.apt:
            return System(base, ())
        release = _release(asked.distribution or "", asked.release or "", asked)
        installed = image.installed(base, self.store, asked.origin)
        return System(base, self._layers(release, architecture, installed, request, held))

    def _layers(
        self,
        release: catalog.Release,
        architecture: str,
        installed: Mapping[str, Package],
        request: TargetRequest,
        held: Mapping[str, frozenset[str]],
    ) -> tuple[AptLayer, ...]:
        offered = self.archives.universe(release, architecture, request.sources)
        wider = toolchains.beside(self.archives, offered, release, request.apt)
        universe = _stay(offered, request, held)
        wider = {names: _stay(each, request, held) for names, each in wider.items()}
        found = apt.layers(universe, release, installed, request.apt, wider, self.resolver)
        for layer, asked in zip(found, request.apt, strict=True):
            contents.note(layer.debs, wider.get(asked.beside, universe), self.store)
        return found


def _stay(universe: Universe, request: TargetRequest, held: Mapping[str, frozenset[str]]) -> Universe:
    """What the archives have, with what was locked at its version where it can stay there."""
    if not held:
        return universe
    return Held(
        universe, held, {item.text.partition("=")[0] for layer in request.apt for item in layer.packages}
    )


def _release(distribution: str, name: str, asked: BaseRequest) -> catalog.Release:
    found = catalog.release(distribution, name)
    if found is None:
        known = ", ".join(f"`{each.codename}`" for each in catalog.releases(distribution)) or "none"
        raise problem(
            codes.UNKNOWN_RELEASE, asked.origin, distribution=distribution, release=name, known=known
        )
    return found
