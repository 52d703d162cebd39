"""The order of Debian versions (deb-version(7))."""

from __future__ import annotations

import re
from functools import lru_cache

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")

Key = tuple[int, tuple[object, ...], tuple[object, ...]]


@lru_cache(1 << 18)
def key(version: str) -> Key:
    """A value that sorts as dpkg orders versions."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return int(epoch) if epoch.isdecimal() else 0, _part(upstream), _part(revision)


def _part(text: str) -> tuple[object, ...]:
    """Alternating orders of non-digits and numbers, closed by the order of an empty run of non-digits.

    A run of non-digits ends with 0, so that `~` sorts before the end and letters before everything else;
    a missing number counts as 0.
    """
    parts: list[object] = []
    for letters, digits in _PARTS.findall(text):
        if parts and not letters and not digits:
            break
        parts.append((*map(_order, letters), 0))
        parts.append(int(digits or 0))
    return (*parts, (0,))


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def holds(version: str, relation: str, other: str) -> bool:
    """Whether `version relation other` holds; `<` and `>` are the old names of `<=` and `>=`."""
    left, right = key(version), key(other)
    match relation:
        case "<<":
            return left < right
        case "<=" | "<":
            return left <= right
        case "=":
            return left == right
        case ">=" | ">":
            return left >= right
        case ">>":
            return left > right
        case _:
            return False
