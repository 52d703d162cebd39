"""By which flags compilers make programs for a processor level."""

from __future__ import annotations

from typing import Any

from reproc import catalog
from reproc.catalog import processors
from reproc.catalog.marches import last, numbers


def flags(level: processors.Level, without: frozenset[str], gcc: str | None) -> str | None:
    """Flags of GCC, and of those that take the same; None if they are not known, or the level is too new for it.

    A version may be partial, and then its last release is meant; None means the newest.
    """
    rows = _rows(level)
    fitting = [row for row in rows if gcc is None or last(gcc) >= numbers(row["since"])]
    lacking = sorted(without & processors.reachable(level) & processors.instruction_features())
    if not fitting or (lacking and level.family != "x86_64"):
        return None
    names = catalog.table("flags.toml")["without"]
    return " ".join((fitting[-1]["flags"], *(f"-mno-{names.get(each, each)}" for each in lacking)))


def known_since(level: processors.Level) -> str | None:
    """The first version of GCC that has flags for a level; None if no version is known to have some."""
    rows = _rows(level)
    return str(rows[0]["since"]) if rows else None


def _rows(level: processors.Level) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = catalog.table("flags.toml")["levels"].get(level.name, {}).get("rows", [])
    return found
