"""ELF files as values: sections, functions, references, notes and versions of symbols.

Only what audits ask for is read, and from 64-bit little-endian files only; of all others the machine is known.
`struct` reads the tables in bulk: a library has a hundred thousand symbols, and an image a thousand libraries.
Facts: elf(5), the System V ABI, and its supplement for x86-64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cached_property

from reproc.record import record

MAGIC = b"\x7fELF"
EXECUTABLE, SHARED = 2, 3
X86_64, AARCH64 = 62, 183
MACHINES = {
    3: "x86",
    8: "MIPS",
    20: "PowerPC",
    21: "ppc64",
    22: "s390x",
    40: "32-bit ARM",
    X86_64: "x86-64",
    AARCH64: "arm64",
    190: "CUDA",
    243: "RISC-V",
    247: "BPF",
    258: "LoongArch",
}
_NOBITS = 8
_WRITABLE, _EXECUTABLE = 1, 4
_FUNCTION, _INDIRECT = 2, 10
_JUMPS = frozenset({6, 7})
"""R_X86_64_GLOB_DAT and JUMP_SLOT: slots for a symbol's address."""
_RELATIVE, _IRELATIVE, _DIRECT = 8, 37, 1


class Damaged(Exception):
    """A file begins like ELF and cannot be read on; the text says where."""


@record
class Section:
    """A piece of the file, and where it stands in memory."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int = 0

    @property
    def is_code(self) -> bool:
        return bool(self.flags & _EXECUTABLE) and self.kind != _NOBITS

    @property
    def is_writable(self) -> bool:
        return bool(self.flags & 2) and bool(self.flags & _WRITABLE)

    @property
    def end(self) -> int:
        return self.address + self.size


@record
class Symbol:
    """A defined function, a variable, or an undefined name."""

    name: str
    kind: int
    section: int
    value: int
    size: int
    weak: bool = False
    """Whether another file's may take its place; C++ exports so what is inline."""

    @property
    def is_function(self) -> bool:
        return self.kind == _FUNCTION and self.section != 0 and self.value != 0

    @property
    def is_indirect(self) -> bool:
        """Whether it is chosen at run time: its value is the resolver's address (an ifunc)."""
        return self.kind == _INDIRECT and self.section != 0 and self.value != 0


