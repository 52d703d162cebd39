"""Which GPUs the CUDA code in an ELF file is for.

Fat binaries lie in sections of their own, one container for each compiled source, in it an entry for each GPU. The
headers tell the compute capability also where the code is compressed. NVIDIA does not document the format: the layout
is that of CUDA's own `fatbinary_section.h` and of what `cuobjdump --list-elf --list-ptx` prints of the same files.
"""

from __future__ import annotations

import struct
from collections import Counter

from reproc.audit.elf import Elf, Section
from reproc.record import record

SECTIONS = (".nv_fatbin", "__nv_relfatbin")
_MAGIC = 0xBA55ED50
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQIIHHIIIQ")
_KINDS = {1: "ptx", 2: "sm"}
_VARIANTS = {0x100000: "a", 0x200000: "f"}
"""Flags of code for one architecture, or one family, alone: `sm_90a`, `sm_100f`."""


@record
class Code:
    """Code for a GPU."""

    kind: str
    """`sm` for machine code, `ptx` for what the driver compiles."""
    capability: str
    """As in `sm_90a`, without `sm_`."""

    @property
    def number(self) -> int:
        return int(self.capability.rstrip("af"))

    @property
    def name(self) -> str:
        return f"{'sm' if self.kind == 'sm' else 'compute'}_{self.capability}"

    def runs_on(self, capability: int, variant: str = "") -> bool:
        """Whether a GPU of a compute capability runs it (CUDA's programming guide, "Binary" and "PTX compatibility")."""
        own = self.capability.lstrip("0123456789")
        if own == "a":
            return self.number == capability
        if self.kind == "ptx":
            return self.number <= capability and (own != "f" or self.number // 10 == capability // 10)
        return self.number // 10 == capability // 10 and self.number <= capability


def gpu_code(elf: Elf) -> Counter[Code]:
    """The code in a file's fat binaries, and how often it is there."""
    found: Counter[Code] = Counter()
    for section in elf.sections:
        if section.name in SECTIONS and section.kind != 8:
            _containers(elf.data, section, found)
    return found


def _containers(data: bytes, section: Section, found: Counter[Code]) -> None:
    at, end = section.offset, min(section.offset + section.size, len(data))
    while at + _CONTAINER.size <= end:
        magic, version, header, size = _CONTAINER.unpack_from(data, at)
        if magic != _MAGIC or version != 1 or header < _CONTAINER.size or at + header + size > end:
            at += 8  # between containers there is padding
            continue
        _entries(data, at + header, at + header + size, found)
        at += header + size


def _entries(data: bytes, at: int, end: int, found: Counter[Code]) -> None:
    while at + _ENTRY.size <= end:
        kind, _, header, size, _, _, _, _, capability, _, _, flags = _ENTRY.unpack_from(data, at)
        if header < _ENTRY.size or at + header + size > end:
            return
        variant = next((letter for bit, letter in _VARIANTS.items() if flags & bit), "")
        if kind in _KINDS:
            found[Code(_KINDS[kind], f"{capability}{variant}")] += 1
        at += header + size
