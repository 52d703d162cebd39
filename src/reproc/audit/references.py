"""Who refers to what in a file's code: calls, jumps, addresses taken, data read and written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from iced_x86 import Code, Code_, Decoder, FlowControl, Instruction, Mnemonic, OpKind

from reproc.audit.elf import EXECUTABLE, Elf, Symbol
from reproc.audit.instructions import needs
from reproc.audit.regions import Layout, Region

_BRANCHES = frozenset({FlowControl.CALL, FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH})
_ENDS = frozenset({FlowControl.UNCONDITIONAL_BRANCH, FlowControl.INDIRECT_BRANCH, FlowControl.RETURN})
_CALLS = frozenset({FlowControl.CALL, FlowControl.INDIRECT_CALL})
_IMMEDIATE = frozenset({OpKind.IMMEDIATE32, OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE64})
_READERS = frozenset({Mnemonic.CMP, Mnemonic.TEST, Mnemonic.PUSH, Mnemonic.CALL, Mnemonic.JMP, Mnemonic.BT})
"""Instructions that only read their first operand."""
_ROUNDS = 6
BEYOND, BRANCH, CPUID, TAKES, STORES, ENDS, MOVES, STOPS, CALLS, FILLS = (1 << each for each in range(10))


@cache
def traits(code: int) -> int:
    """What instructions of a code may do that matters here, as bits."""
    instruction = Instruction()
    instruction.code = Code_(code)
    found = BEYOND if needs(code) else 0
    if instruction.flow_control in _BRANCHES:
        found |= BRANCH
    if instruction.mnemonic in (Mnemonic.CPUID, Mnemonic.XGETBV):
        found |= CPUID
    if instruction.mnemonic == Mnemonic.LEA:
        found |= TAKES
    if instruction.mnemonic not in _READERS:
        found |= STORES
    if instruction.flow_control in _ENDS or instruction.mnemonic in (Mnemonic.UD2, Mnemonic.HLT):
        found |= ENDS
    if instruction.mnemonic in (Mnemonic.MOV, Mnemonic.PUSH):
        found |= MOVES
    if instruction.flow_control in _CALLS:
        found |= CALLS
    if instruction.mnemonic in (Mnemonic.NOP, Mnemonic.INT3):
        found |= FILLS
    if code == Code.INVALID:
        found |= STOPS
    return found


@dataclass
class References:
    """What the code of a file refers to, as pairs of an instruction's address and what it names."""

    layout: Layout
    branches: list[tuple[int, int]] = field(default_factory=list)
    """Calls, and jumps that leave their piece."""
    takes: list[tuple[int, int]] = field(default_factory=list)
    """Addresses of code."""
    reads: list[tuple[int, int]] = field(default_factory=list)
    """Of data that can be written, and of the table of imported addresses."""
    writes: list[tuple[int, int]] = field(default_factory=list)
    tests: list[int] = field(default_factory=list)
    """CPUID and XGETBV."""
    beyond: dict[int, int] = field(default_factory=dict)
    """Instructions that need more than the base, and their codes."""
    slots: dict[int, Symbol] = field(default_factory=dict)
    stubs: dict[int, int] = field(default_factory=dict)
    """Stubs of the procedure linkage table, and the slots that they jump to."""


def references(elf: Elf, first: Layout) -> References:
    """Sweeps the code; where it enters what was not known to be code, sweeps that too."""
    found = References(first, slots=elf.relocations.slots, stubs=_stubs(elf))
    done: set[int] = set()
    pointed = {each for each in elf.relocations.pointers.values() if elf.is_code(each)}
    for _ in range(_ROUNDS):
        fresh = [each for each in found.layout.regions if each.code and each.start not in done]
        if not fresh:
            break
        _sweep(elf, fresh, found)
        done |= {each.start for each in fresh}
        targets = {target for _, target in found.branches} | {target for _, target in found.takes} | pointed
        found.layout = found.layout.entered(each for each in targets if elf.is_code(each))
    return found


def _sweep(elf: Elf, regions: Iterable[Region], found: References) -> None:
    static = elf.kind == EXECUTABLE
    sections = [(each.address, each.end, elf.bytes(each)) for each in elf.code]
    for region in regions:
        low, _, content = next(each for each in sections if each[0] <= region.start < each[1])
        piece = content[region.start - low : region.end - low]
        _piece(elf, region, piece, found, static)


def _piece(elf: Elf, region: Region, piece: bytes, found: References, static: bool) -> None:
    start, end, ahead = region.start, region.end, 0
    bits = ENDS
    for instruction in Decoder(64, piece, ip=start):
        bits = traits(instruction.code)
        at = instruction.ip
        if bits & STOPS and not region.whole:
            return
        if bits & BEYOND:
            found.beyond[at] = instruction.code
        if bits & BRANCH:
            target = instruction.near_branch_target
            if start <= target < end:
                ahead = max(ahead, target)
            if not start < target < end or bits & CALLS:
                found.branches.append((at, target))
        elif bits & CPUID:
            found.tests.append(at)
        if instruction.is_ip_rel_memory_operand:
            address = instruction.ip_rel_memory_address
            if bits & TAKES:
                if elf.is_code(address):
                    found.takes.append((at, address))
                elif elf.is_writable(address):
                    found.reads.append((at, address))
            elif elf.is_writable(address) or address in found.slots:
                stores = bits & STORES and instruction.op0_kind == OpKind.MEMORY
                (found.writes if stores else found.reads).append((at, address))
        elif static and bits & MOVES:
            last = instruction.op_count - 1
            if instruction.op_kind(last) in _IMMEDIATE:
                address = instruction.immediate(last)
                if elf.is_code(address):
                    found.takes.append((at, address))
                elif elf.is_writable(address):
                    found.reads.append((at, address))
        if bits & ENDS and not region.whole and ahead <= at:
            return
    # what follows a call at the very end is another function: the call does not return; NOPs fill up
    if not bits & (ENDS | CALLS | FILLS):
        found.branches.append((end - 1, end))


def _stubs(elf: Elf) -> dict[int, int]:
    found = {}
    for section in elf.code:
        if section.name.startswith(".plt"):
            for instruction in Decoder(64, elf.bytes(section), ip=section.address):
                if (
                    instruction.flow_control == FlowControl.INDIRECT_BRANCH
                    and instruction.is_ip_rel_memory_operand
                ):
                    size = 8 if section.name == ".plt.got" else 16
                    found[instruction.ip // size * size] = instruction.ip_rel_memory_address
    return found
