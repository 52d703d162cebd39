"""The diagnostics of one parse while it runs."""

from __future__ import annotations

from typing import Protocol

from reproc.diagnostics.codes.syntax import TOO_MANY
from reproc.diagnostics.diagnostic import Code, Diagnostic, Label, error
from reproc.source import Span


class Report(Protocol):
    """Takes note of a mistake."""

    def __call__(self, code: Code, span: Span, *labels: Label, **facts: object) -> None: ...


class Reports:
    """Keeps what is reported, at most `limit` of it: what follows a hundred errors helps nobody."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.found: list[Diagnostic] = []

    @property
    def full(self) -> bool:
        return len(self.found) >= self.limit

    def __call__(self, code: Code, span: Span, *labels: Label, **facts: object) -> None:
        if self.full:
            return
        self.found.append(error(code, span, *labels, output="", **facts))
        if len(self.found) == self.limit:
            self.found.append(error(TOO_MANY, span, limit=self.limit))


def unheard(code: Code, span: Span, *labels: Label, **facts: object) -> None:
    """A report for what has been told of already."""
