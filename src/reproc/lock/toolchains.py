"""Packages of another release beside the base's own; and where else a tool chain is that cannot be had.

Only packages whose names the base's release does not have are taken, so that nothing of the base moves, whatever the
other release has: apt would come to the same with that release's suites at a lower priority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reproc import catalog
from reproc.catalog import Release
from reproc.catalog.environments import instead
from reproc.catalog.ways import ways
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.lock import archives as places
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Index, Universe
from reproc.lock.debian.release import keyrings
from reproc.lock.providers.apt import Archives
from reproc.lock.requests import (
    AptRequest,
    CondaRequest,
    FolderRequest,
    SourceRequest,
    TargetRequest,
    TreeRequest,
)
from reproc.record import replace
from reproc.source import SourceFile, Span


def beside(
    archives: Archives, base: Universe, release: Release, requests: Sequence[AptRequest]
) -> dict[tuple[str, ...], Universe]:
    """What layers may take from, by the releases that they name; raises `Problem`."""
    return {
        request.beside: _widened(archives, base, release, request.beside)
        for request in requests
        if request.beside
    }


def _widened(archives: Archives, base: Universe, release: Release, names: Sequence[str]) -> Universe:
    """The base's universe and, of each further release in turn, what is in none before."""
    # the newest first: of a name that two of them have it is the newer one's
    for other in reversed(
        [each for each in catalog.every_release(release.distribution) if each.codename in names]
    ):
        indexes = _offered(archives, other, base.architecture).indexes
        base = Universe(base.architecture, (*base.indexes, *(Beside(index, base) for index in indexes)))
    return base


def _offered(archives: Archives, release: Release, architecture: str) -> Universe:
    """What a release has; of one that has left the archive, its last state, or that of an earlier day that is meant."""
    if release.snapshot is None:
        return archives.universe(release, architecture)
    meant = places.moment(archives.now) if archives.past else release.snapshot
    key = b"".join(path.read_bytes() for path in keyrings(release.distribution, archives.site.keyrings))
    sources = [
        SourceRequest(
            places.snapshot_address(archive, min(meant, release.snapshot)),
            key,
            suite,
            places.COMPONENTS[archive],
            _NOWHERE,
        )
        for archive, suite in release.suites
    ]
    return archives.universe(replace(release, suites=()), architecture, sources)


_NOWHERE = Span(SourceFile("", ""), 0, 0)


class Beside(Index):
    """A `Packages` file without the names that a universe has already, or has packages that provide them."""

    def __init__(self, index: Index, base: Universe) -> None:
        self.archive = index.archive
        self._index = index
        self._base = base

    @property
    def names(self) -> frozenset[str]:
        return self._index.names - self._base.names

    @property
    def text(self) -> bytes:
        return b"\n".join(self._stanza(package) for package in self._index if self._lacks(package.name))

    def _stanza(self, package: Package) -> bytes:
        provides = ", ".join(str(each) for each in package.provides if self._lacks(each.name))
        return Package({**package.fields, "provides": provides}, package.archive).stanza()

    def _lacks(self, name: str) -> bool:
        # libgcc1 of jessie is libgcc-s1's today
        return name not in self._base.names and not self._base.providers(name)

    def named(self, name: str) -> Iterator[Package]:
        if self._lacks(name):
            yield from self._index.named(name)

    def providing(self, name: str) -> Iterator[Package]:
        if self._lacks(name):
            yield from (p for p in self._index.providing(name) if p.name not in self._base.names)

    @property
    def size(self) -> int:
        return self._index.size

    def mention(self, name: str, begin: int, end: int) -> int | None:
        return self._index.mention(name, begin, end)

    def basic(self) -> Iterator[Package]:
        """None: what a base system is made of is the base's alone."""
        yield from ()


def instead_of_packages(request: TargetRequest, told: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """Where else the tool chains are that another release's packages were to bring, if what is told is of these."""
    away = any(each.code in codes.UNREACHABLE for each in told)
    for layer in request.apt:
        own = {item.origin for item in layer.packages}
        if layer.beside and (away or any(each.span in own for each in told)):
            for name, version in layer.tools:
                yield from _next(name, version, "distro", request, layer.packages[0].origin)


def instead_of(
    key: str, asked: TreeRequest, request: TargetRequest, told: Sequence[Diagnostic]
) -> Iterator[Diagnostic]:
    """Where else a tool chain, or a Python, is that this was to bring; not where it is this machine that fails."""
    kind, _, rest = key.partition(" ")
    here = (codes.NO_SPACE, codes.TOOL_MISSING)
    if any(each.code in here for each in told):
        return
    if kind == "interpreter":
        yield from _image_with(rest, request, asked.origin)
    if kind == "toolchain":
        name, version, *_ = rest.split("-")
        match asked:
            case FolderRequest():
                provider = "image"
            case CondaRequest():
                provider = "conda"
            case _:
                provider = "source"
        yield from _next(name, version, provider, request, asked.origin)


def _image_with(version: str, request: TargetRequest, origin: Span) -> Iterator[Diagnostic]:
    """The image that holds the Python whose archive cannot be had."""
    base = instead("python", version, _release(request))
    if base is not None:
        facts = {"name": "python", "version": version, "provider": "archive", "what": f"`{base}`"}
        yield error(codes.PROVIDER_GONE, origin, next="image", **facts)


def _release(request: TargetRequest) -> Release | None:
    return catalog.release(request.base.distribution or "", request.base.release or "")


def _next(
    name: str, version: str, provider: str, request: TargetRequest, origin: Span
) -> Iterator[Diagnostic]:
    release = _release(request)
    others = ways(name, version, release) if release is not None else ()
    found = next((each for each in others if each.fits and each.provider != provider), None)
    if found is not None:
        facts = {"name": name, "version": version, "provider": provider}
        yield error(codes.PROVIDER_GONE, origin, next=found.provider, what=found.what, **facts)
