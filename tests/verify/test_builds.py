"""Images built by real engines from hand-written recipes, and builds that go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reproc import model
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.verify import contract
from reproc.verify.engines import make
from reproc.verify.engines.base import BuildFailed, Built, CommandResult, Engine, RunFailed
from reproc.verify.plan import Recipe
from reproc.verify.workspace import Workspace

MakeRecipe = Callable[..., Recipe]
MakeTest = Callable[..., model.Test]


class Notes(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def failed(engine: Engine, recipe: Recipe, tmp_path: Path) -> BuildFailed:
    result = engine.build(recipe, Silent(), tmp_path / "build.log")
    assert isinstance(result, BuildFailed), result
    return result


def test_two_builds_are_the_same_bytes(engine: Engine, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(engine.name, ["echo hello > /opt/file", "mkdir /opt/folder\nchmod 2750 /opt/folder"])
    progress = Notes()
    first = engine.build(recipe, progress, tmp_path / "log/one.log", cache=False)
    before = os.umask(0o077)
    try:
        second = engine.build(recipe, progress, tmp_path / "log/two.log", cache=False)
    finally:
        os.umask(before)
    assert isinstance(first, Built) and isinstance(second, Built), (first, second)
    assert first.notes == ()
    assert first.digest is not None and first.digest == second.digest
    assert progress.notes
    ours = [each for each in first.steps if each.title.startswith("step ")]
    assert [(each.title, each.place) for each in ours] == [
        ("step 0", "repro.spec:1:1"),
        ("step 1", "repro.spec:2:1"),
    ]
    assert all(0 <= each.seconds < first.seconds and not each.cached for each in ours)
    others = {each.title for each in first.steps} - {"step 0", "step 1"}
    assert {"writing the image", "packing the image"} & others
    assert (tmp_path / "log/one.log").read_text()


def test_another_image_has_another_digest(engine: Engine, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    digests = set()
    for text in ("one", "two"):
        built = engine.build(
            make_recipe(engine.name, [f"echo {text} > /opt/x"]), Silent(), tmp_path / "x.log"
        )
        assert isinstance(built, Built)
        digests.add(built.digest)
    assert len(digests) == 2


@pytest.mark.engines("docker")
def test_projects_of_one_name_have_images_of_their_own(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    engines = [make("docker", Workspace.open(tmp_path / name / ".reproc")) for name in ("a", "b")]
    images = []
    for text, engine in zip("12", engines, strict=True):
        recipe = make_recipe("docker", [f"echo {text} > /opt/file"], target="alike")
        built = engine.build(recipe, Silent(), tmp_path / "log")
        assert isinstance(built, Built), built
        images.append(built)
    assert [engine.holds(built, recipe) for engine, built in zip(engines, images, strict=True)] == [
        False,
        True,
    ]
    assert [isinstance(engines[0].tree(built.image), dict) for built in images] == [True, True]
    for engine, built in zip(engines, images, strict=True):
        engine.remove(built, recipe)
        engine.close()


def test_a_failing_step_is_told_at_its_place(engine: Engine, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    steps = [
        "echo first",
        "for i in $(seq 1 100); do echo line $i; done\ncmake ..\necho not reached",
        "echo last",
    ]
    result = failed(engine, make_recipe(engine.name, steps), tmp_path)
    said = result.diagnostic
    assert said.code is codes.BUILD_FAILED and not result.lacking
    assert str(said.span) == "repro.spec:2:1"
    lines = said.output.splitlines()
    assert len(lines) <= 40 and "line 100" in lines
    assert any("cmake: not found" in line for line in lines)
    assert "not reached" not in lines and "first" not in lines
    assert (
        said.help
        == "`cmake` is not in the image; Debian's package `cmake` has it: name that in `system { packages … }`"
    )
    assert "127" in said.message
    assert "line 1\n" in (tmp_path / "build.log").read_text()


def test_a_recipe_that_is_not_understood(engine: Engine, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(engine.name, ["true"])
    recipe.file.write_text(
        "FROM scratch\nNONSENSE x\n"
        if recipe.backend == "docker"
        else "Bootstrap: nonsense\n\n%post\n true\n"
    )
    said = failed(engine, recipe, tmp_path).diagnostic
    assert said.code is codes.BUILD_FAILED and "Traceback" not in said.output


def test_a_missing_input(engine: Engine, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(engine.name, ["true"])
    (recipe.context / "inputs/rootfs.tar").unlink()
    said = failed(engine, recipe, tmp_path).diagnostic
    assert said.code is codes.BUILD_FAILED
    assert "rootfs.tar" in said.output or "rootfs.tar" in said.message


def test_a_step_sees_its_inputs_and_no_network(
    engine: Engine, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    step = "test -f /mnt/rootfs.tar\ntest $(id -u)$(umask) = 00022\ntest $(grep -c : /proc/net/dev) = 1"
    built = engine.build(make_recipe(engine.name, [step]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built), built
    result = engine.build(make_recipe(engine.name, [step], network=True), Silent(), tmp_path / "x.log")
    assert isinstance(result, BuildFailed)


def test_a_build_does_not_see_the_hosts_temporary_files(
    engine: Engine, make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROC_SECRET", "leaked")
    step = 'test -z "$(ls -A /tmp /var/tmp | grep -v \'^/\' | grep .)"\ntest -z "${REPROC_SECRET-}"'
    built = engine.build(make_recipe(engine.name, [step]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built), built


def test_odd_names_of_folders(
    engine_name: str, make_recipe: MakeRecipe, tmp_path: Path, smoke: MakeTest, rootfs: Path
) -> None:
    odd = tmp_path / "a, b:c=d 'e' \"f\" $g é"
    recipe = make_recipe(engine_name, ["test -f /mnt/rootfs.tar"])
    shutil.copytree(recipe.context, odd / "context")
    moved = Recipe(**{**vars(recipe), "context": odd / "context", "file": odd / "context" / recipe.file.name})
    engine = make(engine_name, Workspace.open(odd / ".reproc"))
    try:
        built = engine.build(moved, Silent(), odd / "x.log")
        assert isinstance(built, Built), built
        ran = engine.run(built.image, contract.command(smoke("true"), "/"))
        assert isinstance(ran, CommandResult) and ran.exit_code == 0
    finally:
        engine.close()


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A file system of that size, mounted at a new folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.engines("singularity")
def test_a_full_disk(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    """Docker's images lie on its daemon's disk, on which see test_faults."""
    with small_disk(tmp_path / "small", "2m") as disk:
        engine = make("singularity", Workspace.open(disk / ".reproc"))
        result = engine.build(make_recipe("singularity", ["true"]), Silent(), tmp_path / "x.log")
        engine.close()
        assert isinstance(result, BuildFailed) and result.lacking, result
        assert result.diagnostic.code is codes.NO_SPACE
        left = [path for path in (disk / ".reproc").rglob("*") if path.is_file()]
        assert left == []


@pytest.mark.engines("singularity")
def test_a_truncated_sif(
    make_recipe: MakeRecipe, workspace: Workspace, smoke: MakeTest, tmp_path: Path
) -> None:
    engine = make("singularity", workspace)
    built = engine.build(make_recipe("singularity", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built)
    path = Path(built.image)
    os.truncate(path, path.stat().st_size // 2)
    result = engine.run(built.image, contract.command(smoke("true"), "/"))
    assert isinstance(result, RunFailed) and result.diagnostic.code is codes.BROKEN_IMAGE
    path.unlink()
    result = engine.run(built.image, contract.command(smoke("true"), "/"))
    assert isinstance(result, RunFailed) and result.diagnostic.code is codes.ENGINE_FAILED
    # the next build mends it
    built = engine.build(make_recipe("singularity", ["true"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built)
    assert isinstance(engine.run(built.image, contract.command(smoke("true"), "/")), CommandResult)
    engine.close()


def test_an_image_without_a_shell_fails(
    engine_name: str,
    images: Callable[[str], tuple[Engine, str]],
    smoke: MakeTest,
    make_recipe: MakeRecipe,
    workspace: Workspace,
    tmp_path: Path,
) -> None:
    engine = make(engine_name, workspace)
    built = engine.build(make_recipe(engine_name, ["rm /bin/sh"]), Silent(), tmp_path / "x.log")
    assert isinstance(built, Built), built
    result = engine.run(built.image, contract.command(smoke("true"), "/"))
    engine.close()
    assert (
        isinstance(result, RunFailed) and result.diagnostic.code is codes.ENGINE_FAILED and not result.lacking
    )
