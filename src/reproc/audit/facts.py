"""What one ELF file says of itself: the hardware, libraries and loader that it needs, and what made it."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reproc.audit.elf import AARCH64, EXECUTABLE, MAGIC, SHARED, X86_64, Damaged, Elf
from reproc.audit.fatbin import gpu_code
from reproc.audit.producers import ARCHIVE, objects, producers, unpacked
from reproc.record import record

SCHEME = 3
"""Of the facts and of how they are found: what was found under another one is found anew."""
_ISA_NEEDED = 0xC0008002
"""GNU_PROPERTY_X86_ISA_1_NEEDED (x86-64 psABI, "Program Property")."""
_ARM_FEATURES = 0xC0000000
_ARM = {1: "BTI", 2: "PAC"}
_NATIVE = re.compile(rb"[^\0]*(?:-march=native|-mcpu=native|--param[ =]l1-cache-size=)[^\0]*")
"""GCC's driver writes `-march=native` as what it finds, with the sizes of the caches of this very machine."""
LONGEST = 15
"""Bytes of an x86 instruction (Intel SDM, volume 2, section 2.3.11)."""
_LOADERS = {X86_64: "/lib64/ld-linux-x86-64.so.2", AARCH64: "/lib/ld-linux-aarch64.so.1"}
"""The loaders of machines' ABIs, for libraries, which name none."""
_SHOWN = 3
"""Functions that are named of each kind."""


@record
class Example:
    """An instruction that needs more than the base."""

    function: str
    """Its address where no table names it."""
    address: int
    instruction: str
    """As Intel's manual writes it, `vpaddd ymm0,ymm0,ymm1`."""


@record
class Group:
    """Functions of a file that come to run in the same way and need the same."""

    verdict: str
    """A `Verdict`'s value."""
    needs: tuple[str, ...]
    count: int
    examples: tuple[Example, ...]
    """The first instruction in some of them that needs it."""


@record
class Facts:
    """What a file says."""

    machine: int
    bits: int
    program: bool
    """Whether it is a program or a shared library; else an object file, or a static library."""
    soname: str | None = None
    producers: tuple[str, ...] = ()
    """By what texts it names its compilers and linkers."""
    loader: str | None = None
    """What starts it, or loads it; None if that is not known."""
    libraries: tuple[str, ...] = ()
    """The sonames that it needs; none if it is static."""
    groups: tuple[Group, ...] = ()
    share: float = 0.0
    """Of its vector instructions, those encoded as AVX has them."""
    tests: bool = False
    """Whether anything in it asks what the processor is."""
    library: str | None = None
    """The known library with a choice of its own that it is, or holds."""
    level: int = 0
    """The level of x86-64 that its GNU property demands, 1 to 4; 0 for none."""
    properties: tuple[str, ...] = ()
    """Of arm64: BTI, PAC."""
    native: tuple[str, ...] = ()
    """What compilers noted of options that mean this machine."""
    glibc: str | None = None
    """The newest version of glibc's symbols that it needs, `2.34`."""
    offers: str | None = None
    """If it is glibc: the newest version that it has."""
    gpus: tuple[tuple[str, str, int], ...] = ()
    """Kind, compute capability and number of pieces of CUDA code."""
    damaged: str | None = None


def read(path: Path) -> Facts | None:
    """What a file says; None if it is neither an ELF file nor a static library."""
    with path.open("rb") as file:
        start = file.read(len(ARCHIVE))
        if start == ARCHIVE:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as archive:
                return _static_library(archive)
        if not start.startswith(MAGIC):
            return None
        file.seek(0)
        data = file.read()
    import struct

    try:
        elf = Elf(data)
    except Damaged as failure:
        return Facts(0, 0, False, damaged=str(failure))
    program = elf.kind in (EXECUTABLE, SHARED)
    if not elf.readable:
        return Facts(elf.machine, elf.bits, program)
    try:
        return _facts(elf) if program else Facts(elf.machine, elf.bits, False, producers=producers(elf))
    except (struct.error, IndexError, ValueError) as failure:
        return Facts(elf.machine, elf.bits, True, damaged=f"its tables cannot be read: {failure}")


