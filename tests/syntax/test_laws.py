"""Laws that hold for every text: nothing raises, spans nest, formatting changes no tree."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spec_texts import any_text, right_texts, values

from reproc.diagnostics.render import render
from reproc.source import SourceFile, Span
from reproc.syntax import decode, machine, parse
from reproc.syntax.format import format_tree
from reproc.syntax.tree import Hole, List, SpecTree, Statement, String, Text, Value


def read(text: str) -> SpecTree:
    """The tree of a text that has no mistake."""
    outcome = parse(SourceFile("repro.spec", text))
    assert outcome.diagnostics == (), render(outcome.diagnostics, "full")
    assert outcome.value is not None
    return outcome.value


def spans(node: SpecTree | Statement | Value) -> Iterator[tuple[Span, Span]]:
    """Every span with the one that it lies in."""
    match node:
        case SpecTree(statements):
            for statement in statements:
                yield statement.span, node.span
                yield from spans(statement)
        case Statement(keyword, inside, block):
            yield keyword.span, node.span
            for value in inside:
                yield value.span, node.span
                yield from spans(value)
            if block is not None:
                yield block.span, node.span
                for statement in block.statements:
                    yield statement.span, block.span
                    yield from spans(statement)
        case String(parts) | Text(parts):
            yield from ((part.span, node.span) for part in parts if isinstance(part, Hole))
        case List(items):
            for item in items:
                yield item.span, node.span
                yield from spans(item)


@settings(max_examples=400)
@given(any_text)
@example("a" * 3 + "{{" * 3)
@example("\\")
@example("\ufeff")
@example("{\n}")
def test_nothing_raises(text: str) -> None:
    source = SourceFile("repro.spec", text)
    outcome = parse(source)
    for diagnostic in outcome.diagnostics:
        assert diagnostic.span is not None
        for span in (diagnostic.span, *(label.span for label in diagnostic.labels)):
            assert 0 <= span.start <= span.end <= len(text)
    starts = [diagnostic.span.start for diagnostic in outcome.diagnostics if diagnostic.span]
    assert starts == sorted(starts)
    for form in ("full", "concise", "json", "github"):
        for color in (False, True):
            shown = render(outcome.diagnostics, form, color=color)
            plain = shown.replace("\x1b[", "") if color else shown
            assert all(character == "\n" or character.isprintable() for character in plain)
    if not outcome.diagnostics:
        assert outcome.value is not None


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=60), any_text.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_no_bytes_raise(data: bytes) -> None:
    decoded = decode("repro.spec", data)
    assert (decoded.value is None) == bool(decoded.errors)
    render(decoded.diagnostics, "full")
    if decoded.value is not None:
        parse(decoded.value)


@settings(max_examples=400, deadline=None)
@given(right_texts)
def test_right_texts_have_no_errors_and_formatting_keeps_the_tree(text: str) -> None:
    tree = read(text)
    formatted = format_tree(tree)
    assert read(formatted) == tree
    assert format_tree(read(formatted)) == formatted


@settings(max_examples=400)
@given(any_text)
def test_formatting_keeps_every_tree_without_errors(text: str) -> None:
    decoded = decode("repro.spec", text.encode("utf-8", "surrogatepass")).value
    outcome = None if decoded is None else parse(decoded)
    if outcome is None or outcome.diagnostics or outcome.value is None:
        return
    formatted = format_tree(outcome.value)
    assert read(formatted) == outcome.value
    assert format_tree(read(formatted)) == formatted
    assert not any(line != line.rstrip(" \t") for line in formatted.split("\n") if '"""' not in formatted)


@settings(max_examples=300, deadline=None)
@given(right_texts)
def test_spans_nest_and_their_text_reads_the_same(text: str) -> None:
    tree = read(text)
    for inner, outer in spans(tree):
        assert outer.start <= inner.start < inner.end <= outer.end
    for statement in tree.statements:
        (again,) = read(statement.span.text).statements
        assert (again.keyword, again.values, again.block) == (
            statement.keyword,
            statement.values,
            statement.block,
        )


@settings(max_examples=200, deadline=None)
@given(values)
def test_a_value_reads_the_same_wherever_it_stands(text: str) -> None:
    (alone,) = read(f"k {text}").statements[0].values
    inside = read(f"a {{\n    b {{ k {text} }}\n}}").statements[0].block
    assert inside is not None
    nested = inside.statements[0].block
    assert nested is not None
    assert nested.statements[0].values == (alone,)
    assert alone.span.text == text


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_the_generated_parser_means_what_the_grammar_says(text: str) -> None:
    pytest.importorskip("reproc_grammar._standalone", reason="run `python hatch_build.py` first")
    source = SourceFile("repro.spec", text)
    generated = parse(source)
    with pytest.MonkeyPatch.context() as patch:
        made = by_lark_alone()
        patch.setattr(machine, "_parser", lambda: made)
        by_lark = parse(source)
    assert by_lark.value == generated.value
    assert by_lark.diagnostics == generated.diagnostics


@cache
def by_lark_alone() -> tuple[Any, Any]:
    return machine._parser_by_lark()


def read_anyhow(text: str) -> None:
    """Everything that is done with a text before its statements mean something."""
    outcome = parse(SourceFile("repro.spec", text))
    render(outcome.diagnostics, "full")
    if outcome.value is not None and not outcome.diagnostics:
        format_tree(outcome.value)


def calls(text: str) -> int:
    """What reading costs, whatever else the machine does."""
    profile = cProfile.Profile()
    profile.runcall(read_anyhow, text)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    ['run "make {{jobs}}" a b=c { with "x"; and [a b] } # why\n', "packages numpy==1.26.4 scipy\n"],
)
def test_cost_grows_with_the_text(line: str) -> None:
    assert calls(line * 2_000) < 4.4 * calls(line * 500)


HOSTILE = [
    "{", "}", "[", "]", '"', '"""', "\\", "{{", "}}", "#", "'", ",", ";", "a[", "a[b]", "a{", "a{}", "a{};",
    "a {b\n", "[a]", '""', '" ', "\\\n", "{{a}}", "a{{", "a b{{", "\u00a0", "\n", "a\\\n", "a\n{\n", '"\\',
    'a """\n', "=", "a=", "a;extra<1;", "a" * 50, "[[[", "x[x[x[x[x[", "[a][a]", "]a[", '"{{',
    "a '", "\u201c",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("crumb", HOSTILE)
def test_hostile_texts_take_no_longer_than_others(crumb: str) -> None:
    """Regular expressions can cost a power of the text in one call: here only time tells, beside a tame text's."""
    size = 60_000
    tame = min(seconds("packages numpy==1.26.4 scipy\n" * (size // 30)) for _ in range(2))
    for text in (
        crumb * (size // len(crumb)),
        "a " + crumb * (size // len(crumb)),
        "a[" + crumb * (size // len(crumb)),
    ):
        assert seconds(text) < 60 * tame


def seconds(text: str) -> float:
    """Processor time of reading."""
    begin = time.process_time()
    read_anyhow(text)
    return time.process_time() - begin


def test_depth_is_bounded_not_the_stack() -> None:
    deepest: Any = read("a { " * 32 + "} " * 32)
    for _ in range(32):
        deepest = deepest.statements[0].block or deepest
    assert parse(SourceFile("repro.spec", "a { " * 33 + "} " * 33)).value is None
