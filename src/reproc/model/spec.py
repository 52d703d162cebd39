"""A whole spec and its targets."""

from __future__ import annotations

from typing import ClassVar

from reproc.model import literals as l
from reproc.model.base import Base, Cuda, Rocm
from reproc.model.commands import Activate, App, Build, Environment, Experiment, Test
from reproc.model.inputs import Code, Data, Directory, File
from reproc.model.packages import Python, System, Toolchain
from reproc.model.paper import Paper
from reproc.model.schema import Block, Item, Keyword, many, needed, once, repeated, value
from reproc.record import record


@record(kw_only=True)
class ImageLabel(Block):
    """A label of the image beside the standard ones."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.LABEL, "its name, such as `org.example.version`")
    text: str = value(l.STRING, "its value")


@record(kw_only=True)
class User(Block):
    """The image's unprivileged user."""

    name: str = value(l.USER, "its name")
    uid: int = once("uid", l.UID, "its number; 1000 if not given", default=1000)
    home: str | None = once("home", l.PATH, "its home; /home/NAME if not given")


@record(kw_only=True)
class Let(Block):
    """A constant, which strings and texts name as `{{name}}`."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "a name, by which strings call it")
    text: str = value(l.STRING, "its value")


@record(kw_only=True)
class Include(Block):
    """Another file's statements, as if they were written here. Paths in it are relative to its own folder."""

    path: Item = value(l.FILE, "the file")


@record(kw_only=True)
class Each(Block):
    """Its statements once for each value, with `{{name}}` replaced in their strings."""

    name: str = value(l.NAME, "a name, by which strings call the value")
    values: tuple[Item, ...] = value(l.LOCATED_STRING, "the values", many=True)


EACH = Keyword("each", Each, "its statements once for each value", repeat=True)


@record(kw_only=True)
class Layer(Block):
    """What may stand at the top, for every target, and in a target."""

    replaced: ClassVar[tuple[Keyword, ...]] = (EACH,)

    base: Base | None = once("base", Base, "what everything stands on")
    platform: str | None = once("platform", l.choice("linux/amd64", "linux/arm64"), "the processor's family")
    cpu: Item | None = once("cpu", l.CPU_LEVEL, "nothing in the image may need more than this")
    without: tuple[Item, ...] = many("without", l.CPU_FEATURE, "processor features that nothing may need")
    cuda: Cuda | None = once("cuda", Cuda, "the CUDA that programs are built with and for")
    rocm: Rocm | None = once("rocm", Rocm, "the ROCm that programs are built with and for")
    system: System | None = once("system", System, "packages of the distribution")
    toolchains: tuple[Toolchain, ...] = repeated(("toolchain", Toolchain, "a compiler, at a version"))
    pythons: tuple[Python, ...] = repeated(("python", Python, "a Python environment"))
    code: tuple[Code, ...] = repeated(("code", Code, "code"))
    data: tuple[Data, ...] = repeated(("data", Data, "data"))
    files: tuple[File, ...] = repeated(("file", File, "one small file beside the spec"))
    directories: tuple[Directory, ...] = repeated(("directory", Directory, "empty directories"))
    builds: tuple[Build, ...] = repeated(("build", Build, "how code becomes programs"))
    env: Environment | None = once("env", Environment, "environment variables")
    labels: tuple[ImageLabel, ...] = repeated(("label", ImageLabel, "a label of the image"))
    activate: tuple[Activate, ...] = repeated(
        ("activate", Activate, "a shell line that runs before every app, test and interactive shell")
    )
    user: User | None = once("user", User, "the image's unprivileged user; root if not given")
    workdir: str | None = once("workdir", l.PATH, "where apps and tests start; / if not given")
    apps: tuple[App, ...] = repeated(("app", App, "a command that the image offers"))
    tests: tuple[Test, ...] = repeated(("test", Test, "a smoke test"))


@record(kw_only=True)
class Drop(Block):
    """Takes away what a target would inherit."""

    kind: str = value(
        l.choice(
            "toolchain",
            "system",
            "python",
            "code",
            "data",
            "file",
            "directory",
            "build",
            "env",
            "label",
            "app",
            "test",
        ),
        "what kind of thing",
    )
    names: tuple[Item, ...] = value(l.WORD, "their names", many=True)


_LATER = ("r", "julia", "conda")
RESERVED = ("spack", "nix", "guix", "node", "vendor", "secret", "service")


@record(kw_only=True)
class TargetBlock(Layer):
    """One buildable variant; adds to and overrides what is shared."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    later: ClassVar[tuple[str, ...]] = _LATER
    name: str = value(l.NAME, "the variant's name")
    extends: Item | None = once("extends", l.LOCATED_NAME, "starts from this target")
    abstract: bool = once("abstract", l.NOTHING, "is only extended, never built", default=False)
    backends: tuple[str, ...] = many("backends", l.choice("docker", "singularity"), "only these recipes")
    drops: tuple[Drop, ...] = repeated(("drop", Drop, "takes away what would be inherited"))


@record(kw_only=True)
class Version(Block):
    """The language's version."""

    number: str = value(l.STRING, "the language's version, 1")


@record(kw_only=True)
class SpecFile(Layer):
    """A whole spec."""

    later: ClassVar[tuple[str, ...]] = _LATER
    replaced: ClassVar[tuple[Keyword, ...]] = (
        Keyword("include", Include, "another file's statements", repeat=True),
        Keyword("let", Let, "a constant", repeat=True),
        EACH,
    )
    version: Version = needed("reproc", Version, "the language's version, first of all")
    paper: Paper | None = once("paper", Paper, "what the environment was made for")
    as_of: int | None = once("as-of", l.DATE, "what is not pinned resolves as it stood that day")
    targets: tuple[TargetBlock, ...] = repeated(("target", TargetBlock, "a buildable variant"))
    experiments: tuple[Experiment, ...] = repeated(("experiment", Experiment, "a result of the paper"))
