"""What of a function runs on a processor of which every test says that it lacks a feature.

Values that come from a test of the processor (CPUID, a variable that holds its answer, a function that returns one)
are followed through registers, flags and the stack; at a conditional jump on one only the side of "no" goes on, and
where the sides cannot be told apart, neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from iced_x86 import (
    ConditionCode,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
)

from reproc.record import record

_STEPS = 20_000
"""Steps after which a function is left, all of it taken as it stands so far."""
_READ = frozenset({OpAccess.READ, OpAccess.COND_READ, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE})
_WRITTEN = frozenset({OpAccess.WRITE, OpAccess.COND_WRITE, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE})
_LOST = (
    Register.RAX,
    Register.RCX,
    Register.RDX,
    Register.RSI,
    Register.RDI,
    Register.R8,
    Register.R9,
    Register.R10,
    Register.R11,
)
"""Registers that a call does not keep (System V ABI, x86-64, figure 3.4)."""
_C = ConditionCode
_SIDES = {
    "bits": {_C.NE: True, _C.E: False, _C.S: True, _C.NS: False, _C.A: True, _C.BE: False}
    | {_C.G: True, _C.LE: False, _C.B: True, _C.AE: False},
    "bit": {_C.B: True, _C.AE: False},
    "equal": {_C.E: True, _C.NE: False, _C.A: True, _C.AE: True, _C.G: True, _C.GE: True}
    | {_C.B: False, _C.BE: False, _C.L: False, _C.LE: False},
}
"""By the kind of a comparison, the conditions that hold where a feature is there, and those that hold where not."""


class Taint(Enum):
    """How a value tells of a feature."""

    THERE = "nonzero: it is there"
    MISSING = "nonzero: it is missing"
    SOME = "somehow"
    POINTER = "the address of what tells it"


_Used: TypeAlias = Sequence[tuple[int, int]]
"""Whole registers, and how they are accessed."""


@record
class Knowledge:
    """What is known of the file round a function."""

    is_answer: Callable[[int], bool]
    """Whether a variable holds the answer of a test."""
    asks: Callable[[Instruction], bool]
    """Whether a call's result tells of the processor."""


@record
class Passage:
    """What runs."""

    ran: frozenset[int]
    """Addresses of instructions."""
    chooses: bool
    """Whether a conditional move depends on a test: addresses that the function takes are a choice's."""
    tested: bool
    """Whether a jump depends on a test."""


_State: TypeAlias = dict[object, Taint]
"""What is known of registers, of places on the stack, and, by a comparison's kind, of the flags."""


def passage(instructions: list[Instruction], knowledge: Knowledge, *, catches: bool) -> Passage:
    """Follows the flow of a function from its first instruction."""
    walk = _Walk(instructions, knowledge)
    walk.follow(0)
    if catches or walk.jumps:
        # cases of a `switch` and handlers of exceptions, which no jump names
        seen = walk.ran | walk.avoided()
        for index, before in enumerate(instructions[:-1], 1):
            if before.flow_control in _ENDS and instructions[index].ip not in seen:
                walk.follow(index)
                seen |= walk.ran
    return Passage(frozenset(walk.ran), walk.chooses, walk.tested)


_ENDS = frozenset(
    {
        FlowControl.UNCONDITIONAL_BRANCH,
        FlowControl.INDIRECT_BRANCH,
        FlowControl.RETURN,
        FlowControl.EXCEPTION,
    }
)


