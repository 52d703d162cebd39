"""Makes a graph into one that a recipe format can say: refuses, inlines, prunes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest

from reproc.diagnostics.codes.build import TOO_MANY_LAYERS
from reproc.diagnostics.diagnostic import Outcome, error
from reproc.graph import BuildGraph, CopyKept, FromStage, Run, Stage
from reproc.record import replace
from reproc.source import Span
from reproc.target.backend import Feature, LegalGraph
from reproc.target.layers import MOST_LAYERS, plan_layers
from reproc.target.quoting import quote
from reproc.target.sayable import unsayable


def legalize(graph: BuildGraph, features: frozenset[Feature]) -> Outcome[LegalGraph]:
    """The same image in what a back end with these features can say.

    What no recipe can say is refused; stages that nothing needs are left out; a parent stage is inlined where
    `STAGE_FROM_STAGE` is lacking. Where there is `LIMITED_LAYERS`, `plan_layers` has an answer.
    """
    problems = tuple(unsayable(graph))
    if problems:
        return Outcome(None, problems)
    graph = replace(graph, stages=_needed(graph.stages))
    if Feature.STAGE_FROM_STAGE not in features:
        graph = replace(graph, stages=_needed(_inlined(graph.stages)))
    graph = replace(graph, stages=_with_kept_checked(graph.stages))
    if Feature.LIMITED_LAYERS in features and plan_layers(graph.stages) is None:
        place = graph.stages[-1].origin
        return Outcome(None, (error(TOO_MANY_LAYERS, place, limit=MOST_LAYERS),))
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
    places: dict[str, dict[str, Span | None]] = {}
    for step in (step for stage in stages for step in stage.steps):
        if isinstance(step, CopyKept):
            for path, origin in zip_longest(step.paths, step.origins, fillvalue=step.origin):
                places.setdefault(step.stage, {}).setdefault(str(path), origin)
    checks = {name: [*_kept_checks(paths)] for name, paths in places.items()}
    return tuple(replace(stage, steps=(*stage.steps, *checks.get(stage.name, ()))) for stage in stages)


def _kept_checks(paths: dict[str, Span | None]) -> Iterator[Run]:
    """A step for each place in the spec, so that what is amiss is told there."""
    for origin, together in groupby(paths, key=lambda path: paths[path]):
        lines: list[str] = []
        for path in together:
            name = quote(path)
            link = quote(f"reproc: {path} is to be kept, but is a symbolic link to")
            nothing = quote(f"reproc: {path} is to be kept, but nothing made it")
            lines.append(f'if [ -L {name} ]; then echo {link} "$(readlink -m {name})" >&2; exit 1; fi')
            lines.append(f"if [ ! -e {name} ]; then echo {nothing} >&2; exit 1; fi")
        yield Run("check what is kept", tuple(lines), origin=origin)


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
