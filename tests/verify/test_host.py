"""Which targets a machine can run: processors and GPUs that are not here are told from what /proc would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc import pipeline
from reproc.verify.host import Gpu, Host
from reproc.verify.machine import Machine, maker_of_gpus

DRIVER = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Tue Jan  2 03:04:05 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build  (x@y)\n"
NEHALEM = "sse sse2 pni ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm mmx"
HASWELL = f"{NEHALEM} avx avx2 bmi1 bmi2 fma f16c abm movbe xsave aes pclmulqdq rdrand"


def host(
    tmp_path: Path,
    flags: str = HASWELL,
    driver: str | None = None,
    capability: str | None = "9.0",
    family: str = "x86_64",
) -> Host:
    """A machine as its /proc describes it."""
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    if driver:
        (tmp_path / "proc/driver/nvidia/version").write_text(DRIVER.format(version=driver))
    seen = Host.look(tmp_path)
    gpus = (Gpu("H200", capability),) if driver else ()
    return Host(family, seen.features, seen.driver, gpus, seen.amd_gpu)


def refused(tmp_path: Path, machine: Host, hardware: str) -> list[str]:
    """Why a machine does not run a target of this hardware."""
    spec = tmp_path / "repro.spec"
    spec.write_text(f"reproc 1\nbase debian bookworm\n{hardware}\n")
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None, outcome.diagnostics
    return list(machine.refuses(outcome.value[1].targets[0]))


@pytest.mark.parametrize(
    ("hardware", "missing"),
    [
        ("cpu x86-64", None),
        ("cpu x86-64-v2", None),
        ("cpu nehalem", None),
        ("cpu x86-64-v3", "abm, avx, avx2, bmi1, bmi2, f16c, fma, movbe and xsave"),
        ("cpu sandybridge", "aes, avx and pclmulqdq"),
        ("cpu sandybridge\nwithout avx aes", "pclmulqdq"),
    ],
)
def test_an_old_node_is_told_what_it_lacks(tmp_path: Path, hardware: str, missing: str | None) -> None:
    found = refused(tmp_path, host(tmp_path, NEHALEM), hardware)
    level = hardware.split()[1]
    assert found == ([] if missing is None else [f"the processor here is no {level}: it lacks {missing}"])


def test_another_family_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, host(tmp_path), "platform linux/arm64")
    assert found == ["it is for linux/arm64, and the processor here is x86_64"]
    arm = host(tmp_path / "arm", "fp asimd", family="aarch64")
    assert refused(tmp_path, arm, "platform linux/arm64") == []


@pytest.mark.parametrize(
    ("hardware", "reason"),
    [
        ("cuda 12.4", None),
        (
            "cuda 12.4 { driver >=550 }",
            "the NVIDIA driver here is 535.54.03, and CUDA 12.4 needs 550 or newer",
        ),
        ("cuda 13.0", "the NVIDIA driver here is 535.54.03, and CUDA 13.0 needs 580.65.06 or newer"),
        ("cuda 12.4 { arch sm_80..sm_90 }", None),
        ("cuda 12.4 { arch sm_80 }", "programs are made for sm_80, and the GPU here is H200 (sm_90)"),
        ("cuda 12.4 { arch sm_90a }", None),
    ],
)
def test_a_driver_or_a_gpu_that_does_not_fit(tmp_path: Path, hardware: str, reason: str | None) -> None:
    found = refused(tmp_path, host(tmp_path, driver="535.54.03"), hardware)
    assert len(found) == (reason is not None)
    assert all(each.startswith(reason or "") for each in found)


@pytest.mark.parametrize(
    ("capability", "arch", "runs"),
    [
        ("8.6", "sm_80", True),
        ("8.0", "sm_86", False),
        ("9.0", "sm_80..sm_89", False),
        ("8.9", "sm_90a", False),
    ],
)
def test_binary_compatibility_is_within_a_major_number(
    tmp_path: Path, capability: str, arch: str, runs: bool
) -> None:
    machine = host(tmp_path, driver="550.54.14", capability=capability)
    assert (refused(tmp_path, machine, f"cuda 12.4 {{ arch {arch} }}") == []) == runs


def test_no_gpu(tmp_path: Path) -> None:
    assert refused(tmp_path, host(tmp_path), "cuda 12.4") == ["no NVIDIA GPU is here"]
    assert refused(tmp_path, host(tmp_path / "b"), "rocm 6.0") == ["no AMD GPU is here (`/dev/kfd`)"]


def test_an_old_driver_that_cannot_tell_the_capability_refuses_nothing_for_it(tmp_path: Path) -> None:
    machine = host(tmp_path, driver="470.42.01", capability=None)
    assert refused(tmp_path, machine, "cuda 11.4 { arch sm_50 }") == []


def test_open_kernel_module_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(OPEN)
    assert Host.look(tmp_path).driver == "570.86.10"
    assert Host.look(tmp_path / "nothing") == Host(Host.look().family, frozenset())


def test_gpus_are_asked_of_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text('#!/bin/sh\ncase $1 in *compute_cap*) echo "NVIDIA H200, 9.0"; echo "A, B, 8.0";; esac\n')
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(OPEN)
    assert Host.look(tmp_path).gpus == (Gpu("NVIDIA H200", "9.0"), Gpu("A, B", "8.0"))


def test_this_machine_runs_what_its_processor_has() -> None:
    assert {"sse2", "sse"} <= Host.look().features or Host.look().family != "x86_64"


def test_a_test_that_needs_a_gpu_is_told_of_its_driver(tmp_path: Path) -> None:
    spec = tmp_path / "repro.spec"
    spec.write_text('reproc 1\nbase debian bookworm\ncuda 13.0\ntest "sees it" { needs gpu; run "x" }\n')
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None
    target = outcome.value[1].targets[0]
    (need,) = target.tests[0].needs
    old, new = (
        Machine(gpu=True, mpi=False, network=False, host=host(tmp_path / version, driver=version))
        for version in ("535.54.03", "580.65.06")
    )
    said = old.lacks(need, target)
    assert said is not None
    assert said.startswith("the NVIDIA driver here is 535.54.03, and CUDA 13.0 needs 580.65.06 or newer")
    assert new.lacks(need, target) is None
    assert Machine(False, False, False).lacks(need, target) == "no NVIDIA GPU is here"


def test_a_target_for_amd_asks_for_their_gpus(tmp_path: Path) -> None:
    spec = tmp_path / "repro.spec"
    spec.write_text('reproc 1\nbase debian bookworm\nrocm 6.0\ntest "sees it" { needs gpu; run "x" }\n')
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None
    target = outcome.value[1].targets[0]
    (need,) = target.tests[0].needs
    assert maker_of_gpus(target) == "amd"
    here = Machine(gpu=True, mpi=False, network=False, host=host(tmp_path / "a", driver="550.54.14"))
    assert here.lacks(need, target) == "no AMD GPU is here (`/dev/kfd`)"
    (tmp_path / "b/dev").mkdir(parents=True)
    (tmp_path / "b/dev/kfd").touch()
    assert Machine(False, False, False, host(tmp_path / "b")).lacks(need, target) is None
