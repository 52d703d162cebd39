"""The blocks of the language."""

from __future__ import annotations

from typing import ClassVar

from reproc.model import literals as l
from reproc.model.schema import (
    Block,
    Item,
    ShellText,
    entries,
    many,
    needed,
    once,
    repeated,
    value,
)
from reproc.record import record


@record(kw_only=True)
class Author(Block):
    """An author of the paper."""

    name: str = value(l.STRING, "the author's name")
    orcid: str | None = once("orcid", l.ORCID, "the author's ORCID")
    affiliation: str | None = once("affiliation", l.STRING, "where the author works")
    email: str | None = once("email", l.STRING, "how to write to the author")


@record(kw_only=True)
class Paper(Block):
    """What the environment was made for; becomes image labels."""

    title: str = value(l.STRING, "the title")
    authors: tuple[Author, ...] = repeated(("author", Author, "an author"))
    doi: str | None = once("doi", l.DOI, "the paper's DOI")
    license: str | None = once("license", l.STRING, "SPDX licence of the code")
    url: Item | None = once("url", l.URL, "where the paper or its artifact is")
    version: str | None = once("version", l.STRING, "the artifact's version")
    keywords: tuple[str, ...] = many("keywords", l.STRING, "keywords")
    abstract: str | None = once("abstract", l.TEXT, "the abstract")


@record(kw_only=True)
class Is(Block):
    """The distribution that an opaque image holds."""

    distribution: str = value(l.choice("debian", "ubuntu"), "the distribution")
    release: str = value(l.NAME, "its release")


@record(kw_only=True)
class Base(Block):
    """What everything stands on."""

    later: ClassVar[tuple[str, ...]] = ("sha256",)
    kind: str = value(l.choice("debian", "ubuntu", "image"), "a distribution, or `image`")
    name: Item = value(l.IMAGE, "the distribution's release, or the image's reference")
    from_: str | None = once(
        "from", l.choice("bootstrap"), "make the root file system from the archive, without a registry"
    )
    is_: Is | None = once("is", Is, "the distribution that the image holds")


@record(kw_only=True)
class System(Block):
    """Packages of the distribution."""

    later: ClassVar[tuple[str, ...]] = ("recommends", "source")
    packages: tuple[Item, ...] = many(
        "packages", l.PACKAGE, "distribution packages, `name` or `name=version`"
    )


@record(kw_only=True)
class Toolchain(Block):
    """A compiler, at a version."""

    later: ClassVar[tuple[str, ...]] = (
        "configure",
        "archive",
        "sha256",
        "strip",
        "bin",
        "sysroot",
        "provider",
    )
    name: Item = value(l.LOCATED_NAME, "the tool")
    version: str = value(l.VERSION, "its version, partial or full")
    default: bool = once(
        "default",
        l.Literal("nothing", "", str),
        "builds without `using`, and the image's `cc`, mean this one",
        default=False,
    )
    languages: tuple[str, ...] = many(
        "languages", l.choice("c", "c++", "fortran"), "languages to install; C and C++ if not given"
    )
    at: str | None = once(
        "at", l.choice("build", "run"), "whether all of it is in the image, or only what kept programs need"
    )


@record(kw_only=True)
class Python(Block):
    """A Python environment."""

    later: ClassVar[tuple[str, ...]] = (
        "name",
        "project",
        "lock",
        "install",
        "index",
        "provider",
        "venv",
        "binary",
    )
    version: str | None = value(l.VERSION, "the interpreter's version", optional=True)
    packages: tuple[Item, ...] = many("packages", l.REQUIREMENT, "requirements as in PEP 508")
    requirements: tuple[Item, ...] = many("requirements", l.FILE, "files of requirements")


