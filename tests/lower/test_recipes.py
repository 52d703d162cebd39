"""The whole recipes of a target on an image that holds CUDA: standalone, in both forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reproc import registry
from reproc.graph import BuildGraph
from reproc.lower import Shape
from reproc.target.legalize import legalize

GOLDEN = Path(__file__).parent / "golden/cuda"
SPEC = """\
reproc 1
base image "docker.io/nvidia/cuda:11.8.0-devel-ubuntu22.04" { is ubuntu jammy }
cpu x86-64-v3
cuda 11.8 { arch sm_80 sm_90; driver >=520 }
toolchain gcc 11

build kernels {
    using gcc 11
    flags gpu
    in    /a
    run   "nvcc -O2 -o /opt/kernels/bin/twice twice.cu"
    keep  /opt/kernels
}
app twice { run "twice" }
"""


@pytest.mark.parametrize("form", ["docker", "singularity"])
def test_on_an_image_that_holds_cuda(
    lowered: Callable[..., BuildGraph], form: str, update_golden: bool
) -> None:
    back_end = registry.backend(form).value
    assert back_end is not None
    legal = legalize(lowered(SPEC, shape=Shape.STANDALONE), back_end.features)
    assert legal.value is not None
    for artifact in back_end.render(legal.value, comments=True):
        golden = GOLDEN / artifact.filename
        if update_golden:
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(artifact.text, encoding="utf-8", newline="")
        assert golden.read_bytes().decode() == artifact.text
