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
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "repro.spec").write_text(SPEC)
    return tmp_path


def test_a_line_for_each_target(reproc: Reproc, folder: Path) -> None:
    done = reproc("targets", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "laptop   docker singularity  on debian bookworm  for linux/amd64, x86-64-v2",
        "cluster  singularity  on debian bookworm  for linux/amd64, x86-64-v2, CUDA 12.4 (sm_80..sm_90; driver >=550)"
        "  extends laptop",
    ]


def test_here_says_why_not(reproc: Reproc, folder: Path) -> None:
    done = reproc("targets", "--here", "--json", cwd=folder, env={"PATH": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    laptop, cluster = json.loads(done.stdout)
    assert laptop["here"]["why_not"][-1] == "no engine for docker or singularity is here"
    assert cluster["here"]["why_not"][-1] == "no engine for singularity is here"
    assert cluster["here"]["runs"] is False
    assert (
        "does not run here: no engine"
        in reproc("targets", "--here", cwd=folder, env={"PATH": "/nonexistent", "DOCKER_HOST": ""}).stdout
    )


@pytest.mark.engines("singularity")
def test_here_names_the_engines(reproc: Reproc, folder: Path) -> None:
    (laptop, _) = json.loads(reproc("targets", "--here", "--json", cwd=folder).stdout)
    assert any(each.startswith("apptainer ") for each in laptop["here"]["engines"])
