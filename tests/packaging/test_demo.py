"""`make demo` in a fresh clone, with both engines and with none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="module")
def clone(clean_checkout: Callable[[], Path]) -> Path:
    return clean_checkout()


def demo(clone: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    environment |= changes
    return subprocess.run(
        ["make", "demo", "ENGINES=no"],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.engines("docker", "singularity")
def test_demo_ends_with_both_engines_green(clone: Path) -> None:
    done = demo(clone)
    assert done.returncode == 0, done.stdout[-6000:]
    report = json.loads(
        (clone / "specs" / "quickstart" / ".reproc" / "report.json").read_text(encoding="utf-8")
    )
    assert report["summary"]["failed"] == 0
    assert len(report["targets"]) >= 2
    for target in report["targets"]:
        engines = {engine["engine"]: engine for engine in target["engines"]}
        assert {"docker", "singularity"} <= engines.keys()
        for name in ("docker", "singularity"):
            assert engines[name]["status"] == "passed", (target["name"], name, done.stdout[-6000:])
            assert any(test["status"] == "passed" for test in engines[name]["tests"])
    table = done.stdout.rpartition("5 of 5")[2]
    for word in ("docker", "singularity", *(target["name"] for target in report["targets"])):
        assert word in table


def test_demo_without_engines_compiles_and_says_what_was_not_verified(clone: Path, tmp_path: Path) -> None:
    """PATH holds everything of this machine but the engines."""
    engines = {"docker", "dockerd", "podman", "apptainer", "singularity"}
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in sorted(Path(place).iterdir()) if Path(place).is_dir() else []:
            link = folder / program.name
            if program.name not in engines and not link.is_symlink():
                link.symlink_to(program)
    python = shutil.which("python3") or "python3"
    done = demo(clone, PATH=str(folder), DOCKER_HOST=f"unix://{tmp_path}/none.sock", PYTHON=python)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "✗ docker: " in done.stdout
    assert "✗ singularity: " in done.stdout
    assert "not verified" in done.stdout
    assert (clone / "specs" / "quickstart" / "containers" / "manifest.json").is_file()
