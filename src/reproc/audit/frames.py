"""Where functions begin and end, by the tables for exceptions: `strip` leaves them.

Facts: Linux Standard Base, Core, "Exception Frames"; DWARF 5, 6.4.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from reproc.audit.elf import Elf
from reproc.record import record

_SIZES = {0: 8, 2: 2, 3: 4, 4: 8, 10: 2, 11: 4, 12: 8}
_FORMATS = {0: "<Q", 2: "<H", 3: "<I", 4: "<Q", 10: "<h", 11: "<i", 12: "<q"}
_ABSENT = 0xFF


@record
class Frame:
    """A function, or a part of one."""

    start: int
    end: int
    catches: bool
    """Whether the unwinder may enter it in its middle."""


@record
class _Common:
    """What frames share (a CIE)."""

    encoding: int
    catches: int
    augmented: bool


def frames(elf: Elf) -> Iterator[Frame]:
    """The frames that a file tells of; damaged tables end early."""
    try:
        yield from _frames(elf)
    except (struct.error, IndexError, KeyError):
        return


def _frames(elf: Elf) -> Iterator[Frame]:
    place = _table(elf)
    if place is None:
        return
    at, end, address = place
    data = elf.data
    shift, known = address - at, {}  # type: tuple[int, dict[int, _Common]]
    while at + 4 <= end:
        (length,) = struct.unpack_from("<I", data, at)
        if not length:
            return
        body = at + 4
        if length == 0xFFFFFFFF:
            (length,) = struct.unpack_from("<Q", data, body)
            body += 8
        (back,) = struct.unpack_from("<I", data, body)
        if back:
            top = body - back
            common = known.get(top) or known.setdefault(top, _common(data, top))
            yield _frame(data, body + 4, shift, common)
        at = body + length


def _table(elf: Elf) -> tuple[int, int, int] | None:
    """Offset, end and address of the table."""
    section = elf.section(".eh_frame")
    if section is not None and section.kind != 8:
        return section.offset, section.offset + section.size, section.address
    header = next((each for each in elf.segments if each.kind == 0x6474E550), None)
    if header is None or elf.data[header.offset + 1] != 0x1B:
        return None
    address = header.address + 4 + struct.unpack_from("<i", elf.data, header.offset + 4)[0]
    offset = elf.offset(address)
    return None if offset is None else (offset, len(elf.data), address)


def _common(data: bytes, top: int) -> _Common:
    at = top + 8
    version = data[at]
    end = data.index(b"\0", at + 1)
    augmentation, at = data[at + 1 : end].decode("latin-1"), end + 1
    if version >= 4:
        at += 2
    _, at = _number(data, at)
    _, at = _number(data, at)
    at = at + 1 if version == 1 else _number(data, at)[1]
    encoding, catches = 0, _ABSENT
    if augmentation.startswith("z"):
        _, at = _number(data, at)
        for letter in augmentation[1:]:
            if letter == "R":
                encoding, at = data[at], at + 1
            elif letter == "L":
                catches, at = data[at], at + 1
            elif letter == "P":
                at += 1 + _SIZES[data[at] & 15]
    return _Common(encoding, catches, augmentation.startswith("z"))


def _frame(data: bytes, at: int, shift: int, common: _Common) -> Frame:
    kind = common.encoding & 15
    (start,) = struct.unpack_from(_FORMATS[kind], data, at)
    if common.encoding & 0x70 == 0x10:
        start += at + shift
    at += _SIZES[kind]
    (length,) = struct.unpack_from(_FORMATS[kind & 7 if kind > 8 else kind], data, at)
    at += _SIZES[kind]
    catches = False
    if common.augmented and common.catches != _ABSENT:
        size, at = _number(data, at)
        catches = bool(size) and any(data[at : at + size])
    return Frame(start, start + length, catches)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends; of a signed one only the end counts."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
