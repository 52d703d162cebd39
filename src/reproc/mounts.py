"""What is mounted when an image runs: data that are fetched, checked and laid out, but never stored in an image."""

from __future__ import annotations

from pathlib import Path

from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import lock as codes
from reproc.lock.fetch import fetch_tree
from reproc.lock.mounts import laid_out
from reproc.lock.problem import of_system
from reproc.lock.requests import TargetRequest
from reproc.lock.store import Store, default_root
from reproc.lower.mounts import Mounted, mounted
from reproc.pipeline import Project, plan_of
from reproc.progress import Progress
from reproc.record import record
from reproc.verify.plan import Mount

FOLDER = "data"
"""Below the folder of reproc's state beside a spec."""


@record
class Mounts:
    """What of a target's data can be mounted here."""

    there: tuple[Mount, ...]
    absent: tuple[tuple[str, str], ...]
    """Names of the others, and why, in words that follow a colon."""


def mounts(project: Project, request: TargetRequest, state: Path, progress: Progress) -> Outcome[Mounts]:
    """The target's data that are mounted at run, each fetched; what cannot be had is told, and absent."""
    locked = project.locked(request.name)
    assert locked is not None, "only what is locked can be mounted"
    found: list[Mount] = []
    absent: list[tuple[str, str]] = []
    told: list[Diagnostic] = []
    with Store(default_root()) as store:
        for each in mounted(plan_of(project, request), request):
            tree = dict(locked.trees)[each.key]
            fetched = fetch_tree(each.key, tree, project.folder.root, store, progress)
            place = _place(each, tree.sha256, store, state / FOLDER) if not fetched.errors else fetched
            if isinstance(place, Path):
                found.append(Mount(place.absolute(), each.path))
                continue
            reason = place.diagnostics[0].message
            absent.append((each.name, reason))
            told.append(error(codes.DATA_ABSENT, each.origin, name=each.name, reason=reason))
    return Outcome(Mounts(tuple(found), tuple(absent)), tuple(told))


def _place(data: Mounted, sha256: str, store: Store, folder: Path) -> Path | Outcome[None]:
    try:
        return laid_out(sha256, data.single, data.mode, store, folder)
    except OSError as trouble:
        return Outcome(None, (of_system(trouble),))
