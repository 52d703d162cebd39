"""Docker: builds with BuildKit through the buildx command line, runs through its API."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.verify.circumstances import HOSTNAME, limited, several_processors
from reproc.verify.engines.base import (
    BuildFailed,
    BuildResult,
    Built,
    Command,
    Detail,
    Probe,
    RunFailed,
    RunResult,
    Step,
)
from reproc.verify.engines.buildkit import BuildKitWatch
from reproc.verify.engines.cgroup import Group, own_processors
from reproc.verify.engines.containers import Containers, Lost, Refused, connect, translated
from reproc.verify.engines.failures import build_failed, by_the_spec, no_space, origin, out_of_space
from reproc.verify.plan import Recipe
from reproc.verify.process import Log, follow
from reproc.verify.tree import Tree
from reproc.verify.workspace import Workspace

_OLDEST_BUILDX = (0, 13)
"""The first with `--progress=rawjson` (github.com/docker/buildx, release notes of v0.13.0)."""
_OLDEST_DOCKER = (23,)
"""The first whose BuildKit knows heredocs in its built-in front end."""
_LITTLE = 64 << 20
"""Bytes with which a disk is as good as full: an image as an archive has more."""
_ADVICE = "Debian (from trixie) and Ubuntu: `apt-get install docker.io docker-buildx`"
_STORE_ADVICE = (
    'put {"features": {"containerd-snapshotter": true}} into /etc/docker/daemon.json and restart Docker'
)


class DockerEngine:
    """The adapter; one object serves one run."""

    name = "docker"
    backend = "docker"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._client: Any = None
        self._made: Containers | None = None

    # what is here

    @cached_property
    def _address(self) -> str:
        """Where the daemon listens: the environment's word, else the command line's current context."""
        if address := os.environ.get("DOCKER_HOST"):
            return address
        found = _output(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
        return (found or "").strip() or "unix:///var/run/docker.sock"

    @cached_property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": self._address, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}

    @cached_property
    def _probe(self) -> Probe:
        if not shutil.which("docker"):
            return Probe(self.name, False, None, "`docker` is not installed", _ADVICE)
        try:
            self._client = connect(self._address)
            with translated():
                version, info = self._client.version(), self._client.info()
        except (Lost, Refused):
            return self._no_daemon()
        text = str(version.get("Version", ""))
        if numbers(text) < _OLDEST_DOCKER:
            return Probe(self.name, False, text, f"Docker {text} is too old, recipes need 23", _ADVICE)
        if any(row.get("Name") == "Podman Engine" for row in version.get("Components") or ()):
            return Probe(
                self.name, False, None, f"it is Podman that answers at {self._address}", "`-e podman`"
            )
        buildx = _output(["docker", "buildx", "version"])
        if buildx is None:
            return Probe(
                self.name,
                False,
                text,
                "its plugin buildx is not installed",
                "`apt-get install docker-buildx`",
            )
        plugin = buildx.split()[1] if len(buildx.split()) > 1 else ""
        if numbers(plugin) < _OLDEST_BUILDX:
            return Probe(self.name, False, text, f"buildx {plugin} is too old, 0.13 is needed", _ADVICE)
        return Probe(self.name, True, text, details=(Detail("buildx", True, plugin), _store_detail(info)))

    def _no_daemon(self) -> Probe:
        reason = f"no daemon answers at {self._address}"
        advice = "start it: `systemctl start docker`"
        path = Path(self._address.removeprefix("unix://"))
        with suppress(OSError):
            if (
                self._address.startswith("unix://")
                and path.exists()
                and not os.access(path, os.R_OK | os.W_OK)
            ):
                reason, advice = (
                    f"this user may not use {path}",
                    f"as root: `usermod -aG docker {os.environ.get('USER', 'USER')}`, then log in again",
                )
        return Probe(self.name, False, None, reason, advice)

    def probe(self) -> Probe:
        return self._probe

    @property
    def _containers(self) -> Containers:
        if self._made is None:
            if self._client is None:
                self._client = connect(self._address)
            self._made = Containers(self.name, self._client, self._workspace.run_id, self._address)
            self._made.clean()
        return self._made

    # building

    def build(self, recipe: Recipe, progress: Progress, log: Path, *, cache: bool = True) -> BuildResult:
        began = time.monotonic()
        self._workspace.temporary.mkdir(parents=True, exist_ok=True)
        metadata = self._workspace.temporary / f"docker-{recipe.target}.json"
        group = None
        try:
            with self._group() if recipe.elsewhere or limited() else nullcontext() as group:
                result = self._build(recipe, progress, log, metadata, cache, group)
        except Lost:
            result = self._lost(recipe)
        except Refused as failure:
            result = self._failed(recipe, str(failure), log)
        except OSError as failure:
            result = self._failed(recipe, failure.strerror or str(failure), log)
        finally:
            metadata.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        if isinstance(result, Diagnostic):
            return BuildFailed(result, seconds, lacking=not by_the_spec(result))
        image, digest, size, steps = result
        store = next((each for each in self._probe.details if each.name == "image store"), None)
        notes = (store.text,) if store and not store.good else ()
        processors = ("processors",) if group is not None and group.used else ()
        varied = ("clock", "hostname", *processors) if recipe.elsewhere else ()
        return Built(image, digest, seconds, notes, size, steps, varied)

    def _group(self) -> AbstractContextManager[Group | None]:
        """A group that leaves the steps of a build this process's processors, where there can be one."""
        local = self._address.startswith("unix://") and os.geteuid() == 0
        with suppress(Lost, Refused), translated():
            if (
                local
                and several_processors()
                and self._containers_client.info().get("CgroupDriver") == "cgroupfs"
            ):
                return own_processors(self._workspace.run_id)
        return nullcontext()

    def _build(
        self,
        recipe: Recipe,
        progress: Progress,
        log: Path,
        metadata: Path,
        cache: bool,
        group: Group | None,
    ) -> tuple[str, str | None, int | None, tuple[Step, ...]] | Diagnostic:
        with Log(log) as file:
            watch = BuildKitWatch(progress.note, lambda text: file.write(text + "\n"))
            arguments = self._arguments(recipe, metadata, cache, group)
            environment = {**self._environment, "SOURCE_DATE_EPOCH": str(recipe.epoch)}
            code = follow(arguments, watch.read, environment=environment, folder=recipe.context)
        if code != 0:
            return self._build_failure(recipe, watch, log)
        with translated():
            made = self._containers_client.images.get(self._own_tag(recipe))
        return str(made.id), _digest(metadata), made.attrs.get("Size"), watch.steps(recipe)

    def _own_tag(self, recipe: Recipe) -> str:
        """A name that no other project's image takes, which may be called alike."""
        return f"{recipe.tag}.{hashlib.sha256(bytes(self._workspace.root)).hexdigest()[:12]}"

    @property
    def _containers_client(self) -> Any:
        assert self._containers is not None
        return self._client

    def _arguments(self, recipe: Recipe, metadata: Path, cache: bool, group: Group | None) -> list[str]:
        arguments = ["docker", "buildx", "build", "--progress=rawjson", "--provenance=false", "--sbom=false"]
        arguments += network_options(recipe)
        if not cache:
            arguments.append("--no-cache")
        if recipe.elsewhere:  # BuildKit keeps this argument out of the image's history
            arguments.append(f"--build-arg=BUILDKIT_SANDBOX_HOSTNAME={HOSTNAME}")
        if group is not None:
            arguments.append(f"--cgroup-parent={group.name}")
        arguments += [f"--platform={recipe.platform}", f"--build-arg=SOURCE_DATE_EPOCH={recipe.epoch}"]
        arguments += [f"--tag={recipe.tag}", f"--tag={self._own_tag(recipe)}", "--load"]
        return [*arguments, f"--file={recipe.file}", f"--metadata-file={metadata}", "."]

    def _image_id(self, tag: str) -> str | None:
        with suppress(Refused), translated():
            return str(self._containers_client.images.get(tag).id)
        return None

    def holds(self, built: Built, recipe: Recipe) -> bool:
        try:
            return self._image_id(recipe.tag) == self._image_id(self._own_tag(recipe)) == built.image
        except Lost:
            return False

    def _build_failure(self, recipe: Recipe, watch: BuildKitWatch, log: Path) -> Diagnostic:
        span = origin(recipe, watch.first, watch.last)
        if out_of_space([*watch.tail, *watch.rest]):
            doing = f"building `{recipe.target}`"
            return no_space(self.name, doing, self._full(), span, watch.tail if span else ())
        if watch.failed is None and watch.first is None:
            if not self._alive():
                return self._lost(recipe)
            return self._failed(recipe, watch.failure, log)
        return build_failed(recipe, self.name, span, watch.failure, watch.tail, log)

    def _full(self) -> Path | str:
        """The folder whose disk is full: ours, or else the daemon's."""
        if shutil.disk_usage(self._workspace.root).free < _LITTLE:
            return self._workspace.root
        with suppress(Lost, Refused), translated():
            return str(self._containers_client.info().get("DockerRootDir") or self._workspace.root)
        return self._workspace.root

    def _alive(self) -> bool:
        try:
            return self._containers.alive()
        except Lost:
            return False

    def _lost(self, recipe: Recipe) -> Diagnostic:
        return error(codes.ENGINE_LOST, None, engine=self.name, doing=f"building `{recipe.target}`")

    def _failed(self, recipe: Recipe, reason: str, log: Path) -> Diagnostic:
        doing = f"building `{recipe.target}`"
        if out_of_space([reason]):
            return no_space(self.name, doing, self._workspace.root)
        return error(codes.ENGINE_FAILED, None, engine=self.name, doing=doing, reason=reason, log=log)

    # running and leaving

    def run(self, image: str, command: Command) -> RunResult:
        try:
            return self._containers.run(image, command)
        except Lost:
            return RunFailed(
                error(codes.ENGINE_LOST, None, engine=self.name, doing="running a command"), 0, lacking=True
            )

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> Diagnostic | None:
        try:
            return self._containers.copy_out(image, paths, folder)
        except Lost:
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="copying files")

    def tree(self, image: str) -> Tree | Diagnostic:
        try:
            return self._containers.tree(image)
        except Lost:
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="showing an image")

    def save(self, image: str, archive: Path) -> Diagnostic | None:
        try:
            return self._containers.save(image, archive)
        except (Lost, OSError):
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="saving an image")

    def push(self, image: str, reference: str) -> Diagnostic | None:
        try:
            return self._containers.push(image, reference)
        except Lost:
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="pushing an image")

    def unpack(self, image: str, folder: Path) -> Diagnostic | None:
        try:
            return self._containers.unpack(image, folder)
        except Lost:
            return error(codes.ENGINE_LOST, None, engine=self.name, doing="unpacking an image")

    def remove(self, built: Built, recipe: Recipe) -> None:
        with suppress(Lost):
            for tag in (recipe.tag, self._own_tag(recipe)):
                self._containers.remove(tag)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
        if self._client is not None:
            self._client.close()
        self._made = self._client = None


