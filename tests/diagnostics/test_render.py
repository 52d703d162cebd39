"""Diagnostics in words."""

from __future__ import annotations

import json
import pickle
import re
from unicodedata import category, east_asian_width

from hypothesis import given
from hypothesis import strategies as st

from reproc.diagnostics import Code, Diagnostic, Label, error
from reproc.diagnostics.render import label, lsp_range, render, summary
from reproc.diagnostics.snippet import WINDOW
from reproc.source import SourceFile, Span

WRONG = Code(
    "E0999",
    "wrong-thing",
    "`{thing}` is wrong",
    label="this {thing}",
    help=("did you mean `{other}`?", "write {better}"),
)
ODD = Code("W0999", "odd-thing", "odd")


def at(text: str, part: str, path: str = "repro.spec") -> Span:
    start = text.index(part)
    return Span(SourceFile(path, text), start, start + len(part))


def full(*diagnostics: Diagnostic) -> str:
    return render(diagnostics, "full")


def test_one_place() -> None:
    span = at("reproc 1\n\tpyton 3\n", "pyton")
    assert full(error(WRONG, span, thing="pyton", other="python")) == (
        "error[E0999]: `pyton` is wrong\n"
        " --> repro.spec:2:2\n"
        "  |\n"
        "2 |     pyton 3\n"
        "  |     ^^^^^ this pyton\n"
        "help: did you mean `python`?\n"
    )


def test_it_is_the_same_in_another_process() -> None:
    told = error(WRONG, at("reproc 1\n", "1"), Label(at("a", "a"), "here"), thing="x")
    assert pickle.loads(pickle.dumps(told)) == told


def test_no_place_and_missing_facts() -> None:
    assert full(error(WRONG, None, thing="x")) == "error[E0999]: `x` is wrong\n"
    assert label(error(ODD, None)) == label(Diagnostic(WRONG, None)) == ""
    assert full(error(ODD, None), error(WRONG, None, thing="y", better="z")) == (
        "warning[W0999]: odd\n\nerror[E0999]: `y` is wrong\nhelp: write z\n"
    )


def test_two_places_in_one_file_are_shown_in_order_of_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(1, 13))
    source = SourceFile("repro.spec", text)
    first, second, same = (
        Span(source, text.index(part), text.index(part) + len(part)) for part in ("line 2", "line 11", "11")
    )
    assert full(error(WRONG, second, Label(first, "the first"), Label(same, "and here"), thing="x")) == (
        "error[E0999]: `x` is wrong\n"
        "  --> repro.spec:11:1\n"
        "   |\n"
        " 2 | line 2\n"
        "   | ------ the first\n"
        "...\n"
        "11 | line 11\n"
        "   | ^^^^^^^ this x\n"
        "   |      -- and here\n"
    )


def test_a_place_in_another_file() -> None:
    assert full(error(ODD, at("a b\n", "b"), Label(at("x\ny z\n", "z", "other.spec"), "there"))) == (
        "warning[W0999]: odd\n"
        " --> repro.spec:1:3\n"
        "  |\n"
        "1 | a b\n"
        "  |   ^\n"
        " ::: other.spec:2:3\n"
        "  |\n"
        "2 | y z\n"
        "  |   - there\n"
    )


def test_a_span_over_lines() -> None:
    assert full(error(WRONG, at("a {\n  b\n\n  c\n}\n", "{\n  b\n\n  c\n}"), thing="block")) == (
        "error[E0999]: `block` is wrong\n"
        " --> repro.spec:1:3\n"
        "  |\n"
        "1 | a {\n"
        "  |   ^\n"
        "...\n"
        "5 | }\n"
        "  | ^ this block\n"
    )


def test_a_span_that_takes_its_line_end_with_it() -> None:
    assert full(error(ODD, at("abc\nd\n", "abc\n"))).splitlines()[3:] == ["1 | abc", "  | ^^^"]


def test_an_empty_span_and_the_end_of_the_file() -> None:
    source = SourceFile("repro.spec", "ab")
    assert full(error(ODD, Span(source, 2, 2))).splitlines()[3:] == ["1 | ab", "  |   ^"]
    empty = SourceFile("repro.spec", "")
    assert full(error(ODD, Span(empty, 0, 0))).splitlines()[1:] == [" --> repro.spec:1:1"]


def test_what_is_missing_from_an_empty_file() -> None:
    missing = error(WRONG, Span(SourceFile("repro.spec", ""), 0, 0), thing="file")
    assert full(missing).splitlines()[1:] == [" --> repro.spec:1:1", "  |", "1 |", "  | ^ this file"]


def test_wide_and_combining_characters_are_aligned() -> None:
    lines = full(error(ODD, at("漢字 e\u0301 x 漢\n", "x 漢"))).splitlines()
    assert lines[3:] == ["1 | 漢字 e\u0301 x 漢", "  |        ^^^^"]


