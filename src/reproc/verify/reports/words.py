"""How a report's facts are said, the same in every form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproc.diagnostics.ansi import visible, without_sequences

LEVELS = {
    "R0": "it builds",
    "R1": "the same packages",
    "R2": "the same file tree",
    "R3": "the same bytes",
}
"""What each level of reproducibility says."""
MARKS = {"passed": "✓", "failed": "✗", "flaky": "✗", "skipped": "–"}
VERDICTS = {
    "passed": "everything holds",
    "failed": "something does not hold",
    "flaky": "a test holds only sometimes",
    "incomplete": "something that was asked for is not here",
}
"""What each outcome of a whole run says."""
_FLAKY = "E0630"


def verdict(document: Mapping[str, Any]) -> str:
    """One of `VERDICTS`; `flaky` where nothing is worse than tests that passed only when they were run again."""
    if document["exit_code"] == 1 and document["diagnostics"]:
        errors = [each for each in document["diagnostics"] if each["severity"] == "error"]
        return "flaky" if all(each["code"] == _FLAKY for each in errors) else "failed"
    return {0: "passed", 1: "failed"}.get(document["exit_code"], "incomplete")


def outcome(test: Mapping[str, Any]) -> str:
    """How a test came out: its status, or `flaky`."""
    return "flaky" if test.get("flaky") else str(test["status"])


def shown(text: str) -> str:
    """Text whose every character can be seen, line by line: no sequence of a terminal acts, nothing turns it round."""
    lines = without_sequences(text).split("\n")
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in lines)


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


def sums(summary: Mapping[str, int]) -> str:
    """`14 passed, 2 failed (1 of them flaky), 2 skipped`."""
    flaky = summary.get("flaky", 0)
    said = {"failed": f" ({flaky} of them flaky)"} if flaky else {}
    counts = (f"{summary[each]} {each}{said.get(each, '')}" for each in ("passed", "failed", "skipped"))
    return ", ".join(counts)


def rows(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every target with each of its engines."""
    for target in document["targets"]:
        for row in target["engines"]:
            yield target, row


def said(finding: object) -> str:
    """What an audit found, in words."""
    return str(finding.get("message", finding) if isinstance(finding, Mapping) else finding)


def level(document: Mapping[str, Any]) -> str | None:
    """The lowest level that any image reached; None if one has none or nothing was built."""
    found = [row["level"] for _, row in rows(document) if row["build"] is not None]
    return None if not found or None in found else min(found)


SAME = "the same files in every engine"
FLATTENED = "owners are left out: one of the images, built without privileges, gives every file to root"


def trees(target: Mapping[str, Any]) -> str | None:
    """Whether the engines' images agree, in words; None if that was not compared."""
    match target["same_tree"]:
        case None:
            return None
        case same:
            said = SAME if same else "the engines' images differ"
            return f"{said}; {FLATTENED}" if target.get("owners_flattened") else said


def converted(conversion: Mapping[str, Any]) -> str:
    """What became of a SIF that was made out of Docker's image."""
    same = "holds" if conversion["status"] == "passed" else "does not hold"
    said = f"a SIF made out of Docker's image ({conversion['way']}) {same} the same files"
    return f"{said}; {FLATTENED}" if conversion["owners_flattened"] else said
