"""Emulated processors, for real: what an instruction needs must be there, in every process of a tree."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reproc.catalog import processors
from reproc.verify.emulation import Emulator, Fault, Tree, Unsuited, model
from reproc.verify.engines.base import Command, CommandResult
from reproc.verify.processors import Processors
from reproc.verify.sandbox import Sandbox

ADD = """\
__attribute__((noinline)) void add(int *a, int *b, int n) { for (int i = 0; i < n; i++) a[i] += b[i] * 2; }
"""
MAIN = """\
#include <stdio.h>
void add(int *, int *, int);
int main(void) { int a[64] = {0}, b[64] = {1}; add(a, b, 64); printf("%d\\n", a[0]); return 0; }
"""


def level(name: str) -> processors.Level:
    found = processors.level(name)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    made = Emulator(Sandbox.detect(), tmp_path_factory.mktemp("emulator"))
    if made.unusable is not None:
        pytest.skip(made.unusable)
    yield made


@pytest.fixture(scope="module")
def tree(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A small image with programs that were compiled for AVX2: one by itself, one with it in a library."""
    root = tmp_path_factory.mktemp("tree")
    with tarfile.open(rootfs) as archive:
        archive.extractall(root, filter="tar")
    root.chmod(0o755)
    work = tmp_path_factory.mktemp("sources")
    (work / "add.c").write_text(ADD)
    (work / "main.c").write_text(MAIN)
    compiled = ["gcc", "-O3", "-mavx2"]
    calls = [
        [*compiled, "main.c", "add.c", "-o", root / "bin/whole"],
        ["gcc", "-O3", "main.c", "add.c", "-o", root / "bin/plain"],
        [*compiled, "-shared", "-fPIC", "add.c", "-o", root / "opt/libadd.so"],
        ["gcc", "main.c", "-L", root / "opt", "-ladd", "-Wl,-rpath,/opt", "-o", root / "bin/linked"],
    ]
    for call in calls:
        subprocess.run(call, cwd=work, check=True)
    return Tree(root, {"PATH": "/bin", "GREETING": "hello"})


Runner = Callable[..., CommandResult]


@pytest.fixture
def run(emulator: Emulator, tree: Tree) -> Runner:
    def runs(line: str, cpu: str = "x86-64-v2", without: frozenset[str] = frozenset()) -> CommandResult:
        result = emulator.run(tree, Command(("/bin/sh", "-c", line)), model(level(cpu), without))
        assert isinstance(result, CommandResult), result
        return result

    return runs


@pytest.mark.parametrize("program", ["whole", "linked"])
@pytest.mark.parametrize(
    ("cpu", "without", "dies"),
    [
        ("x86-64-v2", frozenset(), True),
        ("sandybridge", frozenset(), True),
        ("x86-64-v3", frozenset(), False),
        ("haswell", frozenset(), False),
        ("haswell", frozenset({"avx", "avx2"}), True),
        ("zen2", frozenset(), False),
    ],
)
def test_avx2_needs_a_processor_that_has_it(
    run: Runner, program: str, cpu: str, without: frozenset[str], dies: bool
) -> None:
    result = run(program, cpu, without)
    assert (result.exit_code, result.stdout.text) == ((132, "") if dies else (0, "2\n"))


@pytest.mark.parametrize("cpu", ["x86-64", "core2", "nehalem", "x86-64-v2"])
def test_what_was_compiled_for_every_processor_runs_on_every_one(run: Runner, cpu: str) -> None:
    assert run("plain", cpu).stdout.text == "2\n"


def test_every_process_of_the_tree_is_emulated(run: Runner) -> None:
    result = run("sh -c 'sh -c whole; echo $?'; plain")
    assert result.stdout.text == "132\n2\n"


def test_contract_holds(run: Runner) -> None:
    said = run(
        "id -u; echo $GREETING; touch /tmp/x && echo made; touch /opt/x 2>/dev/null || echo read-only; ls /dev/shm"
    )
    assert said.stdout.text == "1000\nhello\nmade\nread-only\n"


def test_fault_is_found_in_a_program_and_in_a_library(emulator: Emulator, tree: Tree) -> None:
    for program, path in (("whole", "/bin/whole"), ("linked", "/opt/libadd.so")):
        command = Command(("/bin/sh", "-c", f"sh -c {program}; true"))
        (fault,) = emulator.faults(tree, command, model(level("x86-64-v2")))
        assert fault.path == path
        assert "add" in function_at(tree.root / path.lstrip("/"), fault)


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("whole", 132, "`add` in `/bin/whole` needs avx, avx2, and the target allows x86-64-v2: `v"),
        (
            "linked || exit 3",
            3,
            "`add` in `/opt/libadd.so` needs avx, avx2, and the target allows x86-64-v2: `v",
        ),
        ("whole; true", 0, None),
        ("exit 3", 3, None),
    ],
)
def test_what_dies_is_named_with_what_it_needs(
    emulator: Emulator, tree: Tree, line: str, code: int, told: str | None
) -> None:
    found = Processors(emulator, tree, frozenset(), level("x86-64-v2"))
    result, died = found.run(Command(("/bin/sh", "-c", line)), "x86-64-v2")
    assert isinstance(result, CommandResult)
    assert result.exit_code == code
    assert (died or "").startswith(told or "")
    assert (died is None) == (told is None)


def test_a_test_s_own_processor_and_what_is_taken_away_are_said(emulator: Emulator, tree: Tree) -> None:
    command = Command(("/bin/sh", "-c", "whole"))
    _, died = Processors(emulator, tree, frozenset(), level("x86-64-v2")).run(command, "core2")
    assert "needs avx, avx2, and the test's processor is core2: `" in (died or "")
    _, died = Processors(emulator, tree, frozenset({"avx2"}), level("haswell")).run(command, "haswell")
    assert "needs avx2, and the target allows haswell without avx2: `" in (died or "")


def function_at(path: Path, fault: Fault) -> str:
    """The function of a file that holds an offset, by binutils (program headers and addresses are the same here)."""
    said = subprocess.run(["objdump", "-d", "-F", path], check=True, capture_output=True, text=True).stdout
    names = [line for line in said.splitlines() if "(File Offset: 0x" in line and "<" in line]
    before = [line for line in names if int(line.partition("Offset: ")[2].split(")")[0], 16) <= fault.offset]
    return before[-1]


def test_nothing_is_left_behind(emulator: Emulator, run: Runner) -> None:
    run("plain")
    assert str(emulator._folder) not in Path("/proc/mounts").read_text()


@pytest.mark.parametrize(
    ("name", "reason"), [("x86-64-v4", "does not emulate avx512"), ("armv8a", "only x86-64 processors")]
)
def test_processors_that_cannot_be_emulated(name: str, reason: str) -> None:
    with pytest.raises(Unsuited, match=reason):
        model(level(name))


def test_without_qemu_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "qemu-user-static" in (Emulator(Sandbox(None, None), tmp_path).unusable or "")
