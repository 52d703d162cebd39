"""The phases, in order."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from reproc.check import CheckedSpec, check
from reproc.diagnostics import Outcome, error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.diagnostic import in_source_order
from reproc.folder import Folder
from reproc.graph import BuildGraph
from reproc.lock import file as lock_file
from reproc.lock.model import Lock, LockedTarget, TreeEntry
from reproc.lock.requests import LocalRequest, TargetRequest, requests
from reproc.lock.sections import stale
from reproc.lower import Plan, Shape, lower
from reproc.lower.inputs import refusals
from reproc.record import record
from reproc.source import SourceFile
from reproc.syntax import decode, parse
from reproc.syntax.decode import LIMIT
from reproc.target import Artifact, Backend
from reproc.target.legalize import legalize

LOCK = "repro.lock"
CONTAINERS = "containers"
LARGEST_LOCK = 64 << 20
"""A lock has a line a package and a file: so many bytes are some hundred thousand."""


@record
class Project:
    """A spec that holds, what it asks for, and its lock if there is one."""

    folder: Folder
    source: SourceFile
    spec: CheckedSpec
    requests: tuple[TargetRequest, ...]
    lock: Lock | None
    lock_sha256: str | None

    def locked(self, name: str) -> LockedTarget | None:
        """The lock of one target."""
        return next((each for each in self.lock.targets if each.name == name), None) if self.lock else None


def read(path: Path, shown: str, limit: int = LIMIT) -> Outcome[bytes]:
    """A file's bytes, of more than `limit` one too many; what is no file, or cannot be read, is a diagnostic.

    What the file's status says of its size is not trusted: devices say 0, and a file may grow.
    """
    try:
        # without O_NONBLOCK a pipe would be waited for
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Outcome(file.read(limit + 1))
        problem = "is neither a file nor a folder"
    except OSError as trouble:
        problem = f"cannot be read: {trouble.strerror}"
    return Outcome(None, (error(codes.UNREADABLE, None, path=shown, problem=problem),))


def read_source(path: Path, shown: str, limit: int = LIMIT) -> Outcome[SourceFile]:
    """The spec's text; not being there or not being text is a diagnostic."""
    content = read(path, shown, limit)
    return (
        Outcome(None, content.diagnostics) if content.value is None else decode(shown, content.value, limit)
    )


def checked(path: Path, shown: str, *, warnings: bool = False) -> Outcome[tuple[SourceFile, CheckedSpec]]:
    """The spec, parsed and checked; with `warnings` also for what bites later."""
    source = read_source(path, shown)
    if source.value is None:
        return Outcome(None, source.diagnostics)
    parsed = parse(source.value)
    if parsed.value is None:
        return Outcome(None, parsed.diagnostics)
    wanted = warnings and not parsed.errors
    result = check(parsed.value, Folder(path.parent), warnings=wanted, known=parsed.diagnostics)
    found = in_source_order(parsed.diagnostics + result.diagnostics)
    if result.value is None or parsed.errors:
        return Outcome(None, found)
    return Outcome((source.value, result.value), found)


def project(path: Path, shown: str, *, need_lock: bool = False) -> Outcome[Project]:
    """The checked spec with its lock, which must fit it."""
    outcome = checked(path, shown)
    if outcome.value is None:
        return Outcome(None, outcome.diagnostics)
    source, spec = outcome.value
    folder = Folder(path.parent)
    asked = requests(spec, folder)
    found = outcome.diagnostics + asked.diagnostics
    if asked.value is None:
        return Outcome(None, found)
    locked = read_lock(path.parent / LOCK, asked.value)
    found += locked.diagnostics
    if locked.errors:
        return Outcome(None, found)
    if need_lock and locked.value is None:
        return Outcome(None, (*found, error(codes.NO_LOCK, None, path=shown)))
    lock, digest = locked.value or (None, None)
    return Outcome(Project(folder, source, spec, asked.value, lock, digest), found)


def read_lock(path: Path, asked: tuple[TargetRequest, ...]) -> Outcome[tuple[Lock, str]]:
    """The lock beside the spec and its sha256; no value and no diagnostics if there is none."""
    if not path.exists():
        return Outcome(None)
    source = read_source(path, LOCK, LARGEST_LOCK)
    if source.value is None:
        return Outcome(None, source.diagnostics)
    read = lock_file.read(source.value)
    if read.value is None:
        return Outcome(None, read.diagnostics)
    if changed := stale(read.value, asked):
        names = ", ".join(f"`{each}`" for each in changed)
        return Outcome(None, (*read.diagnostics, error(codes.STALE_LOCK, None, targets=names)))
    return Outcome(
        (read.value.lock, hashlib.sha256(source.value.text.encode()).hexdigest()), read.diagnostics
    )


def graph(project: Project, request: TargetRequest, shape: Shape) -> Outcome[BuildGraph]:
    """One target's graph."""
    locked = project.locked(request.name)
    refused = tuple(refusals(request, locked)) if shape is Shape.STANDALONE else ()
    if refused:
        return Outcome(None, refused)
    listed = Outcome({}) if locked else _listed(project, request)
    if listed.value is None:
        return Outcome(None, listed.diagnostics)
    plan = plan_of(project, request, listed.value)
    if shape is Shape.STANDALONE or locked is None:
        return Outcome(lower(plan, request, shape))
    from reproc.lock.vendor import inputs

    return Outcome(lower(plan, request, shape, inputs(locked, request.at_run | request.alone)))


def plan_of(
    project: Project, request: TargetRequest, listed: dict[str, tuple[TreeEntry, ...]] | None = None
) -> Plan:
    """What lowering a target starts from; `listed` are the files of local code and data without a lock."""
    return Plan(
        target=next(each for each in project.spec.targets if each.name == request.name),
        locked=project.locked(request.name),
        archives=project.lock.archives if project.lock else (),
        epoch=project.lock.time if project.lock else 0,
        paper=project.spec.paper,
        spec_path=Path(project.source.path).name,
        listed=listed or {},
    )


def _listed(project: Project, request: TargetRequest) -> Outcome[dict[str, tuple[TreeEntry, ...]]]:
    """The files of local code and data as they are now; a lock has them as they were when locking."""
    from reproc.lock.problem import attempt
    from reproc.lock.providers.local import scan

    def look() -> Outcome[dict[str, tuple[TreeEntry, ...]]]:
        local = [(key, tree) for key, tree in request.trees if isinstance(tree, LocalRequest)]
        members = {key: scan(tree, project.folder.root) for key, tree in local}
        return Outcome(
            {
                key: tuple(sorted((m.entry for m in found), key=lambda e: e.path))
                for key, found in members.items()
            }
        )

    return attempt(look)


def render(graph: BuildGraph, backend: Backend, shape: Shape) -> Outcome[tuple[Artifact, ...]]:
    """The files of one recipe."""
    legal = legalize(graph, backend.features)
    if legal.value is None:
        return Outcome(None, legal.diagnostics)
    return Outcome(backend.render(legal.value, comments=shape is Shape.STANDALONE), legal.diagnostics)
