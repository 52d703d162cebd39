"""Podman: builds with its own command line (Buildah), runs through the Docker API that it serves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.verify.engines.base import (
    BuildFailed,
    BuildResult,
    Built,
    Command,
    Detail,
    Probe,
    RunFailed,
    RunResult,
)
from reproc.verify.engines.containers import Containers, Lost, connect
from reproc.verify.engines.docker import network_options, numbers
from reproc.verify.engines.failures import (
    StepWatch,
    build_failed,
    by_the_spec,
    no_space,
    origin,
    out_of_space,
)
from reproc.verify.plan import Recipe
from reproc.verify.process import Log, die_with_parent, follow, stop
from reproc.verify.tree import Tree
from reproc.verify.workspace import Workspace, remove_tree

_OLDEST_BUILDAH = (1, 33)
"""The first that knows heredocs (github.com/containers/buildah, release notes of v1.33.0)."""
_ADVICE = "Debian (from trixie) and Ubuntu (from 24.10): `apt-get install podman`"
_STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: (.*)")
_START_SECONDS = 20
_IDLE_SECONDS = 600
"""The service ends by itself when nobody has asked it anything for so long."""


class PodmanEngine:
    """The adapter; one object serves one run."""

    name = "podman"
    backend = "docker"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._service: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._made: Containers | None = None
        self._client: Any = None

    # what is here

    @cached_property
    def _probe(self) -> Probe:
        if not shutil.which("podman"):
            return Probe(self.name, False, None, "`podman` is not installed", _ADVICE)
        try:
            done = subprocess.run(
                ["podman", "info", "--format", "json"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
            )
            found = json.loads(done.stdout) if done.returncode == 0 else {}
        except (OSError, ValueError, subprocess.TimeoutExpired):
            found = {}
        version = str(found.get("version", {}).get("Version", "")) or None
        if version is None:
            return Probe(self.name, False, None, "`podman info` does not work", "see what `podman info` says")
        buildah = str(found.get("host", {}).get("buildahVersion", ""))
        if numbers(buildah) < _OLDEST_BUILDAH:
            reason = f"its Buildah {buildah} is too old: recipes use heredocs, which came with 1.33"
            return Probe(self.name, False, version, reason, _ADVICE)
        rootless = bool(found.get("host", {}).get("security", {}).get("rootless"))
        detail = Detail("user", True, "rootless" if rootless else "as root")
        return Probe(self.name, True, version, details=(detail, Detail("buildah", True, buildah)))

    def probe(self) -> Probe:
        return self._probe

    # building

    def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
        began = time.monotonic()
        self._workspace.temporary.mkdir(parents=True, exist_ok=True)
        identity = self._workspace.temporary / f"podman-{recipe.target}.id"
        try:
            result = self._build(recipe, progress, log, identity, cache)
        except OSError as failure:
            result = self._failed(recipe, failure.strerror or str(failure), log)
        finally:
            identity.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        if isinstance(result, Diagnostic):
            return BuildFailed(result, seconds, lacking=not by_the_spec(result))
        return Built(result, _inspected(result, "Digest"), seconds)

    def _build(
        self, recipe: Recipe, progress: Progress, log: Path, identity: Path, cache: bool
    ) -> str | Diagnostic:
        watch = StepWatch()
        places = _Places(recipe)
        begun = False
        with Log(log) as file:

            def tell(line: str) -> None:
                nonlocal begun
                file.write(line + "\n")
                if match := _STEP.fullmatch(line):
                    begun = True
                    places.enter(match[1])
                    watch.tail.clear()
                else:
                    watch.read(line)
                if line.strip():
                    progress.note(line)

            code = follow(self._arguments(recipe, identity, cache), tell, folder=recipe.context)
        if code == 0:
            return identity.read_text(encoding="ascii").strip()
        tail = list(watch.tail)
        if out_of_space(tail):
            return no_space(self.name, f"building `{recipe.target}`", self._workspace.root)
        if not begun:
            return self._failed(
                recipe, next((line for line in reversed(tail) if line.strip()), "no reason given"), log
            )
        status = re.search(r"exit status (\d+)", " ".join(tail))
        failure = f"a step ends with exit status {status[1]}" if status else "a step fails"
        shown = [line for line in tail if not line.startswith("Error: ")]
        span = origin(recipe, watch.line or places.line)
        return build_failed(recipe, self.name, span, failure, shown or tail, log)

    def _arguments(self, recipe: Recipe, identity: Path, cache: bool) -> list[str]:
        arguments = ["podman", "build", "--layers", f"--timestamp={recipe.epoch}"]
        arguments += network_options(recipe)
        if not cache:
            arguments.append("--no-cache")
        arguments += [f"--build-arg=SOURCE_DATE_EPOCH={recipe.epoch}", f"--platform={recipe.platform}"]
        return [*arguments, f"--tag={recipe.tag}", f"--file={recipe.file}", f"--iidfile={identity}", "."]

    def _failed(self, recipe: Recipe, reason: str, log: Path) -> Diagnostic:
        doing = f"building `{recipe.target}`"
        if out_of_space([reason]):
            return no_space(self.name, doing, self._workspace.root)
        return error(codes.ENGINE_FAILED, None, engine=self.name, doing=doing, reason=reason, log=log)

    # running

    def run(self, image: str, command: Command) -> RunResult:
        try:
            return self._containers().run(image, command)
        except (Lost, OSError):
            return RunFailed(
                error(codes.ENGINE_LOST, None, engine=self.name, doing="running a command"), 0, lacking=True
            )

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        try:
            return self._containers().copy_out(image, paths, folder)
        except (Lost, OSError):
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="copying files")

    def tree(self, image: str) -> Tree | Diagnostic:
        try:
            return self._containers().tree(image)
        except (Lost, OSError):
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="showing an image")

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        try:
            return self._containers().unpack(image, folder)
        except (Lost, OSError):
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="unpacking an image")

    def holds(self, built: Built, recipe: Recipe) -> bool:
        return _inspected(recipe.tag, "Id") == built.image.removeprefix("sha256:")

    def remove(self, built: Built, recipe: Recipe) -> None:
        with suppress(Lost, OSError):
            self._containers().remove(recipe.tag)

    def _containers(self) -> Containers:
        """Starts the API service the first time; raises Lost or OSError."""
        if self._made is not None and self._made.alive():
            return self._made
        self.close()
        # a socket's path may have 108 bytes (unix(7)), which a state folder's can exceed
        self._folder = Path(tempfile.mkdtemp(prefix="reproc-"))
        address = f"unix://{self._folder}/podman.sock"
        self._service = subprocess.Popen(
            ["podman", "system", "service", f"--time={_IDLE_SECONDS}", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - it calls nothing that could wait for a lock
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._client = connect(address)
                break
            except Lost:
                if time.monotonic() > deadline or self._service.poll() is not None:
                    raise
                time.sleep(0.1)
        self._made = Containers(
            self.name,
            self._client,
            self._workspace.run_id,
            str(self._workspace.root),
            tmpfs_owner=False,
        )
        self._made.clean()
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
        if self._client is not None:
            self._client.close()
        if self._service is not None:
            stop(self._service)
        if self._folder is not None:
            remove_tree(self._folder)
        self._made = self._client = self._service = self._folder = None


class _Places:
    """Finds the instruction that a build says it has come to in the recipe."""

    def __init__(self, recipe: Recipe) -> None:
        text = recipe.file.read_text(encoding="utf-8", errors="replace")
        self._lines = [" ".join(line.split()) for line in text.split("\n")]
        self.line: int | None = None

    def enter(self, instruction: str) -> None:
        """Goes on to the next line that begins this instruction."""
        said = " ".join(instruction.split())
        for number in range(self.line or 0, len(self._lines)):
            start = self._lines[number].removesuffix("\\").rstrip()
            word = start.partition(" ")[0]
            if word.isupper() and said.startswith(start):
                self.line = number + 1
                return


def _inspected(image: str, what: str) -> str | None:
    """What Podman says of an image: its `Id`, the `Digest` of its manifest."""
    done = subprocess.run(
        ["podman", "image", "inspect", "--format", f"{{{{.{what}}}}}", image],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout.decode("ascii", "replace").strip() or None if done.returncode == 0 else None
