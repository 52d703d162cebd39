"""The wheel: the same bytes twice, complete, nothing odd in it, and it works away from the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from email.parser import HeaderParser
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

PARSER = "reproc_grammar/_standalone.py"
GENERATED = {
    PARSER,
    "reproc_backends/docker/_Dockerfile_j2.py",
    "reproc_backends/docker/_Dockerfile_dockerignore_j2.py",
    "reproc_backends/singularity/_Singularity_def_j2.py",
}
FOLDERS = {"src": "", "grammar": "", "backends": ""}


def files_of(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_two_builds_are_identical(wheel: Path, build_wheel: Callable[[str], Path]) -> None:
    umask = os.umask(0o077)
    try:
        again = build_wheel("2")
    finally:
        os.umask(umask)
    assert again != wheel
    assert sha256(again.read_bytes()).hexdigest() == sha256(wheel.read_bytes()).hexdigest()


def test_holds_every_file_of_the_three_packages_and_nothing_else(
    wheel: Path, listed_files: tuple[str, ...]
) -> None:
    packages = {name.split("/", 1)[1] for name in listed_files if name.split("/", 1)[0] in FOLDERS}
    inside = {name for name in files_of(wheel) if ".dist-info/" not in name}
    assert inside == packages | GENERATED


def test_holds_grammar_parser_and_templates(wheel: Path) -> None:
    inside = files_of(wheel)
    assert {"reproc_grammar/repro.lark", *GENERATED} <= inside
    for backend in ("docker", "singularity"):
        templates = [
            name for name in inside if name.startswith(f"reproc_backends/{backend}/") and ".j2" in name
        ]
        assert templates, f"no template of {backend}"
    with ZipFile(wheel) as archive:
        assert b"Lark_StandAlone" in archive.read(PARSER)


def test_metadata(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(metadata).decode())
        entry_points = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
        assert metadata.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert headers["Name"] == "reproc"
    assert headers["Version"] == wheel.name.split("-")[1]
    assert headers["License-Expression"] == "Apache-2.0"
    assert headers["Requires-Python"] == ">=3.11"
    assert "[reproc.backends]" in entry_points
    assert "docker = reproc_backends.docker:backend" in entry_points
    assert "reproc = reproc.cli:main" in entry_points


def recipes(folder: Path) -> dict[str, str]:
    """The files under a `containers` folder, with their digests."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.network
@pytest.mark.slow
def test_installed_alone_it_compiles_the_quickstart(wheel: Path, repository: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    pip = [
        str(environment / "bin" / "python"),
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "install",
    ]
    pinned = str(repository / "requirements" / "runtime.txt")
    subprocess.run(
        [*pip, "--require-hashes", "--only-binary", ":all:", "-r", pinned], check=True, cwd=tmp_path
    )
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, cwd=tmp_path)

    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    results = {}
    for who, command in {
        "installed": [str(environment / "bin" / "reproc")],
        "checkout": [sys.executable, "-m", "reproc"],
    }.items():
        spec = tmp_path / who / "quickstart"
        shutil.copytree(
            repository / "specs" / "quickstart", spec, ignore=shutil.ignore_patterns(".reproc", "containers")
        )
        done = subprocess.run(
            [*command, "compile", str(spec)], cwd=tmp_path, env=outside, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results[who] = recipes(spec / "containers")
        manifest = json.loads((spec / "containers" / "manifest.json").read_text(encoding="utf-8"))
        assert {each["backend"] for each in manifest["files"]} >= {"docker", "singularity"}
    assert results["installed"] == results["checkout"]
