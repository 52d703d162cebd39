"""The stages of kept builds, and the author's commands."""

from __future__ import annotations

from reproc import model
from reproc.check.tools import tools_of
from reproc.graph import CopyKept, FromStage, Script, SetEnv, Stage, Step
from reproc.lower import go
from reproc.lower.apps import shell_text
from reproc.lower.environment import TOOLS as TOOLS_DIRECTORY
from reproc.lower.environment import apply, changed, environment_origin
from reproc.lower.flags import with_flags
from reproc.lower.stages import BuildStage, build_stages, inputs_of
from reproc.lower.toolchains import home, tool_steps
from reproc.lower.work import Work


def build_stage(work: Work, stage: BuildStage, earlier: list[Stage]) -> Stage:
    """Tools, then each build with what it sees."""
    work = work.on(stage.ground)
    first = stage.builds[0]
    tools = tools_of(work.target, first)
    origin = first.using[0].origin if first.using else first.origin
    steps: list[Step] = []
    if stage.toolset:
        steps += tool_steps(work, stage.toolset, tools, origin)
    common = apply(work.target.environment, ("both",), work.environment)
    if variables := changed(common, work.environment):
        steps.append(SetEnv("environment", variables, environment_origin(work.target)))
    placed: set[str] = set()
    here = {build.name for build in stage.builds}
    for build in stage.builds:
        for item in build.after:
            if item.text not in here and item.text not in placed:
                steps.append(kept(work, item.text, earlier))
                placed.add(item.text)
        for key in inputs_of(work.target, build):
            if key not in placed:
                steps += work.placed(key)
                placed.add(key)
        steps += scripts(work, build, common)
    return Stage(stage.name, FromStage(work.base), tuple(steps), first.origin)


def kept(work: Work, name: str, stages: list[Stage]) -> CopyKept:
    """The step that brings what a build has kept."""
    build = next(each for each in work.target.builds if each.name == name)
    stage = next(each.name for each in build_stages(work.target) if build in each.builds)
    assert stage in {each.name for each in stages}, "stages come before the ones that use them"
    places = tuple(path.origin for path in build.keep)
    paths = tuple(path.text for path in build.keep)
    return CopyKept(f"kept by build {name}", stage, paths, places[0], places)


def scripts(work: Work, build: model.Build, seen: dict[str, str]) -> list[Step]:
    """The author's commands; `seen` is what the stage's environment sets already."""
    target = work.target
    tools = tools_of(target, build)
    directories = [f"{TOOLS_DIRECTORY}/{tool.key}" for tool in tools]
    own = {**seen, "PATH": ":".join((*directories, seen["PATH"]))}
    for tool in tools:
        own |= {name: f"{TOOLS_DIRECTORY}/{tool.key}/{command}" for name, command in tool.variables}
        own[f"{tool.name.upper()}_HOME"] = home(tool, target.platform)
        own |= go.PLACES if tool.name == "go" else {}
    own = apply(target.environment, ("build",), own)
    own = apply(build.env.entries if build.env else (), ("both", "build"), own)
    own = with_flags(target, build, tools, own)
    return [
        Script(
            title=f"build {build.name}",
            text=shell_text(command.text),
            shell=f"/bin/{build.shell}",
            workdir=target.place(build) or "/",
            environment=changed(own, seen),
            network=bool(build.network),
            origin=command.origin,
        )
        for command in build.commands
    ]
