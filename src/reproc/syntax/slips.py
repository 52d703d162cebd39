"""Slips inside one statement that have messages of their own; each is mended, so that the check goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reproc.diagnostics.codes import syntax as codes
from reproc.source import Span
from reproc.syntax.quoted import Parts
from reproc.syntax.reports import Report
from reproc.syntax.tree import Hole, List, String, Text, Value, Word

_SIGNS = frozenset({"=", ":", ":=", "=="})
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?:(?P<sign>:?=)(?!=)(?P<value>.*)|:)", re.DOTALL)
_MARKER = re.compile(
    r"(?:python_(?:full_)?version|os_name|sys_platform|platform_\w+|implementation_\w+|extra)"
    r"(?P<operator>[<>=!~].*)?"
)
_OPERATOR = re.compile(r"[<>=!~]=?.*|in|not", re.DOTALL)


def is_marker(keyword: str, behind: str) -> bool:
    """Whether a statement behind a `;` is the marker of a PEP 508 requirement that lacks its quotes."""
    found = _MARKER.fullmatch(keyword)
    return found is not None and bool(found["operator"] or _OPERATOR.fullmatch(behind))


def without_assignment(keyword: Word, values: list[Value], report: Report) -> tuple[Word, list[Value]]:
    """The statement without `=` and `:` between keyword and value."""
    found = _ASSIGNED.fullmatch(keyword.text)
    if found is not None:
        sign = found["sign"] or ":"
        start, name = keyword.span.start, found["name"]
        at = start + len(name)
        rest = found["value"] or ""
        if rest:
            place = Span(keyword.span.source, at + len(sign), keyword.span.end)
            values = [Word(rest, place), *values]
        if values and not rest and not isinstance(values[0], List | Text):
            rest = values[0].span.text
        span = Span(keyword.span.source, at, at + len(sign))
        report(codes.ASSIGNMENT, span, sign=sign, keyword=name, statement=f"{name} {rest}".rstrip())
        return Word(name, Span(keyword.span.source, start, at)), values
    signs = [value for value in values if isinstance(value, Word) and value.text in _SIGNS]
    if signs:
        values = [value for value in values if value not in signs]
        short = (value.span.text for value in values if not isinstance(value, List | Text))
        shown = " ".join((keyword.text, *short))
        report(codes.ASSIGNMENT, signs[0].span, sign=signs[0].text, keyword=keyword.text, statement=shown)
    return keyword, values


def without_commas(values: list[Value], report: Report) -> list[Value]:
    """The values without commas round them; the first one is reported for all."""
    if not any(isinstance(value, Word) and "," in (value.text[0], value.text[-1]) for value in values):
        return values
    kept: list[Value] = []
    told = False
    for value in values:
        if not isinstance(value, Word) or "," not in (value.text[0], value.text[-1]):
            kept.append(value)
            continue
        text = value.text.strip(",")
        before = value.text.startswith(",")
        at = value.span.start if before else value.span.start + len(text)
        if not told:
            report(codes.COMMA, Span(value.span.source, at, at + 1))
            told = True
        if text:
            start = value.span.start + len(value.text) - len(value.text.lstrip(","))
            kept.append(Word(text, Span(value.span.source, start, start + len(text))))
    return kept


def unglued(values: Iterable[Value], report: Report, behind: Span | None = None) -> list[Value]:
    """The values, one for two without a blank between them; `behind` is what stands before the first."""
    kept: list[Value] = []
    last = behind
    told = -1
    for value in values:
        if last is None or last.end != value.span.start:
            kept.append(value)
            last = value.span
            continue
        before = kept[-1] if kept else None
        if told != last.start:
            _report_glued(before, value, report)
        last = value.span
        told = last.start
        if isinstance(before, Word | String) and isinstance(value, Word | String):
            kept[-1] = String(_joined(before, value), before.span.to(value.span))
        else:
            kept.append(value)
    return kept


def _report_glued(before: Value | None, value: Value, report: Report) -> None:
    if isinstance(value, List) and not isinstance(before, List | Text | String):
        report(codes.BRACKET_IN_WORD, Span(value.span.source, value.span.start, value.span.start + 1))
        return
    quoted = None
    if isinstance(before, Word | String) and isinstance(value, Word | String):
        from reproc.syntax.format import quoted_string

        quoted = quoted_string(_joined(before, value))
    report(codes.GLUED, value.span, quoted=quoted)


def _joined(left: Word | String, right: Word | String) -> Parts:
    parts: list[str | Hole] = []
    for part in (*_parts(left), *_parts(right)):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def _parts(value: Word | String) -> Parts:
    return (value.text,) if isinstance(value, Word) else value.parts
