"""^C, SIGTERM and `kill -9` in the middle of builds and tests: nothing is left running, mounted or lying."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc import model
from reproc.progress import Silent
from reproc.record import replace
from reproc.verify.engines import make
from reproc.verify.engines.base import Built, Command, CommandResult
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.run import verify
from reproc.verify.workspace import Workspace

MakeRecipe = Callable[..., Recipe]
MakeTest = Callable[..., model.Test]
TOKENS = itertools.count()
"""Numbers of seconds to sleep by which a test knows its own processes."""

# Verifies one target in one engine; the test that hangs, or the build step, is the recipe's
PROGRAM = """
import sys
from pathlib import Path
from reproc import model
from reproc.model.commands import Run
from reproc.progress import Silent
from reproc.source import SourceFile, Span
from reproc.verify.engines import make
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.run import verify
from reproc.verify.workspace import Workspace

engine, context, file, root, text = sys.argv[1:]
origin = Span(SourceFile("x", "x"), 0, 1)
backend = "singularity" if engine == "singularity" else "docker"
tag = "reproc-tests/verify:int"
recipe = Recipe("cpu", backend, Path(context), Path(file), 1700000000, "linux/amd64", (), tag, inputs=())
test = model.Test(origin=origin, name="hangs", run=Run(origin=origin, text=(text,)), timeout=300)
workspace = Workspace.open(Path(root))
print(workspace.run_id, flush=True)
plan = TargetPlan("cpu", {backend: recipe}, (test,))
try:
    report = verify([plan], [make(engine, workspace)], Options(), workspace, Silent())
    print(report.exit_code)
except KeyboardInterrupt as interrupt:
    sys.exit(130)
"""


def processes(token: str) -> list[str]:
    """The command lines of this machine's processes that hold a token, this program's own aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        if token in line and "-c" not in line.split()[1:2]:
            found.append(line)
    return found


def sleeping(token: str) -> bool:
    return any(line.startswith(f"sleep {token}") for line in processes(token))


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def containers_of(run_id: str) -> list[str]:
    done = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=org.reproc.run={run_id}"], capture_output=True, text=True
    )
    return done.stdout.split()


def start(engine: str, recipe: Recipe, root: Path, text: str) -> tuple[subprocess.Popen[str], str]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, engine, str(recipe.context), str(recipe.file), str(root), text],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("where", ["build", "test"])
def test_nothing_is_left(
    engine_name: str, where: str, number: signal.Signals, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    token = str(9_000_000 + next(TOKENS) + os.getpid() * 100)
    step, text = (
        (f"sleep {token}", "true") if where == "build" else ("true", f"sleep {token} & sleep {token}")
    )
    root = tmp_path / ".reproc"
    child, run_id = start(engine_name, make_recipe(engine_name, [step]), root, text)
    try:
        assert wait_for(lambda: sleeping(token)), "it never came to the step"
        child.send_signal(number)
        code = child.wait(30)
    finally:
        child.kill()
        child.wait()
    assert code == (-9 if number is signal.SIGKILL else 130)
    assert not any(line for line in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in line)
    left = root / "tmp" / run_id
    if number is signal.SIGKILL:
        # a process that is killed cannot clear up behind itself: the next run does
        assert left.exists()
        workspace = Workspace.open(root)
        engine = make(engine_name, workspace)
        built = engine.build(make_recipe(engine_name, ["true"], target="next"), Silent(), tmp_path / "x.log")
        assert isinstance(built, Built), built
        assert isinstance(engine.run(built.image, Command(("/bin/sh", "-c", "true"))), CommandResult)
        engine.close()
        for folder in workspace.stale():
            pytest.fail(f"{folder} was left")
    assert not left.exists()
    assert wait_for(lambda: not sleeping(token), 15), processes(token)
    if engine_name == "docker":
        assert containers_of(run_id) == []


def test_a_run_that_was_killed_is_taken_up(
    engine_name: str, make_recipe: MakeRecipe, smoke: MakeTest, tmp_path: Path
) -> None:
    token, root = str(9_000_000 + next(TOKENS) + os.getpid() * 100), tmp_path / ".reproc"
    recipe = make_recipe(engine_name, ["true"])
    child, _ = start(engine_name, recipe, root, f"sleep {token} & sleep {token}")
    try:
        assert wait_for(lambda: sleeping(token), 240), "it never came to the test"
    finally:
        child.kill()
        child.wait()
    workspace = Workspace.open(root)
    again = replace(recipe, line_origins=(), tag="reproc-tests/verify:int", inputs=())
    plan = TargetPlan("cpu", {recipe.backend: again}, (smoke("true"),))
    report = verify([plan], [make(engine_name, workspace)], Options(), workspace, Silent())
    (row,) = report.targets[0].engines
    assert report.exit_code == 0 and row.build is not None
    assert row.build.since is not None, "the image is the one that the killed run has built"
    assert wait_for(lambda: not sleeping(token), 15), processes(token)
    assert list((root / "tmp").iterdir()) == []
