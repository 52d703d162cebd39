"""`reproc fmt` as a process: what it writes, what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
ROUGH = b"reproc   1\nbase\tdebian  bookworm   # the base\nsystem {packages htop}"
CANONICAL = b"reproc 1\nbase debian bookworm  # the base\nsystem { packages htop }\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "repro.spec"
    path.write_bytes(ROUGH)
    return path


def test_writes_the_canonical_form_once(reproc: Reproc, spec: Path) -> None:
    first = reproc("fmt", cwd=spec.parent)
    assert (first.returncode, first.stdout) == (0, "repro.spec\n")
    assert spec.read_bytes() == CANONICAL
    before = spec.stat()
    again = reproc("fmt", spec.parent)
    assert again.stdout.endswith("repro.spec  (unchanged)\n")
    assert spec.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in spec.parent.iterdir()] == ["repro.spec"]


def test_check_writes_nothing(reproc: Reproc, spec: Path) -> None:
    done = reproc("fmt", "--check", cwd=spec.parent)
    assert (done.returncode, done.stdout) == (1, "repro.spec: not in the canonical form\n")
    assert spec.read_bytes() == ROUGH
    spec.write_bytes(CANONICAL)
    done = reproc("fmt", "--check", spec)
    assert (done.returncode, done.stdout) == (0, "")


def test_diff_is_one_that_patch_takes(reproc: Reproc, spec: Path) -> None:
    done = reproc("fmt", "--diff", cwd=spec.parent)
    assert done.returncode == 0
    assert spec.read_bytes() == ROUGH
    assert "-reproc   1\n" in done.stdout and "+reproc 1\n" in done.stdout
    assert "\\ No newline at end of file\n" in done.stdout
    assert "\033" not in done.stdout
    assert "\033[" in reproc("--color", "always", "fmt", "--diff", spec).stdout
    assert reproc("fmt", "--diff", "--check", spec).returncode == 1
    spec.write_bytes(CANONICAL)
    done = reproc("fmt", "--diff", "--check", spec)
    assert (done.returncode, done.stdout) == (0, "")


def test_standard_input_goes_to_standard_output(reproc: Reproc, tmp_path: Path) -> None:
    done = reproc("fmt", "-", stdin=ROUGH.decode(), cwd=tmp_path)
    assert (done.returncode, done.stdout.encode(), done.stderr) == (0, CANONICAL, "")
    assert reproc("fmt", "--check", "-", stdin=ROUGH.decode()).returncode == 1
    wrong = reproc("fmt", "-", stdin="reproc 1\nsystem {\n")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "<stdin>:2" in wrong.stderr


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf" + CANONICAL, CANONICAL.replace(b"\n", b"\r\n")], ids=["mark", "line ends"]
)
def test_marks_and_foreign_line_ends_go_away(reproc: Reproc, spec: Path, data: bytes) -> None:
    spec.write_bytes(data)
    assert reproc("fmt", "--check", spec).returncode == 1
    assert reproc("fmt", "--diff", spec).stdout
    assert reproc("fmt", spec).returncode == 0
    assert spec.read_bytes() == CANONICAL


def test_a_mistake_in_the_syntax_leaves_the_file_alone_and_the_others_are_done(
    reproc: Reproc, spec: Path
) -> None:
    broken = spec.parent / "broken.spec"
    broken.write_bytes(b"base   debian bookworm\nsystem {\n")
    done = reproc("fmt", broken, spec)
    assert done.returncode == 2
    assert "error[E01" in done.stderr and "Traceback" not in done.stderr
    assert broken.read_bytes() == b"base   debian bookworm\nsystem {\n"
    assert spec.read_bytes() == CANONICAL


def test_an_included_file_needs_no_version(reproc: Reproc, tmp_path: Path) -> None:
    part = tmp_path / "common.spec"
    part.write_bytes(b"system   { packages htop }\nnobody-knows-this   1\n")
    assert reproc("fmt", part).returncode == 0
    assert part.read_bytes() == b"system { packages htop }\nnobody-knows-this 1\n"


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are of POSIX")
def test_mode_and_link_are_kept(reproc: Reproc, spec: Path) -> None:
    spec.chmod(0o600)
    link = spec.parent / "link.spec"
    link.symlink_to("repro.spec")
    assert reproc("fmt", link).returncode == 0
    assert link.is_symlink()
    assert spec.read_bytes() == CANONICAL
    assert spec.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_read(reproc: Reproc, tmp_path: Path) -> None:
    missing = reproc("fmt", "nowhere.spec", cwd=tmp_path)
    assert missing.returncode == 2
    assert "E0701" in missing.stderr and "Traceback" not in missing.stderr
    (tmp_path / "x.spec").write_bytes(b"reproc 1\nbase debian b\xff\n")
    assert "E0101" in reproc("fmt", "x.spec", cwd=tmp_path).stderr


def test_json(reproc: Reproc, spec: Path) -> None:
    done = reproc("fmt", "--check", "--json", "repro.spec", cwd=spec.parent)
    assert done.returncode == 1
    assert json.loads(done.stdout) == [{"path": "repro.spec", "canonical": False}]
