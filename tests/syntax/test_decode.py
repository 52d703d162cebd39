"""Bytes into text."""

from __future__ import annotations

import pytest

from reproc.diagnostics.codes import syntax as codes
from reproc.source import Span
from reproc.syntax import decode
from reproc.syntax.decode import LIMIT


def test_a_mark_is_dropped_and_line_ends_are_plain() -> None:
    source = decode("repro.spec", '\ufeffreproc 1\r\nlabel a "é"\n'.encode()).value
    assert source is not None
    assert (source.path, source.text) == ("repro.spec", 'reproc 1\nlabel a "é"\n')


def test_empty() -> None:
    outcome = decode("repro.spec", b"")
    assert outcome.value is not None
    assert outcome.value.text == ""


@pytest.mark.parametrize(
    ("data", "at", "line", "column"),
    [
        (b"caf\xe9", 3, 1, 4),
        (b"\xef\xbb\xbfa\r\nb\r\n\xff", 4, 3, 1),
        ("漢\n".encode() + b"\xed\xa0\x80", 2, 2, 1),
        (b"\xe6\xbc", 0, 1, 1),
        (b"a \xc0\x80", 2, 1, 3),
    ],
)
def test_bytes_that_are_not_utf8_have_a_place(data: bytes, at: int, line: int, column: int) -> None:
    outcome = decode("repro.spec", data)
    assert outcome.value is None
    (problem,) = outcome.diagnostics
    assert problem.code is codes.NOT_UTF8
    assert isinstance(problem.span, Span)
    assert problem.span.start == at
    assert (problem.span.position.line, problem.span.position.column) == (line, column)


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"\xff\xfea\0", "UTF-16"), (b"\xfe\xff\0a", "UTF-16"), (b"\xff\xfe\0\0a\0\0\0", "UTF-32")],
)
def test_other_encodings_are_recognised(data: bytes, name: str) -> None:
    (problem,) = decode("repro.spec", data).diagnostics
    assert problem.help == f"it looks like {name}; save it as UTF-8"


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x0b", "\x0c", "\r", "\x7f", "\x85", "\x9b"])
def test_control_characters(character: str) -> None:
    outcome = decode("repro.spec", f'label a "x{character}y"\n'.encode())
    assert outcome.value is None
    (problem,) = outcome.diagnostics
    assert problem.code is codes.CONTROL_CHARACTER
    assert problem.span is not None
    assert problem.span.text == character


@pytest.mark.parametrize("character", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_bidirectional_overrides(character: str) -> None:
    (problem,) = decode("repro.spec", f"# {character}\n".encode()).diagnostics
    assert problem.code is codes.BIDI_CHARACTER
    assert problem.facts["character"].startswith(f"U+{ord(character):04X} ")


def test_tabs_and_lines_are_no_control_characters() -> None:
    assert decode("repro.spec", b"a\tb\r\n\tc\n").diagnostics == ()


def test_many_forbidden_characters_are_told_of_once_in_a_while() -> None:
    assert len(decode("repro.spec", b"\0" * 10_000).diagnostics) == 20


def test_size() -> None:
    assert decode("repro.spec", b"#" * LIMIT).value is not None
    outcome = decode("repro.spec", b"#" * (LIMIT + 1))
    assert outcome.value is None
    (problem,) = outcome.diagnostics
    assert problem.code is codes.TOO_LARGE
    assert str(problem.span) == "repro.spec:1:1"
    assert problem.message == "the file is larger than the 4194304 bytes that a spec may have"
