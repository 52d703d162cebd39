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
        return cls(emulator, Tree(root, dict(plan.environment)), without)

    def run(self, command: Command, level: str) -> tuple[RunResult, str | None]:
        """What a command does on a processor, and of what instruction it died, if it did; raises `Unsuited`."""
        known = processors.level(level)
        assert known is not None, "the spec was checked"
        description = model(known, self.without)
        result = self.emulator.run(self.tree, command, description)
        if not isinstance(result, CommandResult) or result.exit_code != _DIED:
            return result, None
        faults = self.emulator.faults(self.tree, command, description)
        told = "; ".join(self._told(fault, level) for fault in faults[:3])
        return result, told or f"it dies of an instruction that `{level}` does not have"

    def _told(self, fault: Fault, level: str) -> str:
        found = place(self.tree.root / fault.path.lstrip("/"), fault.offset)
        if found is None:
            return f"`{fault.path}` holds an instruction that `{level}` does not have"
        where = f"`{found.function}` in `{fault.path}`" if found.function else f"`{fault.path}`"
        what = " and ".join(found.needs) or "an instruction"
        return f"{where} needs {what}, which `{level}` does not have"
