"""Renders a legal graph as a Dockerfile and the list of what its context holds."""

from __future__ import annotations

from dataclasses import field
from posixpath import normpath
from typing import assert_never

from reproc.graph import (
    ENTER,
    INPUTS,
    BuildGraph,
    CopyFile,
    CopyIn,
    FromStage,
    Image,
    Rootfs,
    Run,
    Script,
    SetEnv,
    Stage,
    Variable,
)
from reproc.record import record
from reproc.target.backend import Artifact, Feature, LegalGraph
from reproc.target.layers import plan_layers
from reproc.target.quoting import (
    comment,
    docker_directory,
    docker_list,
    docker_paths,
    docker_value,
    ignore_pattern,
)
from reproc_backends.docker.steps import Emitted, StepEmitter, block, fetched
from reproc_backends.layout import Places, place_of, render

_PACKAGE = "reproc_backends.docker"
_RESERVED = ("scratch", "context")
_ROOTFS = "the bootstrapped root file system"


@record
class _StepView:
    place: str
    comments: list[str]
    instructions: list[list[str]]


@record
class _StageView:
    place: str
    comments: list[str]
    base: str
    name: str | None
    settings: list[str] = field(default_factory=list)
    steps: list[_StepView] = field(default_factory=list)


class DockerBackend:
    """The back end `docker`."""

    name = "docker"
    features = frozenset({Feature.STAGE_FROM_STAGE, Feature.LIMITED_LAYERS})

    def render(self, graph: LegalGraph, *, comments: bool) -> tuple[Artifact, ...]:
        """`Dockerfile` and `Dockerfile.dockerignore`."""
        return (_Dockerfile(graph.graph, comments).artifact(), _ignore_file(graph.graph, comments))


