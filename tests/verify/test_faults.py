"""A daemon of our own that is killed or whose disk is full, one that answers 500, a state folder without room.

After each: the right verdict and exit code, nothing of ours left running, mounted or lying about, the next run is fine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from test_misbehaving import Relay

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.diagnostics.diagnostic import Code
from reproc.progress import Silent
from reproc.verify.engines import make
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Report, Status
from reproc.verify.run import verify
from reproc.verify.workspace import Workspace

MakeRecipe = Callable[..., Recipe]
MakeTest = Callable[..., model.Test]
STORE = '{"features": {"containerd-snapshotter": true}}'
SECONDS = 86423
"""To sleep; a test knows its own processes by it."""
ALONE = ("unshare", "--net", "dockerd", "--bridge=none", "--iptables=false", "--ip6tables=false")
"""With a network of its own: a daemon that is to have no bridge removes `docker0`, which belongs to the machine's."""


class Daemon:
    """A Docker daemon whose disk is a small one in memory."""

    def __init__(self, folder: Path, size: str) -> None:
        self.address = f"unix://{folder}/s"
        self._folder = folder
        for name in ("data", "exec"):
            (folder / name).mkdir()
        (folder / "daemon.json").write_text(STORE)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder / "data")]
        subprocess.run(mount, check=True)
        self.start()

    def start(self) -> None:
        folder = self._folder
        places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        command = [*ALONE, f"--config-file={folder}/daemon.json", f"--host={self.address}", *places]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while self.said("version") is None:
            assert time.monotonic() < deadline and self.process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)

    def said(self, *arguments: str) -> str | None:
        done = subprocess.run(["docker", "-H", self.address, *arguments], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        for place in sorted(mounts(self._folder), reverse=True):
            subprocess.run(["umount", place], check=True)


def mounts(folder: Path) -> list[str]:
    """What is mounted below a folder."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{folder}/")]


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("only root can start a daemon")
    with tempfile.TemporaryDirectory(prefix="reproc-d-") as folder:  # the path of a socket must be short
        made = Daemon(Path(folder), "96m")
        monkeypatch.setenv("DOCKER_HOST", made.address)
        yield made
        made.end()


@pytest.fixture
def run(make_recipe: MakeRecipe, smoke: MakeTest, tmp_path: Path) -> Callable[..., Report]:
    def go(
        engine: str, step: str, *, root: Path = tmp_path / ".reproc", during: Silent | None = None
    ) -> Report:
        workspace = Workspace.open(root)
        plan = TargetPlan("cpu", {engine: make_recipe(engine, [step])}, (smoke("true"),))
        report = verify([plan], [make(engine, workspace)], Options(), workspace, during or Silent())
        assert list((root / "tmp").iterdir()) == [], "nothing is left lying about"
        assert mounts(root) == []
        return report

    return go


class Upon(Silent):
    """Does something when a build says a word."""

    def __init__(self, word: str, do: Callable[[], None]) -> None:
        self._word, self._do = word, do

    def note(self, text: str) -> None:
        if text == self._word:
            self._do()


def outcome(report: Report) -> tuple[int, list[Code]]:
    return report.exit_code, [each.code for each in report.diagnostics]


@pytest.mark.engines("docker")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_daemon_ends_in_mid_build(
    number: signal.Signals, daemon: Daemon, run: Callable[..., Report]
) -> None:
    ending = Upon("dying", partial(daemon.process.send_signal, number))
    report = run("docker", f"echo dying\nsleep {SECONDS}", during=ending)
    assert outcome(report) == (3, [codes.ENGINE_LOST])
    daemon.process.wait(60)
    for pid in sleeping():  # dockerd lets a step go on that it has begun, and nobody but root can end it
        os.kill(pid, signal.SIGKILL)
    daemon.start()
    assert outcome(run("docker", "true")) == (0, [])
    assert daemon.said("ps", "-aq") == ""


@pytest.mark.engines("docker")
def test_the_daemons_disk_is_full(daemon: Daemon, run: Callable[..., Report]) -> None:
    report = run("docker", "seq 30000000 > /opt/large")
    assert outcome(report) == (3, [codes.NO_SPACE])
    (place,) = [
        each for each in mounts(Path(daemon.address.removeprefix("unix://")).parent) if "/data" in each
    ][:1]
    assert place in (report.diagnostics[0].help or ""), "what is full is named"
    subprocess.run(["mount", "-o", "remount,size=300m", place], check=True)
    assert outcome(run("docker", "true")) == (0, [])
    assert daemon.said("ps", "-aq") == ""


@pytest.mark.engines("docker")
def test_the_daemon_answers_500_in_mid_build(
    run: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading what was built is refused, whatever else is asked then, too."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if not Path(address).is_socket():
        pytest.skip(f"the daemon does not listen on a local socket: {address}")
    with tempfile.TemporaryDirectory(prefix="reproc-d-") as folder:
        relay = Relay(Path(folder) / "s", address)
        monkeypatch.setenv("DOCKER_HOST", relay.address)
        report = run("docker", f"echo refuse {folder}", during=Upon(f"refuse {folder}", relay.refuse))
        assert outcome(report) == (3, [codes.ENGINE_LOST])
        relay.refusing = False
        assert outcome(run("docker", "true")) == (0, [])
        relay.die()


@pytest.mark.engines("singularity")
def test_there_is_no_room_for_the_image(run: Callable[..., Report], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)]
    subprocess.run(mount, check=True)
    try:
        report = run("singularity", "true", root=small / ".reproc")
        assert outcome(report) == (3, [codes.NO_SPACE])
        assert str(small) in (report.diagnostics[0].help or "")
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        assert outcome(run("singularity", "true", root=small / ".reproc")) == (0, [])
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.engines("singularity")
def test_a_sif_that_was_cut_off_is_built_again(run: Callable[..., Report], tmp_path: Path) -> None:
    sif = tmp_path / ".reproc/sif/cpu.sif"
    first = run("singularity", "true")
    os.truncate(sif, sif.stat().st_size // 2)
    again = run("singularity", "true")
    assert outcome(again) == (0, [])
    builds = [report.targets[0].engines[0].build for report in (first, again)]
    assert [each is not None and (each.status, each.digest) for each in builds] == [
        (Status.PASSED, builds[0] and builds[0].digest)
    ] * 2


def sleeping() -> Iterator[int]:
    """The processes that sleep for `SECONDS`."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if line == f"sleep\0{SECONDS}\0".encode():
            yield int(path.parent.name)
