"""Programs that a doubter would try; what each of them does on an old processor, QEMU says."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from reproc import audit
from reproc.audit import File, Kind, Promise
from reproc.catalog import processors


def _neighbour() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_hostile", Path(__file__).with_name("hostile.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


hostile = _neighbour()
KNOWN = {("own test", "answer is a parameter")}
"""What docs/hardware.md tells of under "What it cannot see"."""
QEMU = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")


def test_programs_that_a_doubter_would_try(tmp_path: Path) -> None:
    promise = Promise("linux/amd64", processors.level(hostile.LEVEL))
    wrong = []
    for case in hostile.one_of_each(tmp_path, "-O3"):
        findings = audit.scan([File("/opt/program", case.path)], promise, workers=1)
        alarms = [each for each in findings if each.kind is Kind.CPU and not each.holds]
        if bool(alarms) != case.runs:
            wrong.append((case.family, case.name.removesuffix(", -O3")))
        if QEMU is not None:
            done = subprocess.run([QEMU, "-cpu", "Nehalem", case.path], capture_output=True)
            assert (done.returncode in (-4, 132)) == case.runs, (case.family, case.name)
    assert {*wrong} <= KNOWN
