"""What made a file, by its own word: the section `.comment`, and the producers that debugging information names.

Linkers merge the texts of all objects, so that a file names every compiler that had a part in it, but not in which.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

from reproc.audit.elf import MAGIC, Damaged, Elf
from reproc.record import record

ARCHIVE = b"!<arch>\n"
"""What a static library begins with (ar(5))."""
_HEADER = 60
_COMPRESSED = 0x800
_DEBUGGING = (".debug_str", ".debug_line_str", ".debug_info")
_PRODUCER = re.compile(
    rb"GNU (?:C|C\+\+|Fortran|GIMPLE)[0-9]* [0-9]+(?:\.[0-9]+)+|Go cmd/compile go[0-9]+(?:\.[0-9]+)+"
)
"""What GCC and Go write into DW_AT_producer, without the options; Clang repeats its `.comment` there."""


@record
class Maker:
    """A compiler that a text names."""

    family: str
    """`gcc`, `gfortran` where only that is meant, `clang` or `go`."""
    version: str
    distribution: str | None
    """Whose package it says that it is."""


_VERSION = r"([0-9]+(?:\.[0-9]+)*)"
_SIGNS = (
    # GCC and gfortran alike: who packaged it, the version, for some a date
    ("gcc", re.compile(rf"GCC: \((.*)\) {_VERSION}")),
    ("gfortran", re.compile(rf"GNU ()Fortran[0-9]* {_VERSION}")),
    ("gcc", re.compile(rf"GNU ()\S+ {_VERSION}")),
    ("clang", re.compile(rf"(\S*) ?clang version {_VERSION}")),
    ("go", re.compile(rf"()Go cmd/compile go{_VERSION}")),
)
_DISTRIBUTIONS = ("Debian", "Ubuntu")


def maker(text: str) -> Maker | None:
    """The compiler that a text of a file names; None if it is not a known one's."""
    for family, sign in _SIGNS:
        if match := sign.match(text):
            packaged = next((each for each in _DISTRIBUTIONS if match[1].startswith(each)), None)
            return Maker(family, match[2], packaged)
    return None


def producers(elf: Elf) -> tuple[str, ...]:
    """The texts by which a file names its compilers and linkers, sorted: `GCC: (Debian 9.3.0-22) 9.3.0`."""
    found = {*elf.producers}
    for section in elf.sections:
        if section.name in _DEBUGGING:
            found |= {each.decode() for each in _PRODUCER.findall(unpacked(elf, section.name))}
    return tuple(sorted(found))


def unpacked(elf: Elf, name: str) -> bytes:
    """A section's content; of one that is compressed in a way that cannot be undone here, nothing."""
    section = elf.section(name)
    content = elf.bytes(section) if section is not None else b""
    if section is None or not section.flags & _COMPRESSED:
        return content
    try:
        return zlib.decompress(content[24:])
    except zlib.error:
        return b""  # Zstandard, which the standard library does not have


def objects(archive: bytes | mmap.mmap) -> Iterator[Elf]:
    """The object files of a static library that can be read."""
    at = len(ARCHIVE)
    while at + _HEADER <= len(archive):
        digits = archive[at + 48 : at + 58].strip()
        if not digits.isdigit():
            return  # damaged
        size = int(digits)
        content = archive[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size + size % 2
        if content.startswith(MAGIC):
            with suppress(Damaged):
                yield Elf(content)