def _static_library(archive: mmap.mmap) -> Facts:
    machine, bits, texts = 0, 0, set[str]()
    for each in objects(archive):
        machine, bits = each.machine, each.bits
        texts.update(producers(each))
    return Facts(machine, bits, False, producers=tuple(sorted(texts)))


def _facts(elf: Elf) -> Facts:
    properties = elf.properties()
    versions = [version for library, version in elf.versions_needed() if version.startswith("GLIBC_")]
    gpus = tuple(sorted((code.kind, code.capability, count) for code, count in gpu_code(elf).items()))
    groups, share, tests, library = _code(elf) if elf.machine == X86_64 else ((), 0.0, False, None)
    arm = properties.get(_ARM_FEATURES, 0)
    return Facts(
        elf.machine,
        elf.bits,
        True,
        elf.soname,
        producers(elf),
        elf.interpreter or _LOADERS.get(elf.machine),
        elf.named(1),
        groups,
        round(share, 3),
        tests,
        library,
        properties.get(_ISA_NEEDED, 0).bit_length(),
        tuple(name for bit, name in _ARM.items() if arm & bit),
        tuple(sorted(_native(elf))),
        _newest(versions),
        _newest(elf.versions_defined()) if elf.soname == "libc.so.6" else None,
        gpus,
    )


def _code(elf: Elf) -> tuple[tuple[Group, ...], float, bool, str | None]:
    from reproc.audit import dispatch
    from reproc.audit.instructions import sweep
    from reproc.audit.names import known_library
    from reproc.audit.references import references
    from reproc.audit.regions import layout

    first = layout(elf)
    swept = sweep(elf, first.regions)
    if not swept.beyond:
        return (), swept.share, False, None
    found = dispatch.functions(elf, references(elf, first))
    rows: dict[tuple[str, tuple[str, ...]], list[dispatch.Function]] = {}
    for each in found.functions:
        rows.setdefault((each.verdict.value, tuple(sorted(each.needs))), []).append(each)
    groups = tuple(
        Group(
            verdict,
            needs,
            len(each),
            tuple(
                Example(one.name or f"{one.address:#x}", one.at, _shown(elf, one.at)) for one in each[:_SHOWN]
            ),
        )
        for (verdict, needs), each in sorted(rows.items())
    )
    return groups, swept.share, found.tests, known_library(elf)


def _shown(elf: Elf, address: int) -> str:
    from iced_x86 import Decoder

    offset = elf.offset(address)
    assert offset is not None, "it was decoded"
    return str(Decoder(64, elf.data[offset : offset + LONGEST], ip=address).decode())


def _native(elf: Elf) -> Iterator[str]:
    for section in elf.sections:
        if section.name in (".GCC.command.line", ".debug_str", ".debug_info", ".debug_line_str"):
            for match in set(_NATIVE.findall(unpacked(elf, section.name))):
                words = match.decode("utf-8", "replace").split()
                yield next(
                    (word for word in words if word.startswith(("-march=", "-mcpu="))), "-march=native"
                )


def _newest(versions: Iterator[str] | list[str]) -> str | None:
    found = [each.removeprefix("GLIBC_") for each in versions if re.fullmatch(r"GLIBC_\d+(?:\.\d+)+", each)]
    return max(found, key=numbers, default=None)


def numbers(version: str) -> tuple[int, ...]:
    """A version's numbers, for comparing."""
    return tuple(int(part) for part in version.split("."))


# ---------------------------------------------------------------------------------------------- to keep


def document(facts: Facts | None) -> dict[str, Any] | None:
    """Facts as JSON has them."""
    if facts is None:
        return None
    groups = [{**vars(each), "examples": [vars(one) for one in each.examples]} for each in facts.groups]
    return {**vars(facts), "groups": groups}


def restored(found: Mapping[str, Any] | None) -> Facts | None:
    """Facts from JSON; raises KeyError, TypeError or AttributeError where it holds something else."""
    if found is None:
        return None
    groups = tuple(
        Group(
            row["verdict"],
            tuple(row["needs"]),
            row["count"],
            tuple(Example(**each) for each in row["examples"]),
        )
        for row in found["groups"]
    )
    lists = {name: tuple(found[name]) for name in ("producers", "libraries", "properties", "native")}
    gpus = tuple((kind, capability, count) for kind, capability, count in found["gpus"])
    return Facts(**{**found, **lists, "groups": groups, "gpus": gpus})
