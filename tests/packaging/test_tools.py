"""The scripts in tools/: what they say and do on machines that lack things."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# What the scripts may use on a machine that has no engine and no Python.
BARE = "bash cat cksum cut dirname getconf grep head id mkdir rm sed sh sort stat tail tr uname".split()


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with the bare tools in it and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BARE:
        program = shutil.which(name)
        if program:
            (folder / name).symlink_to(program)
    return folder


def run(command: list[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(cwd), "LC_ALL": "C.UTF-8", **variables}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_setup_engines_says_in_one_line_each_what_is_missing(
    repository: Path, tmp_path: Path, bare_path: Path
) -> None:
    script = str(repository / "tools" / "setup-engines.sh")
    state = {"REPROC_ENGINES_STATE": str(tmp_path / "state"), "REPROC_ENGINES_CACHE": str(tmp_path / "cache")}
    done = run(["bash", script, "--check"], tmp_path, PATH=str(bare_path), **state)
    assert done.returncode == 3
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    for engine in ("docker", "singularity"):
        (line,) = [line for line in lines if line.startswith(f"✗ {engine}: ")]
        assert "docs/engines.md" in line
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "cache").exists()


def test_setup_engines_rejects_what_it_does_not_know(repository: Path, tmp_path: Path) -> None:
    script = str(repository / "tools" / "setup-engines.sh")
    done = run(["bash", script, "--chekc"], tmp_path, PATH=os.environ["PATH"])
    assert done.returncode == 2
    assert "usage: tools/setup-engines.sh" in done.stderr


def test_stop_engines_stops_only_its_own(repository: Path, tmp_path: Path) -> None:
    """A pid file that names a living process which is somebody else's."""
    state = tmp_path / "state"
    (state / "docker").mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (state / "docker" / "dockerd.pid").write_text(str(stranger.pid))
        script = str(repository / "tools" / "stop-engines.sh")
        done = run(["bash", script], tmp_path, PATH=os.environ["PATH"], REPROC_ENGINES_STATE=str(state))
        assert done.returncode == 0, done.stderr
        assert "docker: not running" in done.stderr
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_setup_python_explains_a_missing_python(repository: Path, tmp_path: Path, bare_path: Path) -> None:
    copy = tmp_path / "repository"
    (copy / "tools").mkdir(parents=True)
    shutil.copy2(repository / "tools" / "setup-python.sh", copy / "tools")
    shutil.copytree(repository / "requirements", copy / "requirements")
    shutil.copy2(repository / "pyproject.toml", copy)
    done = run(["sh", str(copy / "tools" / "setup-python.sh"), "runtime"], copy, PATH=str(bare_path))
    assert done.returncode == 3
    assert "Python 3.11 or newer" in done.stderr
    assert not (copy / ".venv").exists()


def relink(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "tools" / "relink-libc.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_relink_leaves_a_program_that_needs_nothing_newer_alone(repository: Path, tmp_path: Path) -> None:
    program = Path(shutil.copy2(Path(sys.executable).resolve(), tmp_path / "program"))
    before = program.read_bytes()
    done = relink(repository, "99.0", program)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([program, "-c", "pass"]).returncode == 0
    if b"GLIBC_2.38" not in before:
        assert program.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01" + b"\xff" * 100], ids=["empty", "script", "broken"]
)
def test_relink_refuses_what_is_no_program(repository: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    done = relink(repository, "2.36", file)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == content


def test_relink_refuses_a_program_that_needs_more(repository: Path, tmp_path: Path) -> None:
    program = Path(shutil.copy2(Path(sys.executable).resolve(), tmp_path / "program"))
    before = program.read_bytes()
    done = relink(repository, "2.5", program)
    assert done.returncode == 1
    assert "needs GLIBC_2." in done.stderr
    assert program.read_bytes() == before
