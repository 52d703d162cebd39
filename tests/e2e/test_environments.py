"""Environments out of the image that is the base, in both engines: Python, R, CUDA."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from debs import members
from projects import reported, written
from pushed import REGISTRY, push

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
TAG = "3.9.25-slim-bookworm"
SPEC = f"""
reproc 1
base image "docker.io/library/python:{TAG}" {{ is debian bookworm }}

python 3.9 {{ provider image; packages six==1.16.0 MarkupSafe==2.1.5 }}

test "version" {{
    run    "python -c 'import sys, six, markupsafe; print(sys.version_info[:2], six.__version__)'"
    expect stdout equals "(3, 9) 1.16.0"
}}
test "compiled for it" {{
    run    "ls /opt/venv/lib/python3.9/site-packages/markupsafe"
    expect stdout contains "cpython-39-"
}}
test "the release's own is not there" {{ run "! command -v python3.11" }}
"""
PYTHON = (
    "libexpat1",
    "libffi7",
    "libpython3.9-minimal",
    "libpython3.9-stdlib",
    "libssl1.1",
    "python-pip-whl",
    "python3-distutils",
    "python3-lib2to3",
    "python3.9",
    "python3.9-minimal",
    "python3.9-venv",
)
"""Bullseye's Python, and what of bullseye's libraries bookworm has no longer."""


R = (
    "libblas3",
    "libgfortran5",
    "libgomp1",
    "libgssapi-krb5-2",
    "libicu72",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "liblapack3",
    "libquadmath0",
    "libreadline8",
    "libtirpc3",
    "r-base-core",
)
"""Bookworm's R 4.2.2, and of what it needs what `Rscript` loads."""
CUDA = (
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-nvvm==13.0.88",
)
LEFT_OUT = ("bin/nvlink", "lib/libcudadevrt.a", "lib/libcudart_static.a", "lib/libnvvm.so.4")
"""What of these no program here needs, as it is large."""
HOLDERS = '''
reproc 1
base image "docker.io/rocker/r-ver:4.2.2" { is debian bookworm }

code sources { local "src" }

target r {
    build fit {
        in   /opt/src/sources
        run  "mkdir -p /opt/fit; cp fit.R /opt/fit; Rscript fit.R > /opt/fit/coefficients"
        keep /opt/fit
    }
    app fit { run "Rscript /opt/fit/fit.R" }
    test "the app fits"   { app fit; expect stdout equals "1.500 2.000" }
    test "so did a build" { run "cat /opt/fit/coefficients"; expect stdout equals "1.500 2.000" }
}

target gpu {
    base image "docker.io/nvidia/cuda:13.0.1-devel-ubuntu24.04" { is debian bookworm }
    cuda 13.0 { arch sm_80 sm_90 }
    toolchain gcc 12
    build twice {
        using gcc 12
        in    /opt/src/sources
        run   "mkdir -p /opt/twice/bin"
        run   """
              nvcc -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=compute_90 -c twice.cu
              g++ -s -o /opt/twice/bin/twice twice.o -L/usr/local/cuda/lib64 -lcudart
              """
        keep  /opt/twice
    }
    test "it starts" { run "twice"; expect stdout contains "twice 21 is 42" }
}
'''
SOURCES = {
    "fit.R": "x <- 1:20\ny <- 1.5 + 2 * x + rep(c(-1, 1, 1, -1), 5)\n"
    'cat(sprintf("%.3f %.3f\\n", coef(lm(y ~ x))[[1]], solve(crossprod(x), crossprod(x, y - 1.5))))\n',
    "twice.cu": "#include <cstdio>\n__global__ void twice(int *v) { *v *= 2; }\nint main() {\n"
    "int *v, count = 0, value = 21;\n"
    "if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) {\n"
    "  cudaMalloc(&v, sizeof *v); cudaMemcpy(v, &value, sizeof value, cudaMemcpyHostToDevice);\n"
    "  twice<<<1, 1>>>(v); cudaMemcpy(&value, v, sizeof value, cudaMemcpyDeviceToHost);\n"
    '} else value *= 2;\nstd::printf("twice 21 is %d\\n", value); }\n',
}


