"""This machine's processor and GPUs, and which targets they can run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from reproc.catalog import cuda as toolkits
from reproc.catalog import processors
from reproc.check import Target
from reproc.model import Cuda
from reproc.record import record

_FLAGS = {"pni": "sse3"}
"""Features that /proc/cpuinfo calls otherwise than archspec (its `feature_aliases`)."""
_FAMILIES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
"""The kernel's names of processor families."""


@record
class Gpu:
    """One NVIDIA GPU."""

    name: str
    capability: str | None
    """Such as `9.0`; None where the driver is too old to say."""


@record
class Host:
    """What was found here."""

    family: str
    """As the catalogue names it, `x86_64`; the kernel's word where that is none it knows."""
    features: frozenset[str]
    """archspec's names."""
    driver: str | None = None
    """The version of NVIDIA's kernel driver."""
    gpus: tuple[Gpu, ...] = ()
    amd_gpu: bool = False

    @classmethod
    def look(cls, root: Path = Path("/")) -> Host:
        """Reads /proc, and asks nvidia-smi where there is a driver."""
        machine = os.uname().machine
        family = _FAMILIES.get(machine, machine)
        driver = _driver(_text(root / "proc/driver/nvidia/version"))
        features = _features(_text(root / "proc/cpuinfo"))
        gpus = _gpus() if driver else ()
        return cls(family, features, driver, gpus, (root / "dev/kfd").exists())

    def refuses(self, target: Target) -> Iterator[str]:
        """Why this machine cannot run what a target promises, a sentence's part each; nothing if it can."""
        family = processors.family_of(target.platform)
        if family != self.family:
            yield f"it is for {target.platform}, and the processor here is {self.family}"
        elif target.cpu and (level := processors.level(target.cpu.text)):
            allowed = level.features - {processors.feature(each.text) for each in target.without}
            if lacking := sorted(allowed - self.features):
                yield f"the processor here is no {target.cpu.text}: it lacks {_listed(lacking)}"
        if target.cuda:
            yield from self.refuses_cuda(target.cuda)
        if target.rocm and not self.amd_gpu:
            yield "no AMD GPU is here (`/dev/kfd`)"

    def refuses_cuda(self, cuda: Cuda) -> Iterator[str]:
        """Why programs made with this CUDA cannot use a GPU here."""
        if self.driver is None:
            yield "no NVIDIA GPU is here"
            return
        oldest = toolkits.oldest_driver(cuda.version, cuda.driver)
        if oldest and toolkits.number(self.driver) < toolkits.number(oldest):
            yield (
                f"the NVIDIA driver here is {self.driver}, and CUDA {cuda.version} needs {oldest} or newer: "
                "ask whoever runs this machine for a newer one"
            )
        if cuda.arch:
            made_for = [each for item in cuda.arch for each in toolkits.expanded(item.text, cuda.version)]
            unfit = [gpu for gpu in self.gpus if gpu.capability and not _runs(made_for, gpu.capability)]
            if self.gpus and len(unfit) == len(self.gpus):
                here = _listed(sorted({f"{gpu.name} (sm_{_plain(gpu.capability)})" for gpu in unfit}))
                yield f"programs are made for {' '.join(item.text for item in cuda.arch)}, and the GPU here is {here}"


def _runs(architectures: list[str], capability: str) -> bool:
    """Whether a GPU runs code of one of these: same major number, minor no newer (CUDA's binary compatibility).

    Code for `sm_90a` runs on 9.0 alone, and that for `sm_100f` within its family, of which 10.0 is the oldest.
    """
    here = int(_plain(capability))
    for each in architectures:
        number, kind = re.fullmatch(r"sm_([0-9]+)([af]?)", each).groups()  # type: ignore[union-attr]
        made_for = int(number)
        if kind == "a" and made_for == here:
            return True
        if kind != "a" and made_for // 10 == here // 10 and made_for <= here:
            return True
    return False


def _plain(capability: str | None) -> str:
    return (capability or "").replace(".", "")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _features(cpuinfo: str) -> frozenset[str]:
    """The features of the first processor (`flags` on x86, `Features` on Arm)."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(_FLAGS.get(word, word) for word in found[1].split()) if found else frozenset()


def _driver(version: str) -> str | None:
    """The version in /proc/driver/nvidia/version: `… Kernel Module  535.54.03  Release Build …`."""
    found = re.search(r"Kernel Module(?: for \S+)?\s+([0-9]+(?:\.[0-9]+)+)", version)
    return found[1] if found else None


def _gpus() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    for fields in ("name,compute_cap", "name"):  # drivers before 510 cannot tell the capability
        said = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )
        if said.returncode == 0:
            rows = (
                line.rpartition(", ") if "," in fields else (line, "", "")
                for line in said.stdout.splitlines()
            )
            return tuple(Gpu(name.strip(), capability.strip() or None) for name, _, capability in rows)
    return ()
