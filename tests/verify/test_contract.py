"""The contract of tests in real engines; every check comes with a control that must fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.verify import contract
from reproc.verify.engines.base import Command, CommandResult, Engine, RunResult
from reproc.verify.judge import judge
from reproc.verify.machine import Machine
from reproc.verify.plan import Mount, Options, Recipe, TargetPlan
from reproc.verify.run import verify
from reproc.verify.workspace import Workspace

Images = Callable[[str], tuple[Engine, str]]
MakeTest = Callable[..., model.Test]


def outcome(
    images: Images, name: str, test: model.Test, workdir: str = "/"
) -> tuple[CommandResult, str | None]:
    """What a test did in an engine, and why it fails, if it does."""
    engine, image = images(name)
    result = engine.run(image, contract.command(test, workdir))
    assert isinstance(result, CommandResult), result
    return result, judge(test, result)


HOLD: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "exit code 0": ("true", ()),
    "another exit code": ("exit 7", (("exit", "7"),)),
    "exit code 255": ("exit 255", (("exit", "255"),)),
    "stdout contains": ("echo abc", (("stdout", "contains", "b"),)),
    "stdout equals": ("echo abc", (("stdout", "equals", "abc"),)),
    "stdout matches": ("echo abc", (("stdout", "matches", "^a.c$"),)),
    "stderr contains": ("echo abc >&2", (("stderr", "equals", "abc"), ("stdout", "equals", ""))),
    "user": ("id -u; id -g; id -un", (("stdout", "equals", "1000\n1000\nresearcher"),)),
    "home": ("cd; pwd; touch x; stat -c %U .", (("stdout", "equals", "/home/researcher\nresearcher"),)),
    "home is the passwd entry's": ("cd ~researcher && pwd", (("stdout", "equals", "/home/researcher"),)),
    "temporary folders": (
        "touch $TMPDIR/x /tmp/y /var/tmp/z && echo $TMPDIR",
        (("stdout", "equals", "/tmp"),),
    ),
    "programs in /tmp": ("cp /bin/echo /tmp/e; /tmp/e hi", (("stdout", "equals", "hi"),)),
    "image's environment": ("echo $GREETING $LANG", (("stdout", "equals", "hello world C.UTF-8"),)),
    "read-only root": ("touch /x || touch /opt/x || touch /bin/sh || exit 30", (("exit", "30"),)),
    "no network": ("cat /proc/net/dev | grep -c :", (("stdout", "equals", "1"),)),
    "no privileges": (
        "grep -E 'CapEff|NoNewPrivs' /proc/self/status | sed 's/.*:\t//'",
        (("stdout", "equals", "0000000000000000\n1"),),
    ),
    "empty input": ("cat; test ! -t 0", (("stdout", "equals", ""),)),
    "limits": ("ulimit -n; ulimit -c", (("stdout", "equals", "1024\n0"),)),
    "umask": ("umask", (("stdout", "equals", "0022"),)),
    "host name": ("cat /etc/hostname", (("stdout", "equals", "localhost"),)),
}

FAIL: dict[str, tuple[str, tuple[tuple[str, ...], ...], str]] = {
    "exit code": ("exit 3", (), "exit code 3, expected 0"),
    "expected failure": ("true", (("exit", "1"),), "exit code 0, expected 1"),
    "stdout contains": ("echo abc", (("stdout", "contains", "x"),), "stdout does not contain"),
    "stdout equals": ("echo abcd", (("stdout", "equals", "abc"),), "stdout does not equal"),
    "stdout matches": ("echo abc", (("stdout", "matches", "^b"),), "stdout does not match"),
    "stderr": ("echo abc", (("stderr", "contains", "abc"),), "stderr does not contain"),
    "is root": ("test $(id -u) = 0", (), "exit code 1"),
    "writes to the root": ("echo x > /opt/x", (), "exit code"),
    "needs a terminal": ("test -t 0 && test -t 1", (), "exit code 1"),
    "no such program": ("no-such-program", (), "exit code 127"),
    "killed": ("kill -9 $$", (), "exit code 137"),
    "fails in a script": ("", (), "exit code 1"),
}


@pytest.mark.parametrize("case", HOLD)
def test_holds(engine_name: str, images: Images, smoke: MakeTest, case: str) -> None:
    text, expect = HOLD[case]
    result, reason = outcome(images, engine_name, smoke(text, *expect))
    assert reason is None, result


@pytest.mark.parametrize("case", FAIL)
def test_fails(engine_name: str, images: Images, smoke: MakeTest, case: str) -> None:
    text, expect, why = FAIL[case]
    test = smoke(script="false\ntrue") if case == "fails in a script" else smoke(text, *expect)
    result, reason = outcome(images, engine_name, test)
    assert reason is not None and reason.startswith(why), result


def test_an_app_gets_its_arguments(engine_name: str, images: Images, smoke: MakeTest) -> None:
    test = smoke("", ("stdout", "equals", "hello 3 a b  c"), app=("hello", "a", "b ", "c"))
    _, reason = outcome(images, engine_name, test)
    assert reason is None
    _, reason = outcome(images, engine_name, smoke("", app=("not-there",)))
    assert reason is not None and reason.startswith("exit code 127")


def test_a_test_sets_variables(engine_name: str, images: Images, smoke: MakeTest) -> None:
    nasty = 'it\'s "$HOME" `id` \\ {{x}}'
    rows = (
        ("set", "A", nasty),
        ("prepend", "GREETING", "x"),
        ("append", "GREETING", "y"),
        ("append", "NEW", "z"),
    )
    test = smoke(
        'printf "%s|%s|%s" "$A" "$GREETING" "$NEW"',
        ("stdout", "equals", f"{nasty}|x:hello world:y|z"),
        env=rows,
    )
    result, reason = outcome(images, engine_name, test)
    assert reason is None, result


def test_the_working_directory(engine_name: str, images: Images, smoke: MakeTest) -> None:
    _, reason = outcome(images, engine_name, smoke("pwd", ("stdout", "equals", "/data")), workdir="/data")
    assert reason is None


def test_nothing_of_the_host_gets_in(
    engine_name: str, images: Images, smoke: MakeTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REPROC_SECRET", "APPTAINERENV_REPROC_SECRET", "SINGULARITYENV_REPROC_SECRET"):
        monkeypatch.setenv(name, "leaked")
    monkeypatch.setenv("APPTAINER_BIND", "/etc:/data")
    result, _ = outcome(images, engine_name, smoke("env; ls -A /data /tmp /home/researcher"))
    assert "leaked" not in result.stdout.text
    assert result.stdout.text.endswith("/data:\n\n/home/researcher:\n\n/tmp:\n")


def test_each_test_has_a_fresh_container(engine_name: str, images: Images, smoke: MakeTest) -> None:
    first, _ = outcome(images, engine_name, smoke("touch /tmp/x ~/x; ls /tmp"))
    second, _ = outcome(images, engine_name, smoke("ls -A /tmp ~"))
    assert first.stdout.text == "x\n"
    assert second.stdout.text == "/home/researcher:\n\n/tmp:\n"


@pytest.mark.engines("docker", "singularity")
def test_both_engines_show_the_same_environment(images: Images, smoke: MakeTest) -> None:
    test = smoke(
        "env | sort; umask; ulimit -n; ulimit -Hn; id; ls -ld /tmp /var/tmp | sed 's/ .*//'; cat /etc/passwd"
    )
    said = {name: outcome(images, name, test)[0].stdout.text for name in ("docker", "singularity")}
    # Docker leaves out supplementary groups, `id` of Apptainer names the primary one among them
    said = {name: text.replace(" groups=1000(researcher)", "") for name, text in said.items()}
    assert said["docker"].replace(" groups=1000", "") == said["singularity"].replace(" groups=1000", "")


# time and size


def processes(token: str) -> list[str]:
    """The command lines of this machine's processes that hold a token."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if token in line and str(path.parent.name) != "self":
            found.append(line)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "sleep 98701",
        "trap '' INT TERM HUP; sleep 98701 & sleep 98701 & wait",
        "for i in 1 2 3; do (trap '' TERM; sleep 98701 >/dev/null 2>&1 </dev/null &) ; done; sleep 98701",
        "while :; do :; done # 98701",
        "yes 98701 > /dev/null",
    ],
)
def test_time_runs_out_and_nothing_is_left(
    engine_name: str, images: Images, smoke: MakeTest, text: str
) -> None:
    began = time.monotonic()
    result, reason = outcome(images, engine_name, smoke(text, timeout=1))
    assert reason == "it did not end within 1 s"
    assert result.timed_out and result.exit_code is None
    assert time.monotonic() - began < 20
    assert processes("98701") == []


