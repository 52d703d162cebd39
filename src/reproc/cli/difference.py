"""How what changes between two environments is shown: lines for people, values for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.compare import Change, Difference, Kind
from reproc.diagnostics.ansi import Paint, visible

SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "up": "↑", "down": "↓"}
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b")


def plain(found: Difference) -> dict[str, object]:
    """The differences as JSON has them."""
    return {
        "same": found.same,
        "shared": [_plain(each) for each in found.shared],
        "targets": [
            {"name": each.name, "kind": each.kind, "changes": [_plain(change) for change in each.changes]}
            for each in found.targets
        ],
    }


def _plain(change: Change) -> dict[str, object]:
    facts: dict[str, object] = {"kind": change.kind, "where": list(change.where)}
    if change.kind != "added":
        facts["before"] = change.before
    if change.kind != "removed":
        facts["after"] = change.after
    return facts


def lines(found: Difference, paint: Paint) -> Iterator[str]:
    """The differences; what changes alike in several targets is told once."""
    for change in found.shared:
        yield from _change(change, "", paint)
    for each in found.targets:
        if each.kind != "changed":
            yield _painted(each.kind, f"{SIGNS[each.kind]} target {each.name}", paint)
    for names, changes in _together(found).items():
        yield paint.strong(f"target{'s' if len(names) > 1 else ''} {', '.join(names)}")
        for change in changes:
            yield from _change(change, "  ", paint)


def _together(found: Difference) -> dict[tuple[str, ...], list[Change]]:
    """The changes by the targets that share them."""
    names: dict[Change, tuple[str, ...]] = {}
    for target in found.targets:
        for change in target.changes:
            names[change] = (*names.get(change, ()), target.name)
    together: dict[tuple[str, ...], list[Change]] = {}
    for change, sharing in names.items():
        together.setdefault(sharing, []).append(change)
    return together


def _change(change: Change, indent: str, paint: Paint) -> Iterator[str]:
    head = f"{indent}{SIGNS[change.kind]} {visible(', '.join(change.where))}"
    old, new = (text if text not in change.where[-1] else "" for text in (change.before, change.after))
    if change.kind == "changed" and "\n" in change.before + change.after:
        yield _painted(change.kind, head, paint)
        yield from _inside(change, f"{indent}    ", paint)
    elif change.kind not in ("added", "removed"):
        yield _painted(change.kind, f"{head}: {_short(change.before)} → {_short(change.after)}", paint)
    else:
        text = _short(old or new)
        yield _painted(change.kind, f"{head}: {text}" if text else head, paint)


def _inside(change: Change, indent: str, paint: Paint) -> Iterator[str]:
    """The lines that come and go."""
    from difflib import ndiff

    for line in ndiff(change.before.split("\n"), change.after.split("\n")):
        if line[0] in "+-":
            kind: Kind = "added" if line[0] == "+" else "removed"
            yield _painted(kind, f"{indent}{visible(line)}", paint)


def _painted(kind: Kind, text: str, paint: Paint) -> str:
    match kind:
        case "added":
            return paint.added(text)
        case "removed":
            return paint.removed(text)
        case "changed" | "up" | "down":
            return text


def _short(text: str) -> str:
    """On one line; of digests and commits only as much as tells them apart."""
    return _DIGEST.sub(r"\1…", visible(text))