class Elf:
    """A file's bytes, opened; everything else is read when it is asked for."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 20 or not data.startswith(MAGIC):
            raise Damaged("it is too short for its header")
        self.data = data
        self.bits = {1: 32, 2: 64}.get(data[4], 0)
        order = {1: "<", 2: ">"}.get(data[5])
        if not self.bits or order is None:
            raise Damaged("its header names no class or byte order")
        self.kind, self.machine = struct.unpack_from(f"{order}HH", data, 16)
        self.readable = self.bits == 64 and order == "<"
        self.entry, self.sections, self.segments = 0, (), ()  # type: tuple[int, tuple[Section, ...], tuple[_Segment, ...]]
        if self.readable:
            try:
                self._read_header()
            except struct.error as failure:
                raise Damaged("its header points past its end") from failure

    def _read_header(self) -> None:
        data = self.data
        self.entry, segments, sections = struct.unpack_from("<QQQ", data, 24)
        each_segment, count, each_section, number, names = struct.unpack_from("<HHHHH", data, 54)
        self.segments = tuple(
            _Segment(*struct.unpack_from("<IIQQQQQ", data, segments + index * each_segment))
            for index in range(count if segments else 0)
        )
        rows = [
            struct.unpack_from("<IIQQQQI", data, sections + index * each_section)
            for index in range(number if sections else 0)
        ]
        top = rows[names][4] if names < len(rows) else 0
        self.sections = tuple(
            Section(self._text(top + row[0]), row[1], row[2], row[3], row[4], row[5], row[6]) for row in rows
        )

    def _text(self, offset: int) -> str:
        return self.data[offset : self.data.find(b"\0", offset)].decode("utf-8", "replace")

    def bytes(self, section: Section) -> bytes:
        """A section's content."""
        return b"" if section.kind == _NOBITS else self.data[section.offset : section.offset + section.size]

    def section(self, name: str) -> Section | None:
        return next((each for each in self.sections if each.name == name), None)

    def offset(self, address: int) -> int | None:
        """Where in the file an address of memory comes from."""
        for each in self.segments:
            if each.kind == 1 and each.address <= address < each.address + each.size:
                return each.offset + address - each.address
        return None

    @cached_property
    def code(self) -> tuple[Section, ...]:
        """The sections with instructions, by address; of a file without sections, its executable segments."""
        found = [each for each in self.sections if each.is_code and each.size]
        if not self.sections:
            found = [
                Section(".text", 1, 6, each.address, each.offset, each.size)
                for each in self.segments
                if each.kind == 1 and each.flags & 1 and each.size
            ]
        return tuple(sorted(found, key=lambda each: each.address))

    def is_code(self, address: int) -> bool:
        return any(low <= address < high for low, high in self._executable)

    def is_writable(self, address: int) -> bool:
        return any(low <= address < high for low, high in self._writable)

    @cached_property
    def _executable(self) -> tuple[tuple[int, int], ...]:
        return _joined(self.code)

    @cached_property
    def _writable(self) -> tuple[tuple[int, int], ...]:
        return _joined(each for each in self.sections if each.is_writable)

    def symbols(self, table: str) -> tuple[Symbol, ...]:
        """The symbols of `.dynsym` or `.symtab`, in order."""
        return self._tables.get(table, ())

    @cached_property
    def _tables(self) -> dict[str, tuple[Symbol, ...]]:
        found = {}
        for each in self.sections:
            if each.name in (".dynsym", ".symtab") and each.kind != _NOBITS:
                content = self.bytes(each)
                names = self.bytes(self.sections[each.link]) if each.link < len(self.sections) else b""
                rows = struct.iter_unpack("<IBBHQQ", content[: len(content) // 24 * 24])
                found[each.name] = tuple(
                    Symbol(
                        names[name : names.find(b"\0", name)].decode("utf-8", "replace"),
                        info & 15,
                        section,
                        value,
                        size,
                        info >> 4 == 2,
                    )
                    for name, info, _, section, value, size in rows
                )
        return found

    @cached_property
    def relocations(self) -> Relocations:
        """What the loader fills in, of x86-64."""
        pointers: dict[int, int] = {}
        slots: dict[int, Symbol] = {}
        resolvers = set()
        symbols = self.symbols(".dynsym")
        for each in self.sections:
            if each.kind != 4:
                continue
            content = self.bytes(each)
            for where, info, addend in struct.iter_unpack("<QQq", content[: len(content) // 24 * 24]):
                kind, index = info & 0xFFFFFFFF, info >> 32
                if kind == _RELATIVE:
                    pointers[where] = addend
                elif kind == _IRELATIVE:
                    resolvers.add(addend)
                elif index < len(symbols) and kind in _JUMPS:
                    slots[where] = symbols[index]
                elif kind == _DIRECT and index < len(symbols) and symbols[index].section:
                    pointers[where] = symbols[index].value + addend
        return Relocations(pointers, slots, frozenset(resolvers))

    @cached_property
    def dynamic(self) -> tuple[tuple[int, int], ...]:
        """Tags and values of the dynamic section."""
        segment = next((each for each in self.segments if each.kind == 2), None)
        if segment is None:
            return ()
        content = self.data[segment.offset : segment.offset + segment.size]
        pairs = struct.iter_unpack("<qQ", content[: len(content) // 16 * 16])
        return tuple((tag, value) for tag, value in pairs if tag)

    @cached_property
    def _strings(self) -> int | None:
        """The offset of the dynamic section's texts."""
        address = dict(self.dynamic).get(5)
        return None if address is None else self.offset(address)

    def named(self, tag: int) -> tuple[str, ...]:
        """The texts of a dynamic tag: 1 for what is needed, 14 for the soname."""
        top = self._strings
        return (
            () if top is None else tuple(self._text(top + value) for key, value in self.dynamic if key == tag)
        )

    @property
    def soname(self) -> str | None:
        return next(iter(self.named(14)), None)

    @property
    def interpreter(self) -> str | None:
        """The loader that a program names; libraries name none."""
        segment = next((each for each in self.segments if each.kind == 3), None)
        return None if segment is None else self._text(segment.offset)

    @property
    def producers(self) -> tuple[str, ...]:
        """What compilers and linkers wrote into `.comment`, such as `GCC: (Debian 9.3.0-22) 9.3.0`, sorted."""
        section = self.section(".comment")
        texts = {*self.bytes(section).split(b"\0")} if section is not None else set[bytes]()
        return tuple(sorted(text.decode("utf-8", "replace") for text in texts if text.strip()))

    def versions_needed(self) -> Iterator[tuple[str, str]]:
        """Libraries, and versions of their symbols that this file asks them for (`libc.so.6`, `GLIBC_2.34`)."""
        section, top = self.section(".gnu.version_r"), self._strings
        if section is None or top is None:
            return
        at = section.offset
        while True:
            _, count, file, part, following = struct.unpack_from("<HHIII", self.data, at)
            library, inner = self._text(top + file), at + part
            for _ in range(count):
                _, _, _, name, step = struct.unpack_from("<IHHII", self.data, inner)
                yield library, self._text(top + name)
                inner += step
            if not following:
                return
            at += following

    def versions_defined(self) -> Iterator[str]:
        """The versions of symbols that this library has."""
        section, top = self.section(".gnu.version_d"), self._strings
        if section is None or top is None:
            return
        at = section.offset
        while True:
            _, _, _, count, _, part, following = struct.unpack_from("<HHHHIII", self.data, at)
            if count:
                yield self._text(top + struct.unpack_from("<I", self.data, at + part)[0])
            if not following:
                return
            at += following

    def properties(self) -> dict[int, int]:
        """The GNU properties whose value is a number, by type."""
        section = self.section(".note.gnu.property")
        if section is None:
            return {}
        content, found, at = self.bytes(section), {}, 0
        while at + 16 <= len(content):
            size_of_name, size, kind = struct.unpack_from("<III", content, at)
            inner, at = (
                at + 12 + -(-size_of_name // 4) * 4,
                at + 12 + -(-size_of_name // 4) * 4 + -(-size // 8) * 8,
            )
            if kind != 5:
                continue
            while inner + 8 <= min(at, len(content)):
                key, length = struct.unpack_from("<II", content, inner)
                if length == 4 and inner + 12 <= len(content):
                    found[key] = struct.unpack_from("<I", content, inner + 8)[0]
                inner += 8 + -(-length // 8) * 8
        return found


_GAP = 64
"""Bytes between sections that alignment may leave, and that nothing refers to."""


def _joined(sections: Iterable[Section]) -> tuple[tuple[int, int], ...]:
    """The addresses of sections; neighbours as one, since every reference of the code asks."""
    found: list[tuple[int, int]] = []
    for section in sorted(sections, key=lambda each: each.address):
        if found and section.address - found[-1][1] <= _GAP:
            found[-1] = found[-1][0], max(found[-1][1], section.end)
        else:
            found.append((section.address, section.end))
    return tuple(found)


@record
class _Segment:
    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int


@record
class Relocations:
    """What the loader fills in."""

    pointers: dict[int, int]
    """By place, the address in this file that is put there."""
    slots: dict[int, Symbol]
    """By place, the symbol whose address is put there."""
    resolvers: frozenset[int]
    """Functions that choose another when the file is loaded."""
