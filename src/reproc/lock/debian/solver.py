"""What an installation brings in, or why it cannot be.

The packages are those that apt would mark (`marks`); compared with apt itself in tests and in a benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from reproc.lock.debian.control import Group, Package
from reproc.lock.debian.index import Universe
from reproc.lock.debian.marks import Marks, newer
from reproc.record import record


@record
class Wish:
    """A package that is asked for, perhaps at one version."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        """As apt is told it."""
        return self.name if self.version is None else f"{self.name}={self.version}"


@record
class Failure:
    """Why a wish cannot be granted."""

    wish: Wish
    kind: str
    """`unknown`, `version` or `unsatisfiable`."""
    reason: str = ""
    chain: tuple[str, ...] = ()
    """What wanted it, from the wish on."""


@record
class Solution:
    """What is installed in the end, and what of it was not there before."""

    installed: Mapping[str, Package]
    added: tuple[Package, ...]
    """New or changed packages, by name."""
    failures: tuple[Failure, ...]


class Resolver(Protocol):
    """A way from wishes to packages."""

    def __call__(
        self,
        universe: Universe,
        installed: Mapping[str, Package],
        wishes: Sequence[Wish],
        *,
        recommends: bool = False,
    ) -> Solution:
        """What granting the wishes brings in, on top of what is installed."""
        ...


def solve(
    universe: Universe,
    installed: Mapping[str, Package],
    wishes: Sequence[Wish],
    *,
    recommends: bool = False,
) -> Solution:
    """The packages that granting every wish leads to, on top of what is installed."""
    found, failures = asked(universe, installed, wishes)
    marks = Marks(universe, installed, recommends)
    marks.mark(tuple(found.values()))
    failures += _unmet(marks, {package.name: wish for wish, package in found.items()})
    added = tuple(p for name, p in sorted(marks.selected.items()) if installed.get(name) is not p)
    return Solution(marks.selected, added, failures)


def asked(
    universe: Universe, installed: Mapping[str, Package], wishes: Sequence[Wish]
) -> tuple[dict[Wish, Package], tuple[Failure, ...]]:
    """The package that each wish is about, by name whatever their order was; and the wishes that are about none."""
    found: dict[Wish, Package] = {}
    failures: list[Failure] = []
    for wish in sorted(wishes, key=lambda each: (each.name, each.version or "")):
        package = _meant(universe, installed, wish)
        if package is not None:
            found[wish] = package
            continue
        known = wish.version is not None and (universe.versions(wish.name) or wish.name in installed)
        failures.append(Failure(wish, "version" if known else "unknown"))
    return found, tuple(failures)


def _meant(universe: Universe, installed: Mapping[str, Package], wish: Wish) -> Package | None:
    if wish.version is not None:
        return next((p for p in universe.versions(wish.name) if p.version == wish.version), None)
    package = newer(universe.newest(wish.name), installed.get(wish.name))
    if package is None:
        # apt takes the one provider of a virtual package that is named
        providers = universe.providers(wish.name)
        return providers[0] if len(providers) == 1 else None
    return package


def _unmet(marks: Marks, wishes: Mapping[str, Wish]) -> tuple[Failure, ...]:
    """Why what is selected cannot stand as it is; nothing if it can."""
    found: dict[Failure, None] = {}
    for name in sorted(marks.selected):
        package = marks.selected[name]
        for group in marks.unmet(package):
            chain, reason = _why(marks, package, group, {name})
            found[_failure(marks, wishes, name, chain, reason)] = None
        for other in marks.excluded(package):
            found[_failure(marks, wishes, name, (), _beside(package, other))] = None
    return tuple(found)


def _why(marks: Marks, package: Package, group: Group, seen: set[str]) -> tuple[tuple[str, ...], str]:
    """The packages on the way to where a need cannot be met, and what is wrong there."""
    reason = f"`{package.name}` {package.version} needs `{' | '.join(map(str, group))}`, "
    candidates = marks.possible(group)
    if not candidates:
        return (), reason + "which nothing in the archive satisfies"
    for other in candidates:
        clash = next(iter(marks.clashes(other)), None)
        if clash is not None:
            return (), f"{reason}and {_beside(other, clash)}"
    for other in candidates:
        need = next(marks.unmet(other), None) if other.name not in seen else None
        if need is not None:
            chain, deeper = _why(marks, other, need, {*seen, other.name})
            return (other.name, *chain), deeper
    return (), reason + "which goes with nothing else that is asked for"


def _beside(package: Package, clash: Package) -> str:
    return f"`{package.name}` cannot be installed beside `{clash.name}` {clash.version}"


def _failure(
    marks: Marks, wishes: Mapping[str, Wish], name: str, further: Sequence[str], reason: str
) -> Failure:
    chain = [name]
    while (above := marks.wanted_by.get(chain[-1])) is not None and above not in chain:
        chain.append(above)
    wish = wishes.get(chain[-1]) or next(iter(wishes.values()))
    return Failure(wish, "unsatisfiable", reason, (*reversed(chain), *further))