class _Walk:
    def __init__(self, instructions: list[Instruction], knowledge: Knowledge) -> None:
        self.instructions, self.knowledge = instructions, knowledge
        self.places = {each.ip: index for index, each in enumerate(instructions)}
        self.ran: set[int] = set()
        self.chooses = self.tested = self.jumps = False
        self._stopped: list[int] = []
        self._states: dict[int, _State] = {}
        self._steps = 0
        self._info = InstructionInfoFactory()

    def follow(self, index: int) -> None:
        """Runs everything from an instruction on."""
        todo: list[tuple[int, _State]] = [(index, {})]
        while todo and self._steps < _STEPS:
            index, state = todo.pop()
            todo += self._block(index, dict(state))

    def _block(self, index: int, state: _State) -> list[tuple[int, _State]]:
        """Runs to the end of a block; what follows it, with the state that it is reached in."""
        while index < len(self.instructions):
            known = self._states.get(index)
            if known is not None:
                merged = {**state, **known}
                if len(merged) == len(known):
                    return []
                state = merged
            self._states[index] = dict(state)
            instruction = self.instructions[index]
            self.ran.add(instruction.ip)
            self._steps += 1
            kind = instruction.flow_control
            if kind == FlowControl.CONDITIONAL_BRANCH:
                return self._jump(index, instruction, state)
            if kind == FlowControl.UNCONDITIONAL_BRANCH:
                target = self.places.get(instruction.near_branch_target)
                return [] if target is None else [(target, state)]
            if kind == FlowControl.INDIRECT_BRANCH:
                self.jumps = self.jumps or not instruction.is_ip_rel_memory_operand
                return []
            if kind in _ENDS:
                return []
            self._step(instruction, state)
            index += 1
        return []

    def _jump(self, index: int, instruction: Instruction, state: _State) -> list[tuple[int, _State]]:
        target = self.places.get(instruction.near_branch_target)
        both = [index + 1] + ([] if target is None else [target])
        flags = _flags(state)
        if flags is None or index + 1 >= len(self.instructions):
            return [(each, state) for each in both]
        self.tested = True
        kind, taint = flags
        side = _SIDES[kind].get(instruction.condition_code)
        if side is None or taint is Taint.SOME:
            self._stopped += both
            return []
        if taint is Taint.MISSING:
            side = not side
        if side:
            self._stopped += [] if target is None else [target]
            return [(index + 1, state)]
        self._stopped.append(index + 1)
        return [] if target is None else [(target, state)]

    def avoided(self) -> set[int]:
        """What only runs where a test says that a feature is there."""
        found: set[int] = set()
        todo = list(self._stopped)
        while todo:
            index = todo.pop()
            while index < len(self.instructions) and self.instructions[index].ip not in found:
                instruction = self.instructions[index]
                found.add(instruction.ip)
                target = self.places.get(instruction.near_branch_target)
                if instruction.flow_control in _BRANCHES and target is not None:
                    todo.append(target)
                if instruction.flow_control in _ENDS:
                    break
                index += 1
        return found

    def _step(self, instruction: Instruction, state: _State) -> None:
        mnemonic = instruction.mnemonic
        if mnemonic == Mnemonic.CPUID:
            for register in (Register.RAX, Register.RBX, Register.RCX, Register.RDX):
                state[register] = Taint.THERE
        elif mnemonic == Mnemonic.XGETBV:
            state[Register.RAX] = state[Register.RDX] = Taint.THERE
        elif instruction.flow_control in _CALLS:
            self._call(instruction, state)
        else:
            self._compute(instruction, state)

    def _call(self, instruction: Instruction, state: _State) -> None:
        for register in _LOST:
            state.pop(register, None)
        _forget_flags(state)
        if self.knowledge.asks(instruction):
            state[Register.RAX] = Taint.THERE
            state["stack"] = Taint.THERE

    def _compute(self, instruction: Instruction, state: _State) -> None:
        info = self._info.info(instruction)
        used = [(RegisterExt.full_register(each.register), each.access) for each in info.used_registers()]
        taint = self._source(instruction, used, state)
        if instruction.mnemonic in _INVERTS or (
            instruction.mnemonic == Mnemonic.XOR and _is_one(instruction)
        ):
            taint = _OPPOSITE.get(taint, taint) if taint else None
        flags = _flags(state)
        if flags is not None:
            taint = self._conditional(instruction, *flags) or taint
        if instruction.rflags_modified:
            _forget_flags(state)
            if taint is not None and taint is not Taint.POINTER:
                state[_comparison(instruction)] = taint
        self._store(instruction, used, taint, state)

    def _conditional(self, instruction: Instruction, kind: str, flags: Taint) -> Taint | None:
        """What a value tells that depends on flags which tell something."""
        if instruction.mnemonic in _CARRIES:
            return Taint.SOME
        if instruction.condition_code == ConditionCode.NONE:
            return None
        side = _SIDES[kind].get(instruction.condition_code)
        moves = instruction.mnemonic in _MOVES
        self.chooses = self.chooses or moves
        if side is None or moves or flags is Taint.SOME:
            return Taint.SOME
        return Taint.THERE if side == (flags is Taint.THERE) else Taint.MISSING

    def _source(self, instruction: Instruction, used: _Used, state: _State) -> Taint | None:
        """What the values tell that an instruction reads."""
        if _clears(instruction):
            return None
        if instruction.mnemonic == Mnemonic.MOV and instruction.op1_kind in _NUMBERS:
            return Taint.POINTER if self.knowledge.is_answer(instruction.immediate(1)) else None
        found: Taint | None = None
        memory = _memory_operand(instruction)
        if instruction.is_ip_rel_memory_operand and self.knowledge.is_answer(
            instruction.ip_rel_memory_address
        ):
            if instruction.mnemonic == Mnemonic.LEA:
                return Taint.POINTER
            found = Taint.THERE
        elif memory is not None and instruction.mnemonic != Mnemonic.LEA:
            base = RegisterExt.full_register(instruction.memory_base)
            stack = base in _STACK
            if state.get(base) is Taint.POINTER:
                found = Taint.THERE
            elif stack:
                found = state.get(memory, state.get("stack"))
            if not stack:
                used = [(each, access) for each, access in used if each != base]
        for register, access in used:
            told = state.get(register)
            if access in _READ and told is not None:
                if told is Taint.POINTER and instruction.mnemonic not in _POINTS:
                    continue
                found = told
        return found

    def _store(self, instruction: Instruction, used: _Used, taint: Taint | None, state: _State) -> None:
        for register, access in used:
            if access in _WRITTEN and register not in (Register.RSP,):
                if taint is None:
                    state.pop(register, None)
                else:
                    state[register] = taint
        memory = _memory_operand(instruction)
        if (
            memory is not None
            and instruction.op0_kind == OpKind.MEMORY
            and instruction.mnemonic not in _READERS
        ):
            if taint is None:
                state.pop(memory, None)
            else:
                state[memory] = taint


