"""Every kind of check has a control that must fail it, and a test that shows that it does.

A check that is added to the program and not to this table fails here.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from reproc import model
from reproc.cli.commands.verify import LEVELS, NEEDS
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.source import SourceFile, Span
from reproc.verify.audits import AUDITS
from reproc.verify.engines import ENGINES
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Report, Status
from reproc.verify.run import verify
from reproc.verify.tree import Entry, Kind
from reproc.verify.workspace import Workspace

TESTS = Path(__file__).resolve().parent.parent
CORRIDOR = "e2e/test_corridor.py::test_what_must_fail_fails"
"""Where real engines run it; its table `MUST_FAIL` has a row for every kind of expectation."""
TREES = "verify/test_tree.py::test_one_change_is_found_and_named"
CONTROLS = {
    "a test's exit code": CORRIDOR,
    "a test's time": "verify/test_contract.py::test_time_runs_out_and_nothing_is_left",
    "a test is no root, has no network, writes nothing": CORRIDOR,
    "a test's container is fresh": "verify/test_contract.py::test_each_test_has_a_fresh_container",
    "a test holds every time": "verify/test_flaky.py::test_what_fails_and_then_passes_is_flaky_and_a_failure",
    "a test on an older processor": "e2e/test_levels.py::test_programs_for_newer_processors_die_and_are_named",
    "a step of a build": "verify/test_builds.py::test_a_failing_step_is_told_at_its_place",
    "what a build keeps": "e2e/test_corridor.py::test_what_is_kept_must_be_there",
    "a SIF is whole": "verify/test_builds.py::test_a_truncated_sif",
    "audit binaries": "verify/test_binaries.py::test_a_library_that_needs_more",
    "audit compilers": "e2e/test_toolchains.py::test_what_must_fail_does",
    "audit libraries": "e2e/test_toolchains.py::test_what_must_fail_does",
    "the engines' images are the same": "e2e/test_levels.py::test_levels_are_shown_by_a_second_build",
    "presence": TREES,
    "type": TREES,
    "mode": TREES,
    "owner": TREES,
    "content": TREES,
    "target": TREES,
    **{f"level {level}": "verify/test_controls.py::test_a_level_is_missed" for level in LEVELS},
    **{f"require {need}": "verify/test_controls.py::test_what_is_required_and_not_here" for need in NEEDS},
    **{f"require {name}": "verify/test_controls.py::test_an_engine_that_is_required" for name in ENGINES},
}


def kinds() -> set[str]:
    """What verification can hold something to, as far as the program itself lists it."""
    found = {f"audit {each.NAME}" for each in AUDITS}
    found |= {f"level {each}" for each in LEVELS}
    return found | {f"require {each}" for each in (*NEEDS, *ENGINES)}


def test_every_kind_is_in_the_table() -> None:
    assert kinds() <= CONTROLS.keys()


@pytest.mark.parametrize("place", sorted(set(CONTROLS.values())))
def test_the_control_is_there(place: str) -> None:
    file, _, name = place.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_every_expectation_is_failed_in_real_engines() -> None:
    tree = ast.parse((TESTS / CORRIDOR.partition("::")[0]).read_text(encoding="utf-8"))
    tables = {
        each.targets[0].id: ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign)
        and isinstance(each.targets[0], ast.Name)
        and isinstance(each.value, ast.Dict)
    }
    relations = [*itertools.product(("stdout", "stderr"), ("contains", "equals", "matches"))]
    relations += [("file", each) for each in ("exists", "absent", "contains", "sha256")]
    assert {"exit", *(" ".join(each) for each in relations)} <= tables["MUST_FAIL"].keys()


# what the table names and nothing else shows

ORIGIN = Span(SourceFile("repro.spec", "needs x\n"), 0, 5)
Go = Callable[..., Report]


@pytest.fixture
def go(workspace: Workspace) -> Go:
    """Verifies one target with one test that has these needs, on a machine that has nothing."""

    def run(engine: FakeEngine, options: Options, *needs: str) -> Report:
        context = workspace.root / "context"
        context.mkdir(exist_ok=True)
        recipe = Recipe("a", engine.backend, context, context / "x", 0, "linux/amd64", (), "reproc/x:a")
        wanted = tuple(model.Needs(origin=ORIGIN, what=each) for each in needs)
        test = model.Test(
            name="x", run=model.Command(text=("true",), origin=ORIGIN), needs=wanted, origin=ORIGIN
        )
        plan = TargetPlan("a", {engine.backend: recipe}, (test,))
        nothing = Machine(gpu=False, mpi=False, network=False)
        return verify([plan], [engine], options, workspace, Silent(), machine=nothing)

    return run


@pytest.mark.parametrize("need", NEEDS)
def test_what_is_required_and_not_here(go: Go, need: str) -> None:
    skipped = go(FakeEngine("docker"), Options(), need)
    assert (skipped.exit_code, skipped.counts[Status.SKIPPED]) == (0, 1)
    report = go(FakeEngine("docker"), Options(required=(need,)), need)
    assert report.targets[0].engines[0].tests[0].status is Status.FAILED
    assert [each.code for each in report.diagnostics] == [codes.REQUIREMENT_MISSING]
    assert report.exit_code == 3


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_required(go: Go, name: str) -> None:
    report = go(FakeEngine(name, usable=False), Options(required=(name,)))
    assert [each.code for each in report.diagnostics] == [codes.ENGINE_MISSING]
    assert (report.targets[0].engines[0].status, report.exit_code) == (Status.FAILED, 3)


@pytest.mark.parametrize(
    ("wanted", "path", "reached"),
    [
        ("R1", "usr/lib/python3/six-1.17.dist-info/METADATA", "R0"),
        ("R2", "opt/x", "R1"),
        ("R3", None, "R2"),
    ],
)
def test_a_level_is_missed(go: Go, wanted: str, path: str | None, reached: str) -> None:
    engine = FakeEngine("docker")
    engine.digests["a-rebuild"] = "sha256:1"
    file = Entry(Kind.FILE, 0o644, 0, 0, "1")
    engine.trees = {"docker-a": {}, "docker-a-rebuild": {path: file} if path else {}}
    report = go(engine, Options(rebuild=True, required=(wanted,)))
    assert report.targets[0].engines[0].level == reached
    assert [each.code for each in report.diagnostics] == [codes.LEVEL_MISSED]
    assert report.exit_code == 1
