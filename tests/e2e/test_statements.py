"""Every statement about files, people, labels and hardware, built and tested in both engines."""

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
ENGINES = ("docker", "singularity")
SPEC = r"""
reproc 1
base debian bookworm { from bootstrap }

platform linux/amd64
cpu      x86-64-v2
without  avx avx2
cuda 11.8 { arch sm_60..sm_80; driver >=450 }

user alice { uid 1234; home /home/al }
workdir /data/here
label org.example.x "it's \"x\" $HOME %post"
env { GONE 1; HOST_OF "it's \"$HOME\"" }

activate ". /opt/src/tool/env.sh; echo noise; cd /tmp"
activate "if [[ 1 = 1 ]] 2> /dev/null; then export SHELL_IS=bash; else export SHELL_IS=sh; fi"

file "etc/my bashrc" { into "/etc/my bashrc"; mode 0604; owner alice }
file "etc/program" { into /opt/x/ }
directory /var/a "/var/b c" { mode 0705; owner alice }

code tool {
    local   "src"
    patch   "patches/a.patch" "patches/b.patch"
    rewrite "/old/place" "/new/$place 'it''s'"
    mode    0755
    owner   alice
    bin     new/prog.sh hello.sh
}

build env {
    in  /opt/src/tool
    run "echo 'export ACT=\"a b\" \"$@\"; unset GONE' > env.sh"
}

app main  { run "echo main \"$ACT\" \"$(pwd)\""; port 8080 }
app other { run "pwd; echo $ACT"; workdir /data/other }

target good {
    test "activation" {
        run    "echo \"$ACT/${GONE-none}/$SHELL_IS/$HOST_OF\"; pwd"
        expect stdout equals "a b/none/sh/it's \"$HOME\"\n/data/here"
        expect stderr equals ""
    }
    test "main"  { app main; expect stdout equals "main a b /data/here" }
    test "other" { app other "x"; expect stdout equals "/data/other\na b x" }
    test "code"  {
        run    "prog.sh; hello.sh; cat /opt/src/tool/sub/x.txt; tr '\\0' X < /opt/src/tool/sub/bin.dat"
        expect stdout equals "prog /new/$place its\nhello from /new/$place its\n/new/$place 'it''s'\n/old/placeX"
        expect file /opt/src/tool/three.txt contains "drei"
        expect file /.reproc.pl absent
        expect file /.reproc.patch absent
    }
    test "modes" {
        run    "stat -c '%a %n' '/etc/my bashrc' /opt/x/program /var/a '/var/b c' /home/al /opt/src/tool/sub"
        expect stdout contains "604 /etc/my bashrc\n755 /opt/x/program\n705 /var/a\n705 /var/b c\n755 /home/al\n"
        expect stdout contains "755 /opt/src/tool/sub"
        expect file /etc/passwd contains "alice:x:1234:1234::/home/al:/bin/sh"
    }
    test "variables" {
        run    "echo $NVIDIA_VISIBLE_DEVICES $NVIDIA_DRIVER_CAPABILITIES \"$NVIDIA_REQUIRE_CUDA\""
        expect stdout equals "all compute,utility driver>=450"
    }
    test "what a test leaves" {
        run    "printf z > /tmp/y; echo 'a needle b' > /tmp/x"
        expect file /tmp/x contains "needle"
        expect file /tmp/y sha256 594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06
        expect file "/tmp/no" absent
        expect file /tmp/x exists
    }
    test "emulated" { run "true"; cpu x86-64-v4 }
}

target bad {
    test "not there"    { run "true"; expect file /nope exists }
    test "there"        { run "true"; expect file /etc/passwd absent }
    test "no such text" { run "true"; expect file /etc/passwd contains "it's $x" }
    test "other digest" {
        run    "true"
        expect file /etc/passwd sha256 594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06
    }
    test "a folder"     { run "true"; expect file /etc contains x }
    test "a pipe"       { run "mkfifo /tmp/f"; expect file /tmp/f contains x }
    test "a secret"     { run "true"; expect file /etc/shadow contains root }
}

target fails { activate "echo the reason >&2; false"; test "never runs" { run "true" } }

target unpatched { code tool { local "src"; patch "patches/c.patch" } }
target nothing-to-rewrite { code tool { local "src"; rewrite "not in there" "x" } }
target no-program { code tool { local "src"; bin three.txt } }
target nothing-kept { build b { in /opt; run "mkdir -p /opt/is"; keep /opt/is /opt/gone } }
target link-kept { build b { in /opt; run "ln -s /opt /opt/is"; keep /opt/is } }
"""
PATCHES = {
    "a": "diff --git a/three.txt b/three.txt\n--- a/three.txt\n+++ b/three.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n"
    " three\ndiff --git a/new/prog.sh b/new/prog.sh\nnew file mode 100755\n--- /dev/null\n+++ b/new/prog.sh\n"
    "@@ -0,0 +1,2 @@\n+#!/bin/sh\n+echo prog '/old/place'\n",
    "b": "--- three.txt\n+++ three.txt\n@@ -2,2 +2,2 @@\n zwei\n-three\n+drei\n",
    "c": "--- a/three.txt\n+++ b/three.txt\n@@ -1 +1 @@\n-four\n+vier\n",
}
Rows = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statements")
    for name in ("src/sub", "patches", "etc"):
        (folder / name).mkdir(parents=True)
    for name, text in PATCHES.items():
        (folder / f"patches/{name}.patch").write_text(text)
    programs = {"src/hello.sh": "#!/bin/sh\necho hello from '/old/place'\n", "etc/program": "#!/bin/sh\n"}
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "src/sub/x.txt").write_text("/old/place\n")
    (folder / "src/sub/bin.dat").write_bytes(b"/old/place\0")
    (folder / "src/three.txt").write_text("one\ntwo\nthree\n")
    (folder / "src/link").symlink_to("sub/x.txt")
    (folder / "etc/my bashrc").write_text("alias x=y\n")
    (folder / "repro.spec").write_text(SPEC.lstrip())
    return folder