class _Dockerfile:
    """One rendering."""

    def __init__(self, graph: BuildGraph, comments: bool) -> None:
        self.graph = graph
        self.comments = comments
        self.places = Places()
        self.names = _stage_names(graph)
        self.rootfs = _rootfs_names(graph, set(self.names.values()))
        self.lasting = _lasting(graph)
        self.ancestors = _ancestors(graph)
        plan = plan_layers(graph.stages)
        if plan is None:
            raise AssertionError("legalize refuses what has too many layers")
        self.steps = StepEmitter(graph, self.names, plan)
        # What a stage sets for its steps and its children without leaving it in the image.
        self.passing: dict[str, dict[str, Variable]] = {}
        # What ENV has set so far in the stages that the image stands on.
        self.present: dict[str, Variable] = {}

    def artifact(self) -> Artifact:
        stages = [*self._roots(), *self._commits(), *map(self._stage, self.graph.stages)]
        text = render(
            _PACKAGE,
            "Dockerfile.j2",
            {
                "head": self._head() if self.comments else [],
                "stages": stages,
                "end": self.places.mark(None),
                "closing": self._closing(),
            },
        )
        return Artifact("Dockerfile", *self.places.settle(text.split("\n")[:-1]))

    def _head(self) -> list[str]:
        graph = self.graph
        name = comment(graph.target)
        lines = [
            f"Dockerfile of the target {name}, made by reproc from {comment(graph.spec_path)}: edit that,",
            "not this. It needs BuildKit (Docker 23 or newer). From the folder that it copies from:",
            f"    docker build --platform {comment(graph.platform)} -f PATH/OF/THIS/Dockerfile -t {name} .",
        ]
        if not graph.locked:
            lines.append("UNLOCKED: made without a lock, so that a build on another day may differ.")
        lines.append(
            "Each step's trap gives what it wrote the lock's time, so that another day's image is the same."
        )
        lines += [comment(note) for note in graph.notes]
        return lines + _waivers(graph)

    def _roots(self) -> list[_StageView]:
        return [
            _StageView(
                place=self.places.mark(None, _ROOTFS),
                comments=[_ROOTFS] if self.comments else [],
                base="scratch",
                name=name,
                settings=[f"ADD --link {docker_paths(rootfs.path, '/')}"],
            )
            for rootfs, name in self.rootfs.items()
        ]

    def _commits(self) -> list[_StageView]:
        return [
            _StageView(
                place=self.places.mark(step.origin, step.title),
                comments=[comment(f"{step.title}{place_of(step.origin)}")] if self.comments else [],
                base="scratch",
                name=name,
                settings=[fetched(step)],
            )
            for step, name in self.steps.git_stages.items()
        ]

    def _stage(self, stage: Stage) -> _StageView:
        last = stage is self.graph.stages[-1]
        passing: dict[str, Variable] = {}
        comments: list[str] = []
        settings: list[str] = []
        match stage.base:
            case Rootfs():
                base = self.rootfs[stage.base]
            case FromStage(stage=parent):
                base = self.names[parent]
                passing = dict(self.passing[parent])
            case Image(reference=reference, digest=digest):
                base = f"{reference}@{digest}" if digest else reference
                settings = ["USER 0", "WORKDIR /"]
                if self.comments and digest is None:
                    comments = [f"{comment(reference)} floats until `reproc lock` pins its digest"]
            case _:
                assert_never(stage.base)
        settings.append(f"ARG SOURCE_DATE_EPOCH={self.graph.epoch}")
        if self.comments:
            said = "the image" if last else f"stage {stage.name}"
            comments.insert(0, comment(f"---- {said}{place_of(stage.origin)}"))
        lasting = self.lasting if stage.name in self.ancestors else None
        place = self.places.mark(stage.origin, "base image")
        if lasting is not None:
            self._note_present(stage, lasting)
        views = [self._step(emitted) for emitted in self.steps.of_stage(stage, passing, lasting)]
        self.passing[stage.name] = passing
        name = None if last else self.names[stage.name]
        return _StageView(place, comments, base, name, settings, views)

    def _note_present(self, stage: Stage, lasting: frozenset[str]) -> None:
        for step in stage.steps:
            if isinstance(step, SetEnv):
                self.present.update({each.name: each for each in step.variables if each.name in lasting})

    def _step(self, emitted: Emitted) -> _StepView:
        comments = []
        if self.comments:
            comments = [comment(f"{step.title}{place_of(step.origin)}") for step in emitted.steps]
        origin = next((step.origin for step in emitted.steps if step.origin), None)
        title = "; ".join(dict.fromkeys(step.title for step in emitted.steps))
        return _StepView(self.places.mark(origin, title), comments, emitted.instructions)

    def _closing(self) -> list[str]:
        runtime = self.graph.runtime
        lines: list[str] = []
        environment = [each for each in runtime.environment if each not in self.present.values()]
        if environment:
            lines += block("ENV", [f"{each.name}={docker_value(each.value)}" for each in environment])
        if runtime.labels:
            lines += block("LABEL", [f"{name}={docker_value(value)}" for name, value in runtime.labels])
        if runtime.workdir != "/":
            lines.append(f"WORKDIR {docker_directory(runtime.workdir)}")
        lines += [f"EXPOSE {port}" for port in runtime.ports]
        if runtime.user is not None:
            lines.append(f"USER {runtime.user}")
        if runtime.activation or self._from_image():
            lines.append(f"ENTRYPOINT {docker_list(*([ENTER] if runtime.activation else []))}")
        main = any(app.name == "main" for app in runtime.apps)
        lines.append(f"CMD {docker_list('main' if main else '/bin/sh')}")
        return lines

    def _from_image(self) -> bool:
        """Whether the last stage stands on a registry's image, with what that says of itself."""
        by_name = {stage.name: stage for stage in self.graph.stages}
        stage = self.graph.stages[-1]
        while isinstance(stage.base, FromStage):
            stage = by_name[stage.base.stage]
        return isinstance(stage.base, Image)


