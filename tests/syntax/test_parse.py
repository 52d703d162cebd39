"""Text into a tree, piece by piece."""

from __future__ import annotations

from importlib import import_module

import pytest

from reproc.diagnostics import Outcome
from reproc.diagnostics.codes import syntax as codes
from reproc.diagnostics.render import render
from reproc.source import SourceFile
from reproc.syntax import parse
from reproc.syntax.tree import Hole, List, SpecTree, Statement, String, Text, Value, Word


def outcome_of(text: str) -> Outcome[SpecTree]:
    return parse(SourceFile("repro.spec", text))


def tree_of(text: str) -> SpecTree:
    outcome = outcome_of(text)
    assert outcome.diagnostics == (), render(outcome.diagnostics, "full")
    assert outcome.value is not None
    return outcome.value


def statement_of(text: str) -> Statement:
    (statement,) = tree_of(text).statements
    return statement


def value_of(text: str) -> Value:
    (value,) = statement_of(f"k {text}").values
    return value


def parts_of(text: str) -> tuple[str | tuple[str], ...]:
    """The parts of a string or a text, a hole as its name in a tuple."""
    value = value_of(text)
    assert isinstance(value, String | Text)
    return tuple((part.name,) if isinstance(part, Hole) else part for part in value.parts)


@pytest.mark.parametrize(
    "word",
    [
        "4.9", "numpy==1.21.6", "datalad[full]", "https://x/y#z", "sha256:ab", "10.5281/zenodo.1", "2GB",
        "x86-64-v2", "sm_70..sm_90", ">=450", "a[b[c[d]]]e", "x#y", "a,b", "pkg:npm/%40scope/name@1.0.0",
        "a=b", "$HOME", "é", "a'b", "\\x", "swh:1:rev:0", "*",
    ],
)  # fmt: skip
def test_words(word: str) -> None:
    value = value_of(word)
    assert isinstance(value, Word)
    assert (value.text, value.span.text) == (word, word)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('""', ()),
        ('"a b"', ("a b",)),
        (r'"\"\\\n\t\u{1F600}\u{e9}"', ('"\\\n\t\U0001f600é',)),
        ('"{{a}}"', (("a",),)),
        ('"x {{a}}{{b.c-1}} y"', ("x ", ("a",), ("b.c-1",), " y")),
        (r'"\{{a}}"', ("{{a}}",)),
        (r'"\\{{a}}"', ("\\", ("a",))),
        ('"{{{a}}}"', ("{", ("a",), "}")),
        (r'"\{{{{{a}}"', ("{{{", ("a",))),
        ('"{ } }} # ; [ ] $(x) ${x}"', ("{ } }} # ; [ ] $(x) ${x}",)),
    ],
)
def test_strings(text: str, parts: tuple[object, ...]) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('"""\n"""', ()),
        ('"""\n\n"""', ()),
        ('"""\n\n\n"""', ("\n",)),
        ('"""\n    a\n      b\n\n    c\n  """', ("a\n  b\n\nc",)),
        ('"""\n\ta\n\t\tb"""', ("a\n\tb",)),
        ('"""\n  a\n\tb\n"""', ("  a\n\tb",)),
        ('"""\na {{x}} \\{{ \\n \\ "q" ""\n"""', ("a ", ("x",), ' {{ \\n \\ "q" ""')),
        ('"""  \n   \n  a\n \n  """', ("\na\n",)),
        ('"""\n  {{x}}\n   {{y}}\n"""', (("x",), "\n ", ("y",))),
    ],
)
def test_texts(text: str, parts: tuple[object, ...]) -> None:
    assert parts_of(text) == parts


def test_holes_have_exact_places() -> None:
    source = 'k "a{{b}}" """\n      x\n        {{c}}\n"""'
    first, second = statement_of(source).values
    holes = [part for value in (first, second) if isinstance(value, String | Text) for part in value.parts]
    assert [hole.span.text for hole in holes if isinstance(hole, Hole)] == ["{{b}}", "{{c}}"]


def test_lists_over_several_lines() -> None:
    value = value_of('[a "b"\n  # own\n\n  [c] # behind\n]')
    assert isinstance(value, List)
    assert value.items == (
        Word("a", value.span),
        String(("b",), value.span),
        List((Word("c", value.span),), value.span),
    )
    assert [(index, comment.text, comment.behind) for index, comment in value.comments] == [
        (2, " own", False),
        (3, " behind", True),
    ]
    assert not value.inline


def test_statements_end_at_lines_and_semicolons() -> None:
    tree = tree_of("a 1; b 2 ;; c { d; e 3 }\n;f")
    assert [statement.keyword.text for statement in tree.statements] == ["a", "b", "c", "f"]
    block = tree.statements[2].block
    assert block is not None
    assert block.inline
    assert [statement.span.text for statement in block.statements] == ["d", "e 3"]
    assert block.span.text == "{ d; e 3 }"


