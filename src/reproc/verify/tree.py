"""The files of an image as values, and what differs between those of two images.

Two images are the same tree (level R2) when every path has the same type, mode, owner and content in both. Times
are no part of it, and neither is what the table `OWNED` leaves to the engines, each row for its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TypeAlias

from reproc.record import record, replace


class Kind(Enum):
    """What stands at a path."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    DEVICE = "device"
    PIPE = "pipe"
    SOCKET = "socket"


@record
class Entry:
    """What an image has at one path; names of a file's hard links are entries with the same content."""

    kind: Kind
    mode: int
    """The permissions with the bits setuid, setgid and sticky; 0o777 for a link, whose mode means nothing."""
    uid: int
    gid: int
    content: str = ""
    """A file's sha256, a link's target, a device's kind and numbers; else empty."""

    @property
    def owner(self) -> str:
        return f"{self.uid}:{self.gid}"


Tree: TypeAlias = Mapping[str, Entry]
"""By path from the top of the image, without the slash in front; bytes that are not UTF-8 are escaped."""


class BadTree(Exception):
    """An image's files cannot be read; the text says why, in words that follow a colon."""


@record
class Owned:
    """A path that engines make or cover themselves; what lies below it goes with it."""

    path: str
    reason: str


OWNED = (
    Owned("", "the top folder is the engine's mount; layers need not even say what it is"),
    Owned("dev", "a file system of the engine's: devices, terminals, shared memory"),
    Owned("proc", "a file system of the kernel's"),
    Owned("sys", "a file system of the kernel's"),
    Owned(".singularity.d", "Apptainer's own: the recipe, labels, scripts that start what runs"),
    Owned(".exec", "a link of Apptainer's into /.singularity.d"),
    Owned(".run", "a link of Apptainer's into /.singularity.d"),
    Owned(".shell", "a link of Apptainer's into /.singularity.d"),
    Owned(".test", "a link of Apptainer's into /.singularity.d"),
    Owned("environment", "a link of Apptainer's into /.singularity.d, for old images"),
    Owned("singularity", "a link of Apptainer's into /.singularity.d, for old images"),
    Owned("scif", "Apptainer's folder for the apps of a recipe (SCIF)"),
    Owned(".dockerenv", "Docker puts it into every container"),
    Owned("etc/resolv.conf", "engines put the host's name servers there"),
    Owned("etc/hosts", "engines put the container's addresses there"),
    Owned("etc/hostname", "engines put the container's name there"),
    Owned("etc/mtab", "a link to the kernel's list of mounts, which engines make where it is missing"),
)


def is_owned(path: str) -> bool:
    """Whether a path is the engines' business."""
    return any(path == each.path or (each.path and path.startswith(f"{each.path}/")) for each in OWNED)


@record
class Difference:
    """One thing that is not the same in both; None is what an image lacks."""

    path: str
    aspect: str
    """`presence`, `type`, `mode`, `owner`, `content` or `target`."""
    first: str | None
    second: str | None

    def words(self, first: str, second: str) -> str:
        """It in one line, the two images called by these names."""
        if self.first is None or self.second is None:
            there = second if self.first is None else first
            return f"/{self.path} is only in {there} ({self.first or self.second})"
        return f"/{self.path}: {self.aspect} {self.first} in {first}, {self.second} in {second}"


@record
class Comparison:
    """How two images differ."""

    differences: tuple[Difference, ...]
    """Sorted by path; without those of owners where owners are flattened."""
    entries: int
    """How many paths were compared."""
    flattened: bool = False
    """Whether one of them gives everything to root, as an engine does that builds without privileges."""

    @property
    def same(self) -> bool:
        return not self.differences


def compare(first: Tree, second: Tree) -> Comparison:
    """How two images differ, path by path."""
    ours, theirs = ({p: e for p, e in tree.items() if not is_owned(p)} for tree in (first, second))
    flattened = _all_of_root(ours) != _all_of_root(theirs)
    if flattened:
        ours, theirs = _of_root(ours), _of_root(theirs)
    paths = sorted(ours.keys() | theirs.keys())
    found = tuple(each for path in paths for each in _between(path, ours.get(path), theirs.get(path)))
    return Comparison(found, len(paths), flattened)


def _all_of_root(tree: Tree) -> bool:
    return all(entry.uid == entry.gid == 0 for entry in tree.values())


def _of_root(tree: Tree) -> dict[str, Entry]:
    return {path: replace(entry, uid=0, gid=0) for path, entry in tree.items()}


def _between(path: str, first: Entry | None, second: Entry | None) -> Iterator[Difference]:
    if first is None or second is None:
        kinds = (entry.kind.value if entry else None for entry in (first, second))
        yield Difference(path, "presence", *kinds)
        return
    if first == second:
        return
    if first.kind is not second.kind:
        yield Difference(path, "type", first.kind.value, second.kind.value)
        return
    if first.mode != second.mode:
        yield Difference(path, "mode", f"{first.mode:04o}", f"{second.mode:04o}")
    if first.owner != second.owner:
        yield Difference(path, "owner", first.owner, second.owner)
    if first.content != second.content:
        aspect = "target" if first.kind is Kind.LINK else "content"
        yield Difference(path, aspect, first.content, second.content)
