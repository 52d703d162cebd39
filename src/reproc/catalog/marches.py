"""Which names behind `-march=` a GCC knows, and what means the same to one that does not."""

from __future__ import annotations

from typing import Any

from reproc import catalog


def known_since(name: str) -> str | None:
    """The first version of GCC that knows a name; None if the table does not have it."""
    row = _row(name)
    return None if row is None else str(row["since"])


def knows(version: str, name: str) -> bool:
    """Whether a GCC knows a name; a version may be partial, and then its last release is meant."""
    since = known_since(name)
    return since is None or last(version) >= numbers(since)


def instead(version: str, name: str) -> str | None:
    """The flags by which an older GCC makes programs for the same processors; None if it cannot."""
    row = _row(name)
    older = [] if row is None else row.get("older", [])
    fitting = (each for each in older if last(version) >= numbers(each["since"]))
    return next((str(each["flags"]) for each in fitting), None)


def last(version: str) -> tuple[int, ...]:
    """The newest release that a version can stand for."""
    parts = numbers(version)
    # since 5.1, what is called x.y.1 is made on the way to x.(y+1).0 (gcc.gnu.org/develop.html, "Version numbers")
    if len(parts) == 3 and parts[0] >= 5 and parts[2] > 0:
        return (parts[0], parts[1] + 1, 0)
    return (*parts, 999)


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _row(name: str) -> dict[str, Any] | None:
    rows: dict[str, dict[str, Any]] = catalog.table("marches.toml")["x86_64"]
    return rows.get(name)
