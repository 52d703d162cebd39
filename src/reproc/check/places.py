"""Which statement a place lies in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from reproc.source import SourceFile, Span
from reproc.syntax.tree import Statement


class Places:
    """The statements that stand on their own: those at the top, and those of a target."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._spans: dict[SourceFile, list[tuple[int, Span]]] = {}
        for span in _own(statements):
            self._spans.setdefault(span.source, []).append((span.start, span))
        for each in self._spans.values():
            each.sort(key=lambda pair: pair[0])

    def around(self, span: Span | None) -> Span | None:
        """The span of the statement that holds all of this one."""
        spans = self._spans.get(span.source, []) if span else []
        at = bisect_right(spans, span.start, key=lambda pair: pair[0]) if span else 0
        return spans[at - 1][1] if at and span and span.within(spans[at - 1][1]) else None


def _own(statements: Sequence[Statement]) -> Iterable[Span]:
    for statement in statements:
        if statement.keyword.text != "target":
            yield statement.span
        elif statement.block:
            yield from (each.span for each in statement.block.statements)
