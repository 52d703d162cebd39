"""Diagnostics as facts: a code, a place and the values that the wording needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum
from typing import Generic, TypeVar

from reproc.record import record
from reproc.source import Span

T = TypeVar("T")


class Severity(Enum):
    """How bad it is; only an error stops the corridor."""

    ERROR = "error"
    WARNING = "warning"


@record
class Code:
    """A row of the table of codes.

    `message`, `label` and `help` are `str.format` templates over a diagnostic's facts. `help` is a sequence:
    the first template whose facts are all there is the one that is shown, so that "did you mean" appears
    only where there is a near name.
    """

    id: str
    """Stable, such as `E0201`; the letter is the severity."""
    name: str
    """Stable, in kebab case, such as `unknown-statement`."""
    message: str
    label: str = ""
    help: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.id.startswith("W") else Severity.ERROR


@record
class Label:
    """A second place that matters, with a few words."""

    span: Span
    text: str


@record
class Diagnostic:
    """One thing that is wrong."""

    code: Code
    span: Span | None
    facts: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    output: str = ""
    """The last lines that a failed command wrote, where there was one."""

    @property
    def severity(self) -> Severity:
        return self.code.severity

    @property
    def message(self) -> str:
        """The one-line message, without a full stop."""
        return self.code.message.format_map(self.facts)

    @property
    def help(self) -> str | None:
        """What to write or do instead."""
        for template in self.code.help:
            try:
                return template.format_map(self.facts)
            except KeyError:
                continue
        return None


def error(
    code: Code,
    span: Span | None,
    *labels: Label,
    output: str = "",
    **facts: object,
) -> Diagnostic:
    """A diagnostic of `code` at `span`; facts that are None are left out."""
    told = {name: str(value) for name, value in facts.items() if value is not None}
    return Diagnostic(code, span, told, labels, output)


@record
class Outcome(Generic[T]):
    """What a phase returns: its value, unless an error stopped it, and everything it has to say."""

    value: T | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)


def in_source_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, place and code; those without a place come last, in the order they were found."""

    def key(diagnostic: Diagnostic) -> tuple[bool, str, int, int, str]:
        span = diagnostic.span
        if span is None:
            return (True, "", 0, 0, "")
        return (False, span.source.path, span.start, span.end, diagnostic.code.id)

    return tuple(sorted(diagnostics, key=key))


def once(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Without what several targets or back ends say alike, in the order in which it was first said.

    What is said of no place is left out where the same is said of one.
    """
    seen: dict[tuple[object, ...], Diagnostic] = {}
    for each in diagnostics:
        at = each.span and (each.span.source.path, each.span.start, each.span.end)
        seen.setdefault((each.code.id, each.message, at), each)
    placed = {(code, message) for code, message, at in seen if at is not None}
    return tuple(each for key, each in seen.items() if each.span is not None or key[:2] not in placed)