def _waivers(graph: BuildGraph) -> list[str]:
    """The rules of hadolint that do not fit what stands in the recipe, each with the reason."""
    steps = [step for stage in graph.stages for step in stage.steps]
    reasons = {"DL3059": "one RUN a step keeps the cache, and a failure names its step"}
    lines = [line for step in steps if isinstance(step, Run) for line in step.lines]
    written = any(isinstance(step, Script) for step in steps)
    if written or any(line.startswith("cd ") for line in lines):
        reasons["DL3003"] = "every RUN is a script of its own, whose `cd` ends with it"
    if written or any(" | " in line for line in lines):
        reasons["DL4006"] = "a pipe means what POSIX says"
    if any(line.startswith("apt-get install") for line in lines):
        reasons["DL3008"] = "the lock pins each package's file by its digest"
        if not graph.locked:
            reasons["DL3008"] = "nothing is pinned before `reproc lock`"
    if any(line.startswith("apt-get update") for line in lines):
        reasons["DL3009"] = "the step that fetches the package lists removes them"
    images = [stage.base for stage in graph.stages if isinstance(stage.base, Image)]
    if images:
        reasons["DL3002"] = "the steps run as root, as they do in Apptainer"
    if any(image.digest is None for image in images):
        reasons["DL3006"] = reasons["DL3007"] = "the image floats until `reproc lock` pins its digest"
    names = sorted(reasons)
    return [f"hadolint global ignore={','.join(names)}", *(f"({name}: {reasons[name]})" for name in names)]


def _stage_names(graph: BuildGraph) -> dict[str, str]:
    """The stages' names as a Dockerfile takes them: they start with a letter and are not reserved."""
    names = [stage.name for stage in graph.stages]
    plain = all(name[0].isalpha() and name not in _RESERVED for name in names)
    return {name: name if plain else f"stage-{name}" for name in names}


def _rootfs_names(graph: BuildGraph, taken: set[str]) -> dict[Rootfs, str]:
    found = dict.fromkeys(stage.base for stage in graph.stages if isinstance(stage.base, Rootfs))
    names: dict[Rootfs, str] = {}
    for rootfs in found:
        candidates = ("rootfs", *(f"rootfs-{n}" for n in range(2, len(taken) + len(found) + 2)))
        names[rootfs] = next(name for name in candidates if name not in taken)
        taken.add(names[rootfs])
    return names


def _lasting(graph: BuildGraph) -> frozenset[str]:
    """The names of the variables that the finished image has, with whatever value."""
    return frozenset(variable.name for variable in graph.runtime.environment)


def _ancestors(graph: BuildGraph) -> frozenset[str]:
    """The last stage and the stages that it stands on: what these set with ENV is in the image."""
    by_name = {stage.name: stage for stage in graph.stages}
    stage = graph.stages[-1]
    found = {stage.name}
    while isinstance(stage.base, FromStage):
        stage = by_name[stage.base.stage]
        found.add(stage.name)
    return frozenset(found)


def _ignore_file(graph: BuildGraph, comments: bool) -> Artifact:
    """The context's exact list: what the Dockerfile reads and nothing else."""
    paths: set[str] = {normpath(each.path) for each in _rootfs_names(graph, set())}
    for stage in graph.stages:
        for step in stage.steps:
            match step:
                case CopyIn(source=source, files=files):
                    paths.update(normpath(f"{source}/{name}") for name in files)
                case CopyFile(source=source):
                    paths.add(normpath(source))
                case Run(mounts=mounts):
                    paths.update(normpath(f"{INPUTS}/{mount}") for mount in mounts)
                case _:
                    pass
    head = ["everything that the Dockerfile beside this reads; it replaces .dockerignore"] if comments else []
    patterns = [ignore_pattern(path) for path in sorted(paths)]
    text = render(_PACKAGE, "Dockerfile.dockerignore.j2", {"head": head, "patterns": patterns})
    return Artifact("Dockerfile.dockerignore", text, (None,) * text.count("\n"))
