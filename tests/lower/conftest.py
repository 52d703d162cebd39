"""Graphs of small specs, locked to made-up packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.check import check
from reproc.folder import Folder
from reproc.graph import BuildGraph
from reproc.lock.model import (
    AptLayer,
    Archive,
    BootstrapBase,
    BuildTools,
    CondaPackage,
    CondaTree,
    Deb,
    Download,
    GitTree,
    ImageBase,
    ImageTree,
    LargeFile,
    LocalTree,
    LockedTarget,
    PythonEnvironment,
    SourceTree,
    Submodule,
    TreeEntry,
    WebTree,
    Wheel,
)
from reproc.lock.requests import (
    BootstrapRequest,
    CondaRequest,
    FolderRequest,
    GitRequest,
    LocalRequest,
    TargetRequest,
    WebRequest,
    requests,
)
from reproc.lower import Plan, Shape, lower
from reproc.source import SourceFile
from reproc.syntax import parse

ARCHIVES = (Archive("debian", "20240601T000000Z", (("bookworm", "0" * 64),), True),)
Lower = Callable[..., BuildGraph]


def deb(name: str) -> Deb:
    return Deb(
        name, "1.0", "amd64", "debian", f"pool/main/{name[0]}/{name}/{name}_1.0_amd64.deb", 10, "a" * 64
    )


def locked(request: TargetRequest, folder: Path) -> LockedTarget:
    """A lock of the request with one made-up package for every one that was asked for."""
    base = (
        BootstrapBase("debian", "bookworm", (), "mmdebstrap 1.3.5", "b" * 64, 1)
        if isinstance(request.base, BootstrapRequest)
        else ImageBase(
            request.base.reference, "sha256:" + "c" * 64, "d" * 64, 1, (("LANG", "de_DE"), ("X", "image"))
        )
    )
    layers = tuple(
        AptLayer(layer.name, layer.after, (), tuple(deb(item.text) for item in layer.packages))
        for layer in request.apt
    )
    python = tuple(
        PythonEnvironment(
            each.name,
            each.interpreter,
            each.prefix,
            (Wheel("numpy", "1.26.4", "numpy-1.26.4-any.whl", 1, "e" * 64),),
            (BuildTools("virtualenv", (Wheel("virtualenv", "16.7.12", "v.whl", 1, "d" * 64),)),)
            if each.version == "2.7"
            else (),
        )
        for each in request.python
    )
    trees: list[tuple[str, SourceTree]] = []
    for key, tree in request.trees:
        if isinstance(tree, GitRequest):
            trees.append((key, commit(tree)))
            continue
        if isinstance(tree, FolderRequest):
            trees.append((key, ImageTree(tree.reference, "sha256:" + "c" * 64, tree.folder, "7" * 64)))
            continue
        if isinstance(tree, CondaRequest):
            trees.append((key, channel_tree(tree)))
            continue
        if isinstance(tree, WebRequest):
            file = Download("", "x.tar.gz", tree.urls, "8" * 64, 1, "tar.gz", 1)
            trees.append((key, WebTree(tree.urls[0], (file,), "7" * 64)))
            continue
        assert isinstance(tree, LocalRequest)
        path = folder / tree.source
        names = [""] if path.is_file() else sorted(each.name for each in path.iterdir())
        trees.append(
            (key, LocalTree(tree.source, tuple(TreeEntry(n, False, "f" * 64) for n in names), "9" * 64))
        )
    further = tuple(locked(each, folder) for each in request.further)
    return LockedTarget(request.name, request.platform, base, layers, python, tuple(trees), further)


def channel_tree(asked: CondaRequest) -> CondaTree:
    """The packages that were asked for, and nothing that they need."""
    packages = tuple(
        CondaPackage(name, asked.version, "h0_0", f"linux-64/{name}-{asked.version}-h0_0.conda", 1, "8" * 64)
        for name in asked.packages
    )
    public = f"https://channels.example.org/{asked.channel}"
    return CondaTree(asked.channel, public, asked.prefix, packages, "7" * 64)


def commit(asked: GitRequest) -> GitTree:
    """A commit of a repository with a submodule that has one of its own, and with a large file."""
    modules = (
        Submodule("in", "https://example.org/in.git", "2" * 40),
        Submodule("in/deep", "https://example.org/deep.git", "3" * 40),
    )
    left_out = () if asked.submodules else ("in",)
    large = (LargeFile("w", "4" * 64, 1),) if asked.lfs else ()
    return GitTree(
        asked.url, "1" * 40, "5" * 40, "6" * 64, modules if asked.submodules else (), left_out, large
    )


@pytest.fixture
def lowered(tmp_path: Path) -> Lower:
    """`lowered(text, target, shape, lock=True)`: the graph of a target of a spec beside `src/a.c` and `x.csv`."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.c").write_text("int a;\n")
    (tmp_path / "x.csv").write_text("1\n")

    def make(
        text: str, target: str = "default", shape: Shape = Shape.VENDORED, lock: bool = True
    ) -> BuildGraph:
        parsed = parse(SourceFile("repro.spec", text))
        assert parsed.value is not None and not parsed.errors, parsed.diagnostics
        outcome = check(parsed.value, Folder(tmp_path))
        assert outcome.value is not None, [each.message for each in outcome.diagnostics]
        asked = requests(outcome.value, Folder(tmp_path)).value
        assert asked is not None
        request = next(each for each in asked if each.name == target)
        listed = {
            key: (TreeEntry("", False, None),)
            if (tmp_path / tree.source).is_file()
            else (TreeEntry("a.c", False, None),)
            for key, tree in request.trees
            if isinstance(tree, LocalRequest)
        }
        plan = Plan(
            next(each for each in outcome.value.targets if each.name == target),
            locked(request, tmp_path) if lock else None,
            ARCHIVES if lock else (),
            1717200000 if lock else 0,
            outcome.value.paper,
            "repro.spec",
            {} if lock else listed,
        )
        return lower(plan, request, shape)

    return make
