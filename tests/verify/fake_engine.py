"""An engine that does what it is told, for tests of what stands above engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.verify.engines.base import (
    BuildFailed,
    BuildResult,
    Built,
    Captured,
    Command,
    CommandResult,
    Detail,
    Probe,
    RunFailed,
    RunResult,
)
from reproc.verify.plan import Recipe
from reproc.verify.tree import Tree


class FakeEngine:
    """An engine that does what it is told and remembers what it was asked for."""

    def __init__(self, name: str, *, usable: bool = True, builds: bool = True, lacking: bool = False) -> None:
        self.name = name
        self.backend = "singularity" if name == "singularity" else "docker"
        self.usable, self.builds, self.lacking = usable, builds, lacking
        self.ran: list[Command] = []
        self.built: list[str] = []
        self.closed = 0
        self.trees: dict[str, Tree] = {}
        self.digests: dict[str, str] = {}
        self.removed: list[str] = []
        self.images: set[str] = set()
        self.version = "1.0"

    def probe(self) -> Probe:
        if self.usable:
            return Probe(
                self.name, True, self.version, details=(Detail("speed", False, "slow", "buy a faster one"),)
            )
        return Probe(self.name, False, None, "it is not installed", "`install it`")

    def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
        self.built.append(recipe.target)
        if self.builds:
            digest = self.digests.get(recipe.target, "sha256:0")
            self.images.add(f"{self.name}-{recipe.target}")
            return Built(f"{self.name}-{recipe.target}", digest, 1.5)
        facts = {"target": recipe.target, "engine": self.name, "failure": "a step fails", "log": log}
        return BuildFailed(error(codes.BUILD_FAILED, None, **facts), 1, self.lacking)

    def holds(self, built: Built, recipe: Recipe) -> bool:
        return built.image in self.images

    def run(self, image: str, command: Command) -> RunResult:
        self.ran.append(command)
        text = command.arguments[-1]
        if text == "lost":
            return RunFailed(
                error(codes.ENGINE_LOST, None, engine=self.name, doing="running a command"), 0, True
            )
        code = 1 if text == "false" else 0
        return CommandResult(code, Captured("out\n", 4, False), Captured("err\n", 4, False), 0.25)

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        for path in paths:
            place = folder / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"made on 2026-11-{10 + len(image)}\n")
        return None

    def tree(self, image: str) -> Tree | Diagnostic:
        return self.trees.get(image, {})

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        raise AssertionError("nothing here is emulated")

    def remove(self, built: Built, recipe: Recipe) -> None:
        self.removed.append(built.image)

    def close(self) -> None:
        self.closed += 1
