"""How a report's facts are said, the same in every form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LEVELS = {
    "R0": "it builds",
    "R1": "the same packages",
    "R2": "the same file tree",
    "R3": "the same bytes",
}
"""What each level of reproducibility says."""
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


def verdict(document: Mapping[str, Any]) -> str:
    """`passed`, `failed`, or `incomplete` where something that was asked for is not here."""
    return {0: "passed", 1: "failed"}.get(document["exit_code"], "incomplete")


def seconds(value: float | None) -> str:
    """A time such as `0.4 s` or `3 min 20 s`."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60} s"


def size(value: int | None) -> str:
    """A size in bytes as `12.3 MB` (powers of ten)."""
    if value is None:
        return ""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value} bytes"


def sums(document: Mapping[str, Any]) -> str:
    """`14 passed, 0 failed, 2 skipped`."""
    return ", ".join(f"{count} {status}" for status, count in document["summary"].items())


def rows(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every target with each of its engines."""
    for target in document["targets"]:
        for row in target["engines"]:
            yield target, row


def level(document: Mapping[str, Any]) -> str | None:
    """The lowest level that any image reached; None if one has none or nothing was built."""
    found = [row["level"] for _, row in rows(document) if row["build"] is not None]
    return None if not found or None in found else min(found)


def trees(target: Mapping[str, Any]) -> str | None:
    """Whether the engines' images agree, in words; None if that was not compared."""
    match target["same_tree"]:
        case None:
            return None
        case same:
            return "the same files in every engine" if same else "the engines' images differ"
