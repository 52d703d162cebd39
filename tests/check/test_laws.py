"""Laws of checking: nothing raises, places lie in their files, order means nothing, the cost grows with the text."""

from __future__ import annotations

import cProfile
import pstats
import random
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spec_statements import specs

from reproc.check import CheckedSpec, check
from reproc.diagnostics import Outcome
from reproc.diagnostics.render import render
from reproc.folder import Folder
from reproc.source import SourceFile
from reproc.syntax import decode, parse
from reproc.syntax.format import format_tree

CORPUS = Path(__file__).parents[1] / "corpus"
LAWFUL = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def checked(text: str, folder: Folder) -> Outcome[CheckedSpec] | None:
    """What checking says of a text; None if it cannot be parsed at all."""
    parsed = parse(SourceFile("repro.spec", text))
    if parsed.value is None:
        return None
    outcome = check(parsed.value, folder, warnings=not parsed.errors)
    return Outcome(outcome.value if not parsed.errors else None, parsed.diagnostics + outcome.diagnostics)


def assert_sound(outcome: Outcome[CheckedSpec]) -> None:
    for each in outcome.diagnostics:
        for span in (each.span, *(label.span for label in each.labels)):
            assert span is None or 0 <= span.start <= span.end <= len(span.source.text)
        own = each.message
        for value in sorted(each.facts.values(), key=len, reverse=True):
            own = own.replace(value, "")  # what a spec says may hold anything
        assert each.message and "{" not in own.replace("{{", "").replace("`{", ""), each
    for form in ("full", "concise", "json", "github"):
        render(outcome.diagnostics, form)
    assert (outcome.value is None) == bool(outcome.errors)


@LAWFUL
@given(specs)
def test_nothing_raises(folder: Folder, text: str) -> None:
    outcome = checked(text, folder)
    assert outcome is not None, text
    assert_sound(outcome)


@LAWFUL
@given(specs)
def test_formatting_changes_no_meaning(folder: Folder, text: str) -> None:
    parsed = parse(SourceFile("repro.spec", text))
    assert parsed.value is not None
    before = check(parsed.value, folder, warnings=True)
    after = checked(format_tree(parsed.value), folder)
    assert after is not None
    assert [each.message for each in before.diagnostics] == [each.message for each in after.diagnostics]
    assert before.value == after.value


@pytest.mark.parametrize(
    "case", sorted(CORPUS.glob("accept/*/*/repro.spec")), ids=lambda path: path.parent.name
)
def test_the_order_of_statements_means_nothing(case: Path) -> None:
    source = decode("repro.spec", case.read_bytes()).value
    tree = parse(source).value if source else None
    if tree is None or not tree.statements or check(tree, Folder(case.parent)).value is None:
        pytest.skip("checks with mistakes: the corpus of the syntax")
    first, *rest = (statement.span.text for statement in tree.statements)
    random.Random(case.parent.name).shuffle(rest)
    outcomes = [checked("\n".join((first, *order)), Folder(case.parent)) for order in (rest, rest[::-1])]
    named = [
        {target.name: target for target in each.value.targets} for each in outcomes if each and each.value
    ]
    assert len(named) == 2
    assert named[0].keys() == named[1].keys()
    for name, one in named[0].items():
        for field in fields(one):
            values = [getattr(each, field.name) for each in (one, named[1][name])]
            if isinstance(values[0], tuple):
                values = [sorted(value, key=repr) for value in values]
            if field.name != "origin":
                assert values[0] == values[1], field.name


@LAWFUL
@given(st.sampled_from(sorted(CORPUS.glob("*/*/*/repro.spec"))), st.randoms(use_true_random=False))
def test_no_damage_to_a_spec_raises(folder: Folder, case: Path, chance: random.Random) -> None:
    data = bytearray(case.read_bytes()[:4000])
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(3):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case _:
                start = chance.randrange(len(data) + 1)
                data[at:at] = data[start : start + chance.randint(1, 40)]
    decoded = decode("repro.spec", bytes(data))
    if decoded.value is not None:
        outcome = checked(decoded.value.text, folder)
        if outcome is not None:
            assert_sound(outcome)


def many_statements(number: int) -> str:
    """A spec of about so many statements."""
    lines = ["reproc 1", "base debian bookworm"]
    for i in range(number // 10):
        lines += [
            f"code c{i} {{ git https://example.org/c{i}; branch main }}",
            f'build c{i} {{ inputs c{i}; run "cd x && make"; run "make -j{{{{jobs}}}}"; keep /opt/c{i} }}',
            f'test "{i}" {{ run "c{i}"; expect stdout contains "{i}" }}',
        ]
    return "\n".join(lines) + "\n"


def test_cost_grows_with_the_text(folder: Folder) -> None:
    """Calls are counted, not seconds: a machine's load does not matter."""

    def calls(number: int) -> int:
        profile = cProfile.Profile()
        profile.enable()
        outcome = checked(many_statements(number), folder)
        profile.disable()
        assert outcome is not None and outcome.errors == (), render(outcome.diagnostics, "full")
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(10_000) < 4.4 * calls(2_500)
