"""CPU and GPU variants of one environment: what they share, what builds are told of the hardware, what needs a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproc.verify.machine import Machine
from reproc.verify.squashfs import tree_of_sif
from reproc.verify.tree import Kind

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """\
reproc 1
base debian bookworm { from bootstrap }

system { packages hello }
code fit { local "src" }

build fit {
    flags cpu
    run   "mkdir -p /opt/fit"
    run   "echo \\"$CFLAGS\\" > /opt/fit/told"
    keep  /opt/fit
}

target cpu {
    cpu     x86-64-v3
    without avx512f fma
}

target gpu {
    extends cpu
    cuda    12.4 { arch sm_80 sm_90; driver >=550 }

    build kernels {
        in    /opt/src/fit
        flags gpu
        run   "mkdir -p /opt/kernels"
        run   "echo \\"$CUDAARCHS $CMAKE_CUDA_ARCHITECTURES $TORCH_CUDA_ARCH_LIST\\" > /opt/kernels/told"
        keep  /opt/kernels
    }

    test "kernels"      { run "cat /opt/kernels/told"; expect stdout equals "80-real;90 80-real;90 8.0;9.0+PTX" }
    test "sees the GPU" { needs gpu; run "nvidia-smi" }
}

test "fit" { run "cat /opt/fit/told"; expect stdout equals "-march=x86-64-v3 -mtune=generic -mno-fma -O2" }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hardware")
    (made / "src").mkdir()
    (made / "src/fit.c").write_text("int main(void) { return 0; }\n")
    (made / "repro.spec").write_text(SPEC)
    subprocess.run([sys.executable, "-m", "reproc", "lock"], cwd=made, check=True)
    return made


def verified(reproc: Reproc, folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    done = reproc("verify", *arguments, cwd=folder)
    assert done.returncode in (0, 3), done.stderr
    report = json.loads((folder / ".reproc/report.json").read_text())
    return done.returncode, {target["name"]: target for target in report["targets"]}, done.stderr


def test_variants_share_what_they_can(reproc: Reproc, folder: Path) -> None:
    code, targets, said = verified(reproc, folder)
    assert code == 0, said
    for target in targets.values():
        assert target["same_tree"] is True
        assert {row["status"] for row in target["engines"]} == {"passed"}
    layers = {name: _layers(folder, name) for name in ("cpu", "gpu")}
    assert layers["gpu"][: len(layers["cpu"])] == layers["cpu"], "every layer of the one is in the other"
    assert len(layers["gpu"]) == len(layers["cpu"]) + 1, "with what is only there for GPUs on top"
    cpu, gpu = (tree_of_sif(folder / f".reproc/sif/{name}.sif") for name in ("cpu", "gpu"))
    own = ".singularity.d/"  # what Apptainer says of an image in itself
    files = {
        path: entry for path, entry in cpu.items() if entry.kind is Kind.FILE and not path.startswith(own)
    }
    assert len(files) > 1000
    assert {path for path, entry in files.items() if gpu[path] != entry} == set()
    assert {path for path in gpu.keys() - cpu.keys() if gpu[path].kind is Kind.FILE} == {"opt/kernels/told"}


def _layers(folder: Path, target: str) -> list[str]:
    image = f"reproc/{folder.name}:{target}"
    said = subprocess.run(
        ["docker", "image", "inspect", "-f", "{{json .RootFS.Layers}}", image],
        capture_output=True,
        check=True,
    )
    found: list[str] = json.loads(said.stdout)
    return found


@pytest.mark.skipif(Machine.look().gpu, reason="a GPU is here")
def test_without_a_gpu_its_tests_are_skipped_or_where_it_is_required_fail(
    reproc: Reproc, folder: Path
) -> None:
    _, targets, _ = verified(reproc, folder, "-t", "gpu", "-k", "GPU")
    tests = [test for row in targets["gpu"]["engines"] for test in row["tests"]]
    assert [(test["status"], test["reason"]) for test in tests] == [("skipped", "no NVIDIA GPU is here")] * 2
    code, targets, said = verified(reproc, folder, "-t", "gpu", "-k", "GPU", "--require", "gpu")
    assert code == 3, "something asked for that the machine lacks"
    assert "no NVIDIA GPU is here" in json.dumps(targets["gpu"])
    assert "sees the GPU" in said
