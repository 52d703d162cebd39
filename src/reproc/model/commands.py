"""What runs: variables, builds, apps, tests, experiments."""

from __future__ import annotations

from typing import ClassVar

from reproc.model import literals as l
from reproc.model.base import Base
from reproc.model.schema import Block, Item, ShellText, entries, many, needed, once, repeated, value
from reproc.record import record


@record(kw_only=True)
class EnvironmentEntry(Block):
    """A variable; `action` is set, prepend or append, `scope` is both, build or run."""

    named_by: ClassVar[tuple[str, ...]] = ("name", "scope")
    name: str
    value: str
    action: str = "set"
    scope: str = "both"

    @property
    def identity(self) -> tuple[str, ...]:
        """A variable is set once a scope; what is prepended or appended adds up."""
        own = () if self.action == "set" else (self.action, self.value)
        return (self.name, self.scope, *own)


@record(kw_only=True)
class Environment(Block):
    """Environment variables, with the same meaning in both engines."""

    entries: tuple[EnvironmentEntry, ...] = entries(
        EnvironmentEntry, "`NAME value`, `prepend NAME value`, `append NAME value`, `at build|run NAME value`"
    )


@record(kw_only=True)
class Command(Block):
    """The author's shell text."""

    text: ShellText = value(l.SHELL, "shell text")


@record(kw_only=True)
class Run(Command):
    """A command line, in a shell of its own."""


@record(kw_only=True)
class Script(Command):
    """Several lines for one shell."""


@record(kw_only=True)
class Activate(Command):
    """A shell line that runs before every app, test and interactive shell."""


@record(kw_only=True)
class Using(Block):
    """A tool chain that a build works with."""

    name: Item = value(l.LOCATED_NAME, "the tool")
    version: str = value(l.VERSION, "its version, as the toolchain statement has it")


@record(kw_only=True)
class Build(Block):
    """How code becomes programs. With `keep` it is a stage of its own, and only what is kept reaches the image."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "a name, by which the spec calls it")
    using: tuple[Using, ...] = repeated(("using", Using, "a tool chain to work with"))
    in_: str | None = once(
        "in", l.PATH, "where the commands run; the place of the code of the same name if not given"
    )
    inputs: tuple[Item, ...] = many("inputs", l.LOCATED_NAME, "code and data it sees")
    after: tuple[Item, ...] = many("after", l.LOCATED_NAME, "builds whose kept paths it needs")
    env: Environment | None = once("env", Environment, "variables for this build")
    flags: tuple[Item, ...] = many(
        "flags",
        l.HARDWARE,
        "tells compilers of the target's `cpu`, or of the `arch` of its `cuda`, by variables",
    )
    shell: str = once("shell", l.choice("sh", "bash"), "the shell of `run` and `script`", default="sh")
    commands: tuple[Command, ...] = repeated(
        ("run", Run, "a command line, in a shell of its own"),
        ("script", Script, "several lines for one shell"),
    )
    keep: tuple[Item, ...] = many("keep", l.LOCATED_PATH, "only these paths reach the image")
    network: bool | None = once("network", l.YES_NO, "may reach the network; `no` if not given")
    on: Base | None = once("on", Base, "its stage stands on another base", then="base")


@record(kw_only=True)
class App(Block):
    """A command that the image offers, on PATH under its own name; `main` runs when no command is given."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "the command's name")
    run: Command = needed("run", Run, "the command line; it gets the app's arguments")
    workdir: str | None = once("workdir", l.PATH, "where it starts")
    help: str | None = once("help", l.STRING, "one line for people")
    env: Environment | None = once("env", Environment, "variables for this app")
    ports: tuple[int, ...] = many("port", l.PORT, "ports it listens at")


@record(kw_only=True)
class Expectation(Block):
    """What a test must come out as: `exit N`, `stdout|stderr contains|equals|matches STRING`, or `file PATH …`."""

    subject: str = value(l.choice("exit", "stdout", "stderr", "file"), "what is looked at")
    words: tuple[str, ...] = value(l.TEXT, "how it must be", many=True, optional=True)


