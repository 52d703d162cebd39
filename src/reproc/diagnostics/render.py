"""Diagnostics in words: for people, for one line each, for editors and for CI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias, assert_never

from reproc.diagnostics.ansi import Paint, visible, without_sequences
from reproc.diagnostics.diagnostic import Diagnostic, Severity
from reproc.source import Span

Form: TypeAlias = Literal["full", "concise", "json", "github"]

_OUTPUT_LINES = 20
"""So many of the last lines of a failed command are shown."""


def render(diagnostics: Iterable[Diagnostic], form: Form, *, color: bool = False) -> str:
    """The diagnostics in one of the four forms, in the order given; without any, empty but for JSON.

    Whatever looks like a key or a token is masked, also where another diagnostic shows its line.
    """
    from reproc.diagnostics.secrets import hushed

    paint = Paint(color)
    diagnostics = hushed(diagnostics)
    match form:
        case "full":
            return "\n".join(_full(each, paint) for each in diagnostics)
        case "concise":
            return "".join(f"{_concise(each, paint)}\n" for each in diagnostics)
        case "json":
            from json import dumps

            return dumps([as_json(each) for each in diagnostics], indent=2, ensure_ascii=True) + "\n"
        case "github":
            return "".join(f"{_github(each)}\n" for each in diagnostics)
        case _:
            assert_never(form)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many errors and warnings there are, such as ``2 errors, 1 warning``; empty for none."""
    counts = {severity: 0 for severity in Severity}
    for each in diagnostics:
        counts[each.severity] += 1
    return ", ".join(
        f"{count} {severity.value}{'s' if count > 1 else ''}" for severity, count in counts.items() if count
    )


def label(diagnostic: Diagnostic) -> str:
    """The words beside the place of a diagnostic; empty where a fact that they need is not known."""
    try:
        return diagnostic.code.label.format_map(diagnostic.facts)
    except KeyError:
        return ""


def as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The diagnostic as editors take it: positions as in the language server protocol."""
    related = [{"message": each.text, **_location(each.span)} for each in diagnostic.labels]
    return {
        "code": diagnostic.code.id,
        "name": diagnostic.code.name,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "label": label(diagnostic),
        "help": diagnostic.help,
        **_location(diagnostic.span),
        "related": related,
        "output": diagnostic.output,
    }


def lsp_range(span: Span) -> dict[str, dict[str, int]]:
    """A span as lines from 0 and UTF-16 code units from 0."""
    return {"start": _lsp_position(span, span.start), "end": _lsp_position(span, span.end)}


def _location(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "range": None}
    return {"file": span.source.path, "range": lsp_range(span)}


def _lsp_position(span: Span, offset: int) -> dict[str, int]:
    position = span.source.position(offset)
    before = span.source.text[offset - position.column + 1 : offset]
    units = len(before.encode("utf-16-le", "surrogatepass")) // 2
    return {"line": position.line - 1, "character": units}


def _headline(diagnostic: Diagnostic, paint: Paint) -> str:
    word = f"{diagnostic.severity.value}[{diagnostic.code.id}]"
    colour = paint.error if diagnostic.severity is Severity.ERROR else paint.warning
    return f"{colour(word)}: {paint.strong(visible(diagnostic.message))}"


def _full(diagnostic: Diagnostic, paint: Paint) -> str:
    return "".join(f"{line}\n" for line in _full_lines(diagnostic, paint))


def _full_lines(diagnostic: Diagnostic, paint: Paint) -> Iterator[str]:
    yield _headline(diagnostic, paint)
    marks = []
    if diagnostic.span is not None:
        marks.append((diagnostic.span, label(diagnostic), True))
    marks.extend((each.span, each.text, False) for each in diagnostic.labels)
    if marks:
        from reproc.diagnostics.snippet import Mark, snippet

        accent = paint.error if diagnostic.severity is Severity.ERROR else paint.warning
        yield from snippet([Mark(*mark) for mark in marks], paint, accent)
    if diagnostic.output.strip():
        yield paint.second("output:")
        yield from (f"    {line}".rstrip() for line in _output(diagnostic.output))
    if diagnostic.help is not None:
        first, *others = diagnostic.help.split("\n")
        yield f"{paint.help('help')}: {visible(first)}"
        yield from (f"      {visible(line)}" for line in others)


def _output(output: str) -> Iterator[str]:
    lines = without_sequences(output).strip("\n").split("\n")
    if len(lines) > _OUTPUT_LINES:
        yield f"… {len(lines) - _OUTPUT_LINES} lines before"
    yield from (visible(line.expandtabs(4)) for line in lines[-_OUTPUT_LINES:])


def _concise(diagnostic: Diagnostic, paint: Paint) -> str:
    place = "" if diagnostic.span is None else f"{visible(str(diagnostic.span))}: "
    return f"{place}{_headline(diagnostic, paint)}"


def _github(diagnostic: Diagnostic) -> str:
    properties = {}
    if diagnostic.span is not None:
        source = diagnostic.span.source
        start, end = source.position(diagnostic.span.start), source.position(diagnostic.span.end)
        properties = {"file": source.path, "line": start.line, "endLine": end.line}
        if start.line == end.line:
            properties |= {"col": start.column, "endColumn": end.column}
        else:
            properties |= {"col": start.column}
    properties["title"] = f"{diagnostic.code.id} {diagnostic.code.name}"
    told = ",".join(f"{name}={_github_property(str(value))}" for name, value in properties.items())
    text = diagnostic.message if diagnostic.help is None else f"{diagnostic.message}\n{diagnostic.help}"
    return f"::{diagnostic.severity.value} {told}::{_github_text(text)}"


def _github_text(text: str) -> str:
    lines = "\n".join(visible(line) for line in text.split("\n"))
    return lines.replace("%", "%25").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_text(text).replace(":", "%3A").replace(",", "%2C")
