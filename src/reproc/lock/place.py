"""Where in a JSON text a value stands, for diagnostics that point at it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def place(text: str, path: Sequence[str | int]) -> tuple[int, int]:
    """Start and end of the value that a path of keys and indexes leads to, or of the nearest one around it.

    The text must be JSON.
    """
    at = _skip(text, 0)
    for step in path:
        inner = next((start for key, start in _members(text, at) if key == step), None)
        if inner is None:
            break
        at = inner
    _, end = _DECODER.raw_decode(text, at)
    line = text.find("\n", at, end)
    return at, end if line < 0 else line


def _members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """The keys, or the numbers, of an object's or a list's values, and where each begins."""
    if text[at] not in "{[":
        return
    inside, number = text[at] == "{", 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        key: str | int = number
        if inside:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield key, at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        number += 1


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None, "it matches nothing, too"
    return found.end()