_BRANCHES = frozenset({FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH})
_CALLS = frozenset({FlowControl.CALL, FlowControl.INDIRECT_CALL})
_CARRIES = frozenset({Mnemonic.SBB, Mnemonic.ADC})
_OPPOSITE = {Taint.THERE: Taint.MISSING, Taint.MISSING: Taint.THERE}
_READERS = frozenset({Mnemonic.CMP, Mnemonic.TEST, Mnemonic.BT})
_INVERTS = frozenset({Mnemonic.NOT, Mnemonic.ANDN})
_POINTS = frozenset({Mnemonic.MOV, Mnemonic.LEA, Mnemonic.ADD})
_MOVES = frozenset(
    value for name, value in vars(Mnemonic).items() if name.startswith("CMOV") and isinstance(value, int)
)
_BITS = frozenset({Mnemonic.BT, Mnemonic.BTS, Mnemonic.BTR, Mnemonic.BTC})


_STACK = frozenset({Register.RSP, Register.RBP})
_NUMBERS = frozenset({OpKind.IMMEDIATE32, OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE64})


def _flags(state: _State) -> tuple[str, Taint] | None:
    """What the flags tell, and the kind of comparison that set them."""
    return next(((kind, state[kind]) for kind in _SIDES if kind in state), None)


def _forget_flags(state: _State) -> None:
    for kind in _SIDES:
        state.pop(kind, None)


def _is_one(instruction: Instruction) -> bool:
    return instruction.op_kind(1) not in (OpKind.REGISTER, OpKind.MEMORY) and instruction.immediate(1) == 1


def _clears(instruction: Instruction) -> bool:
    """`xor eax, eax`."""
    return (
        instruction.mnemonic in (Mnemonic.XOR, Mnemonic.SUB)
        and instruction.op0_kind == OpKind.REGISTER
        and instruction.op1_kind == OpKind.REGISTER
        and instruction.op0_register == instruction.op1_register
    )


def _comparison(instruction: Instruction) -> str:
    if instruction.mnemonic in _BITS:
        return "bit"
    if instruction.mnemonic != Mnemonic.CMP:
        return "bits"
    number = instruction.op_kind(1) not in (OpKind.REGISTER, OpKind.MEMORY)
    return "bits" if number and instruction.immediate(1) == 0 else "equal"


def _memory_operand(instruction: Instruction) -> object | None:
    """A place on the stack, by its base and distance; other places of memory are all the same."""
    if not any(instruction.op_kind(index) == OpKind.MEMORY for index in range(instruction.op_count)):
        return None
    base = RegisterExt.full_register(instruction.memory_base)
    stacked = base in _STACK and instruction.memory_index == Register.NONE
    return ("slot", base, instruction.memory_displacement) if stacked else "elsewhere"
