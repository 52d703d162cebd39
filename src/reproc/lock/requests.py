"""What a checked spec asks the outside world for, target by target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from reproc.model import Item
from reproc.source import Span


@dataclass(frozen=True)
class BootstrapRequest:
    """A root file system made from a release's packages."""

    distribution: str
    release: str
    """The code name: `bookworm`."""
    origin: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class ImageRequest:
    """A registry's image; with `distribution` and `release` where packages will be installed on it."""

    reference: str
    distribution: str | None
    release: str | None
    origin: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class AptRequest:
    """Packages that are installed together on top of another layer."""

    name: str
    after: str | None
    packages: tuple[Item, ...]


@dataclass(frozen=True)
class RequirementsFile:
    """The text of a requirements file."""

    path: str
    text: str
    origin: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class PythonRequest:
    """A virtual environment."""

    name: str
    version: str
    """The interpreter's minor version, `3.11`."""
    interpreter: str
    prefix: str
    requirements: tuple[Item, ...]
    files: tuple[RequirementsFile, ...]
    libc: tuple[int, int]
    """The base's glibc version: the newest manylinux tag that its wheels may have."""


@dataclass(frozen=True)
class LocalRequest:
    """A folder or a file beside the spec."""

    source: str
    exclude: tuple[str, ...]
    sha256: Item | None
    """What a single file must have."""
    size: int | None
    origin: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class GitRequest:
    """A commit, or what a tag or a branch points at."""

    url: str
    kind: str
    """`commit`, `tag` or `branch`."""
    ref: str
    origin: Span = field(compare=False, repr=False)


TreeRequest: TypeAlias = LocalRequest | GitRequest


@dataclass(frozen=True)
class TargetRequest:
    """Everything one target takes from outside."""

    name: str
    platform: str
    base: BootstrapRequest | ImageRequest
    apt: tuple[AptRequest, ...]
    """A layer comes after the one it stands on; the names are unique."""
    python: tuple[PythonRequest, ...]
    trees: tuple[tuple[str, TreeRequest], ...]
