"""Trees into canonical text."""

from __future__ import annotations

import pytest

from reproc.source import SourceFile
from reproc.syntax import parse
from reproc.syntax.format import WIDTH, format_tree


def formatted(text: str) -> str:
    outcome = parse(SourceFile("repro.spec", text))
    assert outcome.diagnostics == ()
    assert outcome.value is not None
    return format_tree(outcome.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("\n\n# only\n\n\n# twice\n", "# only\n\n# twice\n"),
        ("a   1\t2", "a 1 2\n"),
        ("a; b;c", "a\nb\nc\n"),
        ("a\n\n\n\nb", "a\n\nb\n"),
        ("a{b;c}", "a { b; c }\n"),
        ("a {\n\tb\n\n\n}", "a {\n    b\n}\n"),
        ("a {\n}", "a {}\n"),
        ("a { b {} }", "a { b {} }\n"),
        ("a { # why\n}", "a {  # why\n}\n"),
        ("a {\n\n# why\n}", "a {\n    # why\n}\n"),
        ("a # why  ", "a  # why\n"),
        ("a [ b   c ]", "a [b c]\n"),
        ("a [\nb c ] d", "a [\n    b\n    c\n] d\n"),
        ("a [ ]", "a []\n"),
        ("a [\n]", "a [\n]\n"),
        ("a [ # why\n b # because\n # own\n]", "a [  # why\n    b  # because\n    # own\n]\n"),
        ("a [ [\n b ] ]", "a [\n    [\n        b\n    ]\n]\n"),
        ('a "\\u{e9}\\u{1b}\\u{202E}\\{{"', 'a "é\\u{1B}\\u{202E}\\{{"\n'),
        ('a {\n b """\n  x\n\n   y\n  """ c\n}', 'a {\n    b """\n        x\n\n         y\n    """ c\n}\n'),
        ('a """\n"""', 'a """\n"""\n'),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    assert formatted(text) == canonical
    assert formatted(canonical) == canonical


def test_a_block_stays_on_its_line_while_it_fits() -> None:
    head, tail = "a { b ", " }"
    fits = "x" * (WIDTH - len(head) - len(tail))
    assert formatted(f"{head}{fits}{tail} # not counted") == f"{head}{fits}{tail}  # not counted\n"
    assert formatted(f"{head}{fits}x{tail} # c") == f"a {{\n    b {fits}x\n}}  # c\n"


def test_a_list_stays_on_its_line_while_it_fits() -> None:
    fits = "x" * (WIDTH - 6)
    assert formatted(f"a [b {fits}]") == f"a [b {fits}]\n"
    assert formatted(f"a [b {fits}x]") == f"a [\n    b\n    {fits}x\n]\n"
