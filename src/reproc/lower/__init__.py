"""From a locked plan to a graph of steps."""

from __future__ import annotations

from reproc.graph import BuildGraph, Input, Stage
from reproc.lock.requests import BootstrapRequest, TargetRequest
from reproc.lower import mounts, packages
from reproc.lower.base import base_archive, base_stage
from reproc.lower.builds import build_stage
from reproc.lower.environment import base_environment
from reproc.lower.image import image_stage
from reproc.lower.plan import Plan, Shape
from reproc.lower.stages import build_stages
from reproc.lower.toolchains import made_stages
from reproc.lower.work import Work

__all__ = ["Plan", "Shape", "base_archive", "lower"]


def lower(plan: Plan, request: TargetRequest, shape: Shape, inputs: tuple[Input, ...] = ()) -> BuildGraph:
    """The graph of one target. `inputs` are the files of a vendored context."""
    work = Work(plan, request, shape, base_environment(plan.locked))
    stages = [base_stage(work), *(base_stage(work.on(each.name)) for each in request.further)]
    stages += _made(work)
    for stage in build_stages(plan.target):
        stages.append(build_stage(work, stage, stages))
    image, runtime = image_stage(work, stages)
    return BuildGraph(
        target=plan.target.name,
        platform=request.platform,
        epoch=plan.epoch,
        stages=(*stages, image),
        runtime=runtime,
        inputs=inputs,
        spec_path=plan.spec_path,
        notes=tuple(_notes(work)),
        locked=plan.locked is not None,
    )


def _made(work: Work) -> list[Stage]:
    """The stages that tool chains come from, on every base that builds stand on, each once."""
    every = (work, *(work.on(each.name) for each in work.request.further))
    return list({stage.name: stage for each in every for stage in made_stages(each)}.values())


def _notes(work: Work) -> list[str]:
    """What a person must know before building by hand."""
    notes: list[str] = []
    if work.plan.locked is None:
        notes.append("Not locked: packages, images and branches float. Run `reproc lock` to pin them.")
    else:
        notes.append(f"Locked: every archive as it stood at {packages.day(work.plan.epoch)}.")
    bases = [each.base for each in (work.request, *work.request.further)]
    if work.shape is Shape.STANDALONE and any(isinstance(base, BootstrapRequest) for base in bases):
        notes.append("The base is bootstrapped: run `sh containers/bootstrap.sh` once before.")
    return notes + mounts.notes(mounts.mounted(work.plan, work.request))