def test_what_acts_on_a_terminal_is_shown_as_an_escape() -> None:
    text = 'a "\x1b[2J\u202e\x07" b\n'
    shown = full(
        error(WRONG, at(text, "b"), Label(at(text, "a"), "\x1b]0;x\x07"), thing="\x1b[31m\nerror: x")
    )
    assert re.search(r"[^\n -~]", shown) is None
    assert shown.startswith("error[E0999]: `\\u{1b}[31m\\nerror: x` is wrong\n")
    assert '1 | a "\\u{1b}[2J\\u{202e}\\u{7}" b\n' in shown
    carets = next(line for line in shown.splitlines() if line.startswith("  | ") and "^" in line)
    assert carets.index("^") == shown.splitlines()[3].rindex("b") == 31


def test_long_lines_are_cut_round_the_span() -> None:
    text = "x" * 500 + " here " + "y" * 500
    lines = full(error(ODD, at(text, "here"))).splitlines()
    shown, carets = lines[3][4:], lines[4][4:]
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) <= WINDOW + 1
    assert shown[carets.index("^") :][:4] == "here"
    assert carets.strip() == "^^^^"


def test_a_span_longer_than_the_window_is_cut_too() -> None:
    lines = full(error(ODD, at("a " + "x" * 1000, "x" * 1000))).splitlines()
    assert lines[4][4:] == "  " + "^" * (WINDOW - 2)


@given(st.text(max_size=300), st.data())
def test_every_span_of_every_text_is_shown(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    diagnostic = error(WRONG, Span(SourceFile("repro.spec", text), start, end), thing=text, better=text)
    shown = full(diagnostic)
    assert all(character == "\n" or character.isprintable() for character in shown)
    if text:
        assert "^" in shown
    for line in shown.splitlines()[2:-1]:
        width = sum(2 if east_asian_width(c) in "WF" else 1 for c in line if category(c) not in ("Mn", "Me"))
        assert "^" in line or width <= WINDOW + len("999 | ")
    assert json.loads(render([diagnostic], "json"))[0]["code"] == "E0999"
    assert render([diagnostic], "github").count("\n") == 1
    assert render([diagnostic], "concise").count("\n") == 1


def test_the_output_of_a_failed_command() -> None:
    output = (
        "".join(f"line {number}\n" for number in range(30))
        + "\x1b[31mred\x1b[0m\n10%\r100%\r\n\tmake: *** [x]\x07\n\n"
    )
    lines = full(error(ODD, None, output=output)).splitlines()
    assert lines[:3] == ["warning[W0999]: odd", "output:", "    … 13 lines before"]
    assert lines[-4:] == ["    line 29", "    red", "    100%", "        make: *** [x]\\u{7}"]


def test_colour_adds_only_sequences() -> None:
    diagnostic = error(
        WRONG, at("a b\n", "b"), Label(at("a b\n", "a"), "there"), thing="b", better="c", output="x"
    )
    coloured = render([diagnostic], "full", color=True)
    assert coloured != full(diagnostic)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == full(diagnostic)


def test_concise() -> None:
    assert render([error(WRONG, at("a\n b\n", "b"), thing="b"), error(ODD, None)], "concise") == (
        "repro.spec:2:2: error[E0999]: `b` is wrong\nwarning[W0999]: odd\n"
    )


def test_json_has_the_positions_of_the_language_server_protocol() -> None:
    text = "a\n\U0001f600é b\n"
    diagnostic = error(WRONG, at(text, "b"), Label(at(text, "a"), "there"), thing="b", better="c")
    assert json.loads(render([diagnostic], "json")) == [
        {
            "code": "E0999",
            "name": "wrong-thing",
            "severity": "error",
            "message": "`b` is wrong",
            "label": "this b",
            "help": "write c",
            "file": "repro.spec",
            "range": {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 5}},
            "related": [
                {
                    "message": "there",
                    "file": "repro.spec",
                    "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}},
                }
            ],
            "output": "",
        }
    ]
    assert json.loads(render([], "json")) == []
    assert json.loads(render([error(ODD, None)], "json"))[0]["range"] is None
    assert lsp_range(at(text, "\n\U0001f600")) == {
        "start": {"line": 0, "character": 1},
        "end": {"line": 1, "character": 2},
    }


def test_github_escapes_what_would_end_its_line_or_its_field() -> None:
    diagnostic = error(WRONG, at("a\nb\n", "b", "x,y:z%.spec"), thing="100%\r\n::error::x", better="y")
    assert render([diagnostic], "github") == (
        "::error file=x%2Cy%3Az%25.spec,line=2,endLine=2,col=1,endColumn=2,title=E0999 wrong-thing::"
        "`100%25\\u{d}%0A::error::x` is wrong%0Awrite y\n"
    )
    assert render([error(ODD, None)], "github") == "::warning title=W0999 odd-thing::odd\n"
    assert render([error(ODD, at("a\nb", "a\nb"))], "github").startswith(
        "::warning file=repro.spec,line=1,endLine=2,col=1,title"
    )


def test_summary() -> None:
    assert summary([]) == ""
    assert (
        summary([error(ODD, None), error(WRONG, None, thing="a"), error(WRONG, None, thing="b")])
        == "2 errors, 1 warning"
    )
