"""Renders a legal graph as one definition file."""

from __future__ import annotations

from typing import assert_never

from reproc.graph import APPS, App, BuildGraph, FromStage, Image, Rootfs, Run, Script, Stage, Step
from reproc.record import record, replace
from reproc.target.backend import Artifact, Feature, LegalGraph
from reproc.target.quoting import byte_string, comment, def_holds, export, quote, without_arguments
from reproc.target.shell import activate
from reproc_backends.layout import NUMBER, Places, place_of, render
from reproc_backends.singularity import cut
from reproc_backends.singularity.sections import in_small_sections
from reproc_backends.singularity.setup import make_place, opening, unpack_rootfs
from reproc_backends.singularity.steps import PLACE, Kept, Parts, StepEmitter, closing

_PACKAGE = "reproc_backends.singularity"
_BUILD_DATE = ("org.label-schema.build-date", "fixed")
"""Apptainer writes the day of the build there; a fixed value, with `build --force`, keeps the bytes equal."""

_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""What the kernel calls a platform's machines (uname(2))."""
_LIBRARY_PATH = (
    "LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}",
    "LD_LIBRARY_PATH=${LD_LIBRARY_PATH%/.singularity.d/libs}",
    "LD_LIBRARY_PATH=${LD_LIBRARY_PATH%:}",
    'if [ -z "$LD_LIBRARY_PATH" ]; then unset LD_LIBRARY_PATH; fi',
)
"""Apptainer adds its own directory to the library path; without this it would get into what is built."""


@record
class _StepView:
    place: str
    comments: list[str]
    lines: list[str]
    marker: str = ""


@record
class _FilesView:
    stage: str
    paths: list[str]


@record
class _StageView:
    place: str
    comments: list[str]
    bootstrap: str
    source: str
    name: str
    files: list[_FilesView]
    setup: list[_StepView]
    opening: list[str]
    post: list[_StepView]


@record
class _AppView:
    place: str
    name: str
    lines: list[str]
    help: list[str]


class SingularityBackend:
    """The back end `singularity`."""

    name = "singularity"
    features: frozenset[Feature] = frozenset()

    def render(self, graph: LegalGraph, *, comments: bool) -> tuple[Artifact, ...]:
        """`Singularity.def`."""
        return (_Definition(graph.graph, comments).artifact(),)


