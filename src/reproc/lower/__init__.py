"""From a locked plan to a graph of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reproc import catalog, model
from reproc.check import Target, place_of_code, place_of_data
from reproc.check.tools import tools_in_image, tools_of
from reproc.graph import (
    MOUNT,
    Base,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Image,
    Input,
    Rootfs,
    Run,
    Script,
    SetEnv,
    Stage,
    Step,
)
from reproc.lock.model import BootstrapBase, GitTree
from reproc.lock.requests import (
    PYTHON,
    SYSTEM,
    TOOLS,
    BootstrapRequest,
    GitRequest,
    LocalRequest,
    TargetRequest,
)
from reproc.lower import packages
from reproc.lower.environment import TOOLS as TOOLS_DIRECTORY
from reproc.lower.environment import apply, base_environment, changed, image_path
from reproc.lower.image import app_files, runtime, shell_text
from reproc.lower.plan import Plan, Shape
from reproc.lower.stages import BuildStage, build_stages, inputs_of
from reproc.source import Span
from reproc.target import quote

__all__ = ["Plan", "Shape", "base_archive", "lower"]


def lower(plan: Plan, request: TargetRequest, shape: Shape, inputs: tuple[Input, ...] = ()) -> BuildGraph:
    """The graph of one target. `inputs` are the files of a vendored context."""
    return _Lowering(plan, request, shape).graph(inputs)


def base_archive(locked: BootstrapBase | None, request: BootstrapRequest) -> str:
    """Where a bootstrapped root file system lies, below the spec's folder."""
    name = locked.sha256 if locked else f"{request.distribution}-{request.release}"
    return f".reproc/base/{name}.tar"


