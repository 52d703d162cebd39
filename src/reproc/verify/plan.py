"""What verification is given: recipes that lie ready on disk, tests, and what the caller asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from reproc import model
from reproc.check import Target
from reproc.record import record
from reproc.source import Span


@record
class Access:
    """How steps with a network reach outside on a machine that has mirrors or certificates of its own."""

    proxy: str
    """An address on this machine that passes on what is asked for in plain HTTP."""
    settings: Path
    """A folder with files that recipes take from whoever builds: `pip.conf`."""

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted(self.settings.iterdir()))


@record
class OpenStep:
    """A build of the author's that the spec lets reach the network."""

    build: str
    origin: Span | None


@record
class Recipe:
    """A recipe ready to be built: `context` holds all that it reads."""

    target: str
    backend: str
    """`docker` or `singularity`: which kind of recipe `file` is."""
    context: Path
    file: Path
    epoch: int
    """SOURCE_DATE_EPOCH, seconds since 1970-01-01 UTC."""
    platform: str
    """Such as `linux/amd64`."""
    line_origins: tuple[Span | None, ...]
    """`line_origins[n]` is the place in the spec that asked for line `n + 1` of `file`."""
    tag: str
    """What the image is called in an engine that names images, such as `reproc/quickstart:cpu`."""
    titles: tuple[tuple[int, str], ...] = ()
    """Lines of `file`, counted from 1, and what it does from there on."""
    network: bool = False
    """Whether some step needs the network; with none, the engine cuts it off for the whole build."""
    opened: tuple[OpenStep, ...] = ()
    """The steps of the author's among those."""
    vendored: bool = True
    """Whether everything from outside lies in the folder `inputs` of the context."""
    access: Access | None = None
    """Only for a recipe that fetches by itself."""
    elsewhere: bool = False
    """Whether to build under other circumstances than usual, as far as the engine can."""
    inputs: tuple[tuple[str, str], ...] | None = None
    """Path below `inputs` and sha256 of all that it reads; None: that is not known beforehand."""


@record
class Mount:
    """A file or folder of this machine that a container sees read-only at a place of its own."""

    source: Path
    """Absolute."""
    target: str


@record
class TargetPlan:
    """One target: a recipe for each back end, and the tests that stand for it."""

    name: str
    recipes: Mapping[str, Recipe]
    tests: tuple[model.Test, ...] = ()
    workdir: str = "/"
    """Where tests start."""
    apps: tuple[str, ...] = ()
    entry: tuple[str, ...] = ()
    """What the image starts commands with, so that an engine that goes past it does so too."""
    environment: tuple[tuple[str, str], ...] = ()
    """What the image sets, for commands that run outside of its engine."""
    target: Target | None = None
    """What audits hold an image to; None leaves them out."""
    compilers: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """By build, the compilers that were there and that it does not use; None where nobody knows."""
    mounts: tuple[Mount, ...] = ()
    """What tests see that is not in the image."""
    data: frozenset[str] = frozenset()
    """Names of the data that tests see, mounted or in the image."""
    absent: tuple[tuple[str, str], ...] = ()
    """Names of data that are not here, and why."""


@record
class Options:
    """What the caller asked for."""

    engines: tuple[str, ...] = ()
    """Named by `-e`: these must be there. Empty: whatever is there."""
    required: tuple[str, ...] = ()
    """Named by `--require` or REPROC_REQUIRE_ENGINES: engines, `gpu`, `mpi`, `network`, `data`, levels."""
    only: str | None = None
    """`-k`: only tests whose name holds this, letter case aside."""
    fail_fast: bool = False
    retries: int = 0
    """How often a test that fails is run again, to tell a flaky one from one that never passes."""
    cache: bool = True
    """Whether what earlier runs have built and shown counts, and an engine may reuse its layers."""
    test: bool = True
    """False: build only (`reproc build`)."""
    emulate: bool = False
    """Whether every test runs once more on the oldest processor that its target allows."""
    jobs: int | None = 1
    """`-j`: how many targets and engines at a time; None: the engines side by side, as far as the machine goes."""
    convert: tuple[str, ...] = ()
    """`--convert`: on which ways Docker's images are made into SIFs, too (`conversion.py`)."""
    rebuild: bool = False
    """Whether to build a second time and say how far that gives the same."""
