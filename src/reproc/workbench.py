"""The vendored build contexts: everything fetched, recipes written, inputs laid out under `.reproc/`."""

from __future__ import annotations

import re
from pathlib import Path

from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import cli as codes
from reproc.files import write_atomically
from reproc.graph import ENTER, BuildGraph, FetchGit, Run, Script
from reproc.lock.fetch import fetch
from reproc.lock.requests import TargetRequest
from reproc.lock.store import Store, default_root
from reproc.lock.vendor import materialise
from reproc.lower import Shape
from reproc.pipeline import Project, graph, render
from reproc.progress import Progress
from reproc.registry import backend
from reproc.verify.plan import Recipe, TargetPlan

STATE = ".reproc"


def state_folder(root: Path) -> Path:
    """The folder of reproc's state beside a spec, which git ignores."""
    folder = root / STATE
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / ".gitignore", b"*\n")
    return folder


def prepare(
    project: Project, requests: tuple[TargetRequest, ...], names: tuple[str, ...], progress: Progress
) -> Outcome[tuple[TargetPlan, ...]]:
    """Contexts for some targets and back ends (all if none is named), ready to be built without a network."""
    found: list[Diagnostic] = []
    plans: list[TargetPlan] = []
    try:
        folder = state_folder(project.folder.root)
        with Store(default_root()) as store:
            for request in requests:
                plan = _target(project, request, names, folder, store, progress, found)
                plans.extend(() if plan is None else (plan,))
    except OSError as problem:
        found.append(
            error(
                codes.NOT_WRITABLE, None, path=problem.filename or STATE, problem=problem.strerror or problem
            )
        )
        return Outcome(None, tuple(found))
    complete = len(plans) == len(requests)
    return Outcome(tuple(plans) if complete else None, tuple(found))


def _target(
    project: Project,
    request: TargetRequest,
    names: tuple[str, ...],
    folder: Path,
    store: Store,
    progress: Progress,
    found: list[Diagnostic],
) -> TargetPlan | None:
    locked, lock = project.locked(request.name), project.lock
    assert locked is not None and lock is not None, "only a locked project is prepared"
    fetched = fetch(lock, locked, project.folder.root, store, progress)
    found += fetched.diagnostics
    lowered = graph(project, request, Shape.VENDORED)
    found += lowered.diagnostics
    if fetched.errors or lowered.value is None:
        return None
    context = (folder / "vendored" / request.name).absolute()
    context.mkdir(parents=True, exist_ok=True)
    laid_out = materialise(lowered.value.inputs, store, context)
    found += laid_out.diagnostics
    if laid_out.errors:
        return None
    target = next(each for each in project.spec.targets if each.name == request.name)
    recipes: dict[str, Recipe] = {}
    for name in target.backends:
        if names and name not in names:
            continue
        loaded = backend(name)
        rendered = (
            render(lowered.value, loaded.value, Shape.VENDORED)
            if loaded.value
            else Outcome(None, loaded.diagnostics)
        )
        found += rendered.diagnostics
        if rendered.value is None:
            return None
        for artifact in rendered.value:
            write_atomically(context / artifact.filename, artifact.text.encode())
        first = rendered.value[0]
        recipes[name] = Recipe(
            target=request.name,
            backend=name,
            context=context,
            file=context / first.filename,
            epoch=lowered.value.epoch,
            platform=lowered.value.platform,
            line_origins=first.line_origins,
            tag=image_tag(project.folder.root, request.name),
            network=_needs_network(lowered.value),
        )
    return TargetPlan(
        request.name,
        recipes,
        target.tests,
        target.workdir,
        tuple(app.name for app in target.apps),
        (ENTER,) if lowered.value.runtime.activation else (),
    )


def _needs_network(graph: BuildGraph) -> bool:
    steps = [step for stage in graph.stages for step in stage.steps]
    return any(
        isinstance(step, FetchGit) or (isinstance(step, Run | Script) and step.network) for step in steps
    )


def image_tag(root: Path, target: str) -> str:
    """What an engine that names images calls one: `reproc/FOLDER:TARGET`."""
    folder = re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-") or "spec"
    return f"reproc/{folder}:{target}"
