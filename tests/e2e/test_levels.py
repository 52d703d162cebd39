"""What verification proves, in both engines: levels, sameness, and what dies on an older processor; each fails too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """\
reproc 1
base debian bookworm { from bootstrap }

target old {
    cpu x86-64-v2

    toolchain gcc 12

    code add { local "src" }

    build add {
        using gcc 12
        in    /opt/src/add
        run   "mkdir -p /opt/add/bin"
        flags cpu
        run   "gcc $CFLAGS -frecord-gcc-switches -O3 main.c add.c -o /opt/add/bin/plain"
        run   "gcc -O3 -mavx2 main.c add.c -o /opt/add/bin/add"
        keep  /opt/add
    }

    test "plain" {
        run    "plain"
        expect stdout equals "2"
        expect file /opt/add/bin/plain contains "-march=x86-64-v2 -mtune=generic"
    }

    test "avx2" {
        run    "sh -c add"
        expect stdout equals "2"
    }

    test "dies" {
        cpu    nehalem
        run    "add"
        expect exit 132
    }
}

target dated {
    build dated {
        in  /opt
        run "date > /opt/dated; cat /proc/sys/kernel/random/uuid > /opt/drawn"
    }
}

target steady
"""
ADD = "void add(int *a, int *b, int n) { for (int i = 0; i < n; i++) a[i] += b[i] * 2; }\n"
MAIN = """\
#include <stdio.h>
void add(int *, int *, int);
int main(void) { int a[64] = {0}, b[64] = {1}; add(a, b, 64); printf("%d\\n", a[0]); return 0; }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("levels")
    (made / "src").mkdir()
    (made / "src/add.c").write_text(ADD)
    (made / "src/main.c").write_text(MAIN)
    (made / "repro.spec").write_text(SPEC)
    subprocess.run([sys.executable, "-m", "reproc", "lock"], cwd=made, check=True)
    return made


def verified(reproc: Reproc, folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    done = reproc("verify", *arguments, cwd=folder)
    report = json.loads((folder / ".reproc/report.json").read_text())
    return done.returncode, {target["name"]: target for target in report["targets"]}, done.stderr


def test_programs_for_newer_processors_die_and_are_named(reproc: Reproc, folder: Path) -> None:
    code, targets, said = verified(reproc, folder, "-t", "old", "--emulate")
    assert code == 1
    assert targets["old"]["same_tree"] is True
    for row in targets["old"]["engines"]:
        found = {test["name"]: test["status"] for test in row["tests"]}
        assert found == {
            "plain": "passed",
            "plain (on x86-64-v2)": "passed",
            "avx2": "passed",
            "avx2 (on x86-64-v2)": "failed",
            "dies": "passed",
        }
    assert said.count("`add` in `/opt/add/bin/add` needs avx, avx2, and the target allows x86-64-v2: `v") == 2


def test_levels_are_shown_by_a_second_build(reproc: Reproc, folder: Path) -> None:
    code, targets, said = verified(reproc, folder, "-t", "dated", "-t", "steady", "--rebuild", "2")
    assert code == 1, "the engines' images of one target differ"
    assert [row["level"] for row in targets["steady"]["engines"]] == ["R3", "R3"]
    assert [row["level"] for row in targets["dated"]["engines"]] == ["R1", "R1"]
    assert (targets["steady"]["same_tree"], targets["dated"]["same_tree"]) == (True, False)
    for row in targets["dated"]["engines"]:
        assert {each["path"] for each in row["rebuild"]["differences"]} == {"/opt/dated", "/opt/drawn"}
    assert "/opt/dated: other content: it holds a time" in said
    assert not list((folder / ".reproc/sif").glob("*rebuild*"))
