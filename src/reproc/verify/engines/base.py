"""The protocol of an engine and the values on both sides of it, free of any engine's words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from reproc.diagnostics import Diagnostic
from reproc.progress import Progress
from reproc.record import record
from reproc.verify.plan import Mount, Recipe
from reproc.verify.tree import Tree


@record
class Detail:
    """One thing about an engine that decides what it can do here."""

    name: str
    good: bool
    text: str
    advice: str | None = None


@record
class Probe:
    """Whether an engine can be used here."""

    engine: str
    usable: bool
    version: str | None
    reason: str | None = None
    """Why not, in words that follow a colon; None if it can."""
    advice: str | None = None
    """How to get it, in one line."""
    details: tuple[Detail, ...] = ()


@record
class Step:
    """One step of a build."""

    title: str
    seconds: float
    cached: bool = False
    """Whether an engine took it from an earlier build."""
    place: str | None = None
    """In the spec, as `repro.spec:9:1`."""


@record
class Built:
    """An image that is ready to run."""

    image: str
    """What the engine's `run` takes: an image id, or the path of a SIF."""
    digest: str | None
    """`sha256:…` of the manifest, or of the whole SIF."""
    seconds: float
    notes: tuple[str, ...] = ()
    """What the engine could not do as well as it should, such as setting the files' times."""
    size: int | None = None
    """Bytes of the SIF, or of the image as an archive."""
    steps: tuple[Step, ...] = ()
    """In the order of the recipe; empty where an engine does not tell them apart."""
    varied: tuple[str, ...] = ()
    """Of a build elsewhere: which circumstances (`circumstances.py`) its steps really saw changed."""


@record
class BuildFailed:
    """A build that came to nothing."""

    diagnostic: Diagnostic
    seconds: float
    lacking: bool = False
    """The machine's fault (no space, an engine that died), not the recipe's."""


@record
class Command:
    """What to run in a fresh container under the contract of tests (see `contract.py`)."""

    arguments: tuple[str, ...]
    workdir: str = "/"
    timeout: float = 60
    network: bool = False
    gpu: str | None = None
    """Whose GPUs it sees, `nvidia` or `amd`."""
    mounts: tuple[Mount, ...] = ()
    """Their targets are in the image."""


@record
class Captured:
    """The start and the length of what a command wrote."""

    text: str
    """At most the limit; bytes that are not UTF-8 have become U+FFFD."""
    size: int
    """Bytes written in all."""
    truncated: bool
    tail: str = ""
    """The end of what was left out, where something was."""


@record
class CommandResult:
    """A command that ran."""

    exit_code: int | None
    """128 + N where signal N ended it; None where the time ran out."""
    stdout: Captured
    stderr: Captured
    seconds: float
    timed_out: bool = False


@record
class RunFailed:
    """A command that the engine could not even start, or lost."""

    diagnostic: Diagnostic
    seconds: float
    lacking: bool = False


BuildResult: TypeAlias = Built | BuildFailed
RunResult: TypeAlias = CommandResult | RunFailed


class Engine(Protocol):
    """A container engine. Nothing here raises because of what an engine says or does not say."""

    name: str
    """As it stands in `-e` and in reports."""
    backend: str
    """Which recipes it builds: `docker` or `singularity`."""

    def probe(self) -> Probe:
        """Whether it can be used; asks the engine once, later calls give the same answer."""
        ...

    def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
        """Builds, telling progress line by line; all of the engine's output goes to `log`."""
        ...

    def holds(self, built: Built, recipe: Recipe) -> bool:
        """Whether an image of an earlier run is there as it was built, and is what the recipe's image is called."""
        ...

    def run(self, image: str, command: Command) -> RunResult:
        """Runs a command in a fresh container and waits for it."""
        ...

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        """Copies what an image has at some paths into a folder, where it keeps them; says what went wrong.

        Files and folders are copied; whether links are is the engine's business.
        """
        ...

    def tree(self, image: str) -> Tree | Diagnostic:
        """The files of an image, or what went wrong."""
        ...

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        """Unpacks a whole image into an empty folder, links as links; says what went wrong.

        Owners need not be kept, and devices are left out.
        """
        ...

    def remove(self, built: Built, recipe: Recipe) -> None:
        """Removes an image that was built for a comparison alone; one that is gone is no trouble."""
        ...

    def close(self) -> None:
        """Removes what it made beside images: containers, helper images, folders, processes."""
        ...
