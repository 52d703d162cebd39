"""What every test can ask for: golden updates, engines, the command line, the repository."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("docker", "singularity")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        dest="update_golden",
        help="write the golden files anew instead of comparing; a person reads the diff",
    )


def pytest_configure(config: pytest.Config) -> None:
    """A suite that was started in the background ignores interrupts, and so would the children it interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def update_golden(pytestconfig: pytest.Config) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(pytestconfig.getoption("update_golden"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the checkout."""
    return ROOT


Reproc = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def reproc() -> Reproc:
    """Runs `reproc ARGUMENTS` in a process of its own; `env` is added to ours."""

    def run(
        *arguments: str | Path,
        cwd: Path | None = None,
        stdin: str = "",
        env: dict[str, str] | None = None,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "reproc", *map(str, arguments)],
            cwd=cwd,
            input=stdin,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    return run


def required_engines() -> frozenset[str]:
    """The engines whose absence is a failure: REPROC_REQUIRE_ENGINES, separated by commas."""
    names = frozenset(filter(None, os.environ.get("REPROC_REQUIRE_ENGINES", "").replace(" ", "").split(",")))
    unknown = names.difference(ENGINES)
    if unknown:
        raise pytest.UsageError(f"REPROC_REQUIRE_ENGINES names unknown engines: {', '.join(sorted(unknown))}")
    return names


@cache
def missing_engine(name: str) -> str | None:
    """Why an engine cannot be used here, or None where it can."""
    match name:
        case "docker":
            command = ["docker", "version", "--format", "{{.Server.Version}}"]
        case "singularity":
            command = ["apptainer" if shutil.which("apptainer") else "singularity", "--version"]
        case _:
            raise pytest.UsageError(f"no engine is called {name!r}")
    if shutil.which(command[0]) is None:
        return f"{name}: no program `{command[0]}`; `sudo tools/setup-engines.sh` installs it"
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if answer.returncode:
        said = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"{name}: {said}; `sudo tools/setup-engines.sh` starts one"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """An engine test runs, is skipped with its reason, or fails where the engine was required."""
    for marker in item.iter_markers("engines"):
        for name in marker.args or ENGINES:
            reason = missing_engine(name)
            if reason is None:
                continue
            if name in required_engines():
                pytest.fail(f"REPROC_REQUIRE_ENGINES asks for {reason}", pytrace=False)
            pytest.skip(reason)


@pytest.fixture(autouse=True)
def _without_images(request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes the images of a test's projects out of Docker, where those of all tests would fill a disk."""
    folder: Path | None = None
    if request.node.get_closest_marker("engines"):
        folder = request.getfixturevalue("tmp_path")
    yield
    if folder is not None:
        remove_images(folder)


@pytest.fixture(autouse=True, scope="module")
def _without_images_of_all(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The same for projects that the tests of a file share."""
    yield
    mine = (item for item in request.session.items if item.path == request.path)
    if any(item.get_closest_marker("engines") for item in mine):
        remove_images(tmp_path_factory.getbasetemp())


def remove_images(folder: Path) -> None:
    """Removes the Docker images of the projects below a folder, but for what other projects have, too."""
    if missing_engine("docker") is not None:
        return
    own = {hashlib.sha256(bytes(state)).hexdigest()[:12] for state in _states(folder)}
    images: dict[str, list[str]] = {}
    listed = [
        "docker",
        "image",
        "ls",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.Repository}}:{{.Tag}}",
        "reproc/*",
    ]
    for line in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\n"):
        image, _, name = line.partition(" ")
        images.setdefault(image, []).append(name)
    gone = [name for names in images.values() for name in _whose(names, own)]
    if gone:
        # another test may have removed a name that both have
        subprocess.run(["docker", "image", "rm", *gone], capture_output=True, check=False)


def _states(folder: Path) -> Iterator[Path]:
    """The state folders of projects."""
    for place, folders, _ in os.walk(folder):
        if ".reproc" in folders:
            yield Path(place, ".reproc")
            folders.remove(".reproc")


def _whose(names: list[str], own: set[str]) -> list[str]:
    """Those of an image's names that go with these projects: the last of them takes the common name along."""
    marked = {name for name in names if re.search(r"\.[0-9a-f]{12}$", name)}
    ours = {name for name in marked if name[-12:] in own}
    return names if ours and ours == marked else sorted(ours)
