"""What is found out of an image while the next one is built: side by side, told in order, ended by ^C."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from reproc.diagnostics import Diagnostic
from reproc.progress import Progress, Silent
from reproc.verify.aside import Aside
from reproc.verify.engines.base import BuildResult
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.run import verify
from reproc.verify.workspace import Workspace

_SECONDS = 20
"""Longer than anything here takes that is not stuck."""


class Slow(FakeEngine):
    """Shows files only when it may."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked, self.may = threading.Event(), threading.Event()

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        self.asked.set()
        assert self.may.wait(_SECONDS)
        return super().copy_out(image, paths, folder)

    def close(self) -> None:
        super().close()
        self.may.set()


def a_plan(tmp_path: Path) -> TargetPlan:
    folder = tmp_path / "context"
    folder.mkdir()
    recipes = {
        each: Recipe("a", each, folder, folder / "x", 0, "linux/amd64", (), "reproc/x:a")
        for each in ("docker", "singularity")
    }
    return TargetPlan("a", recipes, ())


def test_the_next_image_is_built_meanwhile(workspace: Workspace, tmp_path: Path) -> None:
    docker = Slow("docker")

    class Meanwhile(FakeEngine):
        def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
            assert docker.asked.wait(_SECONDS), "nobody looks into the first image"
            docker.may.set()
            return super().build(recipe, progress, log, cache=cache)

    engines = [docker, Meanwhile("singularity")]
    report = verify([a_plan(tmp_path)], engines, Options(), workspace, Silent())
    assert report.exit_code == 0
    assert report.targets[0].packages == () and report.targets[0].same_tree


def test_an_interrupt_ends_it(workspace: Workspace, tmp_path: Path) -> None:
    docker = Slow("docker")

    class Interrupted(FakeEngine):
        def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
            assert docker.asked.wait(_SECONDS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify([a_plan(tmp_path)], [docker, Interrupted("singularity")], Options(), workspace, Silent())
    assert docker.closed == 1 and not workspace.temporary.exists()
    assert [each.name for each in threading.enumerate() if "ThreadPool" in each.name] == []


@pytest.mark.parametrize("rebuild", [True, False])
def test_nothing_goes_on_beside_a_second_build(workspace: Workspace, tmp_path: Path, rebuild: bool) -> None:
    class Watched(FakeEngine):
        def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
            threads.add(threading.current_thread())
            return super().copy_out(image, paths, folder)

    threads: set[threading.Thread] = set()
    engines = [Watched("docker"), Watched("singularity")]
    verify([a_plan(tmp_path)], engines, Options(rebuild=rebuild), workspace, Silent())
    assert (threads == {threading.main_thread()}) == rebuild


def test_what_has_not_begun_never_does() -> None:
    aside, may = Aside(1), threading.Event()
    first, second = aside.begin(lambda: may.wait(_SECONDS)), aside.begin(lambda: True)
    aside.dismiss()
    may.set()
    aside.close()
    assert first() and not aside.wanted()
    with pytest.raises(CancelledError):
        second()


def test_without_threads_it_is_done_once_when_it_is_waited_for() -> None:
    done: list[int] = []
    wait = Aside(0).begin(lambda: done.append(1))
    assert done == []
    wait()
    wait()
    assert done == [1]