class _Definition:
    """One rendering."""

    def __init__(self, graph: BuildGraph, comments: bool) -> None:
        self.graph = graph
        self.comments = comments
        self.places = Places()
        self.kept = Kept(graph)
        # only what has its inputs beside it can do without a network in the other steps
        self.some_open = bool(graph.inputs) and _has_open_step(graph)
        self.steps = StepEmitter(self.kept, some_open=self.some_open)

    def artifact(self) -> Artifact:
        runtime = self.graph.runtime
        text = render(
            _PACKAGE,
            "Singularity.def.j2",
            {
                "head": self._head() if self.comments else [],
                "stages": [self._stage(stage) for stage in self.graph.stages],
                "end": self.places.mark(None),
                "environment": self._environment(),
                "labels": [_BUILD_DATE, *(pair for pair in runtime.labels if _label_holds(*pair))],
                "runscript": self._runscript(),
                "apps": [self._app(app) for app in runtime.apps],
                "help": self._help(),
            },
        )
        return Artifact("Singularity.def", *self.places.settle(in_small_sections(text.split("\n")[:-1])))

    def _head(self) -> list[str]:
        graph = self.graph
        name = comment(graph.target)
        bind = ' --bind "$PWD/inputs:/mnt"' if graph.inputs else ""
        lines = [
            f"Definition of the target {name}, made by reproc from {comment(graph.spec_path)}: edit that,",
            "not this.",
            "For Apptainer and SingularityCE 3.9 or newer. From the folder that it copies from:",
            f"    apptainer build{bind} {name}.sif PATH/OF/THIS/Singularity.def",
        ]
        if not graph.locked:
            lines.append("UNLOCKED: made without a lock, so that a build on another day may differ.")
        return lines + [comment(note) for note in graph.notes]

    def _stage(self, stage: Stage) -> _StageView:
        last = stage is self.graph.stages[-1]
        comments: list[str] = []
        setup: list[_StepView] = []
        source = ""
        match stage.base:
            case Rootfs():
                bootstrap = "scratch"
                said = ["the bootstrapped root file system"] if self.comments else []
                setup = [_StepView(self.places.mark(stage.origin), said, unpack_rootfs(stage.base))]
            case Image(reference=reference, digest=digest):
                bootstrap = "docker"
                source = _reference(reference, digest)
                if self.comments and digest is None:
                    comments.append(f"{comment(reference)} floats until `reproc lock` pins its digest")
            case FromStage():
                raise AssertionError("legalize inlines parent stages")
            case _:
                assert_never(stage.base)
        parts = [(step, self.steps.parts(step, stage.name)) for step in stage.steps]
        brought = [self._view(step, part.setup, marked=False) for step, part in parts if part.setup]
        if brought:
            setup += [_StepView(self.places.mark(stage.origin), [], make_place()), *brought]
        post = [self._view(step, part.post, marked=part.marked) for step, part in parts if part.post]
        steps = cut.before(self.graph, stage)
        if steps and isinstance(stage.base, Rootfs):
            lines = [line for _, part in parts[: len(steps)] for line in part.post]
            name = cut.key(self.graph, stage, steps, lines)
            setup[0] = replace(setup[0], lines=cut.unpack(setup[0].lines, stage.base, name))
            post = self._cut(stage, post, sum(1 for _, part in parts[: len(steps)] if part.post), steps, name)
        if setup:
            setup.insert(0, _StepView(self.places.mark(stage.origin), [], opening()))
        if self.comments:
            said_of = "the image" if last else f"stage {stage.name}"
            comments.insert(0, comment(f"---- {said_of}{place_of(stage.origin)}"))
        return _StageView(
            place=self.places.mark(stage.origin),
            comments=comments,
            bootstrap=bootstrap,
            source=source,
            name=stage.name if len(self.graph.stages) > 1 else "",
            files=[_FilesView(name, paths) for name, paths in self.kept.arriving(stage)],
            setup=setup,
            opening=self._opening(stage, [part for _, part in parts]),
            post=post + self._ending(stage, last),
        )

    def _cut(
        self, stage: Stage, post: list[_StepView], count: int, steps: tuple[Step, ...], name: str
    ) -> list[_StepView]:
        """The steps with the first of them between the lines of a cut."""
        begin = _StepView(self.places.mark(stage.origin), [], cut.begin())
        end = _StepView(self.places.mark(stage.origin), [], cut.end(steps, name))
        return [begin, *post[:count], end, *post[count:]]

    def _opening(self, stage: Stage, parts: list[Parts]) -> list[str]:
        lines = ["set -eu", "umask 022", "cd /", *_LIBRARY_PATH]
        if isinstance(stage.base, Image) and stage.base.digest is None:
            lines += _machine_check(self.graph.platform)
        lines.append(export("SOURCE_DATE_EPOCH", str(self.graph.epoch)))
        if any(part.uses_place for part in parts):
            lines.append(f"mkdir -p {PLACE}")
        if self.some_open:
            lines += closing()
        return lines

    def _ending(self, stage: Stage, last: bool) -> list[_StepView]:
        """What follows the steps: paths put aside for later stages, labels, the removal of our own files."""
        views = []
        for step, tar in self.kept.leaving(stage.name):
            members = " ".join(quote(f".{path.rstrip('/')}") for path in step.paths)
            views.append(self._view(step, [f"tar -C / --numeric-owner -cpf {tar} {members}"]))
        if last:
            workdir = self.graph.runtime.workdir
            lines = [] if workdir == "/" else [f"mkdir -p {quote(workdir)}"]
            lines += [line for pair in self.graph.runtime.labels for line in _late_label(*pair)]
            lines += self.steps.removal(stage)
            if lines:
                said = ["what the recipe itself leaves behind"] if self.comments else []
                views.append(_StepView(self.places.mark(None), said, lines))
        return views

    def _view(self, step: Step, lines: list[str], *, marked: bool = True) -> _StepView:
        said = []
        if self.comments:
            said = [comment(f"{step.title}{place_of(step.origin)}")]
        marker = f"echo {quote(f'==> reproc step {NUMBER}: {comment(step.title)}')}" if marked else ""
        return _StepView(self.places.mark(step.origin, step.title), said, lines, marker)

    def _environment(self) -> list[str]:
        """Lines that every way to run something reads first; there is no other place for all of them."""
        runtime = self.graph.runtime
        lines = [export(each.name, each.value) for each in runtime.environment]
        return lines + (activate(runtime.activation, "exit 1") if runtime.activation else [])

    def _start(self) -> list[str]:
        workdir = self.graph.runtime.workdir
        return [] if workdir == "/" else [f"cd {quote(workdir)}"]

    def _runscript(self) -> list[str]:
        main = any(app.name == "main" for app in self.graph.runtime.apps)
        default = f"{APPS}/main" if main else "/bin/sh"
        return [*self._start(), "if [ $# -eq 0 ]; then", f"    exec {default}", "fi", 'exec "$@"']

    def _app(self, app: App) -> _AppView:
        lines = [*self._start(), f'exec {quote(f"{APPS}/{app.name}")} "$@"']
        return _AppView(self.places.mark(app.origin), app.name, lines, _help_lines(app.help or ""))

    def _help(self) -> list[str]:
        graph = self.graph
        lines = [f"The environment {graph.target} of {graph.spec_path}, made by reproc."]
        if graph.runtime.apps:
            lines.append("It offers: " + ", ".join(app.name for app in graph.runtime.apps))
        return _help_lines("\n".join(lines))


