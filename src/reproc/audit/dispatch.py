"""Which functions that need more than the base run on every processor, and which only after a test.

From where the loader and other files enter a file its calls are followed, and where a function tests the processor
only the side of "no". What is reached so runs everywhere.
"""

from __future__ import annotations

import bisect
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from iced_x86 import Code, Decoder, FlowControl, Instruction, Mnemonic, OpKind

from reproc.audit.elf import EXECUTABLE, Elf, Symbol
from reproc.audit.flow import Knowledge, Passage, passage
from reproc.audit.instructions import needs
from reproc.audit.names import calls_back, is_answer, is_query, is_variant
from reproc.audit.references import References
from reproc.record import record

_BLOCK = 32
"""Variables that a test writes are known by blocks of so many bytes: the parts of a structure are read one by one."""
_NUMBERS = frozenset({OpKind.IMMEDIATE32, OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE64})
_NEAR = 256
"""Bytes before a call in which its arguments are made ready."""
_FEW = 4
"""Data that looks like newer instructions does so here and there."""
_SMALL = 1024
"""A function that tells of the processor by its result is no larger than this."""


class Verdict(Enum):
    """How a function that needs more than the base comes to run."""

    RUNS = "runs"
    """Whatever the processor."""
    TESTED = "tested"
    """After a test of the processor."""
    VARIANT = "variant"
    """By its name it is one of several versions of a function."""
    POINTED = "pointed"
    """Only through a pointer, in a file that tests the processor."""


@record
class Function:
    """A function that needs more than the base."""

    address: int
    name: str | None
    verdict: Verdict
    needs: frozenset[str]
    at: int
    """Of the first instruction that does."""


@record
class Dispatch:
    """How a file chooses."""

    functions: tuple[Function, ...]
    """Those that need more than the base, in order."""
    tests: bool
    """Whether anything in the file asks what the processor is."""


def functions(elf: Elf, found: References) -> Dispatch:
    """Every function of a file that needs more than the base."""
    program = _Program(elf, found)
    return Dispatch(tuple(program.functions()), program.tests)


