"""`reproc explain` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from reproc.diagnostics.codes import table

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("word", ["E0201", "e0201", "unknown-statement", "Unknown-Statement"])
def test_a_code_by_number_or_name(reproc: Reproc, word: str) -> None:
    done = reproc("explain", word)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# E0201 unknown-statement\n")


def test_all_codes_one_line_each(reproc: Reproc) -> None:
    lines = reproc("explain").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[code.id, code.name] for code in table().values()]
    assert not any("{" in line for line in lines if "{{" not in line)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("unknown-statment", "did you mean `unknown-statement`?"),
        ("E02010", "did you mean `E0201`?"),
        ("zebra", "`reproc explain` lists all"),
        ("../../../etc/passwd", "there is no code"),
    ],
)
def test_what_is_no_code(reproc: Reproc, word: str, said: str) -> None:
    done = reproc("explain", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_json(reproc: Reproc) -> None:
    told = json.loads(reproc("explain", "--json", "E0201").stdout)
    assert (told["code"], told["name"], told["severity"]) == ("E0201", "unknown-statement", "error")
    assert told["page"].startswith("# E0201 ")
    assert [each["code"] for each in json.loads(reproc("explain", "--json").stdout)] == list(table())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_it_laid_out() -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "reproc", "explain", "E0201"], stdout=theirs, env=environment
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:
        pass  # Linux's way to say that the other side has closed it
    os.close(ours)
    assert process.wait(30) == 0
    assert b"\x1b[" in said
    assert b"E0201" in said and b"# E0201" not in said


@pytest.mark.parametrize("name", ["python", "r", "cuda", "gcc"])
def test_ways(reproc: Reproc, name: str) -> None:
    words = ("toolchain", name, "4.1", "on", "debian", "bookworm")
    done = reproc("explain", *words)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line[:2] in ("* ", "- ")]
    told = json.loads(reproc("explain", "--json", *words).stdout)
    assert [line.split()[1] for line in lines] == [each["provider"] for each in told]
    assert "Nothing provides" in done.stdout


def test_names_are_found_without_regard_to_case(reproc: Reproc) -> None:
    done = reproc("explain", "toolchain", "R", "3.4", "on", "Debian", "Bookworm")
    assert done.returncode == 0, done.stderr
    assert done.stdout == reproc("explain", "toolchain", "r", "3.4", "on", "debian", "bookworm").stdout


def test_ways_to_what_is_no_tool_chain(reproc: Reproc) -> None:
    done = reproc("explain", "toolchain", "cobol", "1", "on", "debian", "bookworm")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cuda, gcc, gfortran" in done.stderr and "python, r, rust" in done.stderr
