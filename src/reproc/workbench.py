"""Build contexts under `.reproc/`: vendored, with everything fetched and laid out, or of recipes that fetch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.diagnostic import once
from reproc.files import write_atomically
from reproc.graph import ENTER, BuildGraph, FetchGit, Run, Script
from reproc.lock.archives import Site
from reproc.lock.fetch import again, fetch
from reproc.lock.model import BootstrapBase, LocalTree, LockedTarget
from reproc.lock.problem import Problem, attempt
from reproc.lock.providers import bootstrap
from reproc.lock.requests import TargetRequest
from reproc.lock.store import Store, default_root
from reproc.lock.vendor import materialise
from reproc.lower import Shape
from reproc.lower.present import compilers_beside
from reproc.pipeline import Project, graph, render
from reproc.progress import Progress
from reproc.registry import backend
from reproc.verify.plan import Access, OpenStep, Recipe, TargetPlan

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
    return Outcome(tuple(plans) if complete else None, once(found))


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
    fetched = fetch(
        lock, locked, project.folder.root, store, progress, without=request.at_run | request.alone
    )
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
    return _plan(project, request, lowered.value, Shape.VENDORED, context, names, None, found)


@contextmanager
def standing_alone(
    project: Project, requests: tuple[TargetRequest, ...], progress: Progress
) -> Iterator[Outcome[tuple[TargetPlan, ...]]]:
    """Recipes that fetch by themselves, under `.reproc/standalone/`, ready to be built from the spec's folder.

    Within it they may do so by way of this machine's mirrors and certificates, where it has some.
    """
    found: list[Diagnostic] = []
    with ExitStack() as stack:
        try:
            access = _access(project, stack)
            plans = [_alone(project, each, access, progress, found) for each in requests]
        except Problem as trouble:  # of the site's configuration
            found += trouble.diagnostics
            plans = [None]
        except OSError as problem:
            facts = {"path": problem.filename or STATE, "problem": problem.strerror or str(problem)}
            found.append(error(codes.NOT_WRITABLE, None, **facts))
            plans = [None]
        complete = tuple(plan for plan in plans if plan is not None)
        yield Outcome(complete if len(complete) == len(plans) else None, once(found))


def _access(project: Project, stack: ExitStack) -> Access | None:
    from reproc.verify import gate

    site, lock = Site(), project.lock
    assert lock is not None, "only a locked project is prepared"
    if not gate.needed(lock, site):
        return None
    store = stack.enter_context(Store(default_root()))
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="reproc-")))
    return stack.enter_context(gate.opened(lock, store, folder, site))


def _alone(
    project: Project,
    request: TargetRequest,
    access: Access | None,
    progress: Progress,
    found: list[Diagnostic],
) -> TargetPlan | None:
    locked, lock = project.locked(request.name), project.lock
    assert locked is not None and lock is not None, "only a locked project is prepared"
    lowered = graph(project, request, Shape.STANDALONE)
    found += lowered.diagnostics
    if lowered.value is None:
        return None
    changed = attempt(partial(_as_locked, locked, request, project.folder.root))
    found += changed.diagnostics
    if changed.errors:
        return None
    folder = state_folder(project.folder.root).absolute()
    proxy = {"http_proxy": access.proxy} if access else {}
    for base in dict.fromkeys(each.base for each in locked.systems):
        if not isinstance(base, BootstrapBase):
            continue
        make = partial(bootstrap.make_here, base, lock, request.platform, folder.parent, proxy, progress)
        made = attempt(make)
        found += made.diagnostics
        if made.errors:
            return None
    context = folder / "standalone" / request.name
    context.mkdir(parents=True, exist_ok=True)
    return _plan(project, request, lowered.value, Shape.STANDALONE, context, (), access, found)


def _as_locked(target: LockedTarget, request: TargetRequest, folder: Path) -> Outcome[None]:
    """Whether what lies beside the spec is what was locked: a recipe that fetches by itself copies what is there."""
    with Store(default_root()) as store:
        for key, tree in target.trees:
            if isinstance(tree, LocalTree) and key not in request.at_run:
                again(tree, folder, store)
    return Outcome(None)


def _plan(
    project: Project,
    request: TargetRequest,
    graph: BuildGraph,
    shape: Shape,
    folder: Path,
    names: tuple[str, ...],
    access: Access | None,
    found: list[Diagnostic],
) -> TargetPlan | None:
    """A target's recipes, written into the folder."""
    target = next(each for each in project.spec.targets if each.name == request.name)
    locked = project.locked(request.name)
    assert locked is not None, "only a locked project is prepared"
    vendored = shape is Shape.VENDORED
    recipes: dict[str, Recipe] = {}
    for name in target.backends:
        if names and name not in names:
            continue
        loaded = backend(name)
        rendered = render(graph, loaded.value, shape) if loaded.value else Outcome(None, loaded.diagnostics)
        found += rendered.diagnostics
        if rendered.value is None:
            return None
        for artifact in rendered.value:
            write_atomically(folder / artifact.filename, artifact.text.encode())
        first = rendered.value[0]
        recipes[name] = Recipe(
            target=request.name,
            backend=name,
            context=folder if vendored else project.folder.root.absolute(),
            file=folder / first.filename,
            epoch=graph.epoch,
            platform=graph.platform,
            line_origins=first.line_origins,
            titles=first.titles,
            tag=image_tag(project.folder.root, request.name),
            network=_needs_network(graph),
            opened=_opened(graph),
            vendored=vendored,
            access=access,
            inputs=tuple((each.path, each.sha256) for each in graph.inputs) if vendored else None,
        )
    return TargetPlan(
        request.name,
        recipes,
        target.tests,
        target.workdir,
        tuple(app.name for app in target.apps),
        (ENTER,) if graph.runtime.activation else (),
        tuple((each.name, each.value) for each in graph.runtime.environment),
        target,
        compilers_beside(target, locked),
    )


def _opened(graph: BuildGraph) -> tuple[OpenStep, ...]:
    """The author's steps that reach the network, each once."""
    steps = (step for stage in graph.stages for step in stage.steps)
    scripts = (step for step in steps if isinstance(step, Script) and step.network)
    found = (OpenStep(step.title.removeprefix("build "), step.origin) for step in scripts)
    return tuple(dict.fromkeys(found))


def _needs_network(graph: BuildGraph) -> bool:
    steps = [step for stage in graph.stages for step in stage.steps]
    return any(
        isinstance(step, FetchGit) or (isinstance(step, Run | Script) and step.network) for step in steps
    )


def image_tag(root: Path, target: str) -> str:
    """What an engine that names images calls one: `reproc/FOLDER:TARGET`."""
    folder = re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-") or "spec"
    return f"reproc/{folder}:{target}"
