"""The reference pages: one for each statement that may stand at the top, an index, the types of values."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.model import SpecFile
from reproc.model.literals import Literal, Unfit
from reproc.model.schema import Block, Value
from reproc.reference import language
from reproc.reference.examples import examples
from reproc.reference.language import Statement

INDEX = "README.md"
TYPES = "types.md"
NOTE = "<!-- Written from the schema by `make docs`; what it says is in src/reproc/model/. -->\n"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    shown = list(language.statements(SpecFile))
    made = {f"{each.word}.md": _text(_page(each)) for each in shown}
    return {INDEX: _text(_index(shown)), **made, TYPES: _text(_types())}


def _text(lines: Iterator[str]) -> str:
    return NOTE + "".join(f"{line}\n" for line in lines)


def _index(shown: list[Statement]) -> Iterator[str]:
    yield from ("# The statements of a spec", "")
    yield "What may stand at the top of a `repro.spec`; each page has what may stand inside."
    yield from ("", "| statement | meaning | also in |", "|---|---|---|")
    for each in sorted(shown, key=lambda each: each.word):
        also = ", ".join(f"`{word}`" for word, _ in _elsewhere(each))
        yield f"| [`{each.word}`]({each.word}.md) | {_cell(_sentence(each))} | {also} |"
    yield from ("", f"What the values look like: [types of values]({TYPES}).")


def _elsewhere(statement: Statement) -> list[tuple[str, type[Block]]]:
    """The statements of the top whose block takes this very statement too."""
    return [
        (outer.word, outer.block)
        for outer in language.statements(SpecFile)
        if outer.block
        and any(
            each.word == statement.word and _same(each, statement)
            for each in language.statements(outer.block)
        )
    ]


def _same(one: Statement, other: Statement) -> bool:
    """Whether two statements of one word say the same."""
    return one.form is other.form and (not isinstance(one.form, Literal) or one.doc == other.doc)


def _page(statement: Statement) -> Iterator[str]:
    yield from (f"# `{statement.word}`", "")
    yield _sentence(statement)
    yield from ("", "```", language.usage(statement), "```", "")
    yield f"Stands {_places(statement)}. {_times(statement)}"
    if not statement.supported:
        yield from ("", "This version knows the statement but does not build it yet.")
    yield from _values(statement)
    if not isinstance(statement.form, Literal):
        yield from _block(statement.form, "## ", [statement.form])
    example = _example(statement)
    if example:
        yield from ("", "## Example", "", "```", example.rstrip("\n"), "```")


def _block(cls: type[Block], heading: str, seen: list[type[Block]]) -> Iterator[str]:
    """What may stand in a block, then the blocks in it that have no page of their own."""
    inside = language.statements(cls)
    others = language.entries(cls)
    if others is not None:
        yield from ("", f"{heading}In the block", "", f"{others.doc}.")
    if not inside:
        return
    yield from ("", f"{heading}In the block", "", "| statement | meaning | |", "|---|---|---|")
    for each in inside:
        yield f"| {_linked(cls, each)} | {_cell(each.doc)} | {_cell(_marks(each))} |"
    for each in inside:
        inner = each.block
        if inner is None or _has_page(each) or inner in seen:
            continue
        seen.append(inner)
        yield from ("", f"## `{each.word}` in it", "", language.doc(inner))
        yield from ("", "```", language.usage(each), "```")
        yield from _values(each)
        yield from _block(inner, "### ", seen)


def _linked(cls: type[Block], statement: Statement) -> str:
    usage = f"`{_cell(language.usage(statement))}`"
    return f"[{usage}]({statement.word}.md)" if _has_page(statement) else usage


def _has_page(statement: Statement) -> bool:
    """Whether this very statement has a page, not only one of its name."""
    return any(
        each.word == statement.word and _same(each, statement) for each in language.statements(SpecFile)
    )


def _values(statement: Statement) -> Iterator[str]:
    if not statement.values:
        return
    yield from ("", "| value | type | meaning |", "|---|---|---|")
    for name, value in statement.values:
        yield f"| {name} | {_cell(_type(value))} | {_cell(value.doc)} |"


def _type(value: Value) -> str:
    literal = value.type
    shown = literal.name if literal.choices else f"[{literal.name}]({TYPES}#{_anchor(literal)})"
    times = ", any number" if value.many else ""
    return f"{shown}{times}{', may be left out' if value.optional else ''}"


def _marks(statement: Statement) -> str:
    told = statement.default is None or "if not given" in statement.doc
    default = "" if told else f"default: `{language.written(statement.default, statement.form)}`"
    words = [
        "required" if statement.required else "",
        "may be repeated" if statement.repeat else "",
        default,
        "" if statement.supported else "not in this version",
    ]
    return "; ".join(word for word in words if word)


def _sentence(statement: Statement) -> str:
    """The statement's meaning as a sentence."""
    if not isinstance(statement.form, Literal):
        return language.doc(statement.form)
    return f"{statement.doc[0].upper()}{statement.doc[1:]}."


def _places(statement: Statement) -> str:
    places = ["at the top", *(f"in [`{word}`]({word}.md)" for word, _ in _elsewhere(statement))]
    return " and ".join(places)


def _times(statement: Statement) -> str:
    if statement.required:
        return "Required, once."
    if not statement.repeat:
        return "At most once in each place."
    named = () if isinstance(statement.form, Literal) else statement.form.named_by
    return f"May be repeated{'; told apart by ' + ' and '.join(named) if named else ''}."


def _example(statement: Statement) -> str:
    """An example from the top, or else from a block that takes the statement too."""
    classes: list[type[Block]] = [SpecFile, *(cls for _, cls in _elsewhere(statement))]
    return next(filter(None, (examples(cls, statement.word) for cls in classes)), "")


def _types() -> Iterator[str]:
    yield from ("# Types of values", "")
    yield "A value with blanks, or one that is not a plain word, stands between quotes."
    for each in language.literals():
        if each.choices:
            continue
        yield from ("", f"## {_title(each)}", "", f"Such as `{each.example}`.")
        if problem := _refusal(each):
            yield from ("", f"Of another value a message says, for instance, that it {problem}.")
        if each.multiline:
            yield from ("", 'Several lines stand between `"""`.')
        if each.shell:
            yield from ("", "`{{jobs}}` in it is the number of build jobs.")
        yield from ("", f"Taken by {', '.join(_users(each))}.")


def _title(literal: Literal) -> str:
    return literal.name[0].upper() + literal.name[1:]


def _anchor(literal: Literal) -> str:
    """The anchor of the type's heading."""
    kept = (character for character in literal.name.lower() if character.isalnum() or character in " -_")
    return "".join(kept).replace(" ", "-")


def _refusal(literal: Literal) -> str:
    """What the type says of a value that has none of the forms."""
    for probe in ("", "?", "\n"):
        try:
            literal.parse(probe)
        except Unfit as problem:
            return str(problem)
    return ""


def _users(literal: Literal) -> list[str]:
    """The statements that take a value of the type."""
    found = {
        each.word
        for cls in language.blocks()
        for each in language.statements(cls)
        if any(value.type.name == literal.name for _, value in each.values)
    }
    return [f"`{word}`" for word in sorted(found)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
