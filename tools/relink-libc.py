#!/usr/bin/env python3
"""Makes a program linked against glibc 2.38 start on an older glibc, where only C23 names stand in the way.

Since glibc 2.38, code compiled for C23 calls `__isoc23_strtol` and its kin where it used to call `strtol`;
they differ in reading binary literals such as `0b101`, nothing else (glibc 2.38 release notes). A program
that needs 2.38 for these alone is brought back by two changes to its dynamic section:

* the symbol's name: an offset into the string table. `__isoc23_strtol` ends in `strtol`, so the offset moves
  past the prefix and the table itself stays as it is;
* the version that the symbol asks for: an entry of `.gnu.version_r` holds the hash and the name of
  `GLIBC_2.38`; it gets those of the platform's first glibc version, which has always had `strtol`.

Whatever else the program needs from a newer glibc than MAXIMUM is an error, and the file is left alone.

usage: relink-libc.py MAXIMUM FILE…           (MAXIMUM: the host's glibc, such as 2.36)
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

PREFIX = b"__isoc23_"
C23 = b"GLIBC_2.38"
FIRST_VERSION = {62: b"GLIBC_2.2.5", 183: b"GLIBC_2.17"}  # by e_machine: x86-64, AArch64
SHT_DYNSYM, SHT_GNU_VERNEED, SHT_GNU_VERSYM = 11, 0x6FFFFFFE, 0x6FFFFFFF


class NotPossible(Exception):
    """The file needs more than this can do."""


@dataclass(frozen=True)
class Section:
    """Where a section of an ELF file lies: its type, its place, its length, the section that it refers to."""

    type: int
    offset: int
    size: int
    link: int


def sysv_hash(name: bytes) -> int:
    """The hash of a symbol version, as the System V ABI defines it."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


def sections(data: bytes | bytearray) -> list[Section]:
    """The section table of a 64-bit little-endian ELF file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise NotPossible("not a 64-bit little-endian ELF file")
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    rows = (struct.unpack_from("<IIQQQQIIQQ", data, start + size * index) for index in range(count))
    return [Section(row[1], row[4], row[5], row[6]) for row in rows]


def only(found: list[Section], kind: int) -> Section:
    """The one section of a type."""
    for section in found:
        if section.type == kind:
            return section
    raise NotPossible("no dynamic symbols or no symbol versions")


def relink(data: bytearray, maximum: tuple[int, ...]) -> int:
    """Changes the file's bytes in place and returns how many symbols now have another name."""
    found = sections(data)
    symbols, needs, symbol_versions = (
        only(found, kind) for kind in (SHT_DYNSYM, SHT_GNU_VERNEED, SHT_GNU_VERSYM)
    )
    strings = found[symbols.link].offset
    (machine,) = struct.unpack_from("<H", data, 18)

    def name(offset: int) -> bytes:
        return bytes(data[strings + offset : data.index(0, strings + offset)])

    versions: dict[int, bytes] = {}  # place of the entry → its version, of all of libc's
    entry = needs.offset
    while True:
        _, count, file, auxiliary, following = struct.unpack_from("<HHIII", data, entry)
        place = entry + auxiliary
        for _ in range(count):
            (version_name, next_version) = struct.unpack_from("<II", data, place + 8)
            if name(file).startswith((b"libc.so", b"libm.so", b"ld-linux")):
                versions[place] = name(version_name)
            place += next_version
        if not following:
            break
        entry += following

    first = FIRST_VERSION.get(machine)
    anchors = [place for place, version in versions.items() if version == first]
    if first is None or not anchors:
        raise NotPossible("an architecture whose first glibc version is not known here")
    (first_name,) = struct.unpack_from("<I", data, anchors[0] + 8)

    indexes = set()  # what a symbol's row of .gnu.version holds if it wants the C23 version
    for place, version in versions.items():
        if version == C23:
            indexes.add(struct.unpack_from("<H", data, place + 6)[0])
            struct.pack_into("<I", data, place, sysv_hash(first))
            struct.pack_into("<I", data, place + 8, first_name)
        elif version.startswith(b"GLIBC_2.") and tuple(map(int, version[6:].split(b"."))) > maximum:
            raise NotPossible(f"needs {version.decode()}, and not only for C23 number parsing")

    moved = 0
    for row in range(symbols.size // 24):
        place = symbols.offset + 24 * row
        (index,) = struct.unpack_from("<H", data, symbol_versions.offset + 2 * row)
        if index not in indexes:
            continue
        (string,) = struct.unpack_from("<I", data, place)
        if not name(string).startswith(PREFIX):
            raise NotPossible(f"needs {name(string).decode()} of {C23.decode()}, no C23 number parsing")
        struct.pack_into("<I", data, place, string + len(PREFIX))
        moved += 1
    return moved


def main(arguments: list[str]) -> int:
    """Relinks the files and returns the exit status."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    maximum = tuple(map(int, arguments[0].split(".")))
    for path in map(Path, arguments[1:]):
        data = bytearray(path.read_bytes())
        try:
            moved = relink(data, maximum)
        except (NotPossible, struct.error, IndexError, OverflowError, ValueError) as problem:
            print(f"{path}: {problem}", file=sys.stderr)
            return 1
        replacement = path.with_name(path.name + ".relinked")
        replacement.write_bytes(data)
        replacement.chmod(path.stat().st_mode & 0o7777)
        os.replace(replacement, path)
        print(f"{path}: {moved} symbols renamed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
