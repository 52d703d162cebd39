"""Which engines run, what is skipped and failed, and the exit codes, with engines made up for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.verify.doctor import doctor, render, render_json
from reproc.verify.engines.base import (
    RunResult,
)
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Report, Status
from reproc.verify.reports import write
from reproc.verify.run import queues_of, verify
from reproc.verify.table import table
from reproc.verify.tree import Entry, Kind
from reproc.verify.workspace import Workspace

MakeTest = Callable[..., model.Test]
NOTHING = Machine(gpu=False, mpi=False, network=True)


Go = Callable[..., Report]


@pytest.fixture
def go(workspace: Workspace) -> Go:
    """Verifies targets `a` and `b` with these tests; both have both recipes."""

    def run(
        engines: list[FakeEngine],
        tests: tuple[model.Test, ...] = (),
        options: Options | None = None,
        machine: Machine = NOTHING,
        backends: tuple[str, ...] = ("docker", "singularity"),
    ) -> Report:
        context = workspace.root / "context"
        context.mkdir(exist_ok=True)
        plans = [
            TargetPlan(
                name,
                {
                    each: Recipe(name, each, context, context / "x", 0, "linux/amd64", (), f"reproc/x:{name}")
                    for each in backends
                },
                tests,
            )
            for name in ("a", "b")
        ]
        return verify(plans, engines, options or Options(), workspace, Silent(), machine=machine)

    return run


def statuses(report: Report) -> dict[str, str]:
    return {
        f"{target.name} {row.engine}": row.status.value for target in report.targets for row in target.engines
    }


def test_every_target_in_every_engine(go: Go, smoke: MakeTest, workspace: Workspace) -> None:
    engines = [FakeEngine("docker"), FakeEngine("podman"), FakeEngine("singularity")]
    report = go(engines, (smoke("true", name="one"), smoke("true", name="two", on=("b",))))
    assert statuses(report) == dict.fromkeys(
        ("a docker", "a singularity", "b docker", "b singularity"), "passed"
    )
    assert [[test.name for test in row.tests] for row in report.rows()] == [
        ["one"],
        ["one"],
        ["one", "two"],
        ["one", "two"],
    ]
    assert report.exit_code == 0 and not report.diagnostics
    assert report.counts == {Status.PASSED: 6, Status.FAILED: 0, Status.SKIPPED: 0}
    assert [each.closed for each in engines] == [1, 1, 1]
    assert not workspace.temporary.exists()


@pytest.mark.parametrize(
    ("options", "usable", "processors", "expected"),
    [
        pytest.param(Options(jobs=None), (True, True), 2, [[0, 2], [1, 3]], id="engines side by side"),
        pytest.param(Options(jobs=None), (False, True, True), 2, [[1, 4, 0, 3], [2, 5]], id="one is idle"),
        pytest.param(Options(jobs=None), (True, False), 8, [[0, 1, 2, 3]], id="one engine"),
        pytest.param(Options(jobs=None), (True, True), 1, [[0, 1, 2, 3]], id="one processor"),
        pytest.param(Options(jobs=None, fail_fast=True), (True, True), 8, [[0, 1, 2, 3]], id="--fail-fast"),
        pytest.param(Options(jobs=1), (True, True), 8, [[0, 1, 2, 3]], id="-j 1"),
    ],
)
def test_what_is_done_side_by_side(
    options: Options, usable: tuple[bool, ...], processors: int, expected: list[list[int]]
) -> None:
    assert [[*each] for each in queues_of(options, 2, usable, processors)] == expected


def test_workers_that_were_asked_for_share_what_there_is_to_do() -> None:
    first, *others = queues_of(Options(jobs=3), 2, (True, True), 1)
    assert [each is first for each in others] == [True, True] and [*first] == [0, 1, 2, 3]
    assert len(queues_of(Options(jobs=9), 1, (True, True), 1)) == 2, "no more than there is to do"


def test_podman_stands_in_for_docker(go: Go) -> None:
    report = go([FakeEngine("docker", usable=False), FakeEngine("podman"), FakeEngine("singularity")])
    assert statuses(report)["a docker"] == "skipped"
    assert statuses(report)["a podman"] == "passed"
    assert report.exit_code == 0


def test_an_engine_that_is_not_here_is_skipped_with_its_reason(go: Go, smoke: MakeTest) -> None:
    report = go([FakeEngine("docker"), FakeEngine("singularity", usable=False)], (smoke("true"),))
    row = report.targets[0].engines[1]
    assert (row.status, row.reason, row.build, row.level) == (
        Status.SKIPPED,
        "it is not installed",
        None,
        None,
    )
    assert [(test.status, test.reason) for test in row.tests] == [(Status.SKIPPED, "it is not installed")]
    assert report.exit_code == 0


@pytest.mark.parametrize("options", [Options(engines=("singularity",)), Options(required=("singularity",))])
def test_an_engine_that_was_asked_for_and_is_not_here(go: Go, smoke: MakeTest, options: Options) -> None:
    report = go([FakeEngine("docker"), FakeEngine("singularity", usable=False)], (smoke("true"),), options)
    assert [each.code for each in report.diagnostics] == [codes.ENGINE_MISSING]
    assert report.diagnostics[0].help == "`install it`"
    assert statuses(report)["a singularity"] == "failed"
    assert report.exit_code == 3
    assert "a docker" not in statuses(report) or options.required


def test_no_engine_at_all(go: Go, smoke: MakeTest) -> None:
    report = go(
        [FakeEngine("docker", usable=False), FakeEngine("singularity", usable=False)], (smoke("true"),)
    )
    assert [each.code for each in report.diagnostics] == [codes.NO_ENGINE]
    assert report.exit_code == 3
    assert report.counts[Status.PASSED] == 0


def test_a_failing_test(go: Go, smoke: MakeTest) -> None:
    report = go([FakeEngine("docker")], (smoke("false", name="bad"), smoke("true", name="good")))
    assert report.exit_code == 1
    assert statuses(report) == {"a docker": "failed", "b docker": "failed"}
    said = report.diagnostics[0]
    assert said.code is codes.TEST_FAILED
    assert said.message == "test `bad` fails for `a` in docker: exit code 1, expected 0"
    assert (said.output, str(said.span)) == ("err", "repro.spec:1:1")


def test_a_failing_build(go: Go, smoke: MakeTest) -> None:
    report = go([FakeEngine("docker", builds=False), FakeEngine("singularity")], (smoke("true"),))
    row = report.targets[0].engines[0]
    assert (row.status, row.level) == (Status.FAILED, None)
    assert [(test.status, test.reason) for test in row.tests] == [(Status.SKIPPED, "the image was not built")]
    assert report.counts == {Status.PASSED: 2, Status.FAILED: 2, Status.SKIPPED: 2}
    assert report.exit_code == 1


def test_the_machine_s_fault_is_exit_3_unless_something_is_broken(go: Go, smoke: MakeTest) -> None:
    assert go([FakeEngine("docker", builds=False, lacking=True)]).exit_code == 3
    report = go([FakeEngine("docker")], (smoke("lost"),))
    assert (report.exit_code, report.counts[Status.FAILED]) == (3, 2)
    assert go([FakeEngine("docker")], (smoke("lost"), smoke("false"))).exit_code == 1


def test_needs(go: Go, smoke: MakeTest) -> None:
    tests = (smoke("true", needs=("gpu",)), smoke("true", needs=("network",)), smoke("true", needs=("data",)))
    engine = FakeEngine("docker")
    report = go([engine], tests)
    found = [(test.status.value, test.reason) for test in report.targets[0].engines[0].tests]
    assert found == [
        ("skipped", "no NVIDIA GPU is here"),
        ("passed", None),
        ("skipped", "data is not on this machine"),
    ]
    assert [command.network for command in engine.ran] == [True, True]
    assert report.exit_code == 0
    required = go([FakeEngine("docker")], tests, Options(required=("gpu",)))
    assert required.targets[0].engines[0].tests[0].status is Status.FAILED
    assert (required.exit_code, required.diagnostics[0].code) == (3, codes.REQUIREMENT_MISSING)
    engine = FakeEngine("docker")
    there = go([engine], tests[:1], machine=Machine(gpu=True, mpi=True, network=False))
    assert there.counts[Status.PASSED] == 2 and engine.ran[0].gpu


def test_a_test_for_one_back_end(go: Go, smoke: MakeTest) -> None:
    report = go(
        [FakeEngine("docker"), FakeEngine("singularity")], (smoke("true", backends=("singularity",)),)
    )
    assert [row.tests[0].reason for row in report.targets[0].engines] == ["it is only for singularity", None]


def test_a_target_for_one_back_end(go: Go) -> None:
    report = go([FakeEngine("docker"), FakeEngine("singularity")], backends=("docker",))
    assert statuses(report)["a singularity"] == "skipped"
    assert report.targets[0].engines[1].reason == "the target has no recipe for singularity"


def test_only_some_tests(go: Go, smoke: MakeTest) -> None:
    tests = (smoke("true", name="Import numpy"), smoke("true", name="other"))
    report = go([FakeEngine("docker")], tests, Options(only="NUMPY"))
    assert [test.name for test in report.targets[0].engines[0].tests] == ["Import numpy"]
    assert go([FakeEngine("docker")], tests, Options(test=False)).counts[Status.PASSED] == 0


def test_fail_fast(go: Go, smoke: MakeTest) -> None:
    engine = FakeEngine("docker")
    report = go([engine], (smoke("false", name="bad"), smoke("true")), Options(fail_fast=True))
    assert engine.built == ["a"] and len(engine.ran) == 1
    assert report.targets[0].engines[0].tests[1].reason == "stopped after the first failure"
    assert report.targets[1].engines[0].reason == "stopped after the first failure"
    assert report.exit_code == 1


def test_engines_are_closed_when_something_breaks(
    go: Go, smoke: MakeTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine("docker")

    def interrupted(*_: object) -> RunResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go([engine], (smoke("true"),))
    assert engine.closed == 1


def mixed(go: Go, smoke: MakeTest) -> Report:
    tests = (
        smoke("true", name="imports numpy"),
        smoke(
            "false", name="a test with a name that is so long that it cannot stand on one line of the table"
        ),
        smoke("true", name="sees the GPU", needs=("gpu",)),
    )
    return go([FakeEngine("docker"), FakeEngine("singularity", usable=False)], tests)


def test_the_table(go: Go, smoke: MakeTest) -> None:
    text = table(mixed(go, smoke))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "imports numpy" in text and "FAILED" in text and "ok" in text and "skipped" in text
    assert "no NVIDIA GPU is here" in text and "it is not installed" in text
    assert text.endswith("2 passed, 2 failed, 8 skipped\n")
    assert "\x1b[" in table(mixed(go, smoke), color=True)


def test_the_document(go: Go, smoke: MakeTest, tmp_path: Path) -> None:
    report = mixed(go, smoke)
    path = tmp_path / "new/report.json"
    write(report.document({"path": "repro.spec", "sha256": "0"}, None), path, lambda log: "")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["summary"] == {"passed": 2, "failed": 2, "skipped": 8, "flaky": 0}
    assert (found["version"], found["lock"], found["spec"]["path"], found["exit_code"]) == (
        1,
        None,
        "repro.spec",
        1,
    )
    assert [target["name"] for target in found["targets"]] == ["a", "b"]
    assert found["targets"][0]["same_tree"] is None
    docker, singularity = found["targets"][0]["engines"]
    assert (docker["engine"], docker["version"], docker["status"], docker["level"]) == (
        "docker",
        "1.0",
        "failed",
        "R0",
    )
    assert docker["build"] == {
        "status": "passed",
        "seconds": 1.5,
        "image": "docker-a",
        "digest": "sha256:0",
        "log": ".reproc/logs/a-docker.log",
        "size": None,
        "since": None,
        "notes": [],
        "shape": "vendored",
        "network": [],
        "steps": [],
        "recorded": None,
    }
    assert docker["tests"][1] == {
        "name": "a test with a name that is so long that it cannot stand on one line of the table",
        "status": "failed",
        "reason": "exit code 1, expected 0",
        "since": None,
        "exit_code": 1,
        "seconds": 0.25,
        "stdout": "out\n",
        "stderr": "err\n",
        "truncated": [],
        "flaky": False,
        "attempts": [],
    }
    assert (singularity["status"], singularity["build"], singularity["level"]) == ("skipped", None, None)
    assert [path.name for path in path.parent.iterdir()] == ["report.json"]


def test_the_doctor() -> None:
    rows = doctor([FakeEngine("docker"), FakeEngine("singularity", usable=False)], NOTHING)
    found = {row.name: (row.status, row.advice) for row in rows}
    assert found["docker"] == ("limited", None)
    assert found["docker: speed"] == ("limited", "buy a faster one")
    assert found["singularity"] == ("missing", "`install it`")
    assert found["gpu"][0] == "missing"
    assert "help: `install it`" in render(rows)
    assert json.loads(render_json(rows))["rows"][0]["name"] == "docker"


def a_file(content: str) -> Entry:
    return Entry(Kind.FILE, 0o644, 0, 0, content)


def test_images_of_two_engines_are_compared(go: Go) -> None:
    report = go([FakeEngine("docker"), FakeEngine("singularity")])
    assert [target.same_tree for target in report.targets] == [True, True]
    assert report.exit_code == 0


def test_owners_that_one_engine_flattens_are_told(go: Go) -> None:
    engines = FakeEngine("docker"), FakeEngine("singularity")
    entry = Entry(Kind.FOLDER, 0o755, 7, 8)
    engines[0].trees["docker-a"] = {"opt": entry, "usr": Entry(Kind.FOLDER, 0o755, 0, 0)}
    engines[1].trees["singularity-a"] = {name: Entry(Kind.FOLDER, 0o755, 0, 0) for name in ("opt", "usr")}
    report = go(list(engines))
    assert (report.targets[0].same_tree, report.targets[0].flattened) == (True, True)
    assert report.document({}, None)["targets"][0]["owners_flattened"] is True
    assert "a, note: an image gives every file to root" in table(report)


def test_one_engine_has_nothing_to_be_compared_with(go: Go) -> None:
    assert [target.same_tree for target in go([FakeEngine("docker")]).targets] == [None, None]


def test_images_that_differ_fail_and_say_where(go: Go) -> None:
    engines = [FakeEngine("docker"), FakeEngine("singularity")]
    engines[0].trees["docker-a"] = {"opt/x": a_file("1"), "opt/only": a_file("1")}
    engines[1].trees["singularity-a"] = {"opt/x": a_file("2")}
    report = go(engines)
    first, second = report.targets
    assert (first.same_tree, second.same_tree) == (False, True)
    assert {each.path: each.what for each in first.differences} == {
        "/opt/x": "other content: it holds a time",
        "/opt/only": "is only in docker (file)",
    }
    assert report.exit_code == 1
    assert [each.code for each in report.diagnostics] == [codes.TREES_DIFFER]


REBUILD = Options(rebuild=True)


def levels(report: Report) -> list[str | None]:
    return [row.level for target in report.targets for row in target.engines]


def test_a_second_build_with_the_same_digest_reaches_the_highest_level(go: Go) -> None:
    engine = FakeEngine("docker")
    report = go([engine], options=REBUILD)
    assert levels(report) == ["R3", "R3"]
    assert engine.built == ["a", "a-rebuild", "b", "b-rebuild"]
    assert engine.removed == ["docker-a-rebuild", "docker-b-rebuild"]


def test_another_digest_and_the_same_files(go: Go) -> None:
    engine = FakeEngine("docker")
    engine.digests["a-rebuild"] = "sha256:1"
    assert levels(go([engine], options=REBUILD)) == ["R2", "R3"]


@pytest.mark.parametrize(
    ("path", "level"), [("opt/x", "R1"), ("usr/lib/python3/six-1.17.dist-info/METADATA", "R0")]
)
def test_other_files_and_other_packages(go: Go, path: str, level: str) -> None:
    engine = FakeEngine("docker")
    engine.digests["a-rebuild"] = "sha256:1"
    engine.trees = {"docker-a": {}, "docker-a-rebuild": {path: a_file("1")}}
    report = go([engine], options=REBUILD)
    assert levels(report) == [level, "R3"]
    assert report.exit_code == 0, "the level is told, not demanded"
    rebuild = report.targets[0].engines[0].rebuild
    assert rebuild is not None
    assert rebuild.count == 1


def test_a_level_that_was_required_and_missed(go: Go) -> None:
    engine = FakeEngine("docker")
    engine.digests["a-rebuild"] = "sha256:1"
    report = go([engine], options=Options(rebuild=True, required=("R3",)))
    assert [each.code for each in report.diagnostics] == [codes.LEVEL_MISSED]
    assert report.exit_code == 1
    assert go([engine], options=Options(rebuild=True, required=("R2",))).exit_code == 0


def test_the_table_shows_levels_and_sameness(go: Go) -> None:
    engines = [FakeEngine("docker"), FakeEngine("singularity")]
    engines[1].digests["b-rebuild"] = "sha256:1"
    engines[1].trees["singularity-a"] = {"opt/x": a_file("2")}
    lines = [line.split("  ") for line in table(go(engines, options=REBUILD)).splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["a second build gives the same", "R3 bytes", "R2 files"] in rows
    assert ["the same files in every engine", "FAILED", "FAILED"] in rows
    assert ["the same files in every engine", "ok", "ok"] in rows