def unpacked(names: Sequence[str], suite: str, folder: Path, links: Mapping[str, str]) -> bytes:
    """A layer with what packages of a release of Debian hold, and with symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for head, content in members(suite, names, folder):
            # folders are there, or made; /lib is a link to /usr/lib
            head.name = f"usr/{head.name}" if head.name.startswith("lib/") else head.name
            layer.addfile(head, io.BytesIO(content) if content is not None else None)
        for name, target in links.items():
            head = tarfile.TarInfo(name)
            head.type, head.linkname = tarfile.SYMTYPE, target
            layer.addfile(head)
    return out.getvalue()


def toolkit(folder: Path) -> bytes:
    """A layer with CUDA's compiler and its runtime in `/usr/local/cuda`, out of NVIDIA's wheels."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *CUDA, "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for wheel in sorted(folder.glob("nvidia_*.whl")):
            with zipfile.ZipFile(wheel) as packed:
                for info in packed.infolist():
                    _, found, path = info.filename.partition("nvidia/cu13/")
                    if found and not info.is_dir() and path not in LEFT_OUT:
                        head = tarfile.TarInfo(f"usr/local/cuda/{path}")
                        head.size, head.mode = info.file_size, 0o755 if "bin/" in path else 0o644
                        layer.addfile(head, packed.open(info))
        for name, target in (("lib64", "lib"), ("lib/libcudart.so", "libcudart.so.13")):
            link = tarfile.TarInfo(f"usr/local/cuda/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            layer.addfile(link)
    return out.getvalue()


def test_an_environment_of_the_base_image_s_python(tmp_path: Path, reproc: Reproc) -> None:
    """The stand-in for the official image is bookworm with bullseye's Python 3.9 unpacked into it."""
    push("library/python", TAG, unpacked(PYTHON, "bullseye", tmp_path, {}))
    (tmp_path / "repro.spec").write_text(SPEC.lstrip())
    where = {"REPROC_MIRROR_DOCKER": REGISTRY}
    locked = reproc("lock", tmp_path, env=where)
    assert locked.returncode == 0, locked.stderr
    lock = json.loads((tmp_path / "repro.lock").read_text(encoding="utf-8"))
    assert "python3.11" not in json.dumps(lock)
    done = reproc(
        "verify", tmp_path, env={**where, "REPROC_REQUIRE_ENGINES": "docker,singularity"}, timeout=1200
    )
    report = reported(done, tmp_path)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (6, 0)
    assert report["targets"][0]["same_tree"]


def test_r_and_cuda_of_base_images(tmp_path: Path, reproc: Reproc) -> None:
    """The stand-ins are bookworm with its own R, as rocker has it in another place, and with NVIDIA's own compiler."""
    libraries = "usr/lib/x86_64-linux-gnu"
    links = {f"{libraries}/lib{each}.so.3": f"{each}/lib{each}.so.3" for each in ("blas", "lapack")}
    links["etc/R/Renviron"] = "/usr/lib/R/etc/Renviron.ucf"
    push("rocker/r-ver", "4.2.2", unpacked(R, "bookworm", tmp_path, links))
    path = "/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = {"PATH": path, "LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}
    push("nvidia/cuda", "13.0.1-devel-ubuntu24.04", toolkit(tmp_path), variables)
    project = written(tmp_path / "holders", HOLDERS, SOURCES)
    where = {"REPROC_MIRROR_DOCKER": REGISTRY, "REPROC_REQUIRE_ENGINES": "docker,singularity"}
    locked = reproc("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    done = reproc("verify", project, env=where, timeout=1200)
    report = reported(done, project)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (6, 0)
    assert [target["same_tree"] for target in report["targets"]] == [True, True]
    for row in next(each for each in report["targets"] if each["name"] == "gpu")["engines"]:
        told = next(audit for audit in row["audits"] if audit["name"] == "binaries")
        messages = [each["message"] for each in told["findings"]]
        driver = "is compiled by the driver when it starts on sm_90: it has sm_80, compute_90"
        assert f"`/opt/twice/bin/twice` {driver}" in messages
