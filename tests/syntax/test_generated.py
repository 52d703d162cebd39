"""The parser that the build hook generates, and what a bare checkout does without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reproc_grammar import START, grammar

GENERATE = """
import hatch_build, sys
sys.stdout.write(hatch_build.generated(open(sys.argv[1], encoding="utf-8").read()))
"""
PARSE = """
import sys
{before}
from reproc.source import SourceFile
from reproc.syntax import parse
outcome = parse(SourceFile("repro.spec", 'a "{{{{b}}}}" [c] {{ d }} e'))
assert [each.code.id for each in outcome.diagnostics] == ["E0119"], outcome
print(sorted(name for name in sys.modules if name in ("lark", "reproc_grammar._standalone")))
"""


def generate(repository: Path, seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", GENERATE, str(repository / "grammar/reproc_grammar/repro.lark")],
        cwd=repository,
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_same_grammar_gives_the_same_bytes(repository: Path) -> None:
    first = generate(repository, "1")
    assert "def Lark_StandAlone" in first
    assert generate(repository, "2") == first
    assert generate(repository, "random") == first


def test_what_lies_beside_the_grammar_is_not_stale(repository: Path) -> None:
    found = repository / "grammar/reproc_grammar/_standalone.py"
    if not found.exists():
        pytest.skip("nothing generated here: `python hatch_build.py` does")
    assert found.read_text(encoding="utf-8") == generate(repository, "3"), "run `python hatch_build.py`"


def test_the_grammar_has_no_conflict_and_stays_short() -> None:
    from lark import Lark

    Lark(grammar(), parser="lalr", lexer="basic", start=START, strict=False)
    rules = [
        line for line in grammar().splitlines() if line and line[0].islower() or line.startswith("_body")
    ]
    assert len(rules) < 20


@pytest.mark.parametrize(
    ("before", "loaded"),
    [
        ("", "['reproc_grammar._standalone']"),
        ("sys.modules['reproc_grammar._standalone'] = None", "['lark', 'reproc_grammar._standalone']"),
    ],
    ids=["generated", "bare checkout"],
)
def test_the_parser_is_found_and_lark_only_where_needed(repository: Path, before: str, loaded: str) -> None:
    if not before and not (repository / "grammar/reproc_grammar/_standalone.py").exists():
        pytest.skip("nothing generated here: `python hatch_build.py` does")
    told = subprocess.run(
        [sys.executable, "-c", PARSE.format(before=before)],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == loaded


@pytest.mark.parametrize("file", ["grammar/reproc_grammar/repro.lark", "src/reproc/syntax/quoted.py"])
def test_no_group_is_possessive(repository: Path, file: str) -> None:
    """Python before 3.11.5 misreads them (python/cpython#106052); a possessive character class is fine."""
    assert not re.findall(r"\)(?:[*+?]|\{\d*,?\d*\})\+", (repository / file).read_text(encoding="utf-8"))
