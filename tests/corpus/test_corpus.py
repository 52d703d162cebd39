"""Every folder of the corpus is a test: rejected specs show exactly their golden diagnostics, accepted ones none."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc import pipeline
from reproc.diagnostics import Code
from reproc.diagnostics.codes import rules, schema
from reproc.diagnostics.render import render

CORPUS = Path(__file__).parent
REJECTED = sorted(path.parent for path in CORPUS.glob("reject/*/*/repro.spec") if path.parts[-3] != "syntax")
ACCEPTED = sorted(path.parent for path in CORPUS.glob("accept/core/*/repro.spec"))


def name_of(case: Path) -> str:
    return "/".join(case.parts[-2:])


@pytest.mark.parametrize("case", REJECTED, ids=name_of)
def test_rejected(case: Path, update_golden: bool) -> None:
    outcome = pipeline.checked(case / "repro.spec", "repro.spec")
    assert outcome.value is None
    assert outcome.errors
    shown = render(outcome.diagnostics, "full", color=False)
    golden = case / "expected.txt"
    if update_golden:
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("case", ACCEPTED, ids=name_of)
def test_accepted(case: Path) -> None:
    outcome = pipeline.checked(case / "repro.spec", "repro.spec")
    assert render(outcome.diagnostics, "full", color=False) == ""
    assert outcome.value is not None


@pytest.mark.parametrize("area", [schema, rules], ids=["schema", "rules"])
def test_every_code_is_hit(area: object) -> None:
    codes = [code for code in vars(area).values() if isinstance(code, Code)]
    told = "\n".join(path.read_text(encoding="utf-8") for path in CORPUS.glob("reject/*/*/expected.txt"))
    assert [code.id for code in codes if f"[{code.id}]" not in told] == []


def test_no_orphan_goldens() -> None:
    assert [
        path for path in CORPUS.glob("reject/*/*/expected.txt") if not (path.parent / "repro.spec").exists()
    ] == []
