"""Packages of another release beside the base's own: only names that the base's release does not have.

So nothing of the base moves, whatever the other release has: apt would come to the same with that release's
suites at a lower priority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reproc import catalog
from reproc.catalog import Release
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Index, Universe
from reproc.lock.providers.apt import Archives
from reproc.lock.requests import AptRequest


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
        [each for each in catalog.releases(release.distribution) if each.codename in names]
    ):
        indexes = archives.universe(other, base.architecture).indexes
        base = Universe(base.architecture, (*base.indexes, *(Beside(index, base) for index in indexes)))
    return base


class Beside(Index):
    """A `Packages` file without the names that a universe has already."""

    def __init__(self, index: Index, base: Universe) -> None:
        self.archive = index.archive
        self._index = index
        self._base = base

    @property
    def names(self) -> frozenset[str]:
        return self._index.names - self._base.names

    def named(self, name: str) -> Iterator[Package]:
        if name not in self._base.names:
            yield from self._index.named(name)

    def providing(self, name: str) -> Iterator[Package]:
        if name not in self._base.names and not self._base.providers(name):
            yield from (p for p in self._index.providing(name) if p.name not in self._base.names)

    def mention(self, name: str) -> int | None:
        return self._index.mention(name)

    def basic(self) -> Iterator[Package]:
        """None: what a base system is made of is the base's alone."""
        yield from ()
