"""A universe in which packages stay at the versions that a lock has, as far as that is possible.

A package that is not held, or that cannot stay beside one that moves, is at its newest version: so asking for
one more package, or for the update of one, moves that package and what it takes along, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from reproc.lock.debian.control import Group, Package, Relation
from reproc.lock.debian.index import Universe


class Held(Universe):
    """Another universe's packages, with some at given versions; `asked` has further names that are wanted."""

    def __init__(
        self, universe: Universe, versions: Mapping[str, Collection[str]], asked: Collection[str] = ()
    ) -> None:
        super().__init__(universe.architecture, universe.indexes)
        found = {
            name: next((p for p in self.versions(name) if p.version in wanted), None)
            for name, wanted in versions.items()
        }
        self._held = {name: package for name, package in found.items() if package is not None}
        self._wanted = {*versions, *asked}
        self._settle()

    @property
    def held(self) -> Mapping[str, Package]:
        """What stays at its version, by name."""
        return self._held

    def newest(self, name: str) -> Package | None:
        """The version that is held, or else the newest."""
        return self._held.get(name) or super().newest(name)

    def _settle(self) -> None:
        """Lets go of what stands in the way, and finds what else is wanted, until nothing changes any more."""
        while True:
            moving: set[str] = set()
            further: set[str] = set()
            for name in sorted(self._wanted):
                package = self.newest(name)
                if package is not None:
                    moving.update(self._excluded(package))
                    for group in package.depends:
                        self._look(package, group, moving, further)
            if not moving and further <= self._wanted:
                return
            self._wanted |= further
            for name in moving:
                self._held.pop(name, None)

    def _look(self, package: Package, group: Group, moving: set[str], further: set[str]) -> None:
        """What has to move, or is wanted as well, so that a dependency holds."""
        if any(relation.name in self._wanted and self._answered(relation) for relation in group):
            return
        # what is only provided by others is left to the resolver
        if any(not self.versions(relation.name) for relation in group):
            return
        new = next((r.name for r in group if r.name not in self._wanted and self._answered(r)), None)
        if new is not None:
            further.add(new)
            return
        names = [relation.name for relation in group if self._would_answer(relation)]
        moving.update(names or ({package.name} & self._held.keys()))

    def _excluded(self, package: Package) -> Iterator[str]:
        """The held packages that may not be beside it at their versions."""
        for relation in package.excludes:
            other = self._held.get(relation.name)
            if (
                other is not None
                and other.name != package.name
                and other.answers(relation, self.architecture)
            ):
                yield other.name

    def _answered(self, relation: Relation) -> bool:
        chosen = self.newest(relation.name)
        return chosen is not None and chosen.answers(relation, self.architecture)

    def _would_answer(self, relation: Relation) -> bool:
        newest = super().newest(relation.name)
        return (
            relation.name in self._held and newest is not None and newest.answers(relation, self.architecture)
        )
