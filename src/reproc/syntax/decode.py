"""A file's bytes as a source text, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.diagnostics.codes import syntax as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.source import SourceFile, Span

LIMIT = 4 * 1024 * 1024
"""The most bytes that a spec may have."""
_SHOWN = 20
"""At most so many forbidden characters are told of; a file with more of them is no text."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def decode(path: str, data: bytes, limit: int = LIMIT) -> Outcome[SourceFile]:
    """The text of a file, without a byte order mark and with plain line ends."""
    if len(data) > limit:
        source = SourceFile(path, "")
        return Outcome(None, (error(codes.TOO_LARGE, Span(source, 0, 0), limit=limit),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        return Outcome(None, (_not_utf8(path, data, problem),))
    source = SourceFile(path, _plain(text))
    forbidden = tuple(_forbidden(source))
    return Outcome(None if forbidden else source, forbidden)


def character_name(character: str) -> str:
    """What a character is called in a message, such as ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    from unicodedata import name

    return f"U+{ord(character):04X} {name(character, '')}".rstrip()


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _not_utf8(path: str, data: bytes, problem: UnicodeDecodeError) -> Diagnostic:
    before = _plain(data[: problem.start].decode("utf-8"))
    source = SourceFile(path, _plain(data.decode("utf-8", errors="replace")))
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    at = min(len(before), len(source.text))
    span = Span(source, at, min(at + 1, len(source.text)))
    return error(codes.NOT_UTF8, span, byte=f"0x{data[problem.start]:02X}", encoding=encoding)


def _forbidden(source: SourceFile) -> Iterator[Diagnostic]:
    for count, match in enumerate(_FORBIDDEN.finditer(source.text)):
        if count == _SHOWN:
            return
        character = match.group()
        span = Span(source, match.start(), match.end())
        escape = f"\\u{{{ord(character):X}}}"
        if character >= "\u2000":
            yield error(codes.BIDI_CHARACTER, span, character=character_name(character), escape=escape)
        else:
            allowed = escape if ord(character) else None
            yield error(codes.CONTROL_CHARACTER, span, character=character_name(character), escape=allowed)
