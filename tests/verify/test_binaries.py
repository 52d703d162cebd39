"""The audit of an image's binaries against its target, with an engine that has its files in a folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from reproc import pipeline
from reproc.check import Target
from reproc.verify.audits import binaries
from reproc.verify.audits.image import Image
from reproc.verify.engines.base import Engine


@dataclass
class Shelf:
    """As much of an engine as is asked here: it hands out the files of a folder."""

    root: Path

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> None:
        for path in paths:
            if (self.root / path.lstrip("/")).is_dir():
                shutil.copytree(self.root / path.lstrip("/"), folder / path.lstrip("/"))


def target(tmp_path: Path, hardware: str) -> Target:
    spec = tmp_path / "repro.spec"
    spec.write_text(f"reproc 1\nbase debian bookworm\n{hardware}\n")
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value[1].targets[0]


def image(tmp_path: Path) -> Image:
    """With a library that needs AVX2, and tests nothing."""
    library = tmp_path / "image/opt/fit/lib/libfit.so"
    library.parent.mkdir(parents=True)
    text = "void add(int *a) { for (int i = 0; i < 64; i++) a[i] += 3; }\n"
    options = ["-O3", "-mavx2", "-shared", "-fPIC", "-nostdlib"]
    subprocess.run(["gcc", "-x", "c", *options, "-o", library, "-"], input=text.encode(), check=True)
    (tmp_path / "copies").mkdir()
    return Image(cast(Engine, Shelf(tmp_path / "image")), "image", (), tmp_path / "copies")


@pytest.mark.parametrize(
    ("hardware", "needs"),
    [
        ("cpu x86-64-v2", "avx, avx2"),
        ("cpu haswell\nwithout avx2", "avx2"),
    ],
)
def test_a_library_that_needs_more(hardware: str, needs: str, tmp_path: Path) -> None:
    (finding,) = binaries.check(target(tmp_path, hardware), image(tmp_path))
    assert not finding.holds
    assert finding.path == "/opt/fit/lib/libfit.so"
    assert finding.message.startswith(f"`/opt/fit/lib/libfit.so` needs {needs}, and the target allows ")


def test_a_library_that_fits(tmp_path: Path) -> None:
    (finding,) = binaries.check(target(tmp_path, "cpu x86-64-v3"), image(tmp_path))
    assert finding.holds


def test_nothing_is_promised(tmp_path: Path) -> None:
    assert binaries.idle(target(tmp_path, "")) == "the target says nothing of the hardware"
    assert binaries.idle(target(tmp_path, "cpu x86-64-v3")) is None


def test_gpus_come_as_the_language_has_them(tmp_path: Path) -> None:
    promise = binaries.promise(target(tmp_path, "cuda 12.4 {\n arch sm_80..sm_89\n}"))
    assert promise.gpus == ("sm_80", "sm_86", "sm_87", "sm_89")