def network_options(recipe: Recipe) -> list[str]:
    """How a build of a Dockerfile reaches outside, as far as its steps do not say so themselves."""
    if not recipe.network:
        return ["--network=none"]
    if recipe.access is None:
        return []
    # a proxy's build argument is in neither the cache's keys nor the image's history
    secrets = (f"--secret=id={path.name},src={path}" for path in recipe.access.files)
    return ["--network=host", f"--build-arg=http_proxy={recipe.access.proxy}", *secrets]


def numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with: `v0.29.1+ds1` is (0, 29, 1)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _output(arguments: list[str]) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _store_detail(info: dict[str, Any]) -> Detail:
    """Whether images are kept by containerd, which knows them by the digest that a registry has."""
    rows = dict(row for row in info.get("DriverStatus") or () if len(row) == 2)
    if rows.get("driver-type") == "io.containerd.snapshotter.v1":
        return Detail("image store", True, "containerd: an image's digest is what a registry calls it, too")
    return Detail(
        "image store",
        False,
        "not containerd's: an image's digest is that of its configuration",
        _STORE_ADVICE,
    )


def _digest(metadata: Path) -> str | None:
    """The image's digest as the build reports it."""
    try:
        found = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    digest = found.get("containerimage.digest") if isinstance(found, dict) else None
    return digest if isinstance(digest, str) else None
