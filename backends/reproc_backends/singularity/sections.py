"""Keeps sections below the size that a def's reader can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_AT_A_STEP = 24_000
_ANYWHERE = 40_000
"""Apptainer reads a section through a `bufio.Scanner`, which stops at 65,536 bytes (pkg/build/types/parser).
Sections of the same name are put together again, line by line, so that a cut may lie anywhere."""


def in_small_sections(lines: Iterable[str]) -> Iterator[str]:
    """The same lines, with the head of a long section repeated within it; marks of steps begin with NUL."""
    head, size = "", 0
    for line in lines:
        if line.startswith("%"):
            head, size = line, 0
        elif head and (size > _ANYWHERE or (size > _AT_A_STEP and line.startswith("\0"))):
            yield head
            size = 0
        yield line
        size += len(line.encode()) + 1
