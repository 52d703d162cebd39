"""The reference pages are of the schema as it is, and their examples are specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc.check import check
from reproc.diagnostics import Severity
from reproc.diagnostics.codes.schema import NOT_SUPPORTED_YET
from reproc.folder import Folder
from reproc.model import SpecFile
from reproc.model.literals import FILE, Literal
from reproc.reference import language
from reproc.reference.examples import examples, source
from reproc.reference.pages import TYPES, pages
from reproc.syntax import parse
from reproc.syntax.format import format_tree

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "reference"


def test_every_page_is_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    made = pages()
    assert sorted(written) == sorted(made), "`make docs` writes the pages anew"
    stale = [name for name, text in made.items() if written[name] != text]
    assert not stale, "`make docs` writes the pages anew"


def test_every_statement_of_the_top_has_a_page_and_an_example() -> None:
    made = pages()
    for each in language.statements(SpecFile):
        page = made[f"{each.word}.md"]
        assert f"# `{each.word}`" in page
        assert "## Example" in page, each.word
        for inner in language.statements(each.block) if each.block else ():
            assert f"`{inner.word}" in page, f"{each.word}: {inner.word}"


def test_every_type_is_told_of() -> None:
    page = pages()[TYPES]
    for each in language.literals():
        assert each.choices or f"\n## {each.name[0].upper()}{each.name[1:]}\n" in page, each.name


def test_examples_are_in_the_canonical_form() -> None:
    tree = parse(source()).value
    assert tree is not None
    assert format_tree(tree) == source().text
    assert examples(SpecFile, "as-of") == "as-of 2024-06-01\n"


def test_examples_are_a_spec(tmp_path: Path) -> None:
    """All that is wrong with them may be that this version does not build something yet."""
    parsed = parse(source())
    assert parsed.value is not None and not parsed.diagnostics
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# nothing\n")
    found = check(parsed.value, Folder(tmp_path)).diagnostics
    wrong = [
        f"{each.span}: {each.message}"
        for each in found
        if each.severity is Severity.ERROR and each.code is not NOT_SUPPORTED_YET
    ]
    assert not wrong, "\n".join(wrong)


FILES = (
    "common.spec",
    "keys/example.asc",
    "requirements.txt",
    "patches/flags.patch",
    "model/pyproject.toml",
    "data/gauges.csv",
    "solver.conf",
    "expected/table-1.csv",
)


@pytest.mark.parametrize("cls", language.blocks(), ids=lambda cls: cls.__name__)
def test_usage_shows_what_the_schema_asks_for(cls: type) -> None:
    for each in language.statements(cls):
        usage = language.usage(each)
        assert usage.split()[0] == each.word
        assert usage.endswith("{ … }") == (each.block is not None or each.word == "each")
        if isinstance(each.form, Literal) and each.form is FILE:
            assert "FILE" in usage