@record(kw_only=True)
class Code(Block):
    """Code from a folder beside the spec, or from git."""

    later: ClassVar[tuple[str, ...]] = (
        "archive",
        "sha256",
        "strip",
        "swh",
        "submodules",
        "lfs",
        "mode",
        "owner",
        "patch",
        "bin",
        "rewrite",
    )
    name: str = value(l.NAME, "a name, by which the spec calls it")
    local: Item | None = once("local", l.FILE, "a folder or file beside the spec")
    exclude: tuple[str, ...] = many("exclude", l.STRING, "patterns, as in .gitignore, of files to leave out")
    git: Item | None = once("git", l.URL, "a git repository")
    commit: Item | None = once("commit", l.COMMIT, "the full commit id")
    tag: Item | None = once("tag", l.GIT_REF, "a tag; the lock pins its commit")
    branch: Item | None = once("branch", l.GIT_REF, "a branch; the lock pins its commit")
    into: str | None = once("into", l.PLACE, "where it lies in the image; /opt/src/NAME if not given")


@record(kw_only=True)
class Data(Block):
    """Data from beside the spec."""

    later: ClassVar[tuple[str, ...]] = ("url", "doi", "file", "unpack", "at", "mode", "owner")
    name: str = value(l.NAME, "a name, by which the spec calls it")
    local: Item | None = once("local", l.FILE, "a folder or file beside the spec")
    sha256: Item | None = once("sha256", l.DIGEST, "the file's digest")
    size: int | None = once("size", l.SIZE, "the file's size")
    license: str | None = once("license", l.STRING, "SPDX licence of the data")
    into: str | None = once("into", l.PLACE, "where it lies in the image; /data/NAME if not given")


SCOPE = l.choice("build", "run")


@record(kw_only=True)
class EnvironmentEntry(Block):
    """A variable; `action` is set, prepend or append, `scope` is both, build or run."""

    name: str
    value: str
    action: str = "set"
    scope: str = "both"


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
class Using(Block):
    """A tool chain that a build works with."""

    name: Item = value(l.LOCATED_NAME, "the tool")
    version: str = value(l.VERSION, "its version, as the toolchain statement has it")


@record(kw_only=True)
class Build(Block):
    """How code becomes programs."""

    later: ClassVar[tuple[str, ...]] = ("on", "network")
    name: str = value(l.NAME, "a name, by which the spec calls it")
    using: tuple[Using, ...] = repeated(("using", Using, "a tool chain to work with"))
    in_: str | None = once(
        "in", l.PATH, "where the commands run; the place of the code of the same name if not given"
    )
    inputs: tuple[Item, ...] = many("inputs", l.LOCATED_NAME, "code and data it sees")
    after: tuple[Item, ...] = many("after", l.LOCATED_NAME, "builds whose kept paths it needs")
    env: Environment | None = once("env", Environment, "variables for this build")
    shell: str = once("shell", l.choice("sh", "bash"), "the shell of `run` and `script`", default="sh")
    commands: tuple[Command, ...] = repeated(
        ("run", Run, "a command line, in a shell of its own"),
        ("script", Script, "several lines for one shell"),
    )
    keep: tuple[Item, ...] = many(
        "keep",
        l.Literal("an absolute path", "/opt/model", l.PATH.parse, located=True),
        "only these paths reach the image",
    )


@record(kw_only=True)
class App(Block):
    """A command that the image offers."""

    later: ClassVar[tuple[str, ...]] = ("port",)
    name: str = value(l.NAME, "the command's name")
    run: Command = needed("run", Run, "the command line; it gets the app's arguments")
    workdir: str | None = once("workdir", l.PATH, "where it starts")
    help: str | None = once("help", l.STRING, "one line for people")
    env: Environment | None = once("env", Environment, "variables for this app")


@record(kw_only=True)
class Expectation(Block):
    """What a test must come out as: `exit N`, or `stdout|stderr contains|equals|matches STRING`."""

    subject: str = value(l.choice("exit", "stdout", "stderr", "file"), "what is looked at")
    words: tuple[str, ...] = value(l.TEXT, "how it must be", many=True)


