"""Which packages are marked for installation, decided as apt decides it.

This follows `pkgDepCache::MarkInstall` of apt 2.6 (apt-pkg/depcache.cc), rule by rule: what is asked for is
protected, and so is everything that it cannot do without; a dependency takes the first alternative that can be
marked, one that cannot is never tried again; recommendations are treated alike in their turn. Two rules differ:
what is installed is never removed, since a layer only adds, and nothing is marked that a marked package excludes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from reproc.lock.debian import version
from reproc.lock.debian.control import Group, Package, Relation
from reproc.lock.debian.index import Universe

Step: TypeAlias = Generator["Step", Any, bool]
"""A piece of marking, which yields the pieces that it waits for: chains may be longer than Python's stack."""
_Needs: TypeAlias = Sequence[tuple[Group, bool]]
"""Groups that are to hold, and whether they have to."""


def newer(offered: Package | None, present: Package | None) -> Package | None:
    """The package that would be installed: what is there stays if nothing newer is offered."""
    if offered is None or present is None:
        return offered or present
    return offered if version.key(offered.version) > version.key(present.version) else present


class Marks:
    """What is selected, on top of what is installed."""

    def __init__(self, universe: Universe, installed: Mapping[str, Package], recommends: bool) -> None:
        self.universe = universe
        self.before = installed
        self.selected: dict[str, Package] = {}
        self.wanted_by: dict[str, str] = {}
        self._recommends = recommends
        self._candidates: dict[str, Package | None] = {}
        self._protected: set[str] = set()
        self._asked: set[str] = set()
        self._dropped = False
        self._providing: dict[str, dict[str, None]] = {}
        self._excluding: dict[str, dict[str, None]] = {}
        for package in installed.values():
            self._select(package)

    # ---- what is asked of it

    def mark(self, packages: Sequence[Package]) -> None:
        """Selects these, all before what any of them needs, then what they need, then drops what nothing needs."""
        for package in packages:
            self._candidates[package.name] = package
            self._asked.add(package.name)
            self._protected.add(package.name)
            self._run(self._mark(package.name, deep=False, user=True))
        for package in packages:
            self._run(self._mark(package.name, deep=True, user=True))
        self._mend()
        if self._dropped:
            self._sweep()

    def candidate(self, name: str) -> Package | None:
        """The version that would be installed; what is installed stays if nothing newer is there."""
        if name not in self._candidates:
            self._candidates[name] = newer(self.universe.newest(name), self.before.get(name))
        return self._candidates[name]

    def holds(self, group: Group) -> bool:
        """Whether what is selected satisfies a dependency."""
        return any(True for relation in group for _ in self.selected_for(relation))

    def selected_for(self, relation: Relation) -> Iterator[Package]:
        """The selected packages that satisfy a relation."""
        native = self.universe.architecture
        package = self.selected.get(relation.name)
        if package is not None and package.answers(relation, native):
            yield package
        for name in self._providing.get(relation.name, ()):
            other = self.selected.get(name)
            if other is not None and other.stands_in(relation, native):
                yield other

    def possible(self, group: Group) -> list[Package]:
        """What would satisfy a dependency, whatever was tried before."""
        native = self.universe.architecture
        own = ((r, newer(self.universe.newest(r.name), self.before.get(r.name))) for r in group)
        found = [package for relation, package in own if package and package.answers(relation, native)]
        return found + [p for r in group for p in self.universe.providers(r.name) if p.stands_in(r, native)]

    def unmet(self, package: Package) -> Iterator[Group]:
        """The dependencies of a package that do not hold."""
        return (group for group in package.depends if not self.holds(group))

    def excluded(self, package: Package) -> Iterator[Package]:
        """The selected packages that a package says it may not be beside."""
        for relation in package.excludes:
            yield from (other for other in self.selected_for(relation) if other.name != package.name)

    def excluding(self, package: Package) -> Iterator[Package]:
        """The selected packages that say that they may not be beside a package."""
        native = self.universe.architecture
        for name in (package.name, *(provided.name for provided in package.provides)):
            for holder in self._excluding.get(name, ()):
                other = self.selected.get(holder)
                if other is not None and other.name != package.name and other.refuses(package, native):
                    yield other

    def clashes(self, package: Package) -> list[Package]:
        """The selected packages that may not be beside it, by name."""
        found = {other.name: other for each in (self.excluded, self.excluding) for other in each(package)}
        return [found[name] for name in sorted(found)]

    # ---- one package

    def _run(self, step: Step) -> bool:
        stack, answer = [step], None
        while stack:
            try:
                stack.append(stack[-1].send(answer))
                answer = None
            except StopIteration as done:
                stack.pop()
                answer = done.value
        return bool(answer)

    def _mark(self, name: str, *, deep: bool, user: bool = False) -> Step:
        """Selects a package's candidate and, if `deep`, what it needs; false if that is not possible."""
        candidate, current = self.candidate(name), self.before.get(name)
        kept = not self._installing(name)
        stays = name in self._protected and kept and candidate is not None and candidate is current
        if candidate is None or (not stays and not user and kept and name in self._protected):
            return False
        if name not in self._protected and not self._unsettled(name) and (candidate is current or not kept):
            return True
        if deep and candidate is not current and not self._possible(candidate):
            return False
        if not user and self._refused(candidate):
            return False
        early = name not in self._protected and not user
        already = name in self._protected
        upgrades: list[str] = []
        failed = False
        if user:
            self._select(candidate)
        needs = self._needs(candidate) if deep else ()
        if deep:
            failed = not self._clear(candidate, upgrades, insist=already or user)
            if failed and early:
                return False
            upgrades += self._broken_by(candidate)
        if not user:
            self._select(candidate)
        if not deep:
            return not failed
        self._protected.add(name)
        done = yield self._complete(candidate, upgrades, needs, already, early)
        if not already:
            self._protected.discard(name)
        if not done and early:
            self._drop(name)
            self._candidates[name] = current
        return done and not failed

    def _complete(
        self, package: Package, upgrades: Sequence[str], needs: _Needs, protect: bool, early: bool
    ) -> Step:
        """Selects what a selected package takes along: siblings, what it would break, what it needs."""
        siblings = list(self._siblings(package))
        for deep in (False, True):
            for name in siblings:
                yield self._mark(name, deep=deep)
        done = True
        for name in upgrades:
            if not self._installing(name) and not (yield self._mark(name, deep=True)):
                done = False
                if early:
                    return False
        for group, critical in needs:
            if not (yield self._need(package, group, critical, protect)):
                done = False
                if early:
                    return False
        return done

    def _need(self, package: Package, group: Group, critical: bool, protect: bool) -> Step:
        """Selects what satisfies a dependency; false if it has to and nothing can."""
        if self.holds(group):
            only = self._only(group) if protect and critical else None
            if only is None or only in self._protected:
                return True
            self._protected.add(only)
            return bool((yield self._mark(only, deep=True)))
        old = self.before.get(package.name)
        if not critical and old is not None and not self._newly_wanted(old, group):
            return True
        solutions = self._solutions(group)
        for solution in solutions:
            name = solution.name
            if self.candidate(name) is not solution:
                continue
            if not self._installing(name):
                self.wanted_by[name] = package.name
            if protect and critical and len(solutions) == 1:
                if not (yield self._mark(name, deep=False)):
                    continue
                self._protected.add(name)
            if (yield self._mark(name, deep=True)):
                return True
        return not critical

    # ---- what a package meets

    def _needs(self, package: Package) -> _Needs:
        """What it needs and does not have; a protected one looks after all its needs."""
        protect = package.name in self._protected
        hard = [(g, True) for g in package.depends if protect or not self.holds(g)]
        soft = package.recommends if self._recommends else ()
        return hard + [(g, False) for g in soft if not self.holds(g)]

    def _unsettled(self, name: str) -> bool:
        """Whether something that a selected package asks for does not hold."""
        package = self.selected.get(name)
        if package is None:
            return False
        soft = package.recommends if self._recommends else ()
        return (
            any(True for _ in self.unmet(package))
            or any(not self.holds(group) for group in soft)
            or any(True for _ in self.excluded(package))
        )

    def _possible(self, package: Package) -> bool:
        """Whether all its needs hold or can be marked; else it is no candidate any more."""
        for group in package.depends:
            if not self.holds(group) and not any(True for r in group for _ in self._targets(r)):
                if package.name not in self._protected:
                    self._candidates[package.name] = self.before.get(package.name)
                return False
        return True

    def _refused(self, package: Package) -> bool:
        """Whether a selected package excludes it, and no newer version of that would not."""
        for other in self.excluding(package):
            better = self.candidate(other.name)
            if better is None or better is other or better.refuses(package, self.universe.architecture):
                return True
        return False

    def _clear(self, package: Package, upgrades: list[str], insist: bool) -> bool:
        """Moves what a package excludes out of its way; collects what has to be upgraded for that."""
        cleared = True
        protect = package.name in self._protected
        for relation in package.excludes:
            if not protect and not any(p.name != package.name for p in self.selected_for(relation)):
                continue
            bad: set[str] = set()
            for other in self._ranked(relation, self._targets(relation)):
                current = self.before.get(other.name)
                if other.name == package.name:
                    continue
                if other is current or (self._installing(other.name) and not self._keep(other.name)):
                    cleared = False
                elif protect:
                    self._candidates[other.name] = current
                    if current is None:
                        self._protected.add(other.name)
                else:
                    bad.add(other.name)
            for other in self._installed_for(relation):
                better = self.candidate(other.name)
                if other.name == package.name:
                    continue
                if better is not other and better is not None and other.name not in bad:
                    upgrades.append(other.name)
                elif better is not other:
                    cleared = False
            if not cleared and not insist:
                break
        return cleared

    def _broken_by(self, package: Package) -> Iterator[str]:
        """The installed packages that need the version that this one replaces."""
        current, native = self.before.get(package.name), self.universe.architecture
        if current is None:
            return
        for other in self.before.values():
            if self._installing(other.name):
                continue
            groups = (*other.depends, *(other.recommends if self._recommends else ()))
            if any(
                relation.name == package.name
                and current.answers(relation, native)
                and not package.answers(relation, native)
                for group in groups
                for relation in group
            ):
                yield other.name

    def _siblings(self, package: Package) -> Iterator[str]:
        """The installed packages of the same source that have the same version of it to move to."""
        for name, other in self.before.items():
            if name == package.name or other.source[0] != package.source[0]:
                continue
            better = self.candidate(name)
            if better is not None and better is not other and better.source == package.source:
                yield name

    def _newly_wanted(self, old: Package, group: Group) -> bool:
        """Whether a recommendation is new since the installed version, or held before."""
        same = [each for each in old.recommends if any(r.name == group[0].name for r in each)]
        return not same or any(
            True for each in same for relation in each for _ in self._installed_for(relation)
        )

    # ---- what satisfies a relation

    def _targets(self, relation: Relation) -> list[Package]:
        """The candidates that would satisfy a relation."""
        native = self.universe.architecture
        found: dict[str, Package] = {}
        own = self.candidate(relation.name)
        if own is not None and own.answers(relation, native):
            found[own.name] = own
        names = dict.fromkeys(p.name for p in self.universe.providers(relation.name))
        for name in names | self._providing.get(relation.name, {}):
            other = self.candidate(name)
            if other is not None and other.stands_in(relation, native):
                found[name] = other
        return list(found.values())

    def _installed_for(self, relation: Relation) -> list[Package]:
        """The packages installed at first that satisfy a relation."""
        native = self.universe.architecture
        names = {relation.name: None} | self._providing.get(relation.name, {})
        found = (self.before[name] for name in names if name in self.before)
        return [p for p in found if p.answers(relation, native) or p.stands_in(relation, native)]

    def _ranked(self, relation: Relation, packages: list[Package]) -> list[Package]:
        """The better first (`CompareProviders`): protected, installed, of that name, by flags, by priority.

        Where apt cannot decide it takes the package that it numbered last.
        """
        if len(packages) < 2:
            return packages

        def key(package: Package) -> tuple[object, ...]:
            installed = package.name in self.before
            return (
                package.name not in self._protected,
                not (installed and package.fields.get("multi-arch") == "same"),
                not installed,
                package.name != relation.name,
                not package.essential,
                not package.important,
                -package.priority,
            )

        found: list[Package] = []
        for _, equal in groupby(sorted(packages, key=key), key):
            same = list(equal)
            if len(same) > 1:
                order = self.universe.numbered(tuple(p.name for p in same))
                same.sort(key=lambda p: order.index(p.name), reverse=True)
            found += same
        return found

    def _solutions(self, group: Group) -> list[Package]:
        """The candidates that would satisfy a dependency, the best first; what is installed before what is not."""
        found = dict.fromkeys(
            p for relation in group for p in self._ranked(relation, self._targets(relation))
        )
        usable = [p for p in found if p.name not in self._protected or p.name in self.selected]
        return sorted(usable, key=lambda p: p.name not in self.before)

    def _only(self, group: Group) -> str | None:
        """The package without which a dependency cannot hold, if there is one."""
        found = {id(p): p for r in group for p in (*self._targets(r), *self._installed_for(r))}
        usable = [p for p in found.values() if p.name not in self._protected or p.name in self.selected]
        return usable[0].name if len(usable) == 1 else None

    # ---- the marks themselves

    def _installing(self, name: str) -> bool:
        """Whether it is marked for installation, being new or another version than before."""
        return self.selected.get(name) is not self.before.get(name)

    def _select(self, package: Package) -> None:
        self.selected[package.name] = package
        for provided in package.provides:
            self._providing.setdefault(provided.name, {})[package.name] = None
        for relation in package.excludes:
            self._excluding.setdefault(relation.name, {})[package.name] = None

    def _keep(self, name: str) -> bool:
        """Leaves a package as it was; not one that is protected."""
        if self._installing(name) and name in self._protected:
            return False
        self._drop(name)
        return True

    def _drop(self, name: str) -> None:
        current = self.before.get(name)
        self._dropped = True
        if current is None:
            self.selected.pop(name, None)
        else:
            self.selected[name] = current

    # ---- afterwards

    def _mend(self) -> None:
        """Moves on or leaves out what does not hold since something else was marked, as far as that goes."""
        for _ in range(20):
            moved = False
            for name in sorted(self.selected):
                package = self.selected.get(name)
                if package is None or not self._broken(package):
                    continue
                if self.candidate(name) is not package or name not in self._protected:
                    self._run(self._mark(name, deep=True))
                    package = self.selected.get(name)
                    moved = moved or package is None or not self._broken(package)
                if package is not None and self._broken(package) and self._installing(name):
                    moved = self._keep(name) or moved
            if not moved:
                return

    def _broken(self, package: Package) -> bool:
        return any(True for _ in self.unmet(package)) or any(True for _ in self.excluded(package))

    def _sweep(self) -> None:
        """Drops what is new and neither asked for nor needed, recommended or suggested by what stays."""
        reached: set[str] = set()
        waiting = [self.selected[name] for name in {*self._asked, *self.before} if name in self.selected]
        while waiting:
            package = waiting.pop()
            if package.name in reached:
                continue
            reached.add(package.name)
            groups: Iterable[Group] = (*package.depends, *package.recommends, *package.suggests)
            waiting += (p for group in groups for relation in group for p in self.selected_for(relation))
        for name in [name for name in self.selected if name not in reached]:
            self._drop(name)
