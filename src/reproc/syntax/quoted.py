"""What stands between quotes: escapes, the holes of constants, the indentation of texts."""

from __future__ import annotations

import re
from os.path import commonprefix

from reproc.diagnostics.codes import syntax as codes
from reproc.source import SourceFile, Span
from reproc.syntax.reports import Report
from reproc.syntax.tree import Hole

Parts = tuple[str | Hole, ...]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a name is; in a hole nothing else may stand."""

_HOLE = r"\{\{(?P<hole>[^{}\n]*+)\}\}|(?P<open>\{\{(?!\{))"
_IN_STRING = re.compile(r"\\u\{(?P<number>[^{}\"]*+)\}|(?P<plain>\\\{\{)|(?P<escape>\\.?)|" + _HOLE)
_IN_TEXT = re.compile(r"(?P<plain>\\\{\{)|" + _HOLE)
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\t": "\t"}


class _Parts:
    """Parts in the making; neighbouring plain ones become one."""

    def __init__(self) -> None:
        self.done: list[str | Hole] = []
        self.plain: list[str] = []

    def hole(self, hole: Hole) -> None:
        self.flush()
        self.done.append(hole)

    def flush(self) -> None:
        text = "".join(self.plain)
        if text:
            self.done.append(text)
        self.plain = []

    def all(self) -> Parts:
        self.flush()
        return tuple(self.done)


def string_parts(source: SourceFile, start: int, end: int, report: Report) -> Parts:
    """The parts of a string whose inside stands from `start` to `end`."""
    text = source.text[start:end]
    if "\\" not in text and "{{" not in text:
        return (text,) if text else ()
    parts = _Parts()
    _read(_IN_STRING, source, start, text, parts, report)
    return parts.all()


def text_parts(source: SourceFile, start: int, end: int, report: Report) -> Parts:
    """The parts of a text whose inside, from behind its opening quotes on, stands from `start` to `end`."""
    lines = _lines(source, start, end, report)
    indentation = len(commonprefix([_leading(line) for _, line in lines if line.strip(" \t")]))
    parts = _Parts()
    for number, (at, line) in enumerate(lines):
        if number:
            parts.plain.append("\n")
        if not line.strip(" \t"):
            continue
        if "{{" in line:
            _read(_IN_TEXT, source, at + indentation, line[indentation:], parts, report)
        else:
            parts.plain.append(line[indentation:])
    return parts.all()


def _lines(source: SourceFile, start: int, end: int, report: Report) -> list[tuple[int, str]]:
    """The lines of a text with their offsets, without what is only the quotes' own line."""
    lines: list[tuple[int, str]] = []
    at = start
    for line in source.text[start:end].split("\n"):
        lines.append((at, line.rstrip("\r")))
        at += len(line) + 1
    first = lines[0][1].strip(" \t")
    if first:
        begin = start + lines[0][1].index(first)
        report(codes.TEXT_FIRST_LINE, Span(source, begin, begin + len(first)))
    else:
        del lines[0]
    if lines and not lines[-1][1].strip(" \t"):
        del lines[-1]
    return lines


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _read(
    pattern: re.Pattern[str], source: SourceFile, start: int, text: str, parts: _Parts, report: Report
) -> None:
    """Adds the parts of `text`, which stands at `start`."""
    at = 0
    for match in pattern.finditer(text):
        parts.plain.append(text[at : match.start()])
        at = match.end()
        span = Span(source, start + match.start(), start + at)
        found = match.group()
        match match.lastgroup:
            case "plain":
                parts.plain.append("{{")
            case "hole" if NAME.fullmatch(match["hole"]):
                parts.hole(Hole(match["hole"], span))
            case "hole":
                name = match["hole"].strip()
                report(codes.BAD_HOLE, span, found=found, name=name if NAME.fullmatch(name) else None)
            case "open":
                report(codes.BAD_HOLE, span, found=text[match.start() : match.start() + 12])
            case "number":
                parts.plain.append(_character(match["number"], found, span, report))
            case _:
                if found not in _ESCAPES:
                    report(codes.UNKNOWN_ESCAPE, span, escape=found, double="\\" + found)
                parts.plain.append(_ESCAPES.get(found, found))
    parts.plain.append(text[at:])


def _character(number: str, escape: str, span: Span, report: Report) -> str:
    """The character that a ``\\u{…}`` names; an empty string where it names none."""
    reason = None
    if not re.fullmatch(r"[0-9A-Fa-f]{1,6}", number):
        reason = "one to six hexadecimal digits are expected"
    elif int(number, 16) > 0x10FFFF:
        reason = "the last character is 10FFFF"
    elif 0xD800 <= int(number, 16) <= 0xDFFF:
        reason = "half of a surrogate pair is no character"
    elif int(number, 16) == 0:
        reason = "no program takes a NUL in a value"
    if reason is None:
        return chr(int(number, 16))
    report(codes.NO_CHARACTER, span, escape=escape, reason=reason)
    return ""