def test_comments_find_their_places() -> None:
    tree = tree_of("# 1\n\n# 2\na # 3\nb { # 4\n  # 5\n  c\n  # 6\n} # 7\n\n# 8\n")
    a, b = tree.statements
    assert [(comment.text, comment.blank_before) for comment in a.leading] == [(" 1", False), (" 2", True)]
    assert a.trailing is not None
    assert (a.trailing.text, a.blank_before) == (" 3", False)
    assert b.block is not None
    assert b.block.heading is not None
    assert b.block.heading.text == " 4"
    assert [comment.text for comment in b.block.statements[0].leading] == [" 5"]
    assert [comment.text for comment in b.block.dangling] == [" 6"]
    assert b.trailing is not None
    assert b.trailing.text == " 7"
    assert [(comment.text, comment.blank_before) for comment in tree.dangling] == [(" 8", True)]


def test_blank_lines_are_known() -> None:
    tree = tree_of("\n\na\nb\n\n\n\nc\n")
    assert [statement.blank_before for statement in tree.statements] == [False, False, True]


def test_an_empty_file_is_an_empty_tree() -> None:
    assert tree_of("").statements == ()
    assert [comment.text for comment in tree_of("# only\n").dangling] == [" only"]


def test_carriage_returns_are_blanks() -> None:
    assert tree_of("a 1\r\nb {\r\n}\r\n") == tree_of("a 1\nb {\n}\n")


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("packages a, b ,c , d", "packages a b c d"),
        ('packages "a", "b"', 'packages "a" "b"'),
        ("python = 3.11", "python 3.11"),
        ("python=3.11", "python 3.11"),
        ('license="MIT"', 'license "MIT"'),
        ("python: 3.11", "python 3.11"),
        ("toolchain openmpi {{v}}", 'toolchain openmpi "{{v}}"'),
        ("into /opt/{{v}}/src", 'into "/opt/{{v}}/src"'),
        ("a b \\\n c", "a b c"),
        ("a b\\\n c", "a b c"),
        ("a b\n{\n c\n}", "a b {\n c\n}"),
        ("a b\n\n# x\n{ c }", "a b { c }"),
        ('packages numpy==1.2; python_version < "3"', "packages numpy==1.2"),
        ("run 'make all'", 'run "make all"'),
        ("run \u201cmake\u201d", 'run "make"'),
        ('run CC="gcc -O2"', 'run "CC=gcc -O2"'),
        ("a\u00a0b", "a b"),
        ("a { b } c", "a { b }\nc"),
        ("a { b } { c }", "a { b }"),
        ("a b]", "a b"),
        ("a [b; c]", "a [b c]"),
        ('a\n"b" c\nd', "a\nd"),
        ('a "b', 'a "b"'),
        ('a "\\q"', 'a "\\\\q"'),
        ('a "{{ b }}"', 'a ""'),
    ],
)
def test_slips_are_mended(text: str, mended: str) -> None:
    outcome = outcome_of(text)
    assert len(outcome.errors) == 1, render(outcome.diagnostics, "full")
    right = tree_of(mended)
    assert outcome.value is not None

    def bare(statement: Statement) -> object:
        inside = None if statement.block is None else [bare(each) for each in statement.block.statements]
        return statement.keyword, statement.values, inside

    assert [bare(each) for each in outcome.value.statements] == [bare(each) for each in right.statements]


@pytest.mark.parametrize("text", ["a {", "}", "a [b", 'a """\nb', "a {\n b [\n}", 'a { b "c }', "a {" * 33])
def test_a_doubtful_structure_gives_no_tree(text: str) -> None:
    outcome = outcome_of(text)
    assert outcome.errors
    assert outcome.value is None


@pytest.mark.parametrize(
    "text", ["a numpy==1.2,<2", "env { X a=b }", "label a=b c", "a :b", "packages x=1 y==2", "extra x; y 1"]
)
def test_what_only_looks_like_a_slip(text: str) -> None:
    tree_of(text)


def test_errors_come_in_the_order_of_the_source() -> None:
    outcome = outcome_of('a "\\q"\nb, c\nd ]\ne = 1\n')
    assert [each.code for each in outcome.diagnostics] == [
        codes.UNKNOWN_ESCAPE,
        codes.STRAY_BRACKET,
        codes.ASSIGNMENT,
    ]


def test_words_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("reproc.syntax.parse"), "TOKENS", 300)
    assert outcome_of("a b\n" * 100).value is not None
    outcome = outcome_of("a b\n" * 101)
    assert outcome.value is None
    assert [each.code for each in outcome.diagnostics] == [codes.TOO_LONG]
