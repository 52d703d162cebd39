"""The repository as a fresh clone would hold it, and the wheel that is built from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WheelBuilder = Callable[[str], Path]


@pytest.fixture(scope="session")
def listed_files(repository: Path) -> tuple[str, ...]:
    """Every file that is tracked or would be: new ones that git does not ignore count."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(name for name in set(listed.split("\0")) if name and (repository / name).is_file()))


@pytest.fixture(scope="session")
def clean_checkout(
    repository: Path, listed_files: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Makes a copy of the repository as a fresh clone holds it: no build output, no environment."""

    def make() -> Path:
        copy = tmp_path_factory.mktemp("clone") / "reproc"
        for name in listed_files:
            place = copy / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, place, follow_symlinks=False)
        return copy

    return make


@pytest.fixture(scope="session")
def build_wheel(clean_checkout: Callable[[], Path]) -> WheelBuilder:
    """Builds the wheel in a fresh copy of the repository, with a hash seed."""

    def build(hash_seed: str) -> Path:
        copy = clean_checkout()
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(copy / "dist"),
            str(copy),
        ]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=copy.parent)
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = (copy / "dist").glob("*.whl")
        return wheel

    return build


@pytest.fixture(scope="session")
def wheel(build_wheel: WheelBuilder) -> Path:
    """The wheel."""
    return build_wheel("1")
