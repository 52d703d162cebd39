"""Where the locked trees and bases stand below `inputs/`, as recipes and the store agree on it."""

from __future__ import annotations

import hashlib


def tree_path(key: str) -> str:
    """The archive of `code NAME`, `data NAME`, `file PATH` or `patch PATH`.

    A path may hold what no mount can, so that its digest stands for it.
    """
    kind, _, name = key.partition(" ")
    if kind in ("file", "patch"):
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"trees/{kind}-{name}.tar"


def further_base(name: str) -> str:
    """Where another base of builds stands, below `inputs/`."""
    return f"bases/{name}.tar"
