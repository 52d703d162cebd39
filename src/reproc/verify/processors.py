"""Tests of an image on processors that this machine does not have."""

from __future__ import annotations

from pathlib import Path

from reproc.audit.place import place
from reproc.catalog import processors
from reproc.diagnostics import Diagnostic
from reproc.record import record
from reproc.verify.emulation import Emulator, Fault, Tree, Unsuited, model
from reproc.verify.engines.base import Command, CommandResult, Engine, RunResult
from reproc.verify.plan import TargetPlan
from reproc.verify.sandbox import Sandbox

_DIED = 128 + 4
"""The exit status of what SIGILL ended, as shells tell it."""


@record
class Processors:
    """Emulated processors for one image, which is unpacked for them."""

    emulator: Emulator
    tree: Tree
    without: frozenset[str]
    """Features that the target forbids, by archspec's names."""
    allowed: processors.Level | None
    """What the target allows, if it says so."""

    @classmethod
    def of(cls, engine: Engine, image: str, plan: TargetPlan, folder: Path) -> Processors:
        """Unpacks an image below a folder, which the caller removes; raises `Unsuited`."""
        root = folder / "image"
        root.mkdir(parents=True)
        emulator = Emulator(Sandbox.detect(), folder)
        if emulator.unusable is not None:
            raise Unsuited(emulator.unusable)
        told = engine.unpack(image, root)
        if isinstance(told, Diagnostic):
            raise Unsuited(told.message)
        root.chmod(0o755)
        forbidden = plan.target.without if plan.target else ()
        without = frozenset(processors.feature(item.text) for item in forbidden)
        said = plan.target.cpu if plan.target else None
        allowed = processors.level(said.text) if said else None
        return cls(emulator, Tree(root, dict(plan.environment)), without, allowed)

    def run(self, command: Command, level: str) -> tuple[RunResult, str | None]:
        """What a command does on a processor, and of what instructions its processes died; raises `Unsuited`."""
        known = processors.level(level)
        assert known is not None, "the spec was checked"
        description = model(known, self.without)
        result = self.emulator.run(self.tree, command, description)
        # what has started a program that dies may end with any status of its own
        if not isinstance(result, CommandResult) or not result.exit_code:
            return result, None
        faults = self.emulator.faults(self.tree, command, description)
        told = "; ".join(dict.fromkeys(self._told(fault, known) for fault in faults))
        if not told and result.exit_code == _DIED:
            told = f"it dies of an instruction that `{level}` does not have"
        return result, told or None

    def _told(self, fault: Fault, level: processors.Level) -> str:
        words = " ".join(
            (processors.written(level.name), *(f"without {each}" for each in sorted(self.without)))
        )
        who = "the target allows" if level == self.allowed else "the test's processor is"
        found = place(self.tree.root / fault.path.lstrip("/"), fault.offset)
        lacking = sorted(found.needs - processors.reachable(level, self.without)) if found else []
        if found is None or not lacking:
            return f"`{fault.path}` needs an instruction that is not there, and {who} {words}"
        where = f"`{found.function}` in `{fault.path}`" if found.function else f"`{fault.path}`"
        return f"{where} needs {', '.join(lacking)}, and {who} {words}: `{found.instruction}`"
