"""Looking at a tree as it was written: statements with what they stand in, values as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from reproc.record import record
from reproc.source import Span
from reproc.syntax.tree import Hole, List, SpecTree, Statement, String, Text, Value, Word


@record
class Seen:
    """A statement, and the statements that it stands in, the outermost first."""

    statement: Statement
    within: tuple[Statement, ...] = ()

    @property
    def word(self) -> str:
        return self.statement.keyword.text

    def inside(self, *words: str) -> bool:
        """Whether it stands directly in one of these, `each` aside."""
        outer = [each.keyword.text for each in self.within if each.keyword.text != "each"]
        return bool(outer) and outer[-1] in words

    @property
    def at_top(self) -> bool:
        """Whether it stands at the top or in a target, `each` aside."""
        return all(each.keyword.text in ("target", "each") for each in self.within)


class Spec:
    """A spec's trees, the root file's first, with what several warnings ask for made once."""

    def __init__(self, trees: Sequence[SpecTree]) -> None:
        self.trees = tuple(trees)

    @cached_property
    def all(self) -> tuple[Seen, ...]:
        """Every statement of every file."""
        return tuple(each for tree in self.trees for each in walk(tree.statements))

    @cached_property
    def top(self) -> tuple[Seen, ...]:
        """The statements at the top and in targets."""
        return tuple(each for each in self.all if each.at_top)

    def named(self, *words: str) -> tuple[Seen, ...]:
        """The statements at the top and in targets that begin with one of these words."""
        return tuple(each for each in self.top if each.word in words)

    def beside(self, value: Word | String | Text) -> str:
        """A path that the spec or a file that it includes names, from the spec's folder on."""
        root = PurePosixPath(self.trees[0].span.source.path).parent
        own = PurePosixPath(value.span.source.path).parent
        return (own.relative_to(root) / text_of(value)).as_posix()

    def in_root(self, seen: Seen) -> bool:
        """Whether it stands in the root file; what is included may be there for others too."""
        return seen.statement.span.source is self.trees[0].span.source


def walk(statements: Iterable[Statement], within: tuple[Statement, ...] = ()) -> Iterator[Seen]:
    """The statements and all that stand in them, in order; blocks nest no deeper than the parser lets them."""
    for statement in statements:
        yield Seen(statement, within)
        if statement.block:
            yield from walk(statement.block.statements, (*within, statement))


def body(statement: Statement) -> dict[str, Statement]:
    """The statements of its block by keyword; of several the last one."""
    return {each.keyword.text: each for each in statement.block.statements} if statement.block else {}


def text_of(value: Value) -> str:
    """A value's text, with `{{name}}` where a constant is put in; a list has none."""
    match value:
        case Word():
            return value.text
        case String() | Text():
            return "".join(each if isinstance(each, str) else f"{{{{{each.name}}}}}" for each in value.parts)
        case List():
            return ""


def values(statement: Statement) -> tuple[Word | String | Text, ...]:
    """Its values, with those of lists among them."""
    return tuple(_flat(statement.values))


def _flat(found: Sequence[Value]) -> Iterator[Word | String | Text]:
    for value in found:
        if isinstance(value, List):
            yield from _flat(value.items)
        else:
            yield value


def texts(statement: Statement) -> tuple[str, ...]:
    """Its values' texts."""
    return tuple(text_of(each) for each in values(statement))


def first(statement: Statement | None) -> str:
    """Its first value's text; empty if there is none."""
    return next(iter(texts(statement)), "") if statement else ""


def holes(statement: Statement) -> Iterator[str]:
    """The constants that its values name."""
    for value in values(statement):
        if not isinstance(value, Word):
            yield from (part.name for part in value.parts if isinstance(part, Hole))


def heading(statement: Statement) -> Span:
    """The keyword and its values, without the block."""
    return (
        statement.keyword.span.to(statement.values[-1].span) if statement.values else statement.keyword.span
    )
