"""The command line as a process: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.cli.options import COMMANDS

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = 'reproc 1\nbase debian bookworm\nsystem { packages htop }\ntest "x" { run "true" }\n'


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "repro.spec"
    path.write_text(SPEC)
    return path


def plain(done: subprocess.CompletedProcess[str]) -> str:
    """Everything it said, which holds no traceback."""
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return said


def test_help_and_version_go_to_stdout(reproc: Reproc) -> None:
    assert "commands:" in reproc("--help").stdout
    assert reproc("--version").stdout.startswith("reproc ")
    for command in COMMANDS:
        done = reproc(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: reproc {command}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "commands:"),
        (("frobnicate",), "there is no command `frobnicate`"),
        (("chek",), "did you mean `check`?"),
        (("--nope",), "unknown option `--nope`"),
        (("compile", "--nope"), "--nope"),
        (("-q", "-v", "check"), "exclude each other"),
        (("--color", "pink", "check"), "auto, always or never"),
        (("-C", "/nowhere", "check"), "/nowhere"),
        (("-C",), "needs a value"),
    ],
)
def test_wrong_calls_exit_with_2(reproc: Reproc, arguments: tuple[str, ...], said: str) -> None:
    done = reproc(*arguments)
    assert done.returncode == 2
    assert said in plain(done)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "E0701"),
        (b"", "E0215"),
        (b"reproc 1\nbase debian b\xff\n", "E01"),
        (b"reproc 1\nbas debian bookworm\n", "E0201"),
        (b"reproc 1\nsystem {\n", "E01"),
        (b'reproc 1\nbase image "debian\n', "E01"),
        (b"reproc 1\ntoolchain gcc twelve\n", "E0206"),
    ],
    ids=["missing", "empty", "not-utf-8", "keyword", "brace", "string", "type"],
)
def test_bad_specs_exit_with_2(reproc: Reproc, tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "repro.spec").write_bytes(content)
    for command in ("check", "compile", "lock"):
        done = reproc(command, cwd=tmp_path)
        assert done.returncode == 2
        assert f"error[{code}" in plain(done)
    assert [path.name for path in tmp_path.iterdir() if path.name != "repro.spec"] == []


def test_an_unreadable_spec(reproc: Reproc, tmp_path: Path) -> None:
    (tmp_path / "repro.spec").mkdir()
    done = reproc("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be read" in plain(done)


def test_spec_may_be_a_file_or_its_folder(reproc: Reproc, spec: Path) -> None:
    for name in (spec, spec.parent, f"{spec.parent}/"):
        done = reproc("check", name, cwd=Path("/"))
        assert done.returncode == 0
        assert "no mistakes" in done.stdout
    assert reproc("-C", spec.parent, "check").returncode == 0


def test_check_forms(reproc: Reproc, spec: Path) -> None:
    spec.write_text("reproc 1\nbas debian bookworm\n")
    found = json.loads(reproc("check", "--json", spec).stdout)
    assert found[0]["code"] == "E0201"
    assert found[0]["range"]["start"] == {"line": 1, "character": 0}
    assert reproc("check", "--message-format", "github", spec).stdout.startswith("::error file=")
    assert "\033[" in reproc("--color", "always", "check", spec).stderr
    assert "\033[" not in reproc("check", spec).stderr
    spec.write_text(SPEC)
    assert json.loads(reproc("check", "--json", spec).stdout) == []


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_compile_is_the_same_bytes_under_any_seed_locale_and_folder(
    reproc: Reproc, repository: Path, tmp_path: Path
) -> None:
    quickstart = repository / "specs" / "quickstart"
    first: dict[str, bytes] | None = None
    for number, environment in enumerate(
        (
            {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
            {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
            {"PYTHONHASHSEED": "3", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "COLUMNS": "20"},
        )
    ):
        output = tmp_path / str(number) / "containers"
        done = reproc("compile", "--locked", "-o", output, quickstart, env=environment)
        assert done.returncode == 0, done.stderr
        found = {
            name: content.replace(os.path.relpath(output, quickstart).encode(), b"OUT")
            for name, content in tree(output).items()
        }
        manifest = json.loads(found.pop("manifest.json"))
        bake = found.pop("docker-bake.hcl").decode()
        assert "OUT/laptop/Dockerfile" in bake
        assert len(manifest["files"]) == len(found) + 1
        assert first is None or found == first
        first = found
    assert first is not None
    assert {
        "bootstrap.sh",
        "laptop/Dockerfile",
        "laptop/Singularity.def",
        "cluster/Singularity.def",
    } <= first.keys()


def test_compile_again_changes_nothing_and_clears_away_its_own_old_files(reproc: Reproc, spec: Path) -> None:
    spec.write_text(SPEC + "target a\ntarget b\n")
    assert reproc("compile", cwd=spec.parent).returncode == 0
    containers = spec.parent / "containers"
    (containers / "b" / "NOTES").write_text("mine\n")
    before = {path: path.stat().st_mtime_ns for path in containers.rglob("*") if path.is_file()}
    again = reproc("compile", cwd=spec.parent)
    assert again.stdout.count("(unchanged)") == len(again.stdout.splitlines())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (containers / "b" / "Dockerfile").write_text("edited\n")
    spec.write_text(SPEC + "target a\n")
    assert reproc("compile", cwd=spec.parent).returncode == 0
    left = sorted(path.relative_to(containers).as_posix() for path in (containers / "b").iterdir())
    assert left == ["b/Dockerfile", "b/NOTES"]


def test_compile_without_a_lock_says_what_floats(reproc: Reproc, spec: Path) -> None:
    done = reproc("compile", "--stdout", spec)
    assert done.returncode == 0
    assert "nothing is locked" in done.stderr
    assert "float" in done.stdout
    assert not (spec.parent / "containers").exists()
    locked = reproc("compile", "--locked", spec)
    assert locked.returncode == 2
    assert "E0702" in plain(locked)


def test_compile_selects(reproc: Reproc, spec: Path) -> None:
    spec.write_text(SPEC + "target a\ntarget b { backends singularity }\n")
    done = reproc("compile", "-q", "-t", "a", "-b", "docker", "--json", cwd=spec.parent)
    files = [row["path"] for row in json.loads(done.stdout)["files"] if row["backend"]]
    assert "containers/a/Dockerfile" in files
    assert all("Singularity" not in path for path in files)
    nothing = reproc("compile", "-t", "b", "-b", "docker", cwd=spec.parent)
    assert nothing.returncode == 2
    near = reproc("compile", "-t", "aa", cwd=spec.parent)
    assert near.returncode == 2
    assert "no target `aa`" in plain(near)


def test_a_folder_that_cannot_be_written(reproc: Reproc, spec: Path) -> None:
    (spec.parent / "containers").write_text("in the way\n")
    done = reproc("compile", cwd=spec.parent)
    assert done.returncode == 2
    assert "E0705" in plain(done)
    assert (spec.parent / "containers").read_text() == "in the way\n"


@pytest.mark.parametrize("phase", ["tree", "model", "plan", "graph"])
def test_dump(reproc: Reproc, spec: Path, phase: str) -> None:
    done = reproc("dump", phase, spec)
    assert done.returncode == 0
    assert "htop" in json.dumps(json.loads(done.stdout))


def test_a_reader_that_has_seen_enough(spec: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reproc", "dump", "tree", str(spec)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0


@pytest.mark.parametrize("command", ["build", "verify", "fetch"])
def test_without_a_lock_nothing_is_built(reproc: Reproc, spec: Path, command: str) -> None:
    done = reproc(command, spec)
    assert done.returncode == 2
    assert "E0702" in plain(done)
    assert not (spec.parent / ".reproc").exists()


def test_no_network_is_3_and_leaves_nothing(reproc: Reproc, spec: Path, tmp_path: Path) -> None:
    nowhere = {
        "REPROC_MIRROR_DEBIAN": "http://127.0.0.1:9",
        "REPROC_MIRROR_DEBIAN_SECURITY": "http://127.0.0.1:9",
    }
    spec.write_text("reproc 1\nbase debian bookworm { from bootstrap }\n")
    done = reproc(
        "lock", spec, env={**nowhere, "REPROC_STORE": str(tmp_path / "store"), "no_proxy": "127.0.0.1"}
    )
    assert done.returncode == 3
    assert "error[E04" in plain(done)
    assert not (spec.parent / "repro.lock").exists()


def test_a_digest_that_does_not_match_is_told_at_its_place(
    reproc: Reproc, spec: Path, tmp_path: Path
) -> None:
    (spec.parent / "x.csv").write_text("1\n")
    spec.write_text(
        f"reproc 1\nbase debian bookworm {{ from bootstrap }}\ndata x {{ local x.csv; sha256 {'0' * 64} }}\n"
    )
    done = reproc(
        "lock",
        spec,
        env={"REPROC_STORE": str(tmp_path / "store"), "REPROC_MIRROR_DEBIAN": "http://127.0.0.1:9"},
    )
    assert done.returncode in (2, 3)
    assert "repro.spec:3:30" in plain(done)


def test_interrupting_is_130(tmp_path: Path, spec: Path) -> None:
    """The mirror accepts and never answers, so that the lock is surely at work when the interrupt comes."""
    import socket

    spec.write_text("reproc 1\nbase debian bookworm { from bootstrap }\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {
            **os.environ,
            "REPROC_MIRROR_DEBIAN": mirror,
            "REPROC_MIRROR_DEBIAN_SECURITY": mirror,
            "REPROC_STORE": str(tmp_path / "store"),
            "no_proxy": "127.0.0.1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "reproc", "lock", str(spec)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        connection.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(30) == 130
    assert "Traceback" not in said
    assert not (spec.parent / "repro.lock").exists()
