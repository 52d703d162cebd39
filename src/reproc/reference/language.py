"""The statements of the language, block by block, as the model's classes describe them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from inspect import cleandoc

from reproc.model import Each, SpecFile
from reproc.model import literals as literal_types
from reproc.model.literals import Literal
from reproc.model.schema import Block, Entries, Keyword, Value, schema_of
from reproc.record import record


@record
class Statement:
    """A statement as its block sees it."""

    word: str
    form: Literal | type[Block]
    """A literal, or the class of its block."""
    doc: str
    many: bool
    repeat: bool
    required: bool
    default: object
    """None where leaving it out means no value."""
    then: str
    supported: bool

    @property
    def values(self) -> tuple[tuple[str, Value], ...]:
        """What may stand behind the keyword, each with a name in capitals; of a bare keyword nothing."""
        if not isinstance(self.form, Literal):
            return tuple((name.upper(), value) for name, value in schema_of(self.form).values)
        if not self.form.example:
            return ()
        return ((_placeholder(self.form), Value(self.form, self.doc, self.many)),)

    @property
    def block(self) -> type[Block] | None:
        """The class of its block, where it may have one of its own statements."""
        cls = None if isinstance(self.form, Literal) else self.form
        return cls if cls and (statements(cls) or entries(cls)) else None

    @property
    def encloses(self) -> bool:
        """Whether it has a block, be it of the statements of the place that it stands in."""
        return self.block is not None or self.form is Each


def statements(cls: type[Block]) -> tuple[Statement, ...]:
    """The statements of a block, in the order in which its class has them."""
    schema = schema_of(cls)
    rows: list[tuple[Keyword, str | None]] = [(keyword, name) for name, keyword in schema.keywords.values()]
    rows += [(keyword, None) for keyword in schema.replaced.values()]
    return tuple(_statement(cls, keyword, name) for keyword, name in rows)


def _statement(cls: type[Block], keyword: Keyword, field: str | None) -> Statement:
    return Statement(
        word=keyword.word,
        form=keyword.type,
        doc=keyword.doc,
        many=keyword.many,
        repeat=keyword.repeat,
        required=field in schema_of(cls).required,
        default=_default(cls, field),
        then=keyword.then,
        supported=keyword.word not in cls.later,
    )


def _default(cls: type[Block], name: str | None) -> object:
    default = next((each.default for each in fields(cls) if each.name == name), None)
    return None if default is MISSING or default == () or default is False else default


def entries(cls: type[Block]) -> Entries | None:
    """What takes the statements whose keywords are the author's own names."""
    found = schema_of(cls).entries
    return found[1] if found else None


def blocks() -> tuple[type[Block], ...]:
    """Every class of the language, the whole spec first."""
    found: list[type[Block]] = [SpecFile]
    for cls in found:
        for each in statements(cls):
            if not isinstance(each.form, Literal) and each.form not in found:
                found.append(each.form)
    return tuple(found)


def literals() -> tuple[Literal, ...]:
    """Every type of value, once for each name; bare keywords have none."""
    found: dict[str, Literal] = {}
    for cls in blocks():
        types = [value.type for _, value in schema_of(cls).values]
        types += [each.form for each in statements(cls) if isinstance(each.form, Literal)]
        for each in types:
            if each.example:
                found.setdefault(each.name, each)
    return tuple(found.values())


def doc(cls: type[Block]) -> str:
    """What a block is for."""
    return cleandoc(cls.__doc__ or "")


def usage(statement: Statement) -> str:
    """How it is written: `toolchain NAME VERSION { … }`; what may be left out stands in brackets."""
    words = [statement.word, *([statement.then] if statement.then else [])]
    for name, value in statement.values:
        shown = "|".join(value.type.choices) or name
        shown = f"{shown}…" if value.many else shown
        words.append(f"[{shown}]" if value.optional else shown)
    if statement.encloses:
        words.append("{ … }")
    return " ".join(words)


def _placeholder(literal: Literal) -> str:
    """A literal's name as one word in capitals: "an absolute path" is PATH."""
    if literal.choices:
        return "VALUE"
    return literal.name.partition(" beside ")[0].split()[-1].upper()


def written(value: object, form: object) -> str:
    """A value as a spec has it: what a number stands for is known from its form."""
    if value is True:
        return "yes"
    if form is literal_types.DATE and isinstance(value, int):
        from datetime import UTC, datetime

        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").removesuffix("T00:00:00Z")
    if form is literal_types.MODE and isinstance(value, int):
        return f"{value:04o}"
    return f"{value}s" if form is literal_types.DURATION else str(value)