@dataclass
class _Lowering:
    plan: Plan
    request: TargetRequest
    shape: Shape
    environment: dict[str, str] = field(init=False)
    """What every stage starts with."""

    def __post_init__(self) -> None:
        self.environment = base_environment(self.plan.locked)

    @property
    def target(self) -> Target:
        return self.plan.target

    def graph(self, inputs: tuple[Input, ...]) -> BuildGraph:
        base = Stage("base", self._base(), tuple(self._base_steps()), self.target.base.origin)
        stages = [base]
        for stage in build_stages(self.target):
            stages.append(self._build_stage(stage, stages))
        steps, environment = self._image_steps(stages)
        stages.append(Stage("image", FromStage("base"), tuple(steps), self.target.origin))
        return BuildGraph(
            target=self.target.name,
            platform=self.request.platform,
            epoch=self.plan.epoch,
            stages=tuple(stages),
            runtime=runtime(self.plan, environment),
            inputs=inputs,
            spec_path=self.plan.spec_path,
            notes=tuple(self._notes()),
            locked=self.plan.locked is not None,
        )

    def _base(self) -> Base:
        locked = self.plan.locked.base if self.plan.locked else None
        if self.shape is Shape.VENDORED:
            assert locked is not None, "only a lock can be vendored"
            return Rootfs(
                "inputs/base.tar", locked.sha256 if isinstance(locked, BootstrapBase) else locked.rootfs
            )
        if isinstance(self.request.base, BootstrapRequest):
            bootstrap = locked if isinstance(locked, BootstrapBase) else None
            return Rootfs(base_archive(bootstrap, self.request.base), bootstrap.sha256 if bootstrap else None)
        if locked is not None and not isinstance(locked, BootstrapBase):
            return Image(locked.reference.partition("@")[0], locked.digest)
        return Image(self.request.base.reference, None)

    def _base_steps(self) -> list[Step]:
        of_base = (
            {}
            if self.shape is Shape.VENDORED
            else {k: v for k, v in self.environment.items() if k not in ("LANG", "TZ", "PATH")}
        )
        variables = changed(self.environment, of_base)
        steps: list[Step] = [SetEnv("environment", variables)]
        steps.extend(self._apt(SYSTEM, "system packages", self._first(self.target.packages)))
        return steps

    def _first(self, items: tuple[model.Item, ...]) -> Span | None:
        return items[0].origin if items else None

    def _apt(self, layer: str, title: str, origin: Span | None) -> list[Step]:
        """The step that installs a layer, if the target has it."""
        request = next((each for each in self.request.apt if each.name == layer), None)
        if request is None:
            return []
        if self.plan.locked is None:
            return [packages.install_floating_debs(request, title, origin)]
        locked = next(each for each in self.plan.locked.apt if each.name == layer)
        if not locked.debs:
            return []
        return [packages.install_debs(locked, self.plan.archives, self.shape, title, origin)]

    def _build_stage(self, stage: BuildStage, earlier: list[Stage]) -> Stage:
        """Tools, then each build with what it sees, then a check of what it keeps."""
        first = stage.builds[0]
        tools = tools_of(self.target, first)
        origin = first.using[0].origin if first.using else first.origin
        steps: list[Step] = []
        if stage.toolset:
            steps += self._apt(stage.toolset, f"tool chain {', '.join(tool.key for tool in tools)}", origin)
            steps += self._links(tools, origin)
        common = apply(self.target.environment, ("both",), self.environment)
        if variables := changed(common, self.environment):
            steps.append(SetEnv("environment", variables, self._environment_origin()))
        placed: set[str] = set()
        here = {build.name for build in stage.builds}
        for build in stage.builds:
            for item in build.after:
                if item.text not in here and item.text not in placed:
                    steps.append(self._kept(item.text, earlier))
                    placed.add(item.text)
            for key in inputs_of(self.target, build):
                if key not in placed:
                    steps.append(self._place(key))
                    placed.add(key)
            steps += self._scripts(build, common)
        return Stage(stage.name, FromStage("base"), tuple(steps), first.origin)

    def _kept(self, name: str, stages: list[Stage]) -> CopyKept:
        build = next(each for each in self.target.builds if each.name == name)
        stage = next(each.name for each in build_stages(self.target) if build in each.builds)
        assert stage in {each.name for each in stages}, "stages come before the ones that use them"
        origin = build.keep[0].origin
        return CopyKept(f"kept by build {name}", stage, tuple(path.text for path in build.keep), origin)

    def _links(self, tools: tuple[catalog.Toolchain, ...], origin: Span | None) -> list[Step]:
        """A private directory with the tools' commands under their plain names."""
        lines: list[str] = []
        for tool in tools:
            directory = f"{TOOLS_DIRECTORY}/{tool.key}"
            lines.append(f"mkdir -p {directory}")
            lines += [f"ln -s {quote(path)} {quote(f'{directory}/{name}')}" for name, path in tool.commands]
        return (
            [Run(f"commands of {', '.join(tool.key for tool in tools)}", tuple(lines), origin=origin)]
            if lines
            else []
        )

    def _scripts(self, build: model.Build, seen: dict[str, str]) -> list[Step]:
        """The author's commands; `seen` is what the stage's environment sets already."""
        tools = tools_of(self.target, build)
        directories = [f"{TOOLS_DIRECTORY}/{tool.key}" for tool in tools]
        own = {**seen, "PATH": ":".join((*directories, seen["PATH"]))}
        for tool in tools:
            own |= {name: f"{TOOLS_DIRECTORY}/{tool.key}/{command}" for name, command in tool.variables}
        own = apply(self.target.environment, ("build",), own)
        own = apply(build.env.entries if build.env else (), ("both", "build"), own)
        return [
            Script(
                title=f"build {build.name}",
                text=shell_text(command.text),
                shell=f"/bin/{build.shell}",
                workdir=self.target.place(build) or "/",
                environment=changed(own, seen),
                origin=command.origin,
            )
            for command in build.commands
        ]

    def _image_steps(self, stages: list[Stage]) -> tuple[list[Step], dict[str, str]]:
        """What the image gets on top of the base, in the order in which it seldom changes, and its environment."""
        target = self.target
        python = target.python.origin if target.python else None
        steps: list[Step] = [*self._apt(PYTHON, "Python", python), *self._python()]
        if inside := tools_in_image(target):
            origin = target.toolchains[0].origin
            steps += self._apt(TOOLS, f"tool chain {', '.join(tool.key for tool in inside)}", origin)
            steps += self._links(inside, origin)
        kept = [build for build in target.builds if build.keep]
        steps += [self._kept(build.name, stages) for build in kept]
        with_path = {**self.environment, "PATH": image_path(target, self.environment["PATH"])}
        common = apply(target.environment, ("both",), with_path)
        if variables := changed(common, self.environment):
            steps.append(SetEnv("environment", variables, self._environment_origin()))
        consumed = {key for build in kept for key in inputs_of(target, build) if key.startswith("code ")}
        consumed -= {key for build in target.builds if not build.keep for key in inputs_of(target, build)}
        keys = [f"data {each.name}" for each in target.data] + [f"code {each.name}" for each in target.code]
        steps += [self._place(key) for key in keys if key not in consumed]
        for build in target.builds:
            if not build.keep:
                steps += self._scripts(build, common)
        final = apply(target.environment, ("both", "run"), with_path)
        if variables := changed(final, common):
            steps.append(SetEnv("environment at run", variables, self._environment_origin()))
        return [*steps, *app_files(self.plan)], final

    def _environment_origin(self) -> Span | None:
        return self.target.environment[0].origin if self.target.environment else None

    def _python(self) -> list[Step]:
        steps: list[Step] = []
        for request in self.request.python:
            origin = self.target.python.origin if self.target.python else None
            if self.plan.locked is None:
                steps += packages.install_floating_python(request, origin)
            else:
                locked = next(each for each in self.plan.locked.python if each.name == request.name)
                steps += packages.install_wheels(locked, self.shape, origin)
        return steps

    def _place(self, key: str) -> Step:
        """The step that puts code or data at its place."""
        kind, _, name = key.partition(" ")
        blocks: tuple[model.Code | model.Data, ...] = self.target.code if kind == "code" else self.target.data
        block = next(each for each in blocks if each.name == name)
        place = place_of_code(block) if isinstance(block, model.Code) else place_of_data(block)
        tree = dict(self.plan.locked.trees)[key] if self.plan.locked else None
        request = dict(self.request.trees)[key]
        entries = self.plan.entries(key)
        single = isinstance(request, LocalRequest) and len(entries) == 1 and not entries[0].path
        if single and isinstance(request, LocalRequest):
            path = place + PurePosixPath(request.source).name if place.endswith("/") else place
            if self.shape is Shape.VENDORED:
                return self._unpack_file(key, path, block.origin)
            return CopyFile(key, request.source, path, entries[0].executable, block.origin)
        place = place.rstrip("/")
        if self.shape is Shape.VENDORED:
            archive = f"trees/{key.replace(' ', '-')}.tar"
            lines = (
                f"mkdir -p {quote(place)}",
                f"tar -C {quote(place)} --no-same-owner -xpf {quote(f'{MOUNT}/{archive}')}",
            )
            return Run(key, lines, mounts=(archive,), origin=block.origin)
        if isinstance(request, GitRequest):
            commit = tree.commit if isinstance(tree, GitTree) else request.ref
            return FetchGit(key, request.url, commit, place, block.origin)
        return CopyIn(key, request.source, tuple(entry.path for entry in entries), place, block.origin)

    def _unpack_file(self, key: str, path: str, origin: Span) -> Run:
        archive = f"trees/{key.replace(' ', '-')}.tar"
        entry = self.plan.entries(key)[0]
        lines = (
            f"mkdir -p {quote(str(PurePosixPath(path).parent))}",
            f"tar -xOf {quote(f'{MOUNT}/{archive}')} > {quote(path)}",
            f"chmod {'755' if entry.executable else '644'} {quote(path)}",
        )
        return Run(key, lines, mounts=(archive,), origin=origin)

    def _notes(self) -> list[str]:
        """What a person must know before building by hand."""
        notes: list[str] = []
        if self.plan.locked is None:
            notes.append("Not locked: packages, images and branches float. Run `reproc lock` to pin them.")
        else:
            notes.append(f"Locked: every archive as it stood at {packages.day(self.plan.epoch)}.")
        if self.shape is Shape.STANDALONE and isinstance(self.request.base, BootstrapRequest):
            notes.append("The base is bootstrapped: run `sh containers/bootstrap.sh` once before.")
        return notes
