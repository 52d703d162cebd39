"""Makes a graph into one that a recipe format can say: refuses, inlines, prunes, merges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import assert_never

from reproc.diagnostics.codes.build import TOO_MANY_LAYERS
from reproc.diagnostics.diagnostic import Outcome, error
from reproc.graph import (
    BuildGraph,
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
from reproc.target.backend import Feature, LegalGraph
from reproc.target.quoting import words
from reproc.target.sayable import unsayable
from reproc.target.shell import isolated, shell_holds, write_file

MOST_LAYERS = 99
"""Docker's overlay file systems stop at 127 or 128; fewer than 100 leaves room for what users add."""
LAYERS_OF_AN_IMAGE = 24
"""Kept free for the layers of a base image, whose number is not known without a network."""


def legalize(graph: BuildGraph, features: frozenset[Feature]) -> Outcome[LegalGraph]:
    """The same image in what a back end with these features can say.

    What no recipe can say is refused; stages that nothing needs are left out; a parent stage is inlined where
    `STAGE_FROM_STAGE` is lacking; steps are merged where `LIMITED_LAYERS` would be exceeded.
    """
    problems = tuple(unsayable(graph))
    if problems:
        return Outcome(None, problems)
    graph = replace(graph, stages=_needed(graph.stages))
    if Feature.STAGE_FROM_STAGE not in features:
        graph = replace(graph, stages=_needed(_inlined(graph.stages)))
    graph = replace(graph, stages=_with_kept_checked(graph.stages))
    if Feature.LIMITED_LAYERS in features:
        merged = _merged(graph.stages)
        deepest = max(_excess(merged))
        if deepest > 0:
            place = next((step.origin for step in reversed(merged[-1].steps) if step.origin), None)
            return Outcome(
                None, (error(TOO_MANY_LAYERS, place, layers=MOST_LAYERS + deepest, limit=MOST_LAYERS),)
            )
        graph = replace(graph, stages=merged)
    return Outcome(LegalGraph(graph, features))


def _needed(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The last stage and those that it needs, in their order."""
    wanted = {stages[-1].name}
    for stage in reversed(stages):
        if stage.name not in wanted:
            continue
        if isinstance(stage.base, FromStage):
            wanted.add(stage.base.stage)
        wanted.update(step.stage for step in stage.steps if isinstance(step, CopyKept))
    return tuple(stage for stage in stages if stage.name in wanted)


def kept_paths(stages: Iterable[Stage]) -> dict[str, tuple[str, ...]]:
    """For each stage that others copy from, the paths that are copied, each once, in order."""
    kept: dict[str, dict[str, None]] = {}
    for stage in stages:
        for step in stage.steps:
            if isinstance(step, CopyKept):
                kept.setdefault(step.stage, {}).update(dict.fromkeys(step.paths))
    return {name: tuple(paths) for name, paths in kept.items()}


def _with_kept_checked(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Stages that others copy from end in a step that looks whether what is to be copied can be.

    `COPY --from` follows a link that is named itself and tar does not, so such a path is refused in both.
    """
    kept = kept_paths(stages)
    return tuple(
        replace(stage, steps=(*stage.steps, _kept_check(kept[stage.name]))) if stage.name in kept else stage
        for stage in stages
    )


def _kept_check(paths: tuple[str, ...]) -> Run:
    lines = (
        f"for kept in {words(*paths)}; do",
        '    if [ -L "$kept" ]; then',
        '        echo "reproc: $kept is a symbolic link: keep what it points at" >&2; exit 1',
        '    elif [ ! -e "$kept" ]; then',
        '        echo "reproc: $kept is to be kept, but nothing made it" >&2; exit 1',
        "    fi",
        "done",
    )
    return Run("check what is kept", lines)


def _inlined(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Every stage on the base of its furthest parent, after all its parents' steps."""
    whole: dict[str, Stage] = {}
    for stage in stages:
        if isinstance(stage.base, FromStage):
            parent = whole[stage.base.stage]
            whole[stage.name] = replace(stage, base=parent.base, steps=parent.steps + stage.steps)
        else:
            whole[stage.name] = stage
    return tuple(whole.values())


def layers(step: Step) -> int:
    """How many layers of a Docker image the step becomes (`ENV` and the other settings become none)."""
    match step:
        case SetEnv():
            return 0
        case CopyKept():
            return len(step.paths)
        case Run() | Script() | WriteFile() | CopyIn() | CopyFile() | FetchGit():
            return 1
        case _:
            assert_never(step)


def _excess(stages: tuple[Stage, ...]) -> list[int]:
    """For each stage by how many layers it is over what it may have, its parents' included."""
    depths: dict[str, int] = {}
    for stage in stages:
        match stage.base:
            case FromStage():
                below = depths[stage.base.stage]
            case Image():
                below = LAYERS_OF_AN_IMAGE
            case Rootfs():
                below = 1
            case _:
                assert_never(stage.base)
        # One more for WORKDIR, which makes its directory.
        depths[stage.name] = below + sum(map(layers, stage.steps))
    return [depth + 1 - MOST_LAYERS for depth in depths.values()]


def _merged(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages with just so many neighbouring steps put together that none has too many layers."""
    size = 1
    longest = max((len(stage.steps) for stage in stages), default=0)
    merged = stages
    while max(_excess(merged)) > 0 and size < longest:
        size = min(size * 2, longest)
        merged = tuple(replace(stage, steps=tuple(_grouped(stage.steps, size))) for stage in stages)
    return merged


def _grouped(steps: tuple[Step, ...], size: int) -> Iterator[Step]:
    """The steps, every sequence of shell steps with equal rights to the network in groups of up to `size`."""
    for kind, sequence in groupby(steps, _kind):
        group = list(sequence)
        if kind is None:
            yield from group
            continue
        for start in range(0, len(group), size):
            part = group[start : start + size]
            yield part[0] if len(part) == 1 else _joined(part)


def _kind(step: Step) -> bool | None:
    """Whether a shell step has the network; None for a step that no shell can take."""
    match step:
        case Run():
            return step.network
        case Script():
            return step.network if shell_holds(step) else None
        case WriteFile():
            return False
        case CopyIn() | CopyFile() | FetchGit() | CopyKept() | SetEnv():
            return None
        case _:
            assert_never(step)


def _joined(steps: list[Step]) -> Run:
    """One step that does what these do, each in a shell of its own."""
    lines: list[str] = []
    mounts: dict[str, None] = {}
    network = False
    for step in steps:
        match step:
            case Run():
                lines += ["(", *step.lines, ")"]
                mounts.update(dict.fromkeys(step.mounts))
                network |= step.network
            case Script():
                lines += isolated(step)
                network |= step.network
            case WriteFile():
                lines += write_file(step, in_def=False)
            case _:
                raise AssertionError(f"{type(step).__name__} cannot be joined")
    titles = list(dict.fromkeys(step.title for step in steps))
    title = titles[0] if len(titles) == 1 else f"{titles[0]}, and {len(titles) - 1} more, up to: {titles[-1]}"
    origin = next((step.origin for step in steps if step.origin), None)
    return Run(title, tuple(lines), tuple(mounts), network, origin)