@pytest.fixture(scope="module")
def verified(project: Path) -> tuple[str, Rows]:
    """What was said, and the report's rows by target and engine."""
    for command in ("lock", "verify"):
        done = subprocess.run(
            [sys.executable, "-m", "reproc", command, str(project)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stderr and (command == "verify" or done.returncode == 0), done.stderr
    report = json.loads((project / ".reproc/report.json").read_text(encoding="utf-8"))
    rows = {(target["name"], row["engine"]): row for target in report["targets"] for row in target["engines"]}
    return done.stderr, rows


@pytest.mark.parametrize("engine", ENGINES)
def test_what_holds_is_green(verified: tuple[str, Rows], engine: str) -> None:
    tests = {test["name"]: (test["status"], test["reason"]) for test in verified[1]["good", engine]["tests"]}
    status, reason = tests.pop("emulated")
    assert status == "skipped"
    assert "x86-64-v4" in reason
    assert tests == {name: ("passed", None) for name in tests}
    assert len(tests) == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_what_must_fail_fails(verified: tuple[str, Rows], engine: str) -> None:
    tests = {test["name"]: test["status"] for test in verified[1]["bad", engine]["tests"]}
    assert tests == {name: "failed" for name in tests}
    assert len(tests) == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_runs_behind_an_activation_that_fails(verified: tuple[str, Rows], engine: str) -> None:
    said, rows = verified
    (test,) = rows["fails", engine]["tests"]
    assert test["status"] == "failed"
    assert "fails with status 1" in said


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("target", "reason", "column"),
    [
        ("unpatched", "patches/c.patch does not apply", None),
        ("no-program", "/opt/src/tool/three.txt is no program", None),
        ("nothing-to-rewrite", "no text file of `/opt/src/tool` holds `not in there`", 'rewrite "not'),
        ("nothing-kept", "`/opt/gone` is to be kept, and no command of the build has made it", "/opt/gone"),
        ("link-kept", "`/opt/is` is to be kept, and is a symbolic link", "/opt/is }"),
    ],
)
def test_a_step_that_cannot_be_done_is_told_at_its_line(
    verified: tuple[str, Rows], engine: str, target: str, reason: str, column: str | None
) -> None:
    """Of what the author's own steps print the end is shown; what ours find is an error of its own."""
    said, rows = verified
    row = rows[target, engine]
    assert row["build"]["status"] == "failed"
    sign = f"`{target}` with {engine}" if column is None else reason
    told = next(part for part in said.split("\n\n") if sign in part)
    number, line = next(
        (n, text)
        for n, text in enumerate(SPEC.lstrip().splitlines(), 1)
        if text.startswith(f"target {target}")
    )
    assert f"repro.spec:{number}:" in told
    assert reason in told
    if column is not None:
        assert reason in row["reason"]
        assert f"repro.spec:{number}:{line.index(column) + 1}" in told


def test_the_image_says_what_the_spec_says(verified: tuple[str, Rows], project: Path) -> None:
    import docker

    client = docker.from_env()
    try:
        found = client.images.get(verified[1]["good", "docker"]["build"]["image"]).attrs["Config"]
    finally:
        client.close()
    assert found["User"] == "1234"
    assert found["WorkingDir"] == "/data/here"
    assert list(found["ExposedPorts"]) == ["8080/tcp"]
    assert found["Entrypoint"] == ["/opt/reproc/enter"]
    labels = {name: value for name, value in found["Labels"].items() if "opencontainers" not in name}
    assert labels == {
        "org.example.x": 'it\'s "x" $HOME %post',
        "reproc.cpu": "x86-64-v2",
        "reproc.cuda": "11.8",
        "reproc.cuda.arch": "sm_60..sm_80",
        "reproc.cuda.driver": ">=450",
        "reproc.ports": "8080",
        "reproc.without": "avx avx2",
    }
