"""Daemons that are not there, die in the middle or answer nonsense: a clear outcome, then all is well."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.verify import contract
from reproc.verify.engines import make
from reproc.verify.engines.base import BuildFailed, Built, CommandResult, RunFailed
from reproc.verify.plan import Recipe
from reproc.verify.workspace import Workspace

MakeRecipe = Callable[..., Recipe]
MakeTest = Callable[..., model.Test]

pytestmark = pytest.mark.engines("docker")


REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"


class Relay:
    """A socket that passes everything on to the daemon until it is told to die."""

    def __init__(self, path: Path, daemon: str) -> None:
        self.address = f"unix://{path}"
        self._daemon = daemon
        self._open: list[socket.socket] = []
        self.trigger: bytes | None = None
        """Dies when the daemon's answers hold this."""
        self.refusing = False
        """Whether whatever is asked is answered with the status 500."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._path = path
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.refusing:
                with client:
                    client.recv(1 << 16)
                    client.sendall(REFUSAL)
                continue
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(self._daemon)
            self._open += [client, daemon]
            for source, target, answers in ((client, daemon, False), (daemon, client, True)):
                threading.Thread(target=self._pass_on, args=(source, target, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if answers and self.trigger is not None and self.trigger in data:
                    self.die()
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def refuse(self) -> None:
        """From now on, new connections are answered with the status 500, and old ones are cut."""
        self.refusing = True
        self._cut()

    def _cut(self) -> None:
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was closed already

    def die(self) -> None:
        """Closes everything, as a daemon that is killed does."""
        self._path.unlink(missing_ok=True)
        self._cut()
        self._server.close()


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    daemon = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if not Path(daemon).is_socket():
        pytest.skip(f"the daemon does not listen on a local socket: {daemon}")
    made = Relay(tmp_path / "s", daemon)
    monkeypatch.setenv("DOCKER_HOST", made.address)
    yield made
    made.die()


def test_the_relay_relays(
    relay: Relay, workspace: Workspace, make_recipe: MakeRecipe, smoke: MakeTest, tmp_path: Path
) -> None:
    """The control: through the relay everything works."""
    engine = make("docker", workspace)
    assert engine.probe().usable
    built = engine.build(make_recipe("docker", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built), built
    assert isinstance(engine.run(built.image, contract.command(smoke("true"), "/")), CommandResult)
    engine.close()


def test_the_daemon_stops_in_mid_build(
    relay: Relay, workspace: Workspace, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    engine = make("docker", workspace)
    assert engine.probe().usable
    relay.trigger = b"dying-now"
    recipe = make_recipe("docker", [f"echo {tmp_path.name}\necho dying-now\nsleep 3"])
    result = engine.build(recipe, Silent(), tmp_path / "x.log", cache=False)
    assert isinstance(result, BuildFailed) and result.lacking, result
    assert result.diagnostic.code is codes.ENGINE_LOST
    engine.close()
    assert [path for path in workspace.temporary.rglob("*") if path.is_file()] == []


def test_the_daemon_stops_in_mid_test(
    relay: Relay, workspace: Workspace, make_recipe: MakeRecipe, smoke: MakeTest, tmp_path: Path
) -> None:
    engine = make("docker", workspace)
    built = engine.build(make_recipe("docker", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built)
    relay.trigger = b"dying-now"
    result = engine.run(built.image, contract.command(smoke("echo dying-now; sleep 98710", timeout=20), "/"))
    assert isinstance(result, RunFailed) and result.lacking, result
    assert result.diagnostic.code is codes.ENGINE_LOST
    engine.close()


def test_what_a_lost_daemon_kept_goes_with_the_next_run(
    workspace: Workspace,
    make_recipe: MakeRecipe,
    smoke: MakeTest,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    daemon = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    relay: Relay = request.getfixturevalue("relay")
    engine = make("docker", workspace)
    built = engine.build(make_recipe("docker", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built)
    relay.trigger = b"dying-now"
    engine.run(built.image, contract.command(smoke("echo dying-now; sleep 98711", timeout=20), "/"))
    engine.close()
    os.environ["DOCKER_HOST"] = daemon
    assert len(containers(daemon, workspace.run_id)) == 1
    again = make("docker", workspace)
    result = again.run(built.image, contract.command(smoke("true"), "/"))
    again.close()
    assert isinstance(result, CommandResult) and result.exit_code == 0
    assert containers(daemon, workspace.run_id) == []


def containers(daemon: str, run_id: str) -> list[str]:
    """The containers of a run."""
    from docker import DockerClient

    client = DockerClient(base_url=daemon)
    try:
        rows = client.api.containers(all=True, filters={"label": f"org.reproc.run={run_id}"})
        return [row["Id"] for row in rows]
    finally:
        client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot json!",
        b"\x00\x01\x02",
        b"",
    ],
)
def test_something_else_answers(
    answer: bytes, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(1 << 16)
                client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    engine = make("docker", workspace)
    probe = engine.probe()
    engine.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    assert not probe.usable and probe.reason == f"no daemon answers at unix://{tmp_path}/s"
    assert probe.advice


def test_the_daemon_answers_500_to_a_run(
    workspace: Workspace,
    make_recipe: MakeRecipe,
    smoke: MakeTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import requests
    from docker.errors import APIError

    engine = make("docker", workspace)
    built = engine.build(make_recipe("docker", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built)
    response = requests.Response()
    response.status_code = 500

    def refuse(*_: object, **__: object) -> None:
        raise APIError("500", response, "oops\nand more")

    monkeypatch.setattr("docker.api.container.ContainerApiMixin.start", refuse)
    result = engine.run(built.image, contract.command(smoke("true"), "/"))
    assert isinstance(result, RunFailed)
    assert (result.diagnostic.code, result.diagnostic.facts["reason"]) == (codes.ENGINE_FAILED, "oops")
    monkeypatch.undo()
    assert isinstance(engine.run(built.image, contract.command(smoke("true"), "/")), CommandResult)
    engine.close()


@pytest.mark.parametrize("address", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:9", "nonsense"])
def test_no_daemon(address: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    engine = make("docker", workspace)
    probe = engine.probe()
    engine.close()
    assert not probe.usable and probe.reason == f"no daemon answers at {address}"