def _has_open_step(graph: BuildGraph) -> bool:
    steps = (step for stage in graph.stages for step in stage.steps)
    return any(isinstance(step, Run | Script) and step.network for step in steps)


def _machine_check(platform: str) -> list[str]:
    """Lines that stop where a tag has brought an image of another platform: Apptainer takes the host's own."""
    machine = _MACHINES.get(platform)
    if machine is None:
        return []
    other = quote(f"reproc: this recipe is for {platform}, and this machine is not")
    return [f'if [ "$(uname -m)" != {machine} ]; then echo {other} >&2; exit 1; fi']


def _reference(reference: str, digest: str | None) -> str:
    """The image as Apptainer takes it: by digest or by tag, never both (containers/image refuses that)."""
    if digest is None:
        return reference
    head, slash, name = reference.rpartition("/")
    return f"{head}{slash}{name.partition(':')[0]}@{digest}"


def _label_holds(name: str, value: str) -> bool:
    """Whether a line of `%labels` can say it: its ends are trimmed, and arguments are filled in."""
    return def_holds(value) and value == value.strip()


def _late_label(name: str, value: str) -> list[str]:
    """Lines that add a label from within `%post`, where nothing is filled in."""
    if _label_holds(name, value):
        return []
    target = '"${APPTAINER_LABELS:-$SINGULARITY_LABELS}"'
    return [f"printf '%s %b\\n' {quote(name)} {byte_string(value)} >> {target}"]


def _help_lines(text: str) -> list[str]:
    """Lines of a help section, which knows no escapes: a `%` that leads gets a backslash, `{{` a blank."""
    if not text.strip():
        return []
    lines = (line.rstrip() for line in without_arguments(text).strip().split("\n"))
    return [f"\\{line.lstrip()}" if line.lstrip().startswith("%") else line for line in lines]
