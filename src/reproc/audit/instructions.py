"""What instructions need of the processor, and a first sweep: which pieces of a file need more than the base."""

from __future__ import annotations

from collections import Counter
from functools import cache
from operator import attrgetter

from iced_x86 import Code_, CpuidFeature, Decoder, EncodingKind, Instruction, Mnemonic

from reproc.audit.elf import Elf
from reproc.audit.regions import Region
from reproc.catalog import processors
from reproc.record import record

_FLAGS = {value: name for name, value in vars(CpuidFeature).items() if isinstance(value, int)}
_HARMLESS = frozenset({Mnemonic.TZCNT, Mnemonic.XGETBV})
"""TZCNT runs as BSF on older processors, and compilers write it for BSF; XGETBV is a part of tests."""
_code_of = attrgetter("code")


@cache
def needs(code: int) -> frozenset[str]:
    """The features that instructions of a code need beyond the base of x86-64, by archspec's names."""
    instruction = Instruction()
    instruction.code = Code_(code)
    if instruction.mnemonic in _HARMLESS:
        return frozenset()
    flags = (_FLAGS.get(flag, "") for flag in instruction.cpuid_features())
    return frozenset(name for flag in flags if (name := processors.instruction_feature(flag)))


@cache
def _is_vector(code: int) -> tuple[bool, bool]:
    """Whether instructions of a code compute with vectors, and whether they are encoded as AVX has them."""
    instruction = Instruction()
    instruction.code = Code_(code)
    modern = instruction.encoding != EncodingKind.LEGACY
    return modern or any("SSE" in _FLAGS.get(flag, "") for flag in instruction.cpuid_features()), modern


@record
class Sweep:
    """What a first look at a file's code shows."""

    beyond: dict[int, frozenset[int]]
    """By the start of a piece, the codes in it that need more than the base."""
    vectors: int
    """How many vector instructions there are."""
    modern: int
    """How many of them are encoded as AVX has them."""

    @property
    def share(self) -> float:
        """Of the vector instructions, those that need AVX: 1 where a whole program was compiled for it."""
        return self.modern / self.vectors if self.vectors else 0.0


def sweep(elf: Elf, regions: tuple[Region, ...]) -> Sweep:
    """Decodes every piece by itself, from its beginning."""
    beyond: dict[int, frozenset[int]] = {}
    total: Counter[int] = Counter()
    for section in elf.code:
        content = elf.bytes(section)
        for region in regions:
            if section.address <= region.start < section.end:
                piece = content[region.start - section.address : region.end - section.address]
                counts = Counter(map(_code_of, Decoder(64, piece, ip=region.start)))
                if found := [code for code in counts if needs(code)]:
                    beyond[region.start] = frozenset(found)
                if region.code:
                    total.update(counts)
    kinds = [(_is_vector(code), count) for code, count in total.items()]
    return Sweep(
        beyond,
        sum(count for (vector, _), count in kinds if vector),
        sum(count for (_, modern), count in kinds if modern),
    )
