"""The files of a vendored build: what stands where below `inputs/`, and putting it there out of the store."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.graph import INPUTS, Input
from reproc.lock.model import ArchiveBase, BootstrapBase, Deb, ImageBase, LockedBase, LockedTarget
from reproc.lock.paths import further_base, tree_path
from reproc.lock.problem import of_system
from reproc.lock.store import Store, sha256_of

BASE = "base.tar"


def inputs(target: LockedTarget, without: Container[str] = ()) -> tuple[Input, ...]:
    """Every file below `inputs/` that a vendored build of the target needs, sorted by path.

    `without` holds the keys of trees, and the names of layers, that it does not need.
    """
    found = [Input(BASE, base_digest(target.base))]
    found += (Input(further_base(each.name), base_digest(each.base)) for each in target.further)
    for layer in (layer for each in target.systems for layer in each.apt if layer.name not in without):
        found += (Input(f"{debs_folder(layer.name)}/{deb_name(deb)}", deb.sha256) for deb in layer.debs)
    for environment in target.python:
        folder = wheels_folder(environment.name)
        found += (Input(f"{folder}/{wheel.filename}", wheel.sha256) for wheel in environment.wheels)
        for tools in environment.tools:
            folder = tools_folder(environment.name, tools.project)
            found += (Input(f"{folder}/{wheel.filename}", wheel.sha256) for wheel in tools.wheels)
    found += (Input(tree_path(key), tree.sha256) for key, tree in target.trees if key not in without)
    return tuple(sorted(found, key=lambda each: each.path))


def base_digest(base: LockedBase) -> str:
    """The sha256 of the base's root file system as a tar archive."""
    match base:
        case BootstrapBase():
            return base.sha256
        case ImageBase() | ArchiveBase():
            return base.rootfs


def debs_folder(layer: str) -> str:
    """Where a layer's packages stand, below `inputs/`."""
    return f"debs/{layer}"


def wheels_folder(environment: str) -> str:
    """Where an environment's wheels stand, below `inputs/`."""
    return f"wheels/{environment}"


def tools_folder(environment: str, project: str) -> str:
    """Where the wheels stand that building a project of an environment takes, below `inputs/`."""
    return f"build-wheels/{environment}/{project.replace(' ', '.')}"


def deb_name(deb: Deb) -> str:
    """A package's file name, the epoch's colon left out (`:` is special to apt and to mounts)."""
    return f"{deb.name}_{deb.version.replace(':', '%3a')}_{deb.architecture}.deb"


def materialise(wanted: Sequence[Input], store: Store, directory: Path) -> Outcome[None]:
    """Makes `directory/inputs` hold exactly these files, by hard links where that is possible.

    What is there and right stays; everything else is removed. Stopped half-way, the next call goes on.
    """
    root = directory / INPUTS
    try:
        root.mkdir(parents=True, exist_ok=True)
        _clear(root, {each.path for each in wanted})
        missing = [each for each in wanted if not _place(each, store, root / each.path)]
    except OSError as trouble:
        return Outcome(None, (of_system(trouble),))
    told: tuple[Diagnostic, ...] = tuple(
        error(codes.STORE_LACKS, None, what=f"`{each.path}`") for each in missing
    )
    return Outcome(None, told)


def _place(wanted: Input, store: Store, path: Path) -> bool:
    kept = store.path(wanted.sha256)
    if kept is None:
        # a copy whose original was removed from the store is as good, if it is right
        return path.is_file() and sha256_of(path) == wanted.sha256
    if path.is_file() and path.samefile(kept):
        return True
    return store.link(wanted.sha256, path)


def _clear(root: Path, wanted: set[str]) -> None:
    """Removes what is not wanted; only below `root`, which is ours, and never through a link."""
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*files, *folders):
            path = Path(folder, name)
            inside = path.relative_to(root).as_posix()
            if path.is_symlink() or not path.is_dir():
                if inside not in wanted or path.is_symlink():
                    path.unlink()
            elif inside in wanted or not any(path.iterdir()):
                path.rmdir()
