"""The order in which constants get their values: one whose text names another comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reproc.check.read import Reader, heading
from reproc.diagnostics.codes import schema as codes
from reproc.syntax.tree import Hole, Statement, String, Word


def in_order(lets: Sequence[Statement], reader: Reader) -> Iterable[Statement]:
    """The statements, each behind those that it needs; a circle is told, and left out."""
    named = {name: each for each in reversed(lets) if (name := _name(each))}
    needs = {name: sorted(_holes(each) & named.keys()) for name, each in named.items()}
    if not any(needs.values()):
        return lets
    from graphlib import CycleError, TopologicalSorter

    while True:
        try:
            order = {name: place for place, name in enumerate(TopologicalSorter(needs).static_order())}
        except CycleError as problem:
            circle: list[str] = problem.args[1]
            start = min(circle, key=lambda name: named[name].span.start)
            at = circle.index(start)
            chain = " → ".join(reversed([*circle[at:-1], *circle[:at], start]))
            reader.report(codes.LET_CYCLE, heading(named[start]), chain=chain)
            broken = set(circle)
            reader.constants |= dict.fromkeys(broken, "")
            needs = {
                name: [n for n in wanted if n not in broken]
                for name, wanted in needs.items()
                if name not in broken
            }
            lets = [each for each in lets if _name(each) not in broken]
        else:
            return sorted(lets, key=lambda each: order.get(_name(each), 0))


def _name(let: Statement) -> str:
    first = let.values[0] if let.values else None
    if isinstance(first, Word):
        return first.text
    parts = first.parts if isinstance(first, String) else ()
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else ""


def _holes(let: Statement) -> set[str]:
    return {
        part.name
        for value in let.values[1:]
        if isinstance(value, String)
        for part in value.parts
        if isinstance(part, Hole)
    }