@record(kw_only=True)
class Needs(Block):
    """What a machine must have for a test to run there."""

    what: str = value(l.choice("gpu", "mpi", "network", "data"), "what is needed")
    name: Item | None = value(l.LOCATED_NAME, "which data", optional=True)


@record(kw_only=True)
class AppCall(Block):
    """An app with arguments."""

    name: Item = value(l.LOCATED_NAME, "the app")
    arguments: tuple[str, ...] = value(l.STRING, "its arguments", many=True, optional=True)


@record(kw_only=True)
class Test(Block):
    """A smoke test. It runs in a fresh container, without network, as an ordinary user."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.STRING, "what it shows")
    run: Command | None = once("run", Run, "a command line")
    script: Command | None = once("script", Script, "several lines for one shell")
    app: AppCall | None = once("app", AppCall, "an app, with arguments")
    expect: tuple[Expectation, ...] = repeated(("expect", Expectation, "what it must come out as"))
    on: tuple[Item, ...] = many("on", l.LOCATED_NAME, "only for these targets")
    backends: tuple[str, ...] = many("backends", l.choice("docker", "singularity"), "only in these engines")
    needs: tuple[Needs, ...] = repeated(("needs", Needs, "skipped, with the reason, where that is absent"))
    timeout: int = once("timeout", l.DURATION, "how long it may take, 60s if not given", default=60)
    cpu: Item | None = once("cpu", l.CPU_LEVEL, "runs under an emulated processor of this level")
    env: Environment | None = once("env", Environment, "variables for this test")


@record(kw_only=True)
class Like(Block):
    """A file beside the spec that a result must equal, up to a tolerance."""

    path: Item = value(l.FILE, "the expected result")
    within: str | None = value(l.choice("within"), "`within` and a tolerance", optional=True)
    tolerance: float | None = value(l.TOLERANCE, "how far numbers may be apart", optional=True)
    relative: str | None = value(l.choice("relative"), "as a share of the expected number", optional=True)


@record(kw_only=True)
class Output(Block):
    """A file that an experiment makes, with what it must come out as."""

    named_by: ClassVar[tuple[str, ...]] = ("path",)
    path: str = value(l.STRING, "the file, relative to where the experiment runs")
    sha256: Item | None = once("sha256", l.DIGEST, "its digest")
    like: Like | None = once("like", Like, "the file that it must equal")
    contains: tuple[str, ...] = many("contains", l.STRING, "texts that it must hold")


@record(kw_only=True)
class Resources(Block):
    """What an experiment needs of a machine."""

    cpus: int | None = once("cpus", l.POSITIVE, "processor cores")
    gpus: int | None = once("gpus", l.COUNT, "GPUs")
    memory: int | None = once("memory", l.SIZE, "main memory")
    time: int | None = once("time", l.DURATION, "the longest it may take")
    nodes: int | None = once("nodes", l.POSITIVE, "machines")
    tasks: int | None = once("tasks", l.POSITIVE, "processes")
    launcher: str | None = once("launcher", l.choice("mpirun", "srun", "host"), "what starts them")


@record(kw_only=True)
class Experiment(Block):
    """A result of the paper, with what it must come out as."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "a name, such as `table-1`")
    run: Command | None = once("run", Run, "a command line")
    script: Command | None = once("script", Script, "several lines for one shell")
    app: AppCall | None = once("app", AppCall, "an app, with arguments")
    using: tuple[Item, ...] = many("using", l.LOCATED_NAME, "data that it reads")
    outputs: tuple[Output, ...] = repeated(("output", Output, "a file that it makes"))
    resources: Resources | None = once("resources", Resources, "what it needs of a machine")
    on: tuple[Item, ...] = many("on", l.LOCATED_NAME, "only for these targets")
    repeat: int = once("repeat", l.POSITIVE, "how often it runs, to be timed; once if not given", default=1)
