"""A second build is really elsewhere: each circumstance is measured by the steps themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reproc.progress import Silent
from reproc.verify.circumstances import elsewhere
from reproc.verify.engines.base import Built, Engine
from reproc.verify.run import share
from reproc.verify.sameness import rebuilt
from reproc.verify.workspace import Workspace

from .conftest import PROGRAMS, write_recipe, write_rootfs

STEP = "cd /opt\ndate +%s > clock\nhostname > hostname\nnproc > processors"
SETUP = """\
    umask > "$APPTAINER_ROOTFS/opt/umask"
    pwd > "$APPTAINER_ROOTFS/opt/path"

%environment"""
"""What a Dockerfile has no place for: commands outside of the image."""


def test_every_circumstance_is_another_one(
    engine: Engine, engine_name: str, workspace: Workspace, tmp_path: Path
) -> None:
    write_rootfs(tmp_path / "rootfs.tar", [*PROGRAMS, "date", "hostname", "nproc"])
    recipe = write_recipe(tmp_path / "context", tmp_path / "rootfs.tar", engine_name, [STEP], "cpu")
    recipe.file.write_text(recipe.file.read_text().replace("%environment", SETUP.lstrip(), 1))
    here = engine.build(recipe, Silent(), tmp_path / "x.log")
    with elsewhere(recipe, workspace.temporary / "rebuild") as other:
        assert other.context != recipe.context
        there = engine.build(other, Silent(), tmp_path / "y.log", cache=False)
    assert isinstance(here, Built) and isinstance(there, Built), (here, there)
    found = rebuilt(engine, here, there, workspace.temporary / "rebuild")
    seen = [content(engine, built, tmp_path / name) for name, built in (("1", here), ("2", there))]
    engine.remove(there, other)
    differing = {name for name in seen[0] if seen[0][name] != seen[1][name]}
    assert differing == set(there.varied) and here.varied == ()
    assert (found.level, set(found.varied)) == ("R1", differing)
    assert {each.path for each in found.differences} == {f"/opt/{name}" for name in differing}
    assert {"clock", "hostname"} <= differing and seen[1]["hostname"] == "elsewhere"
    if len(os.sched_getaffinity(0)) > 1 and (engine_name == "singularity" or os.geteuid() == 0):
        assert seen[1]["processors"] == "1"
    if engine_name == "singularity":
        assert (seen[1]["umask"], seen[1]["path"]) == ("0002", "/mnt/context"), "kept from every build"
    assert not list(Path("/sys/fs/cgroup").glob(f"**/reproc-{workspace.run_id}"))


@pytest.mark.parametrize(
    ("number", "size", "expected"),
    [(0, 1, {1, 2, 5, 7}), (0, 2, {1, 2}), (1, 2, {5, 7}), (2, 3, {5, 7}), (0, 8, {1}), (7, 8, {7})],
)
def test_workers_share_the_processors(number: int, size: int, expected: set[int]) -> None:
    assert share({5, 7, 1, 2}, number, size) == expected


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one processor")
def test_a_build_has_the_processors_of_its_worker(
    engine: Engine, engine_name: str, workspace: Workspace, tmp_path: Path
) -> None:
    if engine_name != "singularity" and os.geteuid() != 0:
        pytest.skip("only root can limit what a daemon builds")
    write_rootfs(tmp_path / "rootfs.tar", [*PROGRAMS, "nproc"])
    recipe = write_recipe(
        tmp_path / "context", tmp_path / "rootfs.tar", engine_name, ["nproc > /opt/n"], "share"
    )
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, share(every, 0, len(every)))
    try:
        built = engine.build(recipe, Silent(), tmp_path / "log", cache=False)
    finally:
        os.sched_setaffinity(0, every)
    assert isinstance(built, Built), built
    assert content(engine, built, tmp_path / "seen")["n"] == "1"


def content(engine: Engine, built: Built, folder: Path) -> dict[str, str]:
    """What the steps have noted down."""
    folder.mkdir()
    assert engine.copy_out(built.image, ["/opt"], folder) is None
    return {path.name: path.read_text().strip() for path in (folder / "opt").iterdir()}
