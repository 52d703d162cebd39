"""What containers see of GPUs in real engines. The GPU is a stand-in: a device by CDI, a program of the driver's name."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from docker import DockerClient

from reproc import model
from reproc.verify import contract
from reproc.verify.engines.base import CommandResult, Engine
from reproc.verify.engines.containers import Containers

Images = Callable[[str], tuple[Engine, str]]
MakeTest = Callable[..., model.Test]


@pytest.fixture
def device() -> Iterator[None]:
    """A device that Docker knows as NVIDIA's GPUs; where it looks for such by default."""
    place = Path("/var/run/cdi") / f"reproc-test-{os.getpid()}.json"
    if os.geteuid() != 0:
        pytest.skip("only root can tell Docker of devices")
    edits = {
        "env": ["STANDIN=here"],
        "deviceNodes": [{"path": "/dev/nvidia-standin", "hostPath": "/dev/null"}],
    }
    kind = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu"}
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps({**kind, "devices": [{"name": "all", "containerEdits": edits}]}))
    try:
        yield
    finally:
        place.unlink()


def said(images: Images, engine: str, test: model.Test, gpu: str = "nvidia") -> str:
    running, image = images(engine)
    result = running.run(image, contract.command(test, "/", gpu=gpu))
    assert isinstance(result, CommandResult), result
    return result.stdout.text.strip()


@pytest.mark.engines("docker")
def test_docker_brings_what_it_discovers(images: Images, smoke: MakeTest, device: None) -> None:
    text = 'echo "${STANDIN-none}"; ls /dev | grep nvidia || true'
    assert said(images, "docker", smoke(text, needs=("gpu",))) == "here\nnvidia-standin"
    assert said(images, "docker", smoke(text)) == "none"


@pytest.mark.engines("singularity")
@pytest.mark.parametrize(("gpu", "program"), [("nvidia", "nvidia-smi"), ("amd", "rocm-smi")])
def test_singularity_brings_the_drivers_programs(
    images: Images, smoke: MakeTest, monkeypatch: pytest.MonkeyPatch, gpu: str, program: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # pytest's own are closed to other users
        Path(folder).chmod(0o755)
        standin = Path(folder, program)
        standin.write_text("#!/bin/sh\necho seen\n")
        standin.chmod(0o755)
        monkeypatch.setenv("PATH", folder, prepend=":")
        assert said(images, "singularity", smoke(f"{program} || true", needs=("gpu",)), gpu) == "seen"
        assert said(images, "singularity", smoke(f"{program} || true"), gpu) == ""


class Client:
    """As much of an engine's client as says which devices it has."""

    def __init__(self, *devices: str) -> None:
        self.devices = devices

    def info(self) -> dict[str, Any]:
        return {"DiscoveredDevices": [{"Source": "cdi", "ID": each} for each in self.devices] or None}


@pytest.mark.parametrize(
    ("engine", "devices", "asked"),
    [
        ("docker", ["nvidia.com/gpu=0", "nvidia.com/gpu=all"], {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
        ("docker", ["amd.com/gpu=all"], {"Count": -1, "Capabilities": [["gpu"]]}),
        ("docker", [], {"Count": -1, "Capabilities": [["gpu"]]}),
        ("podman", [], {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
    ],
)  # fmt: skip
def test_gpus_are_asked_for_as_the_engine_has_them(
    engine: str, devices: list[str], asked: dict[str, Any]
) -> None:
    containers = Containers(engine, cast(DockerClient, Client(*devices)), "run", "/")
    (request,) = containers._gpus("nvidia")["device_requests"]
    assert {name: value for name, value in request.items() if value} == asked
