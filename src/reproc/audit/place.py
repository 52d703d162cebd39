"""One instruction of a file: its function, and what it needs of the processor."""

from __future__ import annotations

from pathlib import Path

from reproc.audit.elf import X86_64, Damaged, Elf
from reproc.audit.facts import LONGEST
from reproc.record import record


@record
class Place:
    """Where an instruction stands."""

    function: str | None
    """None where no table names one."""
    instruction: str
    """As Intel's manual writes it."""
    needs: frozenset[str]
    """Features beyond the base of x86-64 that the whole function needs, by archspec's names."""


def place(path: Path, offset: int) -> Place | None:
    """The instruction at an offset of an ELF file; None if the file holds no x86-64 code there."""
    from iced_x86 import Decoder

    from reproc.audit.instructions import needs
    from reproc.audit.regions import layout

    try:
        elf = Elf(path.read_bytes())
    except (OSError, Damaged):
        return None
    segment = next(
        (each for each in elf.segments if 0 <= offset - each.offset < each.size and each.kind == 1), None
    )
    if segment is None or elf.machine != X86_64:
        return None
    address = offset - segment.offset + segment.address
    found = layout(elf)
    region = found.at(address)
    name = found.names.get(found.regions[region].start) if region is not None else None
    length = found.regions[region].end - address if region is not None else LONGEST
    start = offset - (address - found.regions[region].start if region is not None else 0)
    whole = elf.data[start : offset + length]
    features = frozenset[str]().union(*(needs(each.code) for each in Decoder(64, whole)))
    instruction = Decoder(64, elf.data[offset : offset + LONGEST], ip=address).decode()
    return Place(name, str(instruction), features)
