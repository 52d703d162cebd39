"""The stage that becomes the image, and what the image says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reproc import model
from reproc.catalog import Toolchain
from reproc.check import place_of_code, place_of_data
from reproc.check.tools import tools_in_image, tools_of
from reproc.graph import App, FromStage, Run, Runtime, SetEnv, Stage, Step, Variable
from reproc.lock.model import ImageBase
from reproc.lock.requests import PYTHON, SYSTEM, TOOLS
from reproc.lower import go, java, packages
from reproc.lower.apps import activation, activation_files, app_files
from reproc.lower.builds import kept, scripts
from reproc.lower.environment import apply, changed, environment_origin, image_path
from reproc.lower.files import directory_steps, file_steps, user_steps, workdir_steps
from reproc.lower.hardware import hardware_labels, hardware_variables
from reproc.lower.interpreters import interpreter_steps
from reproc.lower.mounts import mount_points, mounted
from reproc.lower.plan import Plan
from reproc.lower.projects import project_steps
from reproc.lower.stages import build_stages, inputs_of, parents_first
from reproc.lower.toolchains import carried, tool_steps
from reproc.lower.work import Work


def image_stage(work: Work, stages: list[Stage]) -> tuple[Stage, Runtime]:
    """What the image gets on top of the base, in the order in which it seldom changes."""
    target = work.target
    python = target.pythons[0].origin if target.pythons else None
    steps: list[Step] = [*work.apt(PYTHON, "Python", python), *interpreter_steps(work), *_python(work)]
    if inside := tools_in_image(target):
        origin = target.toolchains[0].origin
        steps += tool_steps(work, TOOLS, inside, origin)
    steps += carried(work, _kept_with(work, frozenset(tool.key for tool in inside)))
    steps += [kept(work, build.name, stages) for build in target.builds if build.keep]
    given = {**hardware_variables(target), **work.environment}
    with_path = {**given, "PATH": image_path(target, work.environment["PATH"])}
    common = apply(target.environment, ("both",), with_path)
    if variables := changed(common, work.environment):
        steps.append(SetEnv("environment", variables, environment_origin(target)))
    steps += [*user_steps(target), *directory_steps(target)]
    steps += [step for key in _keys(work) for step in work.placed(key)]
    steps += mount_points(mounted(work.plan, work.request))
    steps += file_steps(work.plan, work.shape)
    steps += project_steps(work)
    steps += _builds(work, common)
    final = apply(target.environment, ("both", "run"), with_path)
    if variables := changed(final, common):
        steps.append(SetEnv("environment at run", variables, environment_origin(target)))
    steps += [*workdir_steps(target), *activation_files(target), *app_files(target)]
    return Stage("image", FromStage("base"), tuple(steps), target.origin), _runtime(work.plan, final)


def _kept_with(work: Work, inside: frozenset[str]) -> Iterator[tuple[Toolchain, str]]:
    """The tools of the kept builds that are not in the image, and the stages in which they are."""
    for stage in build_stages(work.target):
        for build in stage.builds:
            yield from ((t, stage.name) for t in tools_of(work.target, build) if t.key not in inside)


def _keys(work: Work) -> list[str]:
    """The code and data that the image holds: all but the code that only kept builds take."""
    target = work.target
    taken = {key for build in target.builds if build.keep for key in inputs_of(target, build)}
    taken -= {key for build in target.builds if not build.keep for key in inputs_of(target, build)}
    taken -= {f"code {item.text}" for python in target.pythons for item in python.install}
    places = {f"data {each.name}": place_of_data(each) for each in target.data if each.at != "run"}
    places |= {f"code {each.name}": place_of_code(each) for each in target.code}
    return parents_first(
        {key: place for key, place in places.items() if key not in taken or key.startswith("data ")}
    )


def _builds(work: Work, environment: dict[str, str]) -> list[Step]:
    """The builds that run in the image itself."""
    steps = [
        step for build in work.target.builds if not build.keep for step in scripts(work, build, environment)
    ]
    layers = work.plan.locked.apt if work.plan.locked else ()
    if steps and any(java.is_there(layers, name) for name in (SYSTEM, PYTHON, TOOLS)):
        steps.append(Run("what Java leaves behind", (java.FORGET,), origin=steps[-1].origin))
    if go.runs_in_image(work.target):
        steps.append(Run("what Go leaves behind", go.FORGET, origin=steps[-1].origin))
    return steps


def _python(work: Work) -> list[Step]:
    steps: list[Step] = []
    for request in work.request.python:
        origin = next(each.origin for each in work.target.pythons if each.identity[0] == request.name)
        if work.plan.locked is None:
            steps += packages.install_floating_python(request, origin)
        else:
            locked = next(each for each in work.plan.locked.python if each.name == request.name)
            steps += packages.install_wheels(locked, work.shape, origin)
    return steps


def _runtime(plan: Plan, environment: dict[str, str]) -> Runtime:
    """Environment, labels, apps and user of the finished image."""
    target = plan.target
    return Runtime(
        environment=tuple(Variable(name, value) for name, value in sorted(environment.items())),
        labels=tuple(sorted(_labels(plan).items())),
        apps=tuple(App(app.name, app.help, app.origin) for app in target.apps),
        workdir=target.workdir,
        ports=_ports(plan),
        user=target.user.uid if target.user else None,
        activation=activation(target),
    )


def _ports(plan: Plan) -> tuple[int, ...]:
    return tuple(sorted({port for app in plan.target.apps for port in app.ports}))


def _labels(plan: Plan) -> dict[str, str]:
    """The pre-defined keys of the OCI image specification as far as the spec knows them, ours, the author's."""
    known = {f"org.opencontainers.image.{key}": value for key, value in _standard(plan).items() if value}
    known |= hardware_labels(plan.target)
    if ports := _ports(plan):
        known["reproc.ports"] = " ".join(map(str, ports))
    return known | {label.name: label.text for label in plan.target.labels}


def _standard(plan: Plan) -> dict[str, str | None]:
    paper = plan.paper
    base = plan.locked.base if plan.locked else None
    known: dict[str, str | None] = {"ref.name": plan.target.name}
    if plan.locked:
        known["created"] = f"{datetime.fromtimestamp(plan.epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(base, ImageBase):
        known |= {"base.name": base.reference, "base.digest": base.digest}
    if paper:
        known |= {
            "title": paper.title,
            "authors": ", ".join(_author(author) for author in paper.authors) or None,
            "url": paper.url.text if paper.url else None,
            "version": paper.version,
            "licenses": paper.license,
            "documentation": f"https://doi.org/{paper.doi}" if paper.doi else None,
            "description": " ".join(paper.abstract.split()) if paper.abstract else None,
        }
    return known


def _author(author: model.Author) -> str:
    return f"{author.name} <{author.email}>" if author.email else author.name