def test_a_child_in_the_background_does_not_outlive_its_test(
    engine_name: str, images: Images, smoke: MakeTest
) -> None:
    _, reason = outcome(images, engine_name, smoke("sleep 98702 >/dev/null 2>&1 & true"))
    assert reason is None
    assert processes("98702") == []


def test_a_gigabyte_of_output_is_not_kept(engine_name: str, images: Images, smoke: MakeTest) -> None:
    text = "yes 0123456789abcdef | head -c 1000000000; echo end >&2"
    result, reason = outcome(images, engine_name, smoke(text, ("stdout", "contains", "0123"), timeout=60))
    assert reason is None
    assert result.stdout.size == 1_000_000_000 and result.stdout.truncated
    assert len(result.stdout.text) == contract.OUTPUT_LIMIT
    assert result.stderr.text == "end\n"
    _, reason = outcome(
        images, engine_name, smoke("yes | head -c 3000000; echo x", ("stdout", "contains", "x"))
    )
    assert reason is not None and "of which the first 1048576 were looked at" in reason


def test_output_that_is_not_text(engine_name: str, images: Images, smoke: MakeTest) -> None:
    result, reason = outcome(
        images, engine_name, smoke(r"printf 'a\377\000b\r\n'", ("stdout", "equals", "a�\0b\r"))
    )
    assert reason is None, result


