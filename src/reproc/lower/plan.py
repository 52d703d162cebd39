"""One target with everything that its lock knows: what `lower` starts from."""

from __future__ import annotations

from enum import Enum

from reproc import model
from reproc.check import Target
from reproc.lock.model import Archive, LockedTarget, TreeEntry
from reproc.record import record


class Shape(Enum):
    """Where a recipe's inputs come from."""

    STANDALONE = "standalone"
    """The recipe fetches by itself, with checksums."""
    VENDORED = "vendored"
    """Everything lies in the build context."""


@record
class Plan:
    """A target, what it is locked to, and the files beside the spec that it takes."""

    target: Target
    locked: LockedTarget | None
    """None: nothing is locked, and the recipe says what floats."""
    archives: tuple[Archive, ...]
    epoch: int
    """Seconds since 1970-01-01 UTC: the lock's time; 0 without a lock."""
    paper: model.Paper | None
    spec_path: str
    listed: dict[str, tuple[TreeEntry, ...]]
    """Files of local code and data, by `code NAME` or `data NAME`, where no lock lists them."""

    def entries(self, key: str) -> tuple[TreeEntry, ...]:
        """The files of local code or data."""
        if self.locked is not None:
            tree = dict(self.locked.trees)[key]
            return getattr(tree, "entries", ())
        return self.listed.get(key, ())
