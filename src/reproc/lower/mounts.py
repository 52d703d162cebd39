"""Data that no image holds: where the image shows them, and what whoever runs it is told of them."""

from __future__ import annotations

from pathlib import PurePosixPath

from reproc.graph import Run, Step
from reproc.lock.requests import DoiRequest, TargetRequest, WebRequest
from reproc.lower.adapt import path_of
from reproc.lower.downloads import floating
from reproc.lower.plan import Plan
from reproc.record import record
from reproc.source import Span
from reproc.target import quote


@record
class Mounted:
    """Data that are mounted when an image runs."""

    name: str
    path: str
    """Where the image shows them."""
    single: bool
    """Whether that is one file and not a directory."""
    mode: int | None
    """What the spec says of their mode."""
    origin: Span

    @property
    def key(self) -> str:
        return f"data {self.name}"


def mounted(plan: Plan, request: TargetRequest) -> tuple[Mounted, ...]:
    """The target's data that are mounted when its image runs."""
    return tuple(
        Mounted(
            data.name,
            path_of(plan, request, f"data {data.name}"),
            _single(plan, request, f"data {data.name}"),
            data.mode,
            data.origin,
        )
        for data in plan.target.data
        if data.at == "run"
    )


def mount_points(found: tuple[Mounted, ...]) -> list[Step]:
    """The places of what is mounted: engines that mount on a read-only image cannot make them."""
    steps: list[Step] = []
    for each in found:
        path = quote(each.path)
        if each.single:
            parent = quote(str(PurePosixPath(each.path).parent))
            lines: tuple[str, ...] = (f"mkdir -p {parent}", f": > {path}", f"chmod 644 {path}")
        else:
            lines = (f"mkdir -p {path}", f"chmod 755 {path}")
        steps.append(Run(f"place of {each.key}, which is mounted", lines, origin=each.origin))
    return steps


def notes(found: tuple[Mounted, ...]) -> list[str]:
    """Lines for the head of a recipe: what has to be mounted where, and how."""
    lines: list[str] = []
    for each in found:
        kind = "file" if each.single else "directory"
        lines += [
            f"Not in the image: {each.key}, a {kind}. Mount it, read-only, at {each.path}:",
            f"    docker run --mount type=bind,source=PATH,target={each.path},readonly …",
            f"    apptainer run --mount type=bind,source=PATH,destination={each.path},ro …",
        ]
    return lines


def _single(plan: Plan, request: TargetRequest, key: str) -> bool:
    if plan.locked is not None:
        tree = dict(plan.locked.trees)[key]
        entries = plan.entries(key)
        return bool(getattr(tree, "single", len(entries) == 1 and not entries[0].path))
    match dict(request.trees)[key]:
        case WebRequest() as asked:
            return floating(asked).single
        case DoiRequest(unpack=unpack, files=files):
            return len(files) == 1 and not unpack
        case _:
            entries = plan.entries(key)
            return len(entries) == 1 and not entries[0].path
