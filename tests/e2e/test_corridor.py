"""From a spec to a report in both engines, for a spec that holds and for one that does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from document_contract import Manifest, Report

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
ENGINES = ("docker", "singularity")
SPEC = r"""
reproc 1
base debian bookworm { from bootstrap }

code greet { local "greet" }

build greet {
    run  "mkdir -p /opt/greet/bin"
    run  "cp greet.sh /opt/greet/bin/greet"
    run  "ln /opt/greet/bin/greet /opt/greet/bin/hello; ln -s greet /opt/greet/bin/link"
    keep /opt/greet
}

env {
    WHOM "it's \"you\" $HOME `id` %post"
    at build ONLY_BUILD 1
}

app main { run "greet \"$WHOM\""; env { LOUD 1 } }

target good {
    test "the app" { app main "a b" ""; expect stdout equals "it's \"you\" $HOME `id` %post|a b||1" }
    test "links" { run "cd /opt/greet/bin && test greet -ef hello && test -L link" }
    test "no build variable" { run "test -z \"${ONLY_BUILD-}\"" }
    test "not the author's code" { run "test ! -e /opt/src/greet" }
    test "a failure that is wanted" { run "exit 3"; expect exit 3 }
    test "the user" { run "id -u; pwd"; expect stdout equals "1000\n/" }
}

target bad {
    test "must fail" { run "greet x | grep y" }
    test "must time out" { run "sleep 60"; timeout 2s }
    test "must not reach the network" { run "cat /proc/net/dev | grep -E 'eth|ens|enp'" }
    test "must not write" { run "touch /opt/x" }
    test "must not be root" { run "test $(id -u) = 0" }
    test "must have a terminal" { run "test -t 0 && test -t 1" }
    test "must not hang" {
        run     "trap '' TERM INT HUP; (trap '' TERM; sleep 98731 > /dev/null 2>&1 &); sleep 98731 & sleep 98731"
        timeout 2s
    }
    test "must not flood" { run "yes 0123456789abcde | head -c 160000000"; expect stdout contains "end" }
    test "must be text" { run "printf 'a\\377\\n'"; expect stdout equals "a" }
    test "exit" { run "true"; expect exit 1 }
    test "stdout contains" { run "echo abc"; expect stdout contains "x" }
    test "stdout equals" { run "echo abcd"; expect stdout equals "abc" }
    test "stdout matches" { run "echo abc"; expect stdout matches "^b" }
    test "stderr contains" { run "echo abc"; expect stderr contains "abc" }
    test "stderr equals" { run "echo abc >&2"; expect stderr equals "abcd" }
    test "stderr matches" { run "echo abc >&2"; expect stderr matches "^abc.$" }
    test "file exists" { run "true"; expect file /opt/greet/no exists }
    test "file absent" { run "true"; expect file /opt/greet/bin/greet absent }
    test "file contains" { run "true"; expect file /opt/greet/bin/greet contains "nothing of the kind" }
    test "file sha256" {
        run    "true"
        expect file /opt/greet/bin/greet sha256 0000000000000000000000000000000000000000000000000000000000000000
    }
}

target broken {
    build broken {
        in  /opt
        run "echo first"
        run "echo the reason >&2; false"
        run "echo never"
        keep /opt/broken
    }
}

