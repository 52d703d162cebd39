"""Both ways to a SIF: from its own def and out of Docker's image, which all hold the same files; each can fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from fake_engine import FakeEngine

from reproc.diagnostics import Diagnostic
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress, Silent
from reproc.record import replace
from reproc.verify.conversion import WAYS, Giver, Taker, convert, judged
from reproc.verify.engines import make
from reproc.verify.engines.base import Built
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.report import Status
from reproc.verify.run import verify
from reproc.verify.sameness import Unseen, tree_of
from reproc.verify.table import table
from reproc.verify.tree import Entry, Kind, Tree
from reproc.verify.workspace import Workspace

MakeRecipe = Callable[..., Recipe]
STEP = "mkdir /opt/d\necho x > /opt/d/f\nchmod 4751 /opt/d/f\nln -s f /opt/d/l\nrm /bin/yes\nchown 7:8 /opt/d"
REGISTRY = "localhost:5000"

pytestmark = pytest.mark.engines("docker", "singularity")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> str:
    """The local registry that `tools/setup-engines.sh --registry` starts."""
    try:
        urlopen(f"http://{REGISTRY}/v2/", timeout=5).close()
    except URLError as problem:
        text = f"no registry at {REGISTRY} ({problem.reason}); `tools/setup-engines.sh --registry` starts one"
        if os.environ.get("REPROC_REQUIRE_ENGINES"):
            pytest.fail(text)
        pytest.skip(text)
    monkeypatch.setenv("APPTAINER_NOHTTPS", "1")
    return REGISTRY


@pytest.fixture
def plan(make_recipe: MakeRecipe) -> TargetPlan:
    return TargetPlan("cpu", {name: make_recipe(name, [STEP]) for name in ("docker", "singularity")})


def test_every_way_gives_the_same_files(plan: TargetPlan, registry: str, workspace: Workspace) -> None:
    engines = [make(name, workspace) for name in ("docker", "singularity")]
    ways = (*WAYS, registry)
    report = verify([plan], engines, Options(convert=ways), workspace, Silent())
    (target,) = report.targets
    assert report.exit_code == 0, report.diagnostics
    assert target.same_tree is True
    assert [(each.way, each.status, each.flattened) for each in target.conversions] == [
        (way, Status.PASSED, False) for way in ways
    ]
    document = report.document({}, None)["targets"][0]
    assert [row["status"] for row in document["conversions"]] == ["passed"] * 4
    assert f"a SIF out of docker's image ({registry})" in table(report)
    assert not list(workspace.root.glob("tmp/*")), "nothing is left"


def test_another_image_is_found_and_named(
    plan: TargetPlan, make_recipe: MakeRecipe, workspace: Workspace, tmp_path: Path
) -> None:
    docker, singularity = (make(name, workspace) for name in ("docker", "singularity"))
    assert isinstance(docker, Giver) and isinstance(singularity, Taker)
    other = make_recipe("docker", [f"{STEP}\nchown 9:8 /opt/d"], target="next")
    trees = []
    for recipe in (plan.recipes["docker"], other):
        built = docker.build(recipe, Silent(), tmp_path / "x.log")
        assert isinstance(built, Built), built
        trees.append(tree_of(docker, built.image))
    workspace.temporary.mkdir(parents=True, exist_ok=True)
    log = tmp_path / "y.log"

    def made(way: str, tag: str) -> None:
        tree = convert(way, docker, tag, tag, singularity, workspace.temporary, Silent(), log)
        found = judged(way, [tree, trees[1]], ["docker"])
        assert found.status is Status.PASSED
        found = judged(way, [tree, trees[0], trees[1]], ["docker", "singularity"])
        assert (found.status, found.count) == (Status.FAILED, 1)
        assert found.differences[0].path == "/opt/d" and "owner 9:8" in found.differences[0].what

    made("docker-archive", other.tag)
    with pytest.raises(Unseen) as raised:
        made("docker-daemon", "reproc-tests/verify:nothing")
    assert raised.value.diagnostic.code is codes.ENGINE_FAILED
    with pytest.raises(Unseen) as raised:
        made("localhost:9", other.tag)
    assert raised.value.diagnostic.code is codes.ENGINE_FAILED
    for engine in (docker, singularity):
        engine.close()


def test_owners_that_are_all_roots_are_told_apart(plan: TargetPlan, workspace: Workspace) -> None:
    engine = make("docker", workspace)
    built = engine.build(plan.recipes["docker"], Silent(), workspace.logs / "x.log")
    assert isinstance(built, Built), built
    tree = tree_of(engine, built.image)
    engine.close()
    flat = {path: replace(entry, uid=0, gid=0) for path, entry in tree.items()}
    found = judged("docker-daemon", [flat, tree], ["docker"])
    assert (found.status, found.flattened) == (Status.PASSED, True)
    assert not judged("docker-daemon", [tree, tree], ["docker"]).flattened


class Converter(FakeEngine):
    """Gives its images away, or takes others' and makes another file of one of them."""

    def save(self, image: str, archive: Path) -> Diagnostic | None:
        return None

    def push(self, image: str, reference: str) -> Diagnostic | None:
        return None

    def taken(
        self, source: str, archive: Path | None, network: bool, progress: Progress, log: Path
    ) -> Tree | Diagnostic:
        return {"opt/x": Entry(Kind.FILE, 0o644, 0, 0, source)}


def test_a_difference_is_a_failure(plan: TargetPlan, workspace: Workspace) -> None:
    engines = [Converter(name) for name in ("docker", "singularity")]
    for engine in engines:
        engine.trees[f"{engine.name}-cpu"] = {"opt/x": Entry(Kind.FILE, 0o644, 0, 0, "docker-archive:%s")}
    report = verify([plan], engines, Options(convert=("docker-daemon",)), workspace, Silent())
    assert (report.targets[0].same_tree, report.exit_code) == (True, 1)
    assert [each.code for each in report.diagnostics] == [codes.CONVERSION_DIFFERS]
    assert "/opt/x" in (report.diagnostics[0].output or "")
