"""The tree that a spec's text is parsed into; comments are kept, spans do not take part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from reproc.source import Span


@dataclass(frozen=True)
class Comment:
    """A comment without its `#`, as written otherwise."""

    text: str
    span: Span = field(compare=False, repr=False)
    blank_before: bool = False
    """Whether at least one empty line stands before it."""


@dataclass(frozen=True)
class Hole:
    """A `{{name}}` inside a string or a text."""

    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Word:
    """A run of characters that needs no quotes."""

    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class String:
    """A quoted string on one line; escapes are resolved, holes are kept apart."""

    parts: tuple[str | Hole, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class Text:
    """A block of text between triple quotes; its common indentation is removed."""

    parts: tuple[str | Hole, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True)
class List:
    """A list of values; comments inside stand before the item whose index they name."""

    items: tuple[Word | String | Text | List, ...]
    span: Span = field(compare=False, repr=False)
    comments: tuple[tuple[int, Comment], ...] = ()


Value: TypeAlias = Word | String | Text | List


@dataclass(frozen=True)
class Statement:
    """A keyword, its values and its block."""

    keyword: Word
    values: tuple[Value, ...]
    block: Block | None
    span: Span = field(compare=False, repr=False)
    leading: tuple[Comment, ...] = ()
    """Comments on lines of their own above it."""
    trailing: Comment | None = None
    """The comment behind it on its last line (or, with a block, on the line of its brace)."""
    blank_before: bool = False


@dataclass(frozen=True)
class Block:
    """The statements between braces."""

    statements: tuple[Statement, ...]
    span: Span = field(compare=False, repr=False)
    """From the opening brace to behind the closing one."""
    dangling: tuple[Comment, ...] = ()
    """Comments behind the last statement."""
    inline: bool = False
    """Whether it was written on one line."""


@dataclass(frozen=True)
class SpecTree:
    """A parsed spec."""

    statements: tuple[Statement, ...]
    span: Span = field(compare=False, repr=False)
    dangling: tuple[Comment, ...] = ()
