"""The source lines of a diagnostic with their spans underlined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reproc.diagnostics.ansi import Paint, cells, visible
from reproc.record import record
from reproc.source import SourceFile, Span

WINDOW = 100
"""At most so many columns of a source line are shown."""
_CONTEXT = 30
"""So many of them stand before the span in a line that is cut."""


@record
class Mark:
    """A span to underline, and the words behind the line under it."""

    span: Span
    text: str
    primary: bool


@record
class _Piece:
    """The part of a mark that lies on one line, in characters from the line's start."""

    start: int
    end: int
    text: str
    primary: bool


def snippet(marks: Sequence[Mark], paint: Paint, accent: Callable[[str], str]) -> Iterator[str]:
    """The lines that show `marks`, the primary one's file first; `accent` paints what is primary."""
    sources = list(dict.fromkeys(mark.span.source for mark in marks))
    pieces = [_pieces(source, [mark for mark in marks if mark.span.source is source]) for source in sources]
    width = len(str(max(max(lines) for lines in pieces)))
    for source, lines in zip(sources, pieces, strict=True):
        position = next(mark for mark in marks if mark.span.source is source).span.position
        arrow = "-->" if source is sources[0] else ":::"
        place = f"{visible(source.path)}:{position.line}:{position.column}"
        yield f"{' ' * width}{paint.second(arrow)} {place}"
        if source.text or any(mark.text for mark in marks):
            yield from _lines(source, lines, width, paint, accent)


def _pieces(source: SourceFile, marks: Sequence[Mark]) -> dict[int, list[_Piece]]:
    """The pieces of every line to show, in the order of lines."""
    found: dict[int, list[_Piece]] = {}
    for mark in marks:
        first = source.position(mark.span.start)
        last = source.position(max(mark.span.start, mark.span.end))
        if last.column == 1 and last.line > first.line:
            last = source.position(mark.span.end - 1)
        if first.line == last.line:
            start = first.column - 1
            piece = _Piece(start, start + mark.span.end - mark.span.start, mark.text, mark.primary)
            found.setdefault(first.line, []).append(piece)
            continue
        above = _Piece(first.column - 1, len(source.line(first.line)), "", mark.primary)
        text = source.line(last.line)
        below = _Piece(len(text) - len(text.lstrip()), last.column - 1, mark.text, mark.primary)
        found.setdefault(first.line, []).append(above)
        found.setdefault(last.line, []).append(below)
    return dict(sorted(found.items()))


def _lines(
    source: SourceFile,
    pieces: dict[int, list[_Piece]],
    width: int,
    paint: Paint,
    accent: Callable[[str], str],
) -> Iterator[str]:
    """The lines of one file behind their numbers; a gap of one line is filled, a wider one is told."""
    bar = paint.second("|")
    margin = f"{' ' * width} {bar}"
    yield margin
    before = 0
    for number, found in pieces.items():
        if before and number == before + 2:
            text, _ = _window(source.line(before + 1), _Piece(0, 0, "", False))
            yield f"{paint.second(f'{before + 1:>{width}}')} {bar} {text}".rstrip()
        elif before and number > before + 2:
            yield paint.second("...")
        line = source.line(number)
        text, offset = _window(line, min(found, key=lambda piece: (not piece.primary, piece.start)))
        yield f"{paint.second(f'{number:>{width}}')} {bar} {text}".rstrip()
        for piece in sorted(found, key=lambda piece: (piece.start, not piece.primary)):
            yield f"{margin} {_underline(line, piece, offset, accent if piece.primary else paint.second)}"
        before = number


def _underline(line: str, piece: _Piece, offset: int, colour: Callable[[str], str]) -> str:
    """The carets under a piece and its words; what lies outside the window is marked at its edge."""
    start, end = max(piece.start, offset), max(piece.end, offset)
    lead = 1 if offset else 0
    indent = min(lead + _columns(line[offset : min(start, offset + WINDOW)]), WINDOW)
    length = max(1, min(_columns(line[start : min(end, start + WINDOW)]), WINDOW - indent))
    mark = ("^" if piece.primary else "-") * length
    return " " * indent + colour(f"{mark} {visible(piece.text)}".rstrip())


def _window(line: str, piece: _Piece) -> tuple[str, int]:
    """What is shown of a line so that a piece of it is seen, and the first character that is."""
    offset = 0
    needed = max(piece.start, min(piece.end, piece.start + WINDOW // 2))
    if needed > WINDOW or _columns(line[:needed]) > WINDOW:
        offset = piece.start
        room = _CONTEXT
        while offset > 0 and (room := room - cells(line[offset - 1])[1]) >= 0:
            offset -= 1
    shown: list[str] = ["…"] if offset else []
    room = WINDOW - len(shown)
    for character in line[offset : offset + 4 * WINDOW]:
        text, width = cells(character)
        if width > room:
            shown.append("…")
            break
        shown.append(text)
        room -= width
    return "".join(shown), offset


def _columns(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(cells(character)[1] for character in text)
