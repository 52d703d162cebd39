"""The corpus of texts: what is wrong shows exactly its golden, what is right is formatted to its golden."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc.diagnostics import Code, Outcome
from reproc.diagnostics.codes import syntax as codes
from reproc.diagnostics.render import render
from reproc.syntax import decode, parse
from reproc.syntax.format import format_tree
from reproc.syntax.tree import SpecTree

CORPUS = Path(__file__).parent.parent / "corpus"
REJECTED = sorted(path.parent for path in CORPUS.glob("reject/syntax/*/repro.spec"))
ACCEPTED = sorted(path.parent for path in CORPUS.glob("accept/syntax/*/repro.spec"))


def read(case: Path) -> Outcome[SpecTree]:
    """What reading a case's bytes comes to."""
    decoded = decode("repro.spec", (case / "repro.spec").read_bytes())
    return Outcome(None, decoded.diagnostics) if decoded.value is None else parse(decoded.value)


def compare(golden: Path, text: str, update: bool) -> None:
    if update:
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert golden.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", REJECTED, ids=lambda case: case.name)
def test_rejected(case: Path, update_golden: bool) -> None:
    outcome = read(case)
    assert outcome.errors
    compare(case / "expected.txt", render(outcome.diagnostics, "full"), update_golden)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_accepted(case: Path, update_golden: bool) -> None:
    outcome = read(case)
    assert outcome.diagnostics == ()
    assert outcome.value is not None
    compare(case / "formatted.spec", format_tree(outcome.value), update_golden)


def test_every_code_is_hit() -> None:
    told = "\n".join(path.read_text(encoding="utf-8") for path in CORPUS.glob("reject/syntax/*/expected.txt"))
    elsewhere = {codes.TOO_LARGE, codes.TOO_LONG}  # megabytes have no place in a repository; tests make them
    known = {value for value in vars(codes).values() if isinstance(value, Code)}
    assert sorted(code.id for code in known - elsewhere if f"[{code.id}]" not in told) == []


def test_no_orphan_goldens() -> None:
    goldens = [*CORPUS.glob("reject/syntax/*/expected.txt"), *CORPUS.glob("accept/syntax/*/formatted.spec")]
    assert [path for path in goldens if not (path.parent / "repro.spec").exists()] == []
