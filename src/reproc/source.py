"""Source files and the places in them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import field
from functools import cached_property

from reproc.record import record


@record
class SourceFile:
    """A text that spans point into."""

    path: str
    """The path as the user wrote it, with forward slashes; only for printing."""
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        """Its name, wherever its folder may be."""
        return self.path.rpartition("/")[2]

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset of the first character of every line."""
        return (0, *(i + 1 for i, character in enumerate(self.text) if character == "\n"))

    def position(self, offset: int) -> Position:
        """The line and column of an offset, both counted from 1, columns in characters."""
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line (counted from 1) without its line end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@record
class Position:
    """A line and a column, counted from 1; made only for printing."""

    line: int
    column: int


@record
class Span:
    """A half-open range of offsets, in characters, of one source file."""

    source: SourceFile
    start: int
    end: int

    @property
    def text(self) -> str:
        """What stands there."""
        return self.source.text[self.start : self.end]

    @property
    def position(self) -> Position:
        """Where it starts."""
        return self.source.position(self.start)

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`, in the same file."""
        return Span(self.source, self.start, other.end)

    def within(self, other: Span) -> bool:
        """Whether all of it lies in `other`."""
        return self.source is other.source and other.start <= self.start and self.end <= other.end

    def __str__(self) -> str:
        position = self.position
        return f"{self.source.path}:{position.line}:{position.column}"
