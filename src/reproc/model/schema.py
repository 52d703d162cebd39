"""The vocabulary in which a block's class describes its statements."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, ClassVar, TypeAlias

from reproc.model.literals import Literal
from reproc.record import record
from reproc.source import Span


@record
class Jobs:
    """`{{jobs}}`: the number of build jobs, known only while building."""


ShellText: TypeAlias = tuple[str | Jobs, ...]
"""The author's shell text."""


@record(kw_only=True)
class Block:
    """A statement with its block; `origin` does not take part in equality."""

    later: ClassVar[tuple[str, ...]] = ()
    """Statements of the language that this version does not build yet."""
    named_by: ClassVar[tuple[str, ...]] = ()
    """The fields that tell two of its statements apart."""
    replaced: ClassVar[tuple[Keyword, ...]] = ()
    """Statements that other statements stand for before the block is read."""
    origin: Span = field(compare=False, repr=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it apart from others of its kind."""
        return tuple(str(getattr(self, each)) for each in self.named_by)


@record
class Item:
    """A word with its place."""

    text: str
    origin: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@record
class Value:
    """One positional value of a statement."""

    type: Literal
    doc: str
    many: bool = False
    optional: bool = False


@record
class Keyword:
    """A statement of a block: a literal (its value is the field's), or a class of its own."""

    word: str
    type: Literal | type[Block]
    doc: str
    many: bool = False
    """A literal: any number of values, in one statement or several."""
    repeat: bool = False
    """May stand several times; the field is a tuple."""
    then: str = ""
    """A word that stands behind the keyword before anything else."""


@record
class Entries:
    """Takes every statement of the block whose keyword is not known otherwise: `NAME value`."""

    type: type[Block]
    doc: str


def value(type: Literal, doc: str, *, many: bool = False, optional: bool = False) -> Any:
    """A field filled from the values behind the keyword."""
    metadata = {"value": Value(type, doc, many, optional)}
    if many:
        return field(default=(), metadata=metadata)
    return field(default=None, metadata=metadata) if optional else field(metadata=metadata)


def once(word: str, type: Literal | type[Block], doc: str, *, default: Any = None, then: str = "") -> Any:
    """A field filled by a statement that stands at most once."""
    return field(default=default, metadata={"keywords": (Keyword(word, type, doc, then=then),)})


def needed(word: str, type: Literal | type[Block], doc: str) -> Any:
    """A field filled by a statement that must stand once."""
    return field(metadata={"keywords": (Keyword(word, type, doc),)})


def many(word: str, type: Literal, doc: str) -> Any:
    """A field that gathers the values of any number of statements."""
    return field(default=(), metadata={"keywords": (Keyword(word, type, doc, many=True, repeat=True),)})


def repeated(*keywords: tuple[str, type[Block], str]) -> Any:
    """A field that gathers, in order, statements that may stand several times."""
    rows = tuple(Keyword(word, type, doc, repeat=True) for word, type, doc in keywords)
    return field(default=(), metadata={"keywords": rows})


def entries(type: type[Block], doc: str) -> Any:
    """A field that gathers the statements whose keywords are the author's own names."""
    return field(default=(), metadata={"entries": Entries(type, doc)})


@record
class BlockSchema:
    """A block's class, read once."""

    values: tuple[tuple[str, Value], ...]
    keywords: dict[str, tuple[str, Keyword]]
    entries: tuple[str, Entries] | None
    required: frozenset[str]
    """Fields without a default."""
    later: frozenset[str]
    replaced: dict[str, Keyword]

    @property
    def words(self) -> tuple[str, ...]:
        """Every keyword that may stand in the block, sorted."""
        return tuple(sorted({*self.keywords, *self.replaced, *self.later}))

    @property
    def empty(self) -> bool:
        """Whether nothing may stand in it: the statement takes no block."""
        return not self.words and self.entries is None


def schema_of(block: type[Block]) -> BlockSchema:
    """The statements that a class describes: field name and description by keyword."""
    known = _schemas.get(block)
    return known or _schemas.setdefault(block, _read_schema(block))


_schemas: dict[type[Block], BlockSchema] = {}


def _read_schema(block: type[Block]) -> BlockSchema:
    values: list[tuple[str, Value]] = []
    keywords: dict[str, tuple[str, Keyword]] = {}
    others: tuple[str, Entries] | None = None
    required: set[str] = set()
    for each in fields(block):
        if "value" in each.metadata:
            values.append((each.name, each.metadata["value"]))
        for keyword in each.metadata.get("keywords", ()):
            keywords[keyword.word] = (each.name, keyword)
            if each.default is each.default_factory:
                required.add(each.name)
        if "entries" in each.metadata:
            others = (each.name, each.metadata["entries"])
    return BlockSchema(
        tuple(values),
        keywords,
        others,
        frozenset(required),
        frozenset(block.later),
        {each.word: each for each in block.replaced},
    )
