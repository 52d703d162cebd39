"""Which steps share a layer of a Docker image, so that there are never too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from reproc.graph import (
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Image,
    Rootfs,
    Run,
    Script,
    SetEnv,
    Stage,
    Step,
    WriteFile,
)
from reproc.record import record

MOST_LAYERS = 99
"""Docker's overlay file systems stop at 127 or 128; fewer than 100 leaves room for what users add."""
LAYERS_OF_AN_IMAGE = 24
"""Kept free for the layers of a base image, whose number is not known without a network."""


@record
class Group:
    """Neighbouring steps; `together` if they have to share one layer."""

    steps: tuple[Step, ...]
    together: bool


Plan = Mapping[str, tuple[Group, ...]]
"""The groups of each stage, by its name."""


def plan_layers(stages: tuple[Stage, ...]) -> Plan | None:
    """Every step by itself where that fits, else as few together as will do; None if nothing fits.

    Only the stages on which a too deep stage stands are touched, so that the others keep their cache.
    """
    plan = {stage.name: _groups(stage, 1) for stage in stages}
    longest = max((len(stage.steps) for stage in stages), default=0)
    size = 1
    while deep := _too_deep(stages, plan):
        if size > longest:
            return None
        size *= 2
        plan |= {stage.name: _groups(stage, size) for stage in stages if stage.name in deep}
    return plan


def layers(step: Step) -> int:
    """How many layers the step becomes by itself (`ENV` and the other settings become none)."""
    match step:
        case SetEnv():
            return 0
        case CopyKept() | Run() | Script() | WriteFile() | CopyIn() | CopyFile() | FetchGit():
            return 1
        case _:
            assert_never(step)


def depth(stages: tuple[Stage, ...], plan: Plan, name: str) -> int:
    """The layers of a stage and of what it stands on; one is kept for WORKDIR, which makes its directory."""
    by_name = {stage.name: stage for stage in stages}
    stage = by_name[name]
    found = 1
    while True:
        found += sum(1 if group.together else sum(map(layers, group.steps)) for group in plan[stage.name])
        match stage.base:
            case FromStage(stage=parent):
                stage = by_name[parent]
            case Image():
                return found + LAYERS_OF_AN_IMAGE
            case Rootfs():
                return found + 1
            case _:
                assert_never(stage.base)


def _groups(stage: Stage, size: int) -> tuple[Group, ...]:
    chunks = (stage.steps[start : start + size] for start in range(0, len(stage.steps), size))
    return tuple(Group(chunk, size > 1 and sum(map(layers, chunk)) > 1) for chunk in chunks)


def _too_deep(stages: tuple[Stage, ...], plan: Plan) -> frozenset[str]:
    """The stages that are too deep, and all that they stand on."""
    parents = {stage.name: stage.base.stage for stage in stages if isinstance(stage.base, FromStage)}
    found: set[str] = set()
    for stage in stages:
        if depth(stages, plan, stage.name) > MOST_LAYERS:
            name: str | None = stage.name
            while name is not None:
                found.add(name)
                name = parents.get(name)
    return frozenset(found)
