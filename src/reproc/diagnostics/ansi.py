"""The only place that knows how a terminal is told to change colour, and what must never reach one."""

from __future__ import annotations

import re
from unicodedata import category, combining, east_asian_width

from reproc.record import record

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[^\n]?)"
)
_PLAIN = re.compile(r"[ -~]*")


@record
class Paint:
    """Colours, or plain text where `on` is false."""

    on: bool

    def error(self, text: str) -> str:
        return self._in("1;31", text)

    def warning(self, text: str) -> str:
        return self._in("1;33", text)

    def help(self, text: str) -> str:
        return self._in("1;36", text)

    def second(self, text: str) -> str:
        return self._in("1;34", text)

    def added(self, text: str) -> str:
        return self._in("32", text)

    def removed(self, text: str) -> str:
        return self._in("31", text)

    def strong(self, text: str) -> str:
        return self._in("1", text)

    def _in(self, codes: str, text: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self.on and text else text


def visible(text: str) -> str:
    """The text on one line, with every character that acts on a terminal, or cannot be seen, as an escape."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_shown, text))


def cells(character: str) -> tuple[str, int]:
    """How a character of a source line is shown, and how many columns that takes."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        return "    ", 4
    shown = _shown(character)
    if len(shown) > 1:
        return shown, len(shown)
    if combining(character) or category(character) in ("Mn", "Me"):
        return shown, 0
    return shown, 2 if east_asian_width(character) in ("W", "F") else 1


def without_sequences(text: str) -> str:
    """What a command wrote, without its own colours and with only the last state of lines it wrote over."""
    lines = _SEQUENCE.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _shown(character: str) -> str:
    match character:
        case "\n":
            return "\\n"
        case "\t":
            return "\\t"
        case _ if character.isprintable():
            return character
        case _:
            return f"\\u{{{ord(character):x}}}"
