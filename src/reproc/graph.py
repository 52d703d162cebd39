"""What is to be built, free of any engine's words: stages of steps, and what the finished image offers.

A graph is made by `lower` from one target's plan. It knows nothing of packages: installing them has become
commands, and everything a command needs from outside stands in `BuildGraph.inputs` (vendored) or is fetched by
the command itself (standalone).
"""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from reproc.record import record
from reproc.source import Span

INPUTS = "inputs"
"""The folder of a build context that holds the fetched inputs."""
MOUNT = "/mnt"
"""Where a step sees `INPUTS`; this directory exists in every base (FHS 3.0, section 3.12)."""
CUTS = "cuts"
"""A folder below `INPUTS` that an engine without layers may provide: trees that builds keep for the next one."""
APPS = "/opt/reproc/bin"
"""The directory of the image that holds the apps; first on PATH."""


ENTER = "/opt/reproc/enter"
"""The script of an image with an `Activation` that starts a command behind it."""
ACTIVATION = "/opt/reproc/activation"
"""The script that prints, as shell commands, what activating changes in the environment."""


@record
class Variable:
    """An environment variable with its final value; `$` in it is a plain character."""

    name: str
    value: str


@record
class Run:
    """Commands that reproc wrote, one a line, each already quoted; they run as root under `set -eu`, umask 022."""

    title: str
    lines: tuple[str, ...]
    mounts: tuple[str, ...] = ()
    """Folders or files below `INPUTS`; the step sees `INPUTS/x` read-only as `MOUNT/x`."""
    network: bool = False
    settings: tuple[str, ...] = ()
    """Files of whoever builds, such as `pip.conf`, that the step sees as `MOUNT/x` if they are given."""
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class Script:
    """The author's own shell text, run as root in a shell of its own, `set -eu`, umask 022.

    Nothing in `text` may reach beyond it, whatever it holds (unbalanced quotes, a heredoc's end mark,
    a line that starts with `%`, `{{`).
    """

    title: str
    text: str
    shell: str = "/bin/sh"
    workdir: str = "/"
    environment: tuple[Variable, ...] = ()
    """What this step sees beside the stage's environment."""
    network: bool = False
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class WriteFile:
    """A small text file, owned by root; missing parent directories get mode 0755."""

    title: str
    path: str
    content: str
    mode: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class CopyIn:
    """Files beside the spec, into a directory of the image: modes u=rwX,go=rX, owner root, links as links."""

    title: str
    source: str
    """A folder below the build context, or `.`."""
    files: tuple[str, ...]
    """Sorted paths of files and links below `source`; nothing else is copied. Parents are made, mode 0755."""
    into: str
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class CopyFile:
    """One file beside the spec to a path of the image: mode 0644, or 0755 if it is executable, owner root."""

    title: str
    source: str
    path: str
    executable: bool
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class FetchGit:
    """A commit's tree, without `.git` and without submodules, into a directory of the image, like `CopyIn`."""

    title: str
    url: str
    commit: str
    into: str
    alone: bool = False
    """Whether it has submodules, or may have some, so that they have to be kept away."""
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class CopyKept:
    """Paths of an earlier stage, to the same paths here: modes, owners, hard links and inner links survive."""

    title: str
    stage: str
    paths: tuple[str, ...]
    origin: Span | None = field(default=None, compare=False, repr=False)
    origins: tuple[Span, ...] = field(default=(), compare=False, repr=False)
    """Where each path stands; none: all stand where the step does."""


@record
class SetEnv:
    """Sets variables for every later step of the stage and of the stages that stand on it."""

    title: str
    variables: tuple[Variable, ...]
    origin: Span | None = field(default=None, compare=False, repr=False)


Step: TypeAlias = Run | Script | WriteFile | CopyIn | CopyFile | FetchGit | CopyKept | SetEnv


@record
class Rootfs:
    """A root file system as a tar archive, a file below the build context."""

    path: str
    sha256: str | None


@record
class Image:
    """An image of a registry."""

    reference: str
    """Such as `docker.io/library/debian:bookworm-slim`."""
    digest: str | None


@record
class FromStage:
    """An earlier stage of the same graph, with its environment."""

    stage: str


Base: TypeAlias = Rootfs | Image | FromStage


@record
class Stage:
    """Steps on a base; `name` is unique in its graph, made of lower-case letters, digits, `-` and `_`."""

    name: str
    base: Base
    steps: tuple[Step, ...] = ()
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class App:
    """A command that the image offers: a script at `APPS/name`."""

    name: str
    help: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@record
class Activation:
    """What runs once before whatever an image is told to run."""

    mark: str
    """The value of `variable` once it has run: letters and digits, another one for other lines."""
    variable: str = "REPROC_ACTIVE"


@record
class Runtime:
    """What the finished image says of itself."""

    environment: tuple[Variable, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted by name; values hold no newline."""
    apps: tuple[App, ...] = ()
    workdir: str = "/"
    ports: tuple[int, ...] = ()
    """Sorted; what its apps listen at."""
    user: int | None = None
    """The number of the user that an engine with a choice runs as; None is root."""
    activation: Activation | None = None
    """With one, `ENTER` and `ACTIVATION` are in the image."""


@record
class Input:
    """A file below `INPUTS` that must be there, with this digest, before a build starts."""

    path: str
    sha256: str


@record
class BuildGraph:
    """One target, ready to be rendered. Stages come before the stages that use them; the last is the image."""

    target: str
    platform: str
    """Such as `linux/amd64`."""
    epoch: int
    """SOURCE_DATE_EPOCH, seconds since 1970-01-01 UTC: the lock's time."""
    stages: tuple[Stage, ...]
    runtime: Runtime
    inputs: tuple[Input, ...] = ()
    spec_path: str = "repro.spec"
    notes: tuple[str, ...] = ()
    """Lines for the head of a recipe: what it needs beforehand, what floats."""
    locked: bool = True
