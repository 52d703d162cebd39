"""The completion scripts: each shell reads its own, and offers what the parsers have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.cli.completion.grammar import subcommands
from reproc.cli.options import COMMANDS

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = "reproc 1\nbase debian bookworm\ntarget cpu\ntarget cpu-old\ntarget gpu\n"

BASH = """
source "$1"; shift
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_reproc
printf '%s\\n' "${COMPREPLY[@]}"
"""


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no program `{shell}` here")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which `reproc` is the one under test."""
    program = tmp_path / "bin" / "reproc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reproc "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "paper"
    (path / "sub").mkdir(parents=True)
    (path / "repro.spec").write_text(SPEC)
    return path


def test_every_command_is_known() -> None:
    known = {each.name: each for each in subcommands()}
    assert list(known) == list(COMMANDS)
    for each in known.values():
        assert any("--help" in option.names for option in each.options)
    (backend,) = (option for option in known["compile"].options if "-b" in option.names)
    assert backend.offer is not None and set(backend.offer.words) >= {"docker", "singularity"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_it(reproc: Reproc, tmp_path: Path, shell: str) -> None:
    done = reproc("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert name in done.stdout
    needs(shell)
    script = tmp_path / "script"
    script.write_text(done.stdout)
    read = subprocess.run([shell, "-n", script], capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("call", [("completion",), ("completion", "tcsh")])
def test_wrong_calls(reproc: Reproc, call: tuple[str, ...]) -> None:
    done = reproc(*call)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("reproc com", {"compile", "completion"}),
        ("reproc compile --lo", {"--locked"}),
        ("reproc compile -t ", {"cpu", "cpu-old", "gpu"}),
        ("reproc compile -t cpu", {"cpu", "cpu-old"}),
        ("reproc compile -b ", {"docker", "singularity"}),
        ("reproc dump pl", {"plan"}),
        ("reproc dump plan re", {"repro.spec"}),
        ("reproc explain unknown-stat", {"unknown-statement"}),
        ("reproc explain E0201", {"E0201"}),
        ("reproc --color a", {"auto", "always"}),
        ("reproc -C s", {"sub"}),
        ("reproc verify -k ", {""}),
    ],
)
def test_bash(
    reproc: Reproc, environment: dict[str, str], folder: Path, line: str, offered: set[str]
) -> None:
    needs("bash")
    script = folder.parent / "reproc.bash"
    script.write_text(reproc("completion", "bash").stdout)
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", script, *line.split(" ")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert set(done.stdout.splitlines()) == offered


def test_bash_asks_the_spec_that_the_line_names(
    reproc: Reproc, environment: dict[str, str], folder: Path
) -> None:
    needs("bash")
    script = folder.parent / "reproc.bash"
    script.write_text(reproc("completion", "bash").stdout)
    for words in (("reproc", "-C", "paper", "compile", "-t", ""), ("reproc", "compile", "paper", "-t", "")):
        done = subprocess.run(
            ["bash", "-c", BASH, "bash", script, *words],
            cwd=folder.parent,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert set(done.stdout.splitlines()) == {"cpu", "cpu-old", "gpu"}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("reproc comp", {"compile", "completion"}),
        ("reproc compile -t ", {"cpu", "cpu-old", "gpu"}),
        ("reproc dump pl", {"plan"}),
        ("reproc explain E0201", {"E0201"}),
    ],
)
def test_fish(
    reproc: Reproc, environment: dict[str, str], folder: Path, line: str, offered: set[str]
) -> None:
    needs("fish")
    script = folder.parent / "reproc.fish"
    script.write_text(reproc("completion", "fish").stdout)
    done = subprocess.run(
        ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', script, line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert {each.partition("\t")[0] for each in done.stdout.splitlines()} == offered, done.stderr