@record(kw_only=True)
class Needs(Block):
    """What a machine must have for a test to run there."""

    what: str = value(l.choice("gpu", "mpi", "network", "data"), "what is needed")
    name: Item | None = value(l.LOCATED_NAME, "which data", optional=True)


@record(kw_only=True)
class AppCall(Block):
    """An app with arguments."""

    name: Item = value(l.LOCATED_NAME, "the app")
    arguments: tuple[str, ...] = value(l.STRING, "its arguments", many=True)


@record(kw_only=True)
class Test(Block):
    """A smoke test."""

    later: ClassVar[tuple[str, ...]] = ("cpu",)
    name: str = value(l.STRING, "what it shows")
    run: Command | None = once("run", Run, "a command line")
    script: Command | None = once("script", Script, "several lines for one shell")
    app: AppCall | None = once("app", AppCall, "an app, with arguments")
    expect: tuple[Expectation, ...] = repeated(("expect", Expectation, "what it must come out as"))
    on: tuple[Item, ...] = many("on", l.LOCATED_NAME, "only for these targets")
    backends: tuple[str, ...] = many("backends", l.choice("docker", "singularity"), "only in these engines")
    needs: tuple[Needs, ...] = repeated(("needs", Needs, "skipped, with the reason, where that is absent"))
    timeout: int = once("timeout", l.DURATION, "how long it may take, 60s if not given", default=60)
    env: Environment | None = once("env", Environment, "variables for this test")


@record(kw_only=True)
class Layer(Block):
    """What may stand at the top and in a target."""

    base: Base | None = once("base", Base, "what everything stands on")
    system: System | None = once("system", System, "packages of the distribution")
    toolchains: tuple[Toolchain, ...] = repeated(("toolchain", Toolchain, "a compiler, at a version"))
    python: Python | None = once("python", Python, "a Python environment")
    code: tuple[Code, ...] = repeated(("code", Code, "code"))
    data: tuple[Data, ...] = repeated(("data", Data, "data"))
    builds: tuple[Build, ...] = repeated(("build", Build, "how code becomes programs"))
    env: Environment | None = once("env", Environment, "environment variables")
    apps: tuple[App, ...] = repeated(("app", App, "a command that the image offers"))
    tests: tuple[Test, ...] = repeated(("test", Test, "a smoke test"))


_LATER = (
    "platform",
    "cpu",
    "without",
    "cuda",
    "rocm",
    "r",
    "julia",
    "conda",
    "file",
    "directory",
    "label",
    "activate",
    "user",
    "workdir",
    "each",
    "drop",
)
RESERVED = ("spack", "nix", "guix", "node", "vendor", "secret", "service")


@record(kw_only=True)
class TargetBlock(Layer):
    """One buildable variant; adds to and overrides what is shared."""

    later: ClassVar[tuple[str, ...]] = (*_LATER, *RESERVED)
    name: str = value(l.NAME, "the variant's name")
    extends: Item | None = once("extends", l.LOCATED_NAME, "starts from this target")
    abstract: bool = once(
        "abstract", l.Literal("nothing", "", str), "is only extended, never built", default=False
    )
    backends: tuple[str, ...] = many("backends", l.choice("docker", "singularity"), "only these recipes")


@record(kw_only=True)
class Version(Block):
    """The language's version."""

    number: str = value(l.STRING, "the language's version, 1")


@record(kw_only=True)
class Let(Block):
    """A constant."""

    name: str = value(l.NAME, "how strings name it: {{name}}")
    text: str = value(l.STRING, "its value")


@record(kw_only=True)
class SpecFile(Layer):
    """A whole spec."""

    later: ClassVar[tuple[str, ...]] = ("include", "as-of", "experiment", *_LATER, *RESERVED)
    version: Version = needed("reproc", Version, "the language's version, first of all")
    paper: Paper | None = once("paper", Paper, "what the environment was made for")
    lets: tuple[Let, ...] = repeated(("let", Let, "a constant"))
    targets: tuple[TargetBlock, ...] = repeated(("target", TargetBlock, "a buildable variant"))
