"""What an earlier run has shown is not done again, and whatever it depended on is done again when it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.record import replace
from reproc.verify import proofs
from reproc.verify.engines.base import Command, RunResult
from reproc.verify.host import Host
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Report
from reproc.verify.run import verify
from reproc.verify.table import table
from reproc.verify.tree import Entry, Kind
from reproc.verify.workspace import Workspace

MakeTest = Callable[..., model.Test]
HERE = Machine(True, False, True, Host("x86_64", frozenset({"avx2", "sse2"})))


class Case:
    """One target, two engines, and how often each was asked for something."""

    def __init__(self, root: Path, tests: tuple[model.Test, ...]) -> None:
        self.root, self.tests = root, tests
        self.engines = [FakeEngine("docker"), FakeEngine("singularity")]
        self.options, self.machine = Options(), HERE
        self.context = root / "context"
        self.context.mkdir()
        self.text = "FROM scratch\n"
        self.inputs: tuple[tuple[str, str], ...] | None = (("debs/a.deb", "1" * 64),)

    def run(self) -> Report:
        for engine in self.engines:
            engine.built.clear()
            engine.ran.clear()
        (self.context / "recipe").write_text(self.text)
        recipes = {
            name: Recipe(
                "cpu",
                name,
                self.context,
                self.context / "recipe",
                0,
                "linux/amd64",
                (),
                "reproc/x:cpu",
                inputs=self.inputs,
            )
            for name in ("docker", "singularity")
        }
        plan = TargetPlan("cpu", recipes, self.tests)
        workspace = Workspace.open(self.root / ".reproc")
        return verify([plan], self.engines, self.options, workspace, Silent(), machine=self.machine)

    @property
    def did(self) -> tuple[int, int]:
        """How many images were built and tests run."""
        return sum(len(each.built) for each in self.engines), sum(len(each.ran) for each in self.engines)


@pytest.fixture
def case(tmp_path: Path, smoke: MakeTest) -> Case:
    made = Case(tmp_path, (smoke("true", name="one"), smoke("true", name="two")))
    made.run()
    assert made.did == (2, 4)
    return made


def test_nothing_is_done_twice_and_the_report_says_so(case: Case) -> None:
    (row, _), (first, _) = (report.targets[0].engines for report in (case.run(), case.run()))
    assert case.did == (0, 0)
    assert row.build is not None and row.build.since is not None
    assert first == row, "the time is that of the run that showed it"
    assert {each.since for each in row.tests} == {row.build.since}
    assert (row.build.image, row.build.digest) == ("docker-cpu", "sha256:0")
    assert row.tests[0].stdout is not None and row.tests[0].stdout.text == "out\n"
    report = case.run()
    assert (report.targets[0].same_tree, report.targets[0].same_since) == (True, row.build.since)
    assert report.exit_code == 0
    document = report.document({}, None)
    told = document["targets"][0]["engines"][0]
    assert told["build"]["since"] == told["tests"][1]["since"] == row.build.since
    text = table(report)
    assert "ok earlier" in text and f"earlier: shown {row.build.since}" in text


def test_the_first_run_says_nothing_of_earlier_ones(tmp_path: Path, smoke: MakeTest) -> None:
    report = Case(tmp_path, (smoke("true"),)).run()
    assert "earlier" not in table(report)
    assert report.targets[0].engines[0].tests[0].since is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda case: setattr(case, "text", "FROM scratch\nRUN x\n"), id="the recipe"),
        pytest.param(lambda case: setattr(case, "inputs", (("debs/a.deb", "2" * 64),)), id="what it reads"),
        pytest.param(lambda case: [e.images.clear() for e in case.engines], id="the images are gone"),
        pytest.param(lambda case: [setattr(e, "version", "1.1") for e in case.engines], id="the engines"),
        pytest.param(lambda case: setattr(case, "options", Options(cache=False)), id="--no-cache"),
        pytest.param(lambda case: setattr(case, "inputs", None), id="a recipe that fetches by itself"),
    ],
)
def test_an_image_is_built_again(case: Case, change: Callable[[Case], object]) -> None:
    change(case)
    case.run()
    assert case.did[0] == 2


def test_another_version_of_reproc_believes_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "VERSION", "99")
    case.run()
    assert case.did == (2, 4)


def test_an_image_with_other_bytes_is_tested_again(case: Case) -> None:
    case.text = "FROM scratch\nRUN x\n"
    for engine in case.engines:
        engine.digests["cpu"] = "sha256:1"
    case.run()
    assert case.did == (2, 4)


def test_an_image_with_the_same_bytes_is_not(case: Case) -> None:
    case.text = "FROM scratch\n# a remark\n"
    case.run()
    assert case.did == (2, 0)


def test_a_test_that_changed_or_is_new_is_run(case: Case, smoke: MakeTest) -> None:
    case.tests = (smoke("true", name="one"), smoke("true", ("exit", "0"), name="two"), smoke(name="three"))
    case.run()
    assert case.did == (0, 4)
    case.run()
    assert case.did == (0, 0)


def test_another_processor_is_another_machine(case: Case) -> None:
    case.machine = replace(HERE, host=Host("x86_64", frozenset({"sse2"})))
    case.run()
    assert case.did == (0, 4)


def test_what_the_world_decides_is_tested_every_time(case: Case, smoke: MakeTest) -> None:
    case.tests = tuple(smoke("true", name=what, needs=(what,)) for what in ("network", "gpu"))
    case.run()
    case.run()
    assert case.did == (0, 4)


def test_what_failed_is_done_again(case: Case, smoke: MakeTest) -> None:
    case.tests = (smoke("true", name="good"), smoke("false", name="bad"))
    case.run()
    report = case.run()
    assert case.did == (0, 2)
    assert report.exit_code == 1
    assert [each.since is None for each in report.targets[0].engines[0].tests] == [False, True]


def test_no_cache_withdraws_what_was_shown(case: Case) -> None:
    """A build that fails anew is not hidden by one that worked once."""
    case.options = Options(cache=False)
    for engine in case.engines:
        engine.builds = False
    assert case.run().exit_code == 1
    case.options = Options()
    assert case.run().exit_code == 1


def test_images_that_differ_are_compared_every_time(case: Case) -> None:
    case.text = "FROM scratch\nRUN x\n"
    for engine in case.engines:
        engine.digests["cpu"] = f"sha256:{engine.name}"
    case.engines[0].trees["docker-cpu"] = {"opt/x": Entry(Kind.FILE, 0o644, 0, 0, "1")}
    assert [case.run().targets[0].same_tree for _ in range(2)] == [False, False]


@pytest.mark.parametrize(("digest", "built"), [("sha256:0", 0), ("sha256:1", 2)])
def test_only_a_second_build_with_the_same_bytes_counts(case: Case, digest: str, built: int) -> None:
    case.options = Options(rebuild=True)
    for engine in case.engines:
        engine.digests["cpu-rebuild"] = digest
    case.run()
    assert case.did[0] == 2
    report = case.run()
    assert case.did[0] == built
    assert [row.level for row in report.rows()] == (["R2", "R2"] if built else ["R3", "R3"])


def test_a_run_that_was_interrupted_is_taken_up(
    tmp_path: Path, smoke: MakeTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(tmp_path, (smoke("true", name="one"), smoke("true", name="two")))
    docker = case.engines[0]
    run = docker.run

    def interrupted(image: str, command: Command) -> RunResult:
        if docker.ran:
            raise KeyboardInterrupt
        return run(image, command)

    monkeypatch.setattr(docker, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        case.run()
    monkeypatch.setattr(docker, "run", run)
    report = case.run()
    assert case.did == (0, 3), "both images and docker's first test were shown"
    assert [each.since is None for each in report.targets[0].engines[0].tests] == [False, True]


def wrong(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_text(path.read_text()[:-9]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), id="no text"),
        pytest.param(lambda path: path.write_text("[]"), id="a list"),
        pytest.param(lambda path: wrong(path, lambda f: f.update(version=0)), id="another version"),
        pytest.param(lambda path: wrong(path, lambda f: f.update(image=[1])), id="an image of no kind"),
        pytest.param(lambda path: wrong(path, lambda f: f.update(shown=3)), id="proofs of no kind"),
    ],
)
def test_what_is_damaged_counts_as_never_shown(case: Case, damage: Callable[[Path], object]) -> None:
    for name in ("docker", "singularity"):
        damage(case.root / f".reproc/proven/cpu-{name}.json")
    assert case.run().exit_code == 0
    assert case.did[0] == 2
    case.run()
    assert case.did == (0, 0)


def test_the_recorded_image_is_the_other_build(case: Case) -> None:
    """What an image was on another day counts for its level, `--no-cache` or not."""
    case.options = Options(cache=False)
    report = case.run()
    row = report.targets[0].engines[0]
    assert row.build is not None and row.build.recorded is not None
    assert (row.build.recorded.same, row.level, report.exit_code) == (True, "R3", 0)
    case.engines[0].digests["cpu"] = "sha256:1"
    case.options = Options(cache=False, required=("R3",))
    for _ in range(2):
        report = case.run()
        docker, singularity = report.targets[0].engines
        assert docker.build is not None and docker.build.recorded is not None
        assert (docker.build.recorded.digest, docker.build.recorded.same) == ("sha256:0", False)
        assert (docker.level, singularity.level, report.exit_code) == ("R0", "R3", 1)
    assert [each.code for each in report.diagnostics] == [codes.LEVEL_MISSED]
    assert "cpu, docker, note: the same recipe and inputs gave other bytes" in table(report)
    told = report.document({}, None)["targets"][0]["engines"][0]["build"]["recorded"]
    assert (told["digest"], told["same"]) == ("sha256:0", False)
    case.text = "FROM scratch\nRUN another\n"
    assert [row.level for row in case.run().targets[0].engines] == ["R0", "R0"]
