"""Examples of statements, cut out of one spec that has them all."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from reproc.model import SpecFile
from reproc.model.literals import Literal
from reproc.model.schema import Block
from reproc.record import replace
from reproc.reference.language import statements
from reproc.source import SourceFile
from reproc.syntax import parse
from reproc.syntax.format import format_tree
from reproc.syntax.tree import SpecTree, Statement

NAME = "examples.spec"


def source() -> SourceFile:
    """The spec with an example of everything."""
    return SourceFile(NAME, (files("reproc.reference") / NAME).read_text(encoding="utf-8"))


def examples(cls: type[Block], word: str) -> str:
    """How a statement of a block may look, in its canonical form; empty where there is no example."""
    return _examples().get((cls, word), "")


@cache
def _examples() -> dict[tuple[type[Block], str], str]:
    tree = parse(source()).value
    assert tree is not None, "our own spec parses"
    found: dict[tuple[type[Block], str], list[Statement]] = {}

    def walk(cls: type[Block], inside: tuple[Statement, ...]) -> None:
        forms = {each.word: each.form for each in statements(cls)}
        for statement in inside:
            word = statement.keyword.text
            known = found.setdefault((cls, word), [])
            if cls is SpecFile or not known:
                known.append(statement)
            inner = forms.get(word)
            if inner is not None and not isinstance(inner, Literal) and statement.block:
                walk(inner, statement.block.statements)

    walk(SpecFile, tree.statements)
    return {key: _text(tree, shown) for key, shown in found.items()}


def _text(tree: SpecTree, shown: list[Statement]) -> str:
    first, *rest = shown
    return format_tree(SpecTree((replace(first, blank_before=False), *rest), tree.span))
