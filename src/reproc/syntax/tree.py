"""The tree that a spec's text is parsed into; comments are kept, spans do not take part in equality."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from reproc.record import record
from reproc.source import Span


@record
class Comment:
    """A comment without its `#`, as written otherwise."""

    text: str
    span: Span = field(compare=False, repr=False)
    blank_before: bool = False
    """Whether at least one empty line stands before it."""
    behind: bool = False
    """Whether it stands behind something on the same line."""


@record
class Hole:
    """A `{{name}}` inside a string or a text."""

    name: str
    span: Span = field(compare=False, repr=False)


@record
class Word:
    """A run of characters that needs no quotes."""

    text: str
    span: Span = field(compare=False, repr=False)


@record
class String:
    """A quoted string on one line; escapes are resolved, holes are kept apart, the empty one has no parts."""

    parts: tuple[str | Hole, ...]
    span: Span = field(compare=False, repr=False)


@record
class Text:
    """A text between triple quotes, without its common indentation and its last line end."""

    parts: tuple[str | Hole, ...]
    span: Span = field(compare=False, repr=False)


@record
class List:
    """A list of values; comments inside stand before the item whose index they name."""

    items: tuple[Word | String | Text | List, ...]
    span: Span = field(compare=False, repr=False)
    comments: tuple[tuple[int, Comment], ...] = ()
    inline: bool = field(default=False, compare=False)
    """Whether it was written on one line."""


Value: TypeAlias = Word | String | Text | List


@record
class Statement:
    """A keyword, its values and its block."""

    keyword: Word
    values: tuple[Value, ...]
    block: Block | None
    span: Span = field(compare=False, repr=False)
    leading: tuple[Comment, ...] = ()
    """Comments on lines of their own above it."""
    trailing: Comment | None = None
    """The comment behind it on its last line."""
    blank_before: bool = False


@record
class Block:
    """The statements between braces."""

    statements: tuple[Statement, ...]
    span: Span = field(compare=False, repr=False)
    """From the opening brace to behind the closing one."""
    dangling: tuple[Comment, ...] = ()
    """Comments behind the last statement."""
    inline: bool = field(default=False, compare=False)
    """Whether it was written on one line."""
    heading: Comment | None = None
    """The comment behind the opening brace."""


@record
class SpecTree:
    """A parsed spec."""

    statements: tuple[Statement, ...]
    span: Span = field(compare=False, repr=False)
    dangling: tuple[Comment, ...] = ()
