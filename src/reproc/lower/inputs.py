"""Putting code and data at their places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from reproc import model
from reproc.check import place_of_code, place_of_data
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import build as codes
from reproc.graph import MOUNT, CopyFile, CopyIn, FetchGit, Run, Step
from reproc.lock.model import ArchiveBase, GitTree, LockedTarget, SourceTree, SwhTree, WebTree
from reproc.lock.requests import (
    ArchiveRequest,
    CondaRequest,
    DoiRequest,
    FolderRequest,
    GitRequest,
    LocalRequest,
    SwhRequest,
    TargetRequest,
    TreeRequest,
    WebRequest,
)
from reproc.lower.downloads import fetch_floating, fetch_locked
from reproc.lower.packages import needing_lock
from reproc.lower.plan import Plan, Shape
from reproc.source import Span
from reproc.target import quote


def place(plan: Plan, request: TargetRequest, shape: Shape, key: str) -> list[Step]:
    """The steps that put code or data at its place; `key` is `code NAME` or `data NAME`."""
    kind, _, name = key.partition(" ")
    blocks: tuple[model.Code | model.Data, ...] = plan.target.code if kind == "code" else plan.target.data
    block = next(each for each in blocks if each.name == name)
    where = place_of_code(block) if isinstance(block, model.Code) else place_of_data(block)
    tree = dict(plan.locked.trees)[key] if plan.locked else None
    asked = dict(request.trees)[key]
    entries = plan.entries(key)
    if isinstance(asked, WebRequest | DoiRequest | SwhRequest | FolderRequest | CondaRequest):
        return [from_outside(plan, shape, key, where, asked, tree, block.origin)]
    if isinstance(asked, LocalRequest) and len(entries) == 1 and not entries[0].path:
        path = where + PurePosixPath(asked.source).name if where.endswith("/") else where
        if shape is Shape.VENDORED:
            return [_unpack_file(key, path, entries[0].executable, block.origin)]
        return [CopyFile(key, asked.source, path, entries[0].executable, block.origin)]
    where = where.rstrip("/")
    if shape is Shape.VENDORED:
        return [_unpack(key, where, block.origin)]
    if isinstance(asked, GitRequest):
        return _fetched(key, asked, tree if isinstance(tree, GitTree) else None, where, block.origin)
    return [CopyIn(key, asked.source, tuple(entry.path for entry in entries), where, block.origin)]


def _fetched(key: str, asked: GitRequest, tree: GitTree | None, where: str, origin: Span) -> list[Step]:
    """A commit, and each of its submodules as a commit of its own: whatever `.gitmodules` says, this is fetched."""
    if tree is None:
        return [FetchGit(key, asked.url, asked.ref, where, alone=True, origin=origin)]
    # one that holds others comes before them
    inner = [(each.path, each.url, each.commit) for each in tree.submodules]
    places = [path for path, _, _ in inner] + list(tree.left_out)
    steps: list[Step] = []
    for path, url, commit in [("", tree.url, tree.commit), *inner]:
        alone = any(each != path and each.startswith(f"{path}/" if path else "") for each in places)
        title = f"{key}, its submodule {path}" if path else key
        steps.append(FetchGit(title, url, commit, f"{where}/{path}".rstrip("/"), alone=alone, origin=origin))
    return steps


def _archive(key: str) -> str:
    return f"trees/{key.replace(' ', '-')}.tar"


def _unpack(key: str, where: str, origin: Span) -> Run:
    lines = (
        f"mkdir -p {quote(where)}",
        f"tar -C {quote(where)} --no-same-owner -xpf {quote(f'{MOUNT}/{_archive(key)}')}",
    )
    return Run(key, lines, mounts=(_archive(key),), origin=origin)


def _unpack_file(key: str, path: str, executable: bool, origin: Span) -> Run:
    lines = (
        f"mkdir -p {quote(str(PurePosixPath(path).parent))}",
        f"tar -xOf {quote(f'{MOUNT}/{_archive(key)}')} > {quote(path)}",
        f"chmod {'755' if executable else '644'} {quote(path)}",
    )
    return Run(key, lines, mounts=(_archive(key),), origin=origin)


def from_outside(
    plan: Plan,
    shape: Shape,
    key: str,
    where: str,
    asked: TreeRequest,
    tree: SourceTree | None,
    origin: Span,
) -> Run:
    """The step that puts what was fetched by address, or kept elsewhere, at its place."""
    if shape is Shape.STANDALONE:
        apt = plan.target.release is not None
        match asked, tree:
            case _, WebTree():
                return fetch_locked(key, where, tree, apt, origin)
            case WebRequest(), _:
                return fetch_floating(key, where, asked, apt, origin)
            case _:
                raise AssertionError("`refusals` says what no standalone recipe can fetch")
    match tree:
        case WebTree(single=True):
            name = tree.downloads[0].name
        case SwhTree(single=True):
            name = key.partition(" ")[2]
        case _:
            return _unpack(key, where.rstrip("/"), origin)
    return _unpack_file(key, where + name if where.endswith("/") else where, False, origin)


def refusals(request: TargetRequest, locked: LockedTarget | None) -> Iterator[Diagnostic]:
    """What a standalone recipe cannot fetch by itself."""
    for python in request.python:
        if python.version.startswith("2."):
            origin = next((item.origin for item in python.requirements), request.base.origin)
            facts = {"what": f"python {python.name}", "reason": "is made by a program of the package index"}
            yield error(codes.ONLY_VENDORED, origin, **facts)
    if locked is None:
        yield from needing_lock(request)
    for key, asked in request.trees:
        if key in request.at_run:
            continue
        if isinstance(asked, CondaRequest) and locked is None:
            yield error(codes.CONDA_WITHOUT_LOCK, asked.origin, what=key)
        elif isinstance(asked, DoiRequest) and locked is None:
            yield error(codes.DOI_WITHOUT_LOCK, asked.origin, what=key)
        elif isinstance(asked, GitRequest):
            yield from _git_refusals(key, asked, dict(locked.trees)[key] if locked else None)
        elif isinstance(asked, SwhRequest):
            yield error(codes.ONLY_VENDORED, asked.origin, what=key, reason="is made ready by a service")
        elif isinstance(asked, WebRequest) and asked.urls[0].startswith("pkg:"):
            yield error(codes.ONLY_VENDORED, asked.origin, what=key, reason="comes from a package registry")
    systems = locked.systems if locked else (None,) * (len(request.further) + 1)
    for asked_for, found in zip((request, *request.further), systems, strict=True):
        base = asked_for.base
        plain = found is None or (isinstance(found.base, ArchiveBase) and found.base.plain)
        if isinstance(base, ArchiveRequest) and not plain:
            facts = {"what": base.path, "reason": "is an image in layers"}
            yield error(codes.ONLY_VENDORED, base.origin, **facts)


def _git_refusals(key: str, asked: GitRequest, tree: SourceTree | None) -> Iterator[Diagnostic]:
    """Submodules, and the files of Git LFS, are known to a lock; the latter need somebody who asks a service."""
    if isinstance(tree, GitTree):
        if tree.large:
            yield error(codes.ONLY_VENDORED, asked.origin, what=key, reason="has files that Git LFS keeps")
    elif asked.submodules or asked.lfs:
        yield error(codes.GIT_WITHOUT_LOCK, asked.origin, what=key)
