"""What brought a package in: which of the packages in a lock need which, from what the spec asks for on down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Outcome
from reproc.lock import archives
from reproc.lock.contents import package_of, requirements_of
from reproc.lock.debian.control import Group, Package
from reproc.lock.model import BootstrapBase, Deb, LockedTarget, PythonEnvironment
from reproc.lock.problem import attempt, problem
from reproc.lock.providers.pypi import marks
from reproc.lock.requests import PythonRequest, TargetRequest
from reproc.lock.requirements import wanted
from reproc.lock.store import Store
from reproc.lock.update import debs_of
from reproc.record import record, replace
from reproc.source import Span

PACKAGES = "packages"
"""The group of the distribution's packages."""


@record
class Root:
    """A package that something asks for by its name."""

    name: str
    reason: str
    """What asks for it: `system`, `tools-gcc-12`, `base`, …"""
    origin: Span | None = field(compare=False)


@record
class Needs:
    """The packages of one manager in one target, and what each of them needs."""

    name: str
    """`packages`, `python main`."""
    roots: tuple[Root, ...]
    versions: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]
    """By name; sorted."""

    def reachable(self) -> frozenset[str]:
        """The packages that something leads to."""
        waiting = [root.name for root in self.roots]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self.needs.get(name, ())
        return frozenset(seen)

    def needed_by(self) -> dict[str, tuple[str, ...]]:
        """The other way round: what needs each package; sorted."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.needs):
            for other in self.needs[name]:
                found.setdefault(other, []).append(name)
        return {name: tuple(each) for name, each in found.items()}

    def chain(self, name: str) -> tuple[str, ...]:
        """The shortest way to a package from something that is asked for; empty if none leads there."""
        before: dict[str, str | None] = dict.fromkeys((root.name for root in self.roots), None)
        waiting = list(before)
        for each in waiting:
            for other in self.needs.get(each, ()):
                if other not in before:
                    before[other] = each
                    waiting.append(other)
        found: list[str] = []
        at: str | None = name if name in before else None
        while at is not None:
            found.append(at)
            at = before[at]
        return tuple(reversed(found))


def of_target(target: LockedTarget, request: TargetRequest, store: Store) -> Outcome[tuple[Needs, ...]]:
    """Everything that packages need in a target, manager by manager, as far as the store knows it."""
    work: list[Callable[[], Needs]] = []
    for system, wish in zip(target.systems, (request, *request.further), strict=True):
        name = PACKAGES if system is target else f"{PACKAGES} {system.name}"
        alone = replace(system, further=())
        work.append(lambda n=name, s=alone, w=wish: _debs(n, s, w, store))  # type: ignore[misc]
    for environment in target.python:
        asked = next(each for each in request.python if each.name == environment.name)
        work.append(lambda e=environment, a=asked: _wheels(e, a, target.platform, store))  # type: ignore[misc]
    found = [attempt(lambda w=each: Outcome(w())) for each in work]  # type: ignore[misc]
    return Outcome(
        tuple(each.value for each in found if each.value is not None and each.value.versions),
        tuple(told for each in found for told in each.diagnostics),
    )


def _debs(title: str, target: LockedTarget, request: TargetRequest, store: Store) -> Needs:
    debs = {deb.name: deb for deb in debs_of(target)}
    packages = {name: package_of(deb, store) for name, deb in sorted(debs.items())}
    _complete([debs[name].filename for name, package in packages.items() if package is None])
    present = {name: package for name, package in packages.items() if package is not None}
    providers: dict[str, list[str]] = {}
    for name, package in present.items():
        for provided in package.provides:
            providers.setdefault(provided.name, []).append(name)
    native = archives.architecture(target.platform) or ""
    needs = {
        name: tuple(
            sorted({other for group in package.depends for other in _met(group, present, providers, native)})
        )
        for name, package in present.items()
    }
    asked = tuple(_asked(target, request, debs))
    found = Needs(title, asked, {name: deb.version for name, deb in debs.items()}, needs)
    if not isinstance(target.base, BootstrapBase):
        return found
    # what nothing in the spec leads to is there because every base has it
    lost = {deb.name for deb in target.base.debs} - found.reachable()
    heads = sorted(lost - {other for name in lost for other in needs[name]}) or sorted(lost)
    base = tuple(Root(name, "base", request.base.origin) for name in heads)
    found = Needs(title, (*asked, *base), found.versions, needs)
    rest = sorted(lost - found.reachable())
    circular = tuple(Root(name, "base", request.base.origin) for name in rest)
    return Needs(title, (*found.roots, *circular), found.versions, needs)


def _asked(target: LockedTarget, request: TargetRequest, debs: Mapping[str, Deb]) -> Iterator[Root]:
    """What the layers ask for by name; the base of an image may have it already."""
    origins = {(layer.name, item.text): item.origin for layer in request.apt for item in layer.packages}
    for layer in target.apt:
        for text in layer.requested:
            name = text.partition("=")[0]
            if name in debs:
                yield Root(name, layer.name, origins.get((layer.name, text)))


def _met(
    group: Group, present: Mapping[str, Package], providers: Mapping[str, Sequence[str]], native: str
) -> Iterator[str]:
    """The locked packages that satisfy a dependency: of its alternatives the first that is there."""
    for relation in group:
        package = present.get(relation.name)
        if package is not None and package.answers(relation, native):
            yield package.name
            return
        others = [
            name for name in providers.get(relation.name, ()) if present[name].stands_in(relation, native)
        ]
        if others:
            yield from others
            return


def _wheels(environment: PythonEnvironment, asked: PythonRequest, platform: str, store: Store) -> Needs:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    known = {wheel.name: wheel for wheel in environment.wheels}
    texts = {name: requirements_of(wheel, store) for name, wheel in known.items()}
    _complete([known[name].filename for name, each in texts.items() if each is None])
    seen = marks(asked.version, platform)
    wishes = wanted(asked, seen)[0]
    waiting = [(wish.name, frozenset(Requirement(wish.text).extras)) for wish in wishes]
    waiting += ((name, frozenset()) for name in sorted(known))
    extras: dict[str, set[str]] = {}
    needs: dict[str, set[str]] = {}
    while waiting:
        name, wished = waiting.pop(0)
        if name not in known or (name in extras and wished <= extras[name]):
            continue
        extras.setdefault(name, set()).update(wished)
        for text in texts[name] or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:  # uv has read it in its own way
                continue
            marker = requirement.marker
            holds = marker is None or any(
                marker.evaluate(dict(seen) | {"extra": extra}) for extra in ("", *extras[name])
            )
            other = canonicalize_name(requirement.name)
            if holds and other in known:
                needs.setdefault(name, set()).add(other)
                waiting.append((other, frozenset(requirement.extras)))
    place = f"python {environment.name}"
    roots = {wish.name: Root(wish.name, place, wish.origin) for wish in wishes if wish.name in known}
    versions = {name: wheel.version for name, wheel in known.items()}
    sorted_needs = {name: tuple(sorted(each)) for name, each in needs.items()}
    found = Needs(place, tuple(roots[name] for name in sorted(roots)), versions, sorted_needs)
    # what code that is installed needs stands in the code
    code = ", ".join(f"code {each.name}" for each in asked.installs) or place
    rest = known.keys() - found.reachable()
    heads = sorted(rest - {other for name in rest for other in sorted_needs.get(name, ())}) or sorted(rest)
    more = tuple(Root(name, code, None) for name in heads)
    return Needs(place, (*found.roots, *more), versions, sorted_needs)


def _complete(missing: Iterable[str]) -> None:
    names = sorted(missing)
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise problem(codes.STORE_LACKS, None, what=f"`{names[0]}`{more}")
