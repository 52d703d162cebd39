"""What an installation brings in: a resolver that imitates apt's marking (MarkInstall).

A dependency that already holds changes nothing; else its first installable alternative is taken, a package of
that name before those that provide it, providers by priority. Where recommendations are wanted, a new package's
are treated alike after its dependencies, but one that cannot be had is left out. Compared with apt itself in tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reproc.lock.debian import version
from reproc.lock.debian.control import Group, Package, Relation
from reproc.lock.debian.index import Universe
from reproc.record import record


@record
class Wish:
    """A package that is asked for, perhaps at one version."""

    name: str
    version: str | None = None


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


def solve(
    universe: Universe,
    installed: Mapping[str, Package],
    wishes: Sequence[Wish],
    *,
    recommends: bool = False,
) -> Solution:
    """The packages that granting every wish leads to, on top of what is installed."""
    run = _Run(universe, dict(installed), installed if recommends else None)
    run.grant(wishes)
    added = tuple(p for name, p in sorted(run.selected.items()) if installed.get(name) is not p)
    return Solution(run.selected, added, tuple(run.failures))


@dataclass
class _Run:
    universe: Universe
    selected: dict[str, Package]
    before: Mapping[str, Package] | None = None
    """What was installed at first, if recommendations are followed."""
    failures: list[Failure] = field(default_factory=list)
    pinned: dict[str, Package] = field(default_factory=dict)
    wanted_by: dict[str, str] = field(default_factory=dict)
    _wish: Wish = field(default_factory=lambda: Wish(""))
    _virtual: dict[str, set[str]] = field(default_factory=dict)
    _excluded: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for package in self.selected.values():
            self._note(package)

    def grant(self, wishes: Sequence[Wish]) -> None:
        """Selects every wish, then what they need (apt too marks all before any dependency)."""
        granted: list[tuple[Wish, Package]] = []
        for wish in sorted(wishes, key=lambda w: (w.name, w.version or "")):
            package = self._asked(wish)
            if package is not None:
                granted.append((wish, package))
                if wish.version is not None:
                    self.pinned[wish.name] = package
        for _, package in granted:
            self._select(package)
        for wish, package in granted:
            self._wish = wish
            if not self._clash_remains(package):
                self._complete(package)
        self._repair()

    def _asked(self, wish: Wish) -> Package | None:
        candidates = self.universe.versions(wish.name)
        if wish.version is not None:
            asked = next((p for p in candidates if p.version == wish.version), None)
            if asked is not None:
                return asked
            kind = "version" if candidates or wish.name in self.selected else "unknown"
            self.failures.append(Failure(wish, kind))
            return None
        package = self._candidate(wish.name)
        if package is None:
            providers = self.universe.providers(wish.name)
            if len(providers) == 1:  # apt takes the one provider of a virtual package that is named
                return providers[0]
            self.failures.append(Failure(wish, "unknown"))
        return package

    def _candidate(self, name: str) -> Package | None:
        """The version that apt would choose: pinned, or the newest; an installed newer one stays."""
        if name in self.pinned:
            return self.pinned[name]
        newest, present = self.universe.newest(name), self.selected.get(name)
        if newest is None or present is None:
            return newest or present
        return newest if version.key(newest.version) > version.key(present.version) else present

    def _complete(self, package: Package) -> None:
        """Selects what a package needs, depth first; without recursion, since chains may be long."""
        stack = [self._needs(package)]
        while stack:
            try:
                stack.append(self._needs(next(stack[-1])))
            except StopIteration:
                stack.pop()

    def _needs(self, package: Package) -> Iterator[Package]:
        """Selects, one after the other, what a package needs and gives each back to be completed itself."""
        for clash in self._clashes(package):
            better = self._candidate(clash.name)
            if better is not None and better is not clash:
                self.wanted_by.setdefault(clash.name, package.name)
                self._select(better)
                yield better
        for group in package.depends:
            if any(self._holds(relation) for relation in group):
                continue
            chosen = next((p for r in group for p in self._targets(r) if not self._blocked(p)), None)
            if chosen is None:
                self._fail(package, group)
                continue
            self.wanted_by.setdefault(chosen.name, package.name)
            self._select(chosen)
            yield chosen
        for group in self._recommended(package):
            if not any(self._holds(relation) for relation in group):
                self._follow(package, group)

    def _recommended(self, package: Package) -> Iterator[Group]:
        """The recommendations of a package that are new with it."""
        if self.before is not None and self.selected.get(package.name) is package:
            old = self.before.get(package.name)
            known = old.recommends if old is not None else ()
            yield from (group for group in package.recommends if group not in known)

    def _follow(self, package: Package, group: Group) -> None:
        """Selects what is recommended, with all that it needs, if that is possible."""
        for chosen in (p for relation in group for p in self._targets(relation) if not self._blocked(p)):
            kept = (self.selected, self._virtual, self._excluded, self.wanted_by, self.failures)
            self.selected, self.wanted_by, self.failures = dict(kept[0]), dict(kept[3]), []
            self._virtual = {name: set(each) for name, each in kept[1].items()}
            self._excluded = {name: set(each) for name, each in kept[2].items()}
            self.wanted_by.setdefault(chosen.name, package.name)
            self._select(chosen)
            self._complete(chosen)
            if not self.failures:
                self.failures = kept[4]
                return
            self.selected, self._virtual, self._excluded, self.wanted_by, self.failures = kept

    def _repair(self) -> None:
        """Moves on packages whose needs no longer hold since others were upgraded, or says that it cannot.

        Ends with every selected package's needs met and no two that exclude each other, or with failures.
        """
        for _ in range(len(self.selected)):
            moved = False
            for package in sorted(self.selected.values(), key=lambda p: p.name):
                if self._sound(package):
                    continue
                better = self._candidate(package.name)
                if better is not None and better is not package and not self._blocked(better):
                    self._select(better)
                    self._complete(better)
                    moved = True
            if not moved or self.failures:
                break
        if self.failures:
            return
        for package in sorted(self.selected.values(), key=lambda p: p.name):
            for group in package.depends:
                if not any(self._holds(relation) for relation in group):
                    self._fail(package, group)
            for clash in self._clashes(package):
                self._fail_clash(package, clash)

    def _sound(self, package: Package) -> bool:
        return all(any(self._holds(r) for r in group) for group in package.depends) and not self._clashes(
            package
        )

    def _holds(self, relation: Relation) -> bool:
        native = self.universe.architecture
        package = self.selected.get(relation.name)
        if package is not None and package.answers(relation, native):
            return True
        return any(
            self.selected[name].stands_in(relation, native)
            for name in self._virtual.get(relation.name, ())
            if name in self.selected
        )

    def _targets(self, relation: Relation) -> Iterator[Package]:
        """What could be selected to satisfy a relation, the best first."""
        native = self.universe.architecture
        candidate = self._candidate(relation.name)
        if candidate is not None and candidate.answers(relation, native):
            yield candidate
        for provider in self.universe.providers(relation.name):
            if self._candidate(provider.name) is provider and provider.stands_in(relation, native):
                yield provider

    def _select(self, package: Package) -> None:
        self.selected[package.name] = package
        self._note(package)

    def _note(self, package: Package) -> None:
        for provided in package.provides:
            self._virtual.setdefault(provided.name, set()).add(package.name)
        for excluded in package.excludes:
            self._excluded.setdefault(excluded.name, set()).add(package.name)

    def _clashes(self, package: Package) -> list[Package]:
        """The selected packages that may not be beside it, by name."""
        others: dict[str, Package] = {}
        for relation in package.excludes:
            others |= {p.name: p for p in self._matching(relation) if p.name != package.name}
        names = (package.name, *(provided.name for provided in package.provides))
        for holder in {h for name in names for h in self._excluded.get(name, ())}:
            other = self.selected.get(holder)
            if other is not None and other.name != package.name and self._excludes(other, package):
                others[other.name] = other
        return [others[name] for name in sorted(others)]

    def _excludes(self, package: Package, other: Package) -> bool:
        native = self.universe.architecture
        return any(other.answers(r, native) or other.stands_in(r, native) for r in package.excludes)

    def _matching(self, relation: Relation) -> Iterator[Package]:
        native = self.universe.architecture
        for name in (relation.name, *self._virtual.get(relation.name, ())):
            package = self.selected.get(name)
            if package is not None and (
                package.answers(relation, native) or package.stands_in(relation, native)
            ):
                yield package

    def _blocked(self, package: Package) -> bool:
        """Whether something selected stands in its way that no upgrade moves out of it."""
        for clash in self._clashes(package):
            better = self._candidate(clash.name)
            if better is None or better is clash:
                return True
            if self._excludes(package, better) or self._excludes(better, package):
                return True
        return False

    def _clash_remains(self, package: Package) -> bool:
        if not self._blocked(package):
            return False
        self._fail_clash(package, self._clashes(package)[0])
        return True

    def _fail(self, package: Package, group: Group) -> None:
        wanted = " | ".join(map(str, group))
        reason = f"`{package.name}` {package.version} needs `{wanted}`, "
        blocked = [p for r in group for p in self._targets(r)]
        if blocked:
            clash = self._clashes(blocked[0])[0]
            reason += f"and `{blocked[0].name}` cannot be installed beside `{clash.name}` {clash.version}"
        else:
            reason += "which nothing in the archive satisfies"
        self._failed(package, reason)

    def _fail_clash(self, package: Package, clash: Package) -> None:
        self._failed(package, f"`{package.name}` cannot be installed beside `{clash.name}` {clash.version}")

    def _failed(self, package: Package, reason: str) -> None:
        chain = [package.name]
        while (above := self.wanted_by.get(chain[-1])) is not None and above not in chain:
            chain.append(above)
        failure = Failure(self._wish, "unsatisfiable", reason, tuple(reversed(chain)))
        if failure not in self.failures:
            self.failures.append(failure)
