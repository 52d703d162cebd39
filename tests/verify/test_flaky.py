"""Retries: what fails and then passes is told as flaky and is a failure, in every form of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from fake_engine import FakeEngine

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.verify.engines.base import Captured, Command, CommandResult, RunResult
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Report, Status
from reproc.verify.report import TestReport as Found
from reproc.verify.reports import words, write
from reproc.verify.run import verify
from reproc.verify.table import table
from reproc.verify.workspace import Workspace

MakeTest = Callable[..., model.Test]


@dataclass
class Moody(FakeEngine):
    """Gives tests these exit codes one after the other, then 0."""

    codes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__("docker")

    def run(self, image: str, command: Command) -> RunResult:
        number = len(self.ran)
        super().run(image, command)
        code = self.codes[number] if number < len(self.codes) else 0
        said = f"run {number + 1}\n"
        return CommandResult(code, Captured(said, len(said), False), Captured("", 0, False), 0.5)


@pytest.fixture
def go(workspace: Workspace, smoke: MakeTest) -> Callable[..., Report]:
    """Verifies one target, whose only test ends with these codes."""

    def run(engine: FakeEngine, retries: int, *, fail_fast: bool = False) -> Report:
        context = workspace.root / "context"
        context.mkdir(exist_ok=True)
        recipe = Recipe("a", "docker", context, context / "x", 0, "linux/amd64", (), "reproc/x:a")
        plan = TargetPlan("a", {"docker": recipe}, (smoke("true", name="one"),))
        options = Options(retries=retries, fail_fast=fail_fast)
        machine = Machine(gpu=False, mpi=False, network=True)
        return verify([plan], [engine], options, workspace, Silent(), machine=machine)

    return run


def the_test(report: Report) -> Found:
    return report.targets[0].engines[0].tests[0]


def test_without_retries_a_test_runs_once(go: Callable[..., Report]) -> None:
    engine = Moody([1, 0])
    report = go(engine, 0)
    assert (len(engine.ran), the_test(report).flaky, the_test(report).attempts) == (1, False, ())
    assert [each.code for each in report.diagnostics] == [codes.TEST_FAILED]


def test_what_passes_is_not_run_again(go: Callable[..., Report]) -> None:
    engine = Moody()
    report = go(engine, 5)
    assert (len(engine.ran), report.exit_code, the_test(report).attempts) == (1, 0, ())


def test_what_fails_and_then_passes_is_flaky_and_a_failure(go: Callable[..., Report]) -> None:
    engine = Moody([3, 4])
    report = go(engine, 5)
    found = the_test(report)
    assert len(engine.ran) == 3
    assert (found.status, found.flaky, found.exit_code) == (Status.FAILED, True, 4)
    assert found.stdout is not None and found.stdout.text == "run 2\n", "of the last run that failed"
    assert found.reason == "it failed 2 of 3 times: exit code 4, expected 0"
    assert [(each.exit_code, each.reason) for each in found.attempts] == [
        (3, "exit code 3, expected 0"),
        (4, "exit code 4, expected 0"),
        (0, None),
    ]
    assert report.exit_code == 1
    assert [each.code for each in report.diagnostics] == [codes.TEST_FLAKY]
    assert report.diagnostics[0].output == "run 2"


def test_what_fails_every_time_is_not_flaky(go: Callable[..., Report]) -> None:
    engine = Moody([1] * 9)
    report = go(engine, 2)
    assert (len(engine.ran), the_test(report).flaky, len(the_test(report).attempts)) == (3, False, 3)
    assert the_test(report).reason == "exit code 1, expected 0; it failed 3 times"
    assert [each.code for each in report.diagnostics] == [codes.TEST_FAILED]


def test_what_was_flaky_is_not_believed_the_next_time(go: Callable[..., Report]) -> None:
    assert go(Moody([1]), 1).exit_code == 1
    again = Moody()
    assert go(again, 1).exit_code == 0
    assert len(again.ran) == 1


def test_an_engine_that_is_lost_is_not_asked_again(
    go: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine("docker")
    monkeypatch.setattr("reproc.verify.contract.argv", lambda *_: ("lost",))
    report = go(engine, 3)
    assert (len(engine.ran), report.exit_code) == (1, 3)
    assert [each.code for each in report.diagnostics] == [codes.ENGINE_LOST]


def test_every_form_of_the_report_says_that_it_is_flaky(go: Callable[..., Report], tmp_path: Path) -> None:
    report = go(Moody([1]), 1)
    assert "FLAKY 0.5 s" in table(report)
    assert "0 passed, 1 failed (1 of them flaky), 0 skipped" in table(report)
    document = report.document({"path": "repro.spec", "sha256": "0", "title": None}, None)
    assert words.verdict(document) == "flaky"
    assert document["summary"] == {"passed": 0, "failed": 1, "skipped": 0, "flaky": 1}
    made = {}
    for ending in (".json", ".html", ".md", ".xml", ".svg"):
        write(document, tmp_path / f"r{ending}", lambda _: "")
        made[ending] = (tmp_path / f"r{ending}").read_text(encoding="utf-8")
    test = json.loads(made[".json"])["targets"][0]["engines"][0]["tests"][0]
    assert (test["status"], test["flaky"], len(test["attempts"])) == ("failed", True, 2)
    assert "A test holds only sometimes" in made[".html"]
    assert "it failed 1 of 2 times" in made[".html"]
    assert "✗ flaky 0.5 s" in made[".md"]
    failure = next(xml.fromstring(made[".xml"]).iter("failure"))
    assert (failure.get("type"), failure.get("message")) == (
        "flaky",
        "it failed 1 of 2 times: exit code 1, expected 0",
    )
    assert xml.fromstring(made[".svg"]).get("aria-label") == "reproc: flaky"


def test_something_worse_than_a_flaky_test_is_the_verdict(go: Callable[..., Report]) -> None:
    document = go(Moody([1]), 1).document({"path": "repro.spec", "sha256": "0", "title": None}, None)
    document["diagnostics"].append({**document["diagnostics"][0], "code": "E0616"})
    assert words.verdict(document) == "failed"
