"""Every code of the table is raised by something, and some test really provokes it.

What counts: a golden of the corpus that shows it, a page whose example is run, or a test that compares what it got
with the code's number, name or constant. A code that a test itself puts into a diagnostic does not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from reproc.diagnostics import Code, codes
from reproc.diagnostics.codes import table

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests"
PAGES = ROOT / "src/reproc/diagnostics/pages"
ABOUT_THE_TABLE = (TESTS / "diagnostics", TESTS / "cli/test_explain.py")
"""Tests of the table itself, and of how any diagnostic is shown: they provoke nothing."""
MAKERS = frozenset({"error", "problem", "Diagnostic"})
"""Calls that make a diagnostic."""
SHOWN = re.compile(r"\[([EW][0-9]{4})\]")
NUMBER = re.compile(r"(?:error|warning)?\[?([EW][0-9]{4})(?=\]| |$)")


@cache
def constants() -> dict[tuple[str, str], str]:
    """The number of the code behind each constant, by its module's name and its own."""
    found = {}
    for area in iter_modules(codes.__path__):
        for name, value in vars(import_module(f"{codes.__name__}.{area.name}")).items():
            if isinstance(value, Code):
                found[area.name, name] = value.id
    return found


@cache
def shown() -> frozenset[str]:
    """The codes in goldens of the corpus and in examples of pages that are run."""
    goldens = [path.read_text(encoding="utf-8") for path in TESTS.glob("corpus/*/*/*/expected.txt")]
    pages = {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    run = [id for id, text in pages.items() if "## Instead" in text]
    run += [id for id, text in pages.items() for ran in ran_in(text) if f"[{id}]" in ran]
    return frozenset([*SHOWN.findall("\n".join(goldens)), *run])


def ran_in(page: str) -> list[str]:
    return re.findall(r"^```console run\n(.*?)^```$", page, re.M | re.S)


class Mentions(ast.NodeVisitor):
    """The codes that a test's module compares something with."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.modules: dict[str, str] = {}
        """The area behind each name that a module of codes has here."""
        self.names: dict[str, str] = {}
        """The number behind each constant that was imported by itself."""
        self.numbers = {code.name: code.id for code in table().values() if "-" in code.name}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            if node.module == codes.__name__:
                self.modules[each.asname or each.name] = each.name
            elif node.module and node.module.startswith(f"{codes.__name__}."):
                id = constants().get((node.module.rpartition(".")[2], each.name))
                self.names |= {each.asname or each.name: id} if id else {}

    def visit_Call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id in MAKERS):
            self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            self._note(constants().get((self.modules[node.value.id], node.attr)))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._note(self.names.get(node.id))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._note(self.numbers.get(node.value))
            self.found.update(NUMBER.findall(node.value) if NUMBER.match(node.value) else ())

    def _note(self, id: str | None) -> None:
        self.found.update((id,) if id else ())


@cache
def compared() -> frozenset[str]:
    """The codes that tests compare with what they got."""
    found: set[str] = set()
    for path in modules():
        mentions = Mentions()
        mentions.visit(ast.parse(path.read_text(encoding="utf-8")))
        found |= mentions.found
    return frozenset(found)


def modules() -> Iterator[Path]:
    for path in sorted(TESTS.glob("**/test_*.py")):
        if path not in ABOUT_THE_TABLE and path.parent not in ABOUT_THE_TABLE:
            yield path


@pytest.mark.parametrize("code", table().values(), ids=lambda code: f"{code.id}-{code.name}")
def test_some_test_provokes_it(code: Code) -> None:
    assert code.id in shown() | compared(), (
        f"no test provokes {code.id}: write one, or a case of the corpus; a code that nothing raises goes"
    )


@cache
def sources() -> str:
    folders = (ROOT / "src/reproc", ROOT / "backends/reproc_backends")
    paths = (path for folder in folders for path in sorted(folder.glob("**/*.py")))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.parent.name != "codes")


@pytest.mark.parametrize("constant", constants(), ids=".".join)
def test_something_raises_it(constant: tuple[str, str]) -> None:
    assert re.search(rf"\b{constant[1]}\b", sources()), f"nothing raises {constants()[constant]}"


def test_what_a_test_makes_up_is_no_provocation() -> None:
    mentions = Mentions()
    mentions.visit(
        ast.parse(
            "from reproc.diagnostics.codes import lock as codes, verify\n"
            "from reproc.diagnostics.codes.cli import NO_LOCK\n"
            "made = error(codes.NETWORK, None)\n"
            "assert found.code is verify.NO_ENGINE\n"
            "assert found == ['unknown-package', 'E0402 x', 'a spec of E0403']\n"
            "assert found is NO_LOCK\n"
        )
    )
    assert mentions.found == {"E0603", "E0414", "E0402", "E0702"}