target forgets {
    build forgets { in /opt; run "true"; keep /opt/nothing }
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec, locked."""
    folder = tmp_path_factory.mktemp("corridor")
    (folder / "greet").mkdir()
    script = folder / "greet" / "greet.sh"
    script.write_text('#!/bin/sh\nfor word; do printf "%s|" "$word"; done\necho "${LOUD-}"\n')
    script.chmod(0o700)
    (folder / "repro.spec").write_text(SPEC.lstrip())
    done = subprocess.run(
        [sys.executable, "-m", "reproc", "lock", str(folder)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return folder


Rows = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def verified(project: Path) -> tuple[int, str, Rows]:
    """Exit code, what was said, and the report's rows by target and engine."""
    done = subprocess.run(
        [sys.executable, "-m", "reproc", "verify", str(project)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    rows = {(target["name"], row["engine"]): row for target in report["targets"] for row in target["engines"]}
    return done.returncode, done.stderr, rows


def test_report_and_manifest_keep_their_contract(
    verified: tuple[int, str, Rows], project: Path, reproc: Reproc
) -> None:
    report = Report.model_validate_json((project / ".reproc" / "report.json").read_bytes())
    tests = [test for target in report.targets for engine in target.engines for test in engine.tests]
    assert report.summary.passed == sum(test.status == "passed" for test in tests)
    assert all(test.reason for test in tests if test.status != "passed")
    manifest = Manifest.model_validate_json(reproc("compile", "-q", "--json", project).stdout)
    assert report.lock is not None
    assert report.lock == manifest.lock
    for file in manifest.files:
        assert sha256((project / file.path).read_bytes()).hexdigest() == file.sha256


@pytest.mark.parametrize("engine", ENGINES)
def test_what_holds_is_green(verified: tuple[int, str, Rows], engine: str) -> None:
    row = verified[2]["good", engine]
    assert row["build"]["status"] == "passed"
    assert {test["name"]: (test["status"], test["reason"]) for test in row["tests"]} == {
        test["name"]: ("passed", None) for test in row["tests"]
    }
    assert len(row["tests"]) == 6


MUST_FAIL = {
    "must fail": "exit code 1, expected 0",
    "must time out": "it did not end within 2 s",
    "must not reach the network": "exit code 1, expected 0",
    "must not write": "exit code 1, expected 0",
    "must not be root": "exit code 1, expected 0",
    "must have a terminal": "exit code 1, expected 0",
    "must not hang": "it did not end within 2 s",
    "must not flood": 'stdout does not contain "end"; it is 160000000 bytes long, of which the first 1048576',
    "must be text": 'stdout does not equal "a"; it is "a\ufffd"',
    "exit": "exit code 0, expected 1",
    "stdout contains": 'stdout does not contain "x"; it is "abc"',
    "stdout equals": 'stdout does not equal "abc"; it is "abcd"',
    "stdout matches": 'stdout does not match "^b"; it is "abc"',
    "stderr contains": 'stderr does not contain "abc"; it is empty',
    "stderr equals": 'stderr does not equal "abcd"; it is "abc"',
    "stderr matches": 'stderr does not match "^abc.$"; it is "abc"',
    "file exists": "the file `/opt/greet/no` is not there",
    "file absent": "the file `/opt/greet/bin/greet` is there",
    "file contains": "the file `/opt/greet/bin/greet` does not contain `nothing of the kind`",
    "file sha256": "the file `/opt/greet/bin/greet` has the sha256 ",
}
"""Every kind of expectation, and tests that misbehave: each must fail, and for its own reason."""


@pytest.mark.parametrize("engine", ENGINES)
def test_what_must_fail_fails(verified: tuple[int, str, Rows], engine: str) -> None:
    code, _, rows = verified
    assert code == 1
    found = {test["name"]: (test["status"], test["reason"]) for test in rows["bad", engine]["tests"]}
    assert found.keys() == MUST_FAIL.keys()
    wrong = {
        name: row
        for name, row in found.items()
        if row[0] != "failed" or not row[1].startswith(MUST_FAIL[name])
    }
    assert wrong == {}


def test_tests_that_misbehave_leave_nothing_and_the_next_run_is_fine(
    verified: tuple[int, str, Rows], project: Path, reproc: Reproc
) -> None:
    assert _processes_in(Path("98731")) == []
    assert str(project) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert list((project / ".reproc" / "tmp").iterdir()) == []
    assert (project / ".reproc" / "report.json").stat().st_size < 20_000_000
    again = reproc("verify", "--no-cache", "-t", "good", "-k", "the app", cwd=project)
    assert again.returncode == 0, again.stderr
    report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    packages = {each["name"]: each for each in report["targets"][0]["packages"]}
    assert "GPL-3+" in packages["bash"]["licenses"]
    assert packages["libgcc-s1"]["licenses"] == [], (
        "its copyright file is prose, in the folder of another package"
    )
    assert "GPL-3" in packages["libgcc-s1"]["mentions"]


def test_reports_of_every_form_and_the_summary_of_a_workflow(
    verified: tuple[int, str, Rows],
    project: Path,
    reproc: Reproc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    files = [tmp_path / f"new/r{ending}" for ending in (".json", ".html", ".md", ".xml", ".svg")]
    asked = [word for file in files for word in ("--report", str(file))]
    done = reproc("verify", "-t", "good", "-k", "LINKS", *asked, cwd=project)
    assert done.returncode == 0, done.stderr
    said = {file.suffix: file.read_text(encoding="utf-8") for file in files}
    tests = json.loads(said[".json"])["targets"][0]["engines"][0]["tests"]
    assert [test["name"] for test in tests] == ["links"]
    assert said[".html"].startswith("<!doctype html>")
    assert said[".md"].startswith("## ✅ ")
    assert 'name="links"' in said[".xml"]
    assert "reproc: R0 it builds" in said[".svg"]
    assert (tmp_path / "summary").read_text(encoding="utf-8") == said[".md"]
    wrong = reproc("verify", "--report", "r.txt", cwd=project)
    assert (wrong.returncode, "E0707" in wrong.stderr) == (2, True), wrong.stderr


def test_fail_fast_and_retries(verified: tuple[int, str, Rows], project: Path, reproc: Reproc) -> None:
    def statuses(*options: str) -> list[tuple[str, int]]:
        done = reproc("verify", "-t", "bad", "-k", "equals", *options, cwd=project)
        assert done.returncode == 1
        report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
        rows = [test for row in report["targets"][0]["engines"] for test in row["tests"]]
        return [(test["status"], len(test["attempts"])) for test in rows]

    assert statuses("-e", "docker", "--retries", "1") == [("failed", 2)] * 2
    assert statuses("--fail-fast") == [("failed", 0)] + [("skipped", 0)] * 3


def test_the_report_has_the_steps_of_builds(verified: tuple[int, str, Rows]) -> None:
    for engine in ENGINES:
        steps = {step["title"]: step for step in verified[2]["good", engine]["build"]["steps"]}
        line = next(n for n, text in enumerate(SPEC.lstrip().splitlines(), 1) if "cp greet.sh" in text)
        places = {step["place"] for step in verified[2]["good", engine]["build"]["steps"]}
        assert any(place is not None and place.endswith(f"repro.spec:{line}:5") for place in places)
        assert {"code greet", "build greet", "app main"} <= steps.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failing_step_is_told_at_its_line_with_its_output(
    verified: tuple[int, str, Rows], engine: str
) -> None:
    _, said, rows = verified
    assert rows["broken", engine]["build"]["status"] == "failed"
    line = next(n for n, text in enumerate(SPEC.lstrip().splitlines(), 1) if "the reason" in text)
    told = next(part for part in said.split("\n\n") if f"`broken` with {engine}" in part)
    assert f"repro.spec:{line}:" in told
    assert "the reason" in told
    assert "never" not in told.split("output:")[1]


def test_what_is_kept_must_be_there(verified: tuple[int, str, Rows]) -> None:
    _, said, rows = verified
    assert {rows["forgets", engine]["build"]["status"] for engine in ENGINES} == {"failed"}
    (told,) = (part for part in said.split("\n\n") if "[E0522]" in part)
    line = next(n for n, text in enumerate(SPEC.lstrip().splitlines(), 1) if "/opt/nothing" in text)
    assert f"repro.spec:{line}:" in told
    assert "/opt/nothing" in told


@pytest.fixture
def slow_target(project: Path, tmp_path: Path, reproc: Reproc) -> Iterator[Path]:
    """A project whose build takes for ever."""
    (tmp_path / "repro.spec").write_text(
        "reproc 1\nbase debian bookworm { from bootstrap }\n"
        'build slow { in /opt; run "echo begun; sleep 600"; keep /opt/x }\n'
    )
    assert reproc("lock", tmp_path).returncode == 0
    yield tmp_path


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_build_leaves_nothing(slow_target: Path, engine: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reproc", "-v", "verify", "-e", engine, str(slow_target)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "begun" in line and "echo" not in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "Traceback" not in rest
    left = [entry for entry in (slow_target / ".reproc" / "tmp").iterdir()]
    assert left == []
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert str(slow_target) not in mounts
    assert _processes_in(slow_target) == []


def _processes_in(folder: Path) -> list[str]:
    """Command lines of processes that work in or name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and "pytest" not in line:
            found.append(line)
    return found
