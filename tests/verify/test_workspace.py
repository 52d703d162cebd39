"""The state folder: whose runs are dead, and that only their leftovers go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproc.verify.workspace import Workspace, is_dead, new_run_id, remove_tree


def dead_run_id() -> str:
    """The name of a run whose process has ended."""
    code = "from reproc.verify.workspace import new_run_id; print(new_run_id())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_run_is_dead_when_its_process_is_gone() -> None:
    mine = new_run_id()
    assert not is_dead(mine)
    assert is_dead(dead_run_id())
    # the number has been given to another process since
    reused = mine.split("-")
    reused[3] = "1"
    assert is_dead("-".join(reused))


@pytest.mark.parametrize(
    "name", ["", "run-", "x", "run-ffffffff-1-1-00000000", "run-../..-1-1-00000000", "keep-me"]
)
def test_what_is_not_known_to_be_dead_is_left_alone(name: str) -> None:
    assert not is_dead(name)


def test_leftovers_of_dead_runs_are_found(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    dead = dead_run_id()
    for name in (dead, "other", new_run_id()):
        (tmp_path / "tmp" / name).mkdir()
    assert [path.name for path in workspace.stale()] == [dead]
    Workspace.open(tmp_path)
    assert workspace.stale() == ()
    assert (tmp_path / "tmp/other").exists() and workspace.temporary.exists()


def test_a_tree_of_read_only_folders_goes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    os.symlink(outside, tree / "a/link")
    (tree / "a/b").chmod(0o555)
    (tree / "a").chmod(0o555)
    assert remove_tree(tree)
    assert not tree.exists()
    assert (outside / "file").exists()
    assert remove_tree(tree)
