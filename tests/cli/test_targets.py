"""`reproc targets`: what each target promises, and whether it runs here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """\
reproc 1
base debian bookworm

target laptop {
    cpu x86-64-v2
}

target cluster {
    extends  laptop
    cuda     12.4 { arch sm_80..sm_90; driver >=550 }
    backends singularity
}

target old { without avx; cuda 12.4; rocm 6.0 }

test "x" { on cluster; run "true" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "repro.spec").write_text(SPEC)
    return tmp_path


SHOWN = """\
laptop   docker, singularity on debian bookworm
         processor  x86-64-v2 (linux/amd64)
cluster  singularity on debian bookworm, extends laptop
         processor  x86-64-v2 (linux/amd64)
         GPU        CUDA 12.4 for sm_80..sm_90, driver 550 or newer
old      docker, singularity on debian bookworm
         processor  any without avx (linux/amd64)
         GPU        CUDA 12.4, driver 525.60.13 or newer
         GPU        ROCm 6.0
"""


def test_what_each_target_promises(reproc: Reproc, folder: Path) -> None:
    done = reproc("targets", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == SHOWN


def test_tests_are_those_of_the_target(reproc: Reproc, folder: Path) -> None:
    found = json.loads(reproc("targets", "--json", cwd=folder).stdout)
    assert {each["name"]: each["tests"] for each in found} == {"laptop": [], "cluster": ["x"], "old": []}
    asked = [{name: each[name] for name in ("cpu", "without", "cuda", "rocm")} for each in found]
    assert asked[1] == {
        "cpu": "x86-64-v2",
        "without": [],
        "cuda": {"version": "12.4", "arch": ["sm_80..sm_90"], "driver": "550"},
        "rocm": None,
    }
    assert (asked[2]["without"], asked[2]["rocm"]) == (["avx"], "6.0")


def test_here_says_why_not(reproc: Reproc, folder: Path) -> None:
    done = reproc("targets", "--here", "--json", cwd=folder, env={"PATH": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    laptop, cluster, _ = json.loads(done.stdout)
    assert laptop["here"]["why_not"][-1] == "no engine for docker or singularity is here"
    assert cluster["here"]["why_not"][-1] == "no engine for singularity is here"
    assert cluster["here"]["runs"] is False
    assert (
        "not here   no engine for docker or singularity is here"
        in reproc("targets", "--here", cwd=folder, env={"PATH": "/nonexistent", "DOCKER_HOST": ""}).stdout
    )


@pytest.mark.engines("singularity")
def test_here_names_the_engines(reproc: Reproc, folder: Path) -> None:
    (laptop, *_) = json.loads(reproc("targets", "--here", "--json", cwd=folder).stdout)
    assert any(each.startswith("apptainer ") for each in laptop["here"]["engines"])
