"""What every part of lowering works with."""

from __future__ import annotations

from reproc import model
from reproc.check import Target
from reproc.graph import Step
from reproc.lock.requests import TargetRequest, grounds
from reproc.lower import java, packages
from reproc.lower.adapt import adapted
from reproc.lower.environment import base_environment
from reproc.lower.inputs import from_outside, place
from reproc.lower.plan import Plan, Shape
from reproc.record import record, replace
from reproc.source import Span


@record
class Work:
    """One target on its way into a graph."""

    plan: Plan
    request: TargetRequest
    shape: Shape
    environment: dict[str, str]
    """What every stage starts with."""
    ground: str | None = None
    """The stage of the base that everything stands on; None for the target's own."""

    @property
    def target(self) -> Target:
        return self.plan.target

    @property
    def base(self) -> str:
        """The stage that the others stand on."""
        return self.ground or "base"

    def on(self, ground: str | None) -> Work:
        """The same on one of the other bases that builds stand on."""
        if ground is None:
            return self
        target = dict(grounds(self.target))[ground]
        request = next(each for each in self.request.further if each.name == ground)
        locked = self.plan.locked
        if locked is not None:
            there = next(each for each in locked.further if each.name == ground)
            locked = replace(locked, base=there.base, apt=there.apt)
        return replace(
            self,
            plan=replace(self.plan, target=target, locked=locked),
            request=replace(self.request, base=request.base, apt=request.apt),
            environment=base_environment(locked),
            ground=ground,
        )

    def apt(self, layer: str, title: str, origin: Span | None) -> list[Step]:
        """The step that installs a layer, if the target has it."""
        request = next((each for each in self.request.apt if each.name == layer), None)
        if request is None:
            return []
        if self.plan.locked is None:
            return [packages.install_floating_debs(request, title, origin)]
        locked = next(each for each in self.plan.locked.apt if each.name == layer)
        if not locked.debs:
            return []
        install = packages.install_debs(locked, self.plan.archives, self.shape, title, origin)
        return java.settled(install) if java.is_there(self.plan.locked.apt, layer) else [install]

    def unpacked(self, key: str, where: str, origin: Span) -> Step:
        """The step that puts a tool chain's archive at its place."""
        tree = dict(self.plan.locked.trees)[key] if self.plan.locked else None
        asked = dict(self.request.trees)[key]
        return from_outside(self.plan, self.shape, key, where, asked, tree, origin)

    def placed(self, key: str) -> list[Step]:
        """The steps that put code or data at its place and make of it what the spec says."""
        steps = place(self.plan, self.request, self.shape, key)
        return [*steps, *adapted(self.plan, self.request, self.shape, key)]


def first(items: tuple[model.Item, ...]) -> Span | None:
    """Where the first of them stands."""
    return items[0].origin if items else None
