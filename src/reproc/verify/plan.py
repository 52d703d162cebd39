"""What verification is given: recipes that lie ready on disk, tests, and what the caller asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reproc import model
from reproc.record import record
from reproc.source import Span


@record
class Recipe:
    """A recipe in a materialised vendored context: `context` holds `file` and all that it reads."""

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
    network: bool = False
    """Whether some step needs the network; with none, the engine cuts it off for the whole build."""


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


@record
class Options:
    """What the caller asked for."""

    engines: tuple[str, ...] = ()
    """Named by `-e`: these must be there. Empty: whatever is there."""
    required: tuple[str, ...] = ()
    """Named by `--require` or REPROC_REQUIRE_ENGINES: engines, and `gpu`, `mpi`, `network`, `data`."""
    only: str | None = None
    """`-k`: only tests whose name holds this, letter case aside."""
    fail_fast: bool = False
    cache: bool = True
    """Whether an engine may reuse layers of earlier builds."""
    test: bool = True
    """False: build only (`reproc build`)."""
