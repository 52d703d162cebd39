"""What of a lock is to move although the spec asks for the same: names of sections and packages, found in the lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.diagnostics.suggest import nearest
from reproc.lock.model import BootstrapBase, Deb, Lock, LockedTarget
from reproc.lock.sections import SYSTEM
from reproc.model.literals import project_name
from reproc.record import record

BASE = "base"


@record
class Update:
    """What is resolved anew; everything else stays as it is, as far as it can."""

    everything: bool = False
    sections: frozenset[str] = frozenset()
    """`base`, `system`, `python main`, `code model`, …"""
    debs: frozenset[str] = frozenset()
    """Names of distribution packages."""
    projects: frozenset[str] = frozenset()
    """Names of Python packages."""

    def moves(self, target: LockedTarget, section: str) -> bool:
        """Whether anything of a target's section is to move."""
        if self.everything or section in self.sections:
            return True
        if section == SYSTEM:
            return BASE in self.sections or not self.debs.isdisjoint(deb.name for deb in debs_of(target))
        names = {
            wheel.name for each in target.python if section == f"python {each.name}" for wheel in each.wheels
        }
        return not self.projects.isdisjoint(names)

    def free(self, target: LockedTarget) -> frozenset[str]:
        """The names of a target's distribution packages that do not stay."""
        free = set(self.debs)
        if SYSTEM in self.sections:
            free |= {deb.name for each in target.systems for layer in each.apt for deb in layer.debs}
        for each in target.systems if BASE in self.sections else ():
            free |= {deb.name for deb in each.base.debs} if isinstance(each.base, BootstrapBase) else set()
        return frozenset(free)


NOTHING = Update()
EVERYTHING = Update(everything=True)


def debs_of(target: LockedTarget) -> Iterator[Deb]:
    """Every distribution package of a target that its lock names."""
    for each in target.systems:
        if isinstance(each.base, BootstrapBase):
            yield from each.base.debs
        for layer in each.apt:
            yield from layer.debs


def named(names: Sequence[str], lock: Lock) -> Outcome[Update]:
    """The update that names stand for: sections, kinds of sections, packages."""
    sections = _sections(lock)
    debs = {deb.name for target in lock.targets for deb in debs_of(target)}
    projects = {wheel.name for target in lock.targets for each in target.python for wheel in each.wheels}
    moved: set[str] = set()
    found: list[Diagnostic] = []
    for name in names:
        words = " ".join(name.split())
        chosen = {each for each in sections if each == words or each.partition(" ")[0] == words}
        moved |= chosen
        if not chosen and words not in debs and project_name(words) not in projects:
            near = _near(words, sorted(sections), sorted(debs | projects))
            found.append(error(codes.UNKNOWN_UPDATE, None, name=name, suggestion=near))
    asked = {" ".join(name.split()) for name in names} - moved
    update = Update(
        sections=frozenset(moved),
        debs=frozenset(asked & debs),
        projects=frozenset({project_name(name) for name in asked} & projects),
    )
    return Outcome(None if found else update, tuple(found))


def _sections(lock: Lock) -> frozenset[str]:
    found = {BASE, SYSTEM}
    for target in lock.targets:
        found |= {f"python {each.name}" for each in target.python}
        found |= {name for name, _ in target.trees}
    return frozenset(found)


def _near(words: str, sections: Sequence[str], packages: Sequence[str]) -> str | None:
    """What was meant: a section whose kind was left out, or what is spelt alike."""
    whole = next((each for each in sections if each.partition(" ")[2] == words), None)
    return whole or nearest(words, (*sections, *packages))
