"""`# reproc: allow`: what it silences, where, and what is said of one that does not do what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc import pipeline
from reproc.check.allow import allowed
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import warnings as codes
from reproc.diagnostics.render import render
from reproc.source import SourceFile, Span
from reproc.syntax import parse

BRANCH = "code x { git https://example.org/x.git; branch main; into /x }"
"""Warns of W0302 and nothing else."""


def check(tmp_path: Path, text: str, test: str = 'test "x" { run "true" }\n') -> tuple[Diagnostic, ...]:
    (tmp_path / "repro.spec").write_text(f"{text}\n{test}", encoding="utf-8")
    outcome = pipeline.checked(tmp_path / "repro.spec", "repro.spec", warnings=True)
    return outcome.diagnostics


def ids(found: tuple[Diagnostic, ...]) -> list[str]:
    return [each.code.id for each in found]


HEAD = "reproc 1\nbase debian bookworm\n"


@pytest.mark.parametrize(
    "text",
    [
        f"# reproc: allow W0302 the paper followed it\n{BRANCH}",
        f"# reproc: allow W0302: the paper followed it\n{BRANCH}",
        f"#reproc:allow   W0302   x\n{BRANCH}",
        f"# said by hand\n# reproc: allow W0302 x\n# and more\n\n{BRANCH}",
        f"{BRANCH}  # reproc: allow W0302 x",
        BRANCH.replace("{", "{ # reproc: allow W0302 x\n"),
        BRANCH.replace("branch main", "\n# reproc: allow W0302 x\nbranch main\n"),
        BRANCH.replace("branch main;", "\nbranch main   # reproc: allow W0302 x\n"),
        f"# reproc: allow W0302, W0311 x\n{BRANCH.replace('; into /x', '')}",
        f"# reproc: allow W0302 W0311 x\n{BRANCH.replace('; into /x', '')}",
        f"# reproc: allow W0302 x\n# reproc: allow W0311 x\n{BRANCH.replace('; into /x', '')}",
        f"target a {{\n# reproc: allow W0302 x\n{BRANCH}\n}}",
        f"# reproc: allow W0302 x\ntarget a {{\n{BRANCH}\n}}",
        "python 3.11 {\n packages [\n numpy==1\n # reproc: allow W0301 x\n scipy\n ]\n}",
        "python 3.11 {\n packages [\n numpy==1\n scipy # reproc: allow W0301 x\n ]\n}",
    ],
)
def test_it_silences(tmp_path: Path, text: str) -> None:
    assert render(check(tmp_path, HEAD + text), "full") == ""


def test_without_it_they_warn(tmp_path: Path) -> None:
    assert ids(check(tmp_path, HEAD + BRANCH)) == ["W0302"]
    assert ids(check(tmp_path, HEAD + BRANCH.replace("; into /x", ""))) == ["W0311", "W0302"]


def test_above_the_version_it_holds_for_the_whole_spec(tmp_path: Path) -> None:
    text = f"# reproc: allow W0302 W0306 a sketch\n{HEAD}{BRANCH}"
    assert ids(check(tmp_path, text, test="")) == []
    (tmp_path / "more.spec").write_text(BRANCH, encoding="utf-8")
    text = f'# reproc: allow W0302 W0306 a sketch\n{HEAD}include "more.spec"\n'
    assert ids(check(tmp_path, text, test="")) == []


def test_an_included_file_may_say_it_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "more.spec").write_text(f"# reproc: allow W0302 x\n{BRANCH}", encoding="utf-8")
    assert ids(check(tmp_path, f'{HEAD}include "more.spec"\n')) == []


def test_it_does_not_hold_for_the_next_statement(tmp_path: Path) -> None:
    other = BRANCH.replace("code x", "code y").replace("/x }", "/y }")
    assert ids(check(tmp_path, f"{HEAD}# reproc: allow W0302 x\n{BRANCH}\n{other}")) == ["W0302"]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# reproc: allow W0302", ["W0390", "W0302"]),
        ("# reproc: allow W0302 W0303", ["W0390", "W0302"]),
        ("# reproc: allow W0302 -", ["W0390", "W0302"]),
        ("# reproc: allow W0303 x", ["W0393", "W0302"]),
        ("# reproc: allow W0302 W0303 x", ["W0393"]),
        ("# reproc: allow W0366 W0302 x", ["W0391"]),
        ("# reproc: allow git-branch x", ["W0391", "W0302"]),
        ("# reproc: allow", ["W0391", "W0302"]),
        ("# reproc: allow because I say so", ["W0391", "W0302"]),
        ("# reproc: allow E0301 x", ["W0392", "W0302"]),
        ("# reproc: allow W0401 x", ["W0392", "W0302"]),
        ("# reproc: allow W0393 x", ["W0392", "W0302"]),
        ("# reproc: alow W0302 x", ["W0394", "W0302"]),
        ("# reproc: W0302 x", ["W0394", "W0302"]),
        ("# reproc:", ["W0394", "W0302"]),
        ("# reproc is not a remark", ["W0302"]),
        ("# about reproc: allow W0302 x", ["W0302"]),
    ],
)
def test_what_is_said_of_it(tmp_path: Path, comment: str, expected: list[str]) -> None:
    assert ids(check(tmp_path, f"{HEAD}{comment}\n{BRANCH}")) == expected


@pytest.mark.parametrize(
    "place", [f"{BRANCH}\n# reproc: allow W0302 x", "env {\nA 1\n# reproc: allow W0302 x\n}\n" + BRANCH]
)
def test_behind_the_last_statement_it_holds_for_nothing(tmp_path: Path, place: str) -> None:
    assert sorted(ids(check(tmp_path, HEAD + place, test=""))) == ["W0302", "W0306", "W0393"]


def test_near_names(tmp_path: Path) -> None:
    helps = {
        "# reproc: alow W0302 x": "did you mean `# reproc: allow W0302 x`?",
        "# reproc: allow moving-branch x": "did you mean `W0302`?",
        "# reproc: allow w0302 x": "did you mean `W0302`?",
        "# reproc: allow E0307 x": None,
    }
    for comment, expected in helps.items():
        found = check(tmp_path, f"{HEAD}{comment}\n{BRANCH}")[0]
        assert expected is None or found.help == expected, comment


def test_the_code_is_underlined(tmp_path: Path) -> None:
    found = check(tmp_path, f"{HEAD}# reproc: allow W0302,  W0303 x\n{BRANCH}")
    assert [each.span and each.span.text for each in found] == ["W0303"]


def test_errors_stay_and_nothing_is_said_of_comments_then(tmp_path: Path) -> None:
    """Warnings are not looked for while there are errors, so nobody knows whether a comment is needed."""
    found = check(tmp_path, f"{HEAD}# reproc: allow W0302 x\ncode x {{ git https://example.org/x.git }}")
    assert ids(found) == ["E0312"]


def test_it_is_a_function_of_its_arguments() -> None:
    source = SourceFile("repro.spec", "# reproc: allow W0302 W0303 x\na\n")
    tree = parse(source).value
    assert tree is not None
    start = source.text.index("a\n")
    inside = error(codes.MOVING_BRANCH, Span(source, start, start + 1), branch="x")
    elsewhere = error(codes.MOVING_BRANCH, None, branch="x")
    given = (inside, elsewhere)
    assert allowed((tree,), given, complete=False) == (elsewhere,)
    assert ids(allowed((tree,), given)) == ["W0302", "W0393"]
    assert given == (inside, elsewhere)
