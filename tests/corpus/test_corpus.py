"""Every folder of the corpus is a test: rejected specs show exactly their golden diagnostics, accepted ones none."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from reproc import pipeline
from reproc.diagnostics import Code
from reproc.diagnostics.codes import rules, schema
from reproc.diagnostics.render import render
from reproc.model import Item

CORPUS = Path(__file__).parent
REJECTED = sorted(path.parent for path in CORPUS.glob("reject/*/*/repro.spec") if path.parts[-3] != "syntax")
ACCEPTED = sorted(path.parent for path in CORPUS.glob("accept/*/*/repro.spec") if path.parts[-3] != "syntax")


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
def test_accepted(case: Path, update_golden: bool) -> None:
    outcome = pipeline.checked(case / "repro.spec", "repro.spec")
    assert render(outcome.errors, "full", color=False) == ""
    assert outcome.value is not None
    _, spec = outcome.value
    facts = {target.name: said(target) for target in spec.targets}
    facts |= {f"experiment {each.name}": said(each) for each in spec.experiments}
    shown = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    golden = case / "expected.json"
    if update_golden:
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown


def said(value: object) -> object:
    """What the spec says: a value without what has a default, and without places."""
    if isinstance(value, Item):
        return value.text
    if is_dataclass(value) and not isinstance(value, type):
        there = {each.name: getattr(value, each.name) for each in fields(value) if each.compare}
        return {name: said(each) for name, each in there.items() if each not in (None, (), False)}
    if isinstance(value, tuple):
        return [said(each) for each in value]
    return value


@pytest.mark.parametrize("area", [schema, rules], ids=["schema", "rules"])
def test_every_code_is_hit(area: object) -> None:
    codes = [code for code in vars(area).values() if isinstance(code, Code)]
    told = "\n".join(path.read_text(encoding="utf-8") for path in CORPUS.glob("reject/*/*/expected.txt"))
    assert [code.id for code in codes if f"[{code.id}]" not in told] == []


def test_no_orphan_goldens() -> None:
    assert [
        path for path in CORPUS.glob("*/*/*/expected.*") if not (path.parent / "repro.spec").exists()
    ] == []