@dataclass
class _Program:
    elf: Elf
    found: References
    passages: dict[int, Passage] = field(default_factory=dict)

    def functions(self) -> Iterator[Function]:
        layout = self.found.layout
        owners: dict[int, list[int]] = defaultdict(list)
        for at in sorted(self.found.beyond):
            index = layout.at(at)
            if index is not None:
                owners[index].append(at)
        reached = self._reached({*owners}) if self.tests else {}
        for index, places in owners.items():
            region = layout.regions[index]
            name = layout.names.get(region.start)
            kept = places
            if not self.tests:
                verdict = Verdict.RUNS
                kept = self._in_flow(index, places)
            elif index in reached:
                ran = reached[index]
                kept = [each for each in places if ran is None or each in ran]
                verdict = Verdict.RUNS if kept else Verdict.TESTED
                if kept and self._is_variant(index):
                    verdict = Verdict.VARIANT
            else:
                verdict = self._unreached(index)
            if verdict is not Verdict.RUNS:
                kept = places
            features = frozenset[str]().union(*(needs(self.found.beyond[each]) for each in kept))
            if kept:
                yield Function(region.start, name, verdict, features, kept[0])

    def _unreached(self, index: int) -> Verdict:
        if self._is_variant(index):
            return Verdict.VARIANT
        if index in self.guards or any(caller in self.guards for caller in self.callers[index]):
            return Verdict.TESTED
        return Verdict.POINTED

    @cached_property
    def tests(self) -> bool:
        """Whether anything in the file asks what the processor is."""
        found = self.found
        indirect = any(
            each.is_indirect for table in (".dynsym", ".symtab") for each in self.elf.symbols(table)
        )
        asked = any(is_query(each.name) or is_answer(each.name) for each in found.slots.values())
        return bool(found.tests or indirect or asked or self.elf.relocations.resolvers)

    # ------------------------------------------------------------------------------------ the graph

    def resolve(self, target: int) -> int | Symbol | None:
        """Where a call ends that may go through the procedure linkage table."""
        slot = self.found.stubs.get(target)
        if slot is None:
            return target
        symbol = self.found.slots.get(slot)
        if symbol is not None and symbol.section and not symbol.is_indirect:
            return symbol.value
        return symbol

    @cached_property
    def edges(self) -> dict[int, list[tuple[int, int]]]:
        """By caller, the addresses of calls and whom they call."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for at, target in self.found.branches:
            end = self.resolve(target)
            if isinstance(end, int):
                caller, callee = self.found.layout.at(at), self.found.layout.at(end)
                if caller is not None and callee is not None and caller != callee:
                    found[caller].append((at, callee))
        for caller, at, callee in self._handed():
            found[caller].append((at, callee))
        return found

    def _handed(self) -> Iterator[tuple[int, int, int]]:
        """By caller, calls of functions that call what they are handed, and that: its address is taken before."""
        layout, takes = self.found.layout, sorted(self.found.takes)
        through = ((at, self.found.slots.get(address)) for at, address in self.found.reads)
        calls = [(at, self.resolve(target)) for at, target in self.found.branches]
        for at, end in (*calls, *through):
            name = layout.names.get(end) if isinstance(end, int) else end.name if end else None
            caller = layout.at(at)
            if caller is None or name is None or not calls_back(name):
                continue
            first = bisect.bisect_left(takes, (at - _NEAR, 0))
            for place, address in takes[first : bisect.bisect_left(takes, (at, 0))]:
                callee = layout.at(address)
                if callee is not None and layout.at(place) == caller != callee:
                    yield caller, at, callee

    @cached_property
    def callers(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for caller, calls in self.edges.items():
            for _, callee in calls:
                found[callee].add(caller)
        return found

    @cached_property
    def initial(self) -> dict[int, list[tuple[int, int]]]:
        """By reader, the functions that variables point at when the program starts, where they are read."""
        pointers = self.pointers
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for at, address in self.found.reads:
            target = pointers.get(address)
            if target is not None and self._instruction(at).mnemonic != Mnemonic.LEA:
                reader, callee = self.found.layout.at(at), self.found.layout.at(target)
                if reader is not None and callee is not None:
                    found[reader].append((at, callee))
        return found

    @cached_property
    def readers(self) -> dict[int, set[int]]:
        """By function, those that read a variable which points at it when the program starts."""
        found: dict[int, set[int]] = defaultdict(set)
        for reader, ends in self.initial.items():
            for _, callee in ends:
                found[callee].add(reader)
        return found

    @cached_property
    def pointers(self) -> dict[int, int]:
        """Places in writable data that hold a function's address when the program starts."""
        found = {place: end for place, end in self.elf.relocations.pointers.items() if self.elf.is_code(end)}
        if self.elf.kind == EXECUTABLE:
            starts = {each.start for each in self.found.layout.regions}
            for section in self.elf.sections:
                if section.is_writable and section.name.startswith(".data"):
                    content = self.elf.bytes(section)
                    words = struct.iter_unpack("<Q", content[: len(content) // 8 * 8])
                    found |= {
                        section.address + 8 * n: word for n, (word,) in enumerate(words) if word in starts
                    }
        return found

    # ------------------------------------------------------------------------------------ tests

    @cached_property
    def testers(self) -> frozenset[int]:
        """Functions that run CPUID."""
        return frozenset(index for at in self.found.tests if (index := self.found.layout.at(at)) is not None)

    @cached_property
    def answers(self) -> frozenset[int]:
        """Blocks of memory that hold what a test found."""
        blocks = {
            (each.value + step) // _BLOCK
            for table in (".dynsym", ".symtab")
            for each in self.elf.symbols(table)
            if each.section and is_answer(each.name)
            for step in range(0, max(each.size, 8), 4)
        }
        blocks |= {slot // _BLOCK for slot, each in self.found.slots.items() if is_answer(each.name)}
        names = self.found.layout.names
        writers = set(self.testers)
        for tester in self.testers:
            # libgcc's own says what it finds in `__cpu_model` alone
            if not names.get(self.found.layout.regions[tester].start, "").startswith("__cpu_indicator_init"):
                writers |= self.callers[tester]
        for at, address in (*self.found.writes, *self.found.reads):
            if self.found.layout.at(at) in writers and self._is_store(at, address):
                blocks.add(address // _BLOCK)
        return frozenset(blocks)

    @cached_property
    def _stores(self) -> frozenset[tuple[int, int]]:
        return frozenset(self.found.writes)

    def _is_store(self, at: int, address: int) -> bool:
        """Whether an instruction writes a variable, or takes its address to write it."""
        if address in self.found.slots:
            return False
        return (at, address) in self._stores or self._instruction(at).mnemonic == Mnemonic.LEA

    def is_answer(self, address: int) -> bool:
        symbol = self.found.slots.get(address)
        if symbol is not None:
            return is_answer(symbol.name)
        return address // _BLOCK in self.answers

    @cached_property
    def predicates(self) -> frozenset[int]:
        """Functions whose result tells of the processor."""
        readers = {self.found.layout.at(at) for at, address in self.found.reads if self.is_answer(address)}
        regions = self.found.layout.regions
        return self.testers | {
            each for each in readers if each is not None and regions[each].end - regions[each].start <= _SMALL
        }

    def asks(self, call: Instruction) -> bool:
        """Whether what a call returns tells of the processor."""
        if call.is_ip_rel_memory_operand:
            end: int | Symbol | None = self.found.slots.get(call.ip_rel_memory_address)
            if isinstance(end, Symbol) and end.section:
                end = end.value
        else:
            end = self.resolve(call.near_branch_target)
        if isinstance(end, int):
            return self.found.layout.at(end) in self.predicates
        return end is not None and is_query(end.name)

    @cached_property
    def guards(self) -> frozenset[int]:
        """Functions that test the processor themselves, or ask one that does."""
        found: set[int | None] = {*self.testers}
        at = self.found.layout.at
        found |= {at(place) for place, address in self.found.reads if self.is_answer(address)}
        for place, target in self.found.branches:
            end = self.resolve(target)
            if isinstance(end, int):
                if at(end) in self.predicates:
                    found.add(at(place))
            elif end is not None and is_query(end.name):
                found.add(at(place))
        found |= {at(place) for place, address in self.found.reads if self._names_query(address)}
        return frozenset(each for each in found if each is not None)

    def _names_query(self, address: int) -> bool:
        symbol = self.found.slots.get(address)
        return symbol is not None and is_query(symbol.name)

    # ------------------------------------------------------------------------------------ reaching

    def _roots(self) -> Iterator[int]:
        """Where a file is entered from outside."""
        elf = self.elf
        exported = [each for each in elf.symbols(".dynsym") if each.is_function and not each.weak]
        # a Python module is entered by one function, whatever else it exports
        modules = [each for each in exported if each.name.startswith("PyInit_")]
        yield from (each.value for each in modules or exported)
        yield from (value for tag, value in elf.dynamic if tag in (12, 13))
        pointers = elf.relocations.pointers
        for section in elf.sections:
            if section.name in (".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors"):
                content = elf.bytes(section)
                yield from (value for (value,) in struct.iter_unpack("<Q", content[: len(content) // 8 * 8]))
                yield from (
                    pointers[each] for each in range(section.address, section.end, 8) if each in pointers
                )
        if elf.entry:
            yield elf.entry
            yield from self._main()
        if modules:
            # methods, which a table tells Python of
            beyond = {self.found.layout.at(each) for each in self.found.beyond}
            yield from (each for each in self.pointers.values() if self.found.layout.at(each) not in beyond)

    def _main(self) -> Iterator[int]:
        """What the start file hands to the C library."""
        offset = self.elf.offset(self.elf.entry)
        if offset is None:
            return
        for instruction in Decoder(64, self.elf.data[offset : offset + 64], ip=self.elf.entry):
            if instruction.flow_control in (FlowControl.CALL, FlowControl.INDIRECT_CALL):
                return
            if instruction.code == Code.LEA_R64_M and instruction.is_ip_rel_memory_operand:
                yield instruction.ip_rel_memory_address
            elif instruction.op_count == 2 and instruction.op1_kind in _NUMBERS:
                yield instruction.immediate(1)

    def _reached(self, owners: set[int]) -> dict[int, frozenset[int] | None]:
        """What runs whatever the processor; of functions that were followed, which instructions."""
        at = self.found.layout.at
        found: dict[int, frozenset[int] | None] = {}
        ways = self._ways(owners)
        todo = [index for root in self._roots() if (index := at(root)) is not None]
        while todo:
            index = todo.pop()
            if index in found or index not in ways:
                continue
            ran = self.passage(index).ran if index in self.guards else None
            found[index] = ran
            if not (index in owners and self._is_variant(index)):
                ends = (*self.edges[index], *self.initial[index])
                todo += [callee for place, callee in ends if ran is None or place in ran]
        return found

    def _ways(self, owners: set[int]) -> set[int]:
        """The functions from which calls lead to some others, and those: nothing else need be followed."""
        found: set[int] = set()
        todo = [each for each in owners if not self._is_variant(each)]
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                todo += self.callers[index]
                todo += self.readers[index]
        return found | owners

    def _is_variant(self, index: int) -> bool:
        layout = self.found.layout
        name = layout.names.get(layout.regions[index].start)
        return name is not None and is_variant(name)

    def passage(self, index: int) -> Passage:
        known = self.passages.get(index)
        if known is None:
            region = self.found.layout.regions[index]
            knowledge = Knowledge(self.is_answer, self.asks)
            known = passage(self._instructions(index), knowledge, catches=region.catches)
            self.passages[index] = known
        return known

    def _in_flow(self, index: int, places: list[int]) -> list[int]:
        """Those of some instructions that the flow of a function comes to: a few others are data."""
        if len(places) > _FEW:
            return places
        ran = self.passage(index).ran
        return [each for each in places if each in ran]

    def _instructions(self, index: int) -> list[Instruction]:
        region = self.found.layout.regions[index]
        return [each.copy() for each in Decoder(64, self._bytes(region.start, region.end), ip=region.start)]

    def _instruction(self, at: int) -> Instruction:
        return Decoder(64, self._bytes(at, at + 15), ip=at).decode()

    def _bytes(self, start: int, end: int) -> bytes:
        section = next(each for each in self.elf.code if each.address <= start < each.end)
        top = section.offset - section.address
        return self.elf.data[start + top : min(end, section.end) + top]