# what holds only sometimes


class Lent(FakeEngine):
    """Builds nothing, and runs commands in an image of a real engine; before the third a file changes."""

    def __init__(self, engine: Engine, image: str, file: Path) -> None:
        super().__init__(engine.name)
        self._engine, self._image, self._file = engine, image, file

    def run(self, image: str, command: Command) -> RunResult:
        self.ran.append(command)
        self._file.write_text("ready\n" if len(self.ran) > 2 else "not yet\n")
        return self._engine.run(self._image, command)


def test_a_test_that_fails_and_then_passes_is_flaky(
    engine_name: str, images: Images, smoke: MakeTest, workspace: Workspace
) -> None:
    engine, image = images(engine_name)
    context, folder = workspace.root / "context", workspace.root / "mounted"
    for each in (context, folder):
        each.mkdir(mode=0o755)
    lent = Lent(engine, image, folder / "state")
    recipe = Recipe("a", lent.backend, context, context / "x", 0, "linux/amd64", (), "reproc/x:a")
    tests = (smoke("cat /data/state", ("stdout", "equals", "ready")), smoke("exit 3"))
    plan = TargetPlan("a", {lent.backend: recipe}, tests, mounts=(Mount(folder, "/data"),))
    report = verify(
        [plan], [lent], Options(retries=3), workspace, Silent(), machine=Machine(False, False, False)
    )
    flaky, broken = report.targets[0].engines[0].tests
    assert (flaky.flaky, [each.reason is None for each in flaky.attempts]) == (True, [False, False, True])
    assert flaky.stdout is not None and flaky.stdout.text == "not yet\n"
    assert (broken.flaky, [each.exit_code for each in broken.attempts]) == (False, [3] * 4)
    assert [each.code for each in report.diagnostics] == [codes.TEST_FLAKY, codes.TEST_FAILED]
    assert report.exit_code == 1


# the network


@contextmanager
def listening(address: str) -> Iterator[int]:
    """A port of this machine that says `hello` to whoever connects."""
    with socket.create_server((address, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def host_address(engine: Engine) -> str:
    """The address under which a container reaches this machine."""
    if engine.name == "singularity":
        return "127.0.0.1"
    client: Any = engine._containers_client  # type: ignore[attr-defined]
    settings = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    return str(settings.get("Gateway") or settings["Subnet"].rsplit(".", 1)[0] + ".1")


def test_the_network_is_there_only_for_tests_that_need_it(
    engine_name: str, images: Images, smoke: MakeTest
) -> None:
    address = host_address(images(engine_name)[0])
    with listening(address) as port:
        text = f"exec bash -c 'cat < /dev/tcp/{address}/{port}'"
        _, reason = outcome(
            images, engine_name, smoke(text, ("stdout", "equals", "hello"), needs=("network",))
        )
        assert reason is None
        result, reason = outcome(images, engine_name, smoke(text, ("stdout", "equals", "hello")))
        assert reason is not None and reason.startswith("exit code 1"), result
