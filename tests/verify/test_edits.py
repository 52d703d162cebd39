"""An edit of the author's own code installs no package anew: Docker's layers, a definition file's cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.graph import BuildGraph, Input, Rootfs, Run, Runtime, Script, SetEnv, Stage, Variable
from reproc.lower import Shape
from reproc.pipeline import render
from reproc.progress import Silent
from reproc.registry import backend
from reproc.verify.engines.base import Built, Engine
from reproc.verify.engines.cuts import Cuts, keys
from reproc.verify.plan import Recipe
from reproc.verify.workspace import Workspace

from .conftest import EPOCH, PROGRAMS, write_rootfs

INSTALL = (
    "echo installing-$TOKEN",
    "mkdir -p /opt/lib /var/lib/x",
    "cp /mnt/debs/system/x.deb /opt/lib/x",
    "ln /opt/lib/x /opt/lib/y",
    "ln -s x /opt/lib/z",
    "chmod 4755 /opt/lib/x",
    "chown 42:43 /var/lib/x",
    "rm /bin/yes",
    "touch -d @7 /opt/lib",
)
"""Changes of every kind, one of them to the base."""
MakeGraph = Callable[..., BuildGraph]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.tar"
    more = ("mktemp", "mv", "sha256sum", "rmdir")
    write_rootfs(path, [*PROGRAMS, *more])
    return path


@pytest.fixture
def make_graph(base: Path) -> MakeGraph:
    digest = hashlib.sha256(base.read_bytes()).hexdigest()

    def made(
        code: str = "echo one > /opt/code",
        deb: bytes = b"a package",
        install: tuple[str, ...] = INSTALL,
        mounts: tuple[str, ...] = ("debs/system",),
        rootfs: str = digest,
        epoch: int = EPOCH,
    ) -> BuildGraph:
        steps = (
            SetEnv("variables", (Variable("TOKEN", "a b'c"),)),
            Run("packages", install, mounts),
            Script("author", f'{code}\necho "$TOKEN" > /opt/token'),
        )
        inputs = (Input("base.tar", rootfs), Input("debs/system/x.deb", hashlib.sha256(deb).hexdigest()))
        stage = Stage("image", Rootfs("inputs/base.tar", rootfs), steps)
        return BuildGraph("cpu", "linux/amd64", epoch, (stage,), Runtime(), inputs)

    return made


def written(graph: BuildGraph, engine: str, workspace: Workspace, base: Path) -> Recipe:
    """The graph as a recipe of an engine, with what it reads."""
    loaded = backend(engine).value
    assert loaded is not None
    artifacts = render(graph, loaded, Shape.VENDORED).value
    assert artifacts is not None
    context = workspace.vendored / "cpu"
    (context / "inputs/debs/system").mkdir(parents=True, exist_ok=True)
    (context / "inputs/base.tar").write_bytes(base.read_bytes())
    (context / "inputs/debs/system/x.deb").write_bytes(b"a package")
    for artifact in artifacts:
        (context / artifact.filename).write_text(artifact.text)
    file, origins = context / artifacts[0].filename, artifacts[0].line_origins
    tag = "reproc-tests/verify:cpu"
    return Recipe("cpu", engine, context, file, graph.epoch, graph.platform, origins, tag)


def test_no_package_is_installed_anew(
    engine_name: str, engine: Engine, make_graph: MakeGraph, workspace: Workspace, base: Path, tmp_path: Path
) -> None:
    def built(code: str, *, cache: bool = True) -> tuple[str | None, bool]:
        recipe = written(make_graph(f"echo {tmp_path} {code} > /opt/code"), engine_name, workspace, base)
        found = engine.build(recipe, Silent(), tmp_path / "x.log", cache=cache)
        assert isinstance(found, Built), (tmp_path / "x.log").read_text()
        assert not (recipe.context / "inputs/cuts").exists()
        return found.digest, "installing-a b'c\n" in (tmp_path / "x.log").read_text()

    first, installed = built("one", cache=engine_name == "singularity")
    assert installed
    second, installed = built("two")
    assert not installed and second != first
    assert built("two", cache=False) == (second, True), "the bytes are the same as without anything kept"
    if engine_name == "singularity":
        (kept,) = workspace.cuts.iterdir()
        kept.write_bytes(kept.read_bytes()[:-512])
        assert built("three") == (built("three", cache=False)[0], True), "what is damaged is not used"


def definition(graph: BuildGraph) -> str:
    loaded = backend("singularity").value
    assert loaded is not None
    artifacts = render(graph, loaded, Shape.VENDORED).value
    assert artifacts is not None
    return artifacts[0].text


def key(graph: BuildGraph, folder: Path) -> str:
    (folder / "a.def").write_text(definition(graph))
    (found,) = keys(folder / "a.def")
    return found


def test_what_a_kept_tree_is_made_of(make_graph: MakeGraph, tmp_path: Path) -> None:
    here = key(make_graph(), tmp_path)
    assert key(make_graph(code="echo another"), tmp_path) == here
    changes: list[dict[str, object]] = [
        {"deb": b"another"},
        {"install": ("true",)},
        {"rootfs": "0" * 64},
        {"epoch": 1},
    ]
    others = {key(make_graph(**change), tmp_path) for change in changes}
    assert len({here, *others}) == 1 + len(changes)


@pytest.mark.parametrize("mounts", [(), ("trees/code-x.tar",), ("debs/system", "trees/code-x.tar")])
def test_the_authors_code_and_what_costs_nothing_are_never_kept(
    make_graph: MakeGraph, mounts: tuple[str, ...]
) -> None:
    assert "cuts" not in definition(make_graph(mounts=mounts))


def test_what_no_definition_names_is_not_kept_for_long(tmp_path: Path) -> None:
    cuts = Cuts(tmp_path / "cuts")
    definitions = tmp_path / "vendored"
    (definitions / "cpu").mkdir(parents=True)
    named, other = "a" * 64, "b" * 64
    (definitions / "cpu/Singularity.def").write_text(f"for cut in inputs/cuts/{named}-*.tar; do")
    assert cuts.offer(definitions / "cpu/Singularity.def")
    sha256 = hashlib.sha256(b"x").hexdigest()
    for name in (f"{named}-{sha256}.tar", f"{named}-{other}.tar", f"{other}-{sha256}.tar", "part.Xy"):
        (cuts.folder / name).write_bytes(b"x")
    cuts.tidy(definitions, alone=False)
    assert {path.name for path in cuts.folder.iterdir()} == {
        f"{named}-{sha256}.tar",
        f"{named}-{other}.tar",
        "part.Xy",
    }
    assert cuts.offer(definitions / "cpu/Singularity.def")
    cuts.tidy(definitions, alone=True)
    assert [path.name for path in cuts.folder.iterdir()] == [f"{named}-{sha256}.tar"]
    (definitions / "cpu/Singularity.def").write_text("")
    assert not cuts.offer(definitions / "cpu/Singularity.def")
    cuts.tidy(definitions, alone=True)
    assert list(cuts.folder.iterdir()) == []
