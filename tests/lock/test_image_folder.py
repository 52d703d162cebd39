"""Folders of images from a registry on loopback, and what is told where a tool chain cannot be had."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import pytest

from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import lock as codes
from reproc.lock.archives import Site
from reproc.lock.difference import difference
from reproc.lock.fetch import fetch
from reproc.lock.file import read, write
from reproc.lock.model import ImageTree, Lock
from reproc.lock.net import Client
from reproc.lock.outdated import newer
from reproc.lock.problem import Problem
from reproc.lock.providers import image_folder
from reproc.lock.requests import (
    AptRequest,
    ArchiveRequest,
    FolderRequest,
    TargetRequest,
    TreeRequest,
    WebRequest,
)
from reproc.lock.resolve import resolve
from reproc.lock.store import Store
from reproc.lock.toolchains import instead_of, instead_of_packages
from reproc.lock.update import EVERYTHING
from reproc.progress import Silent
from reproc.record import replace
from reproc.source import SourceFile

from .conftest import Server, item, span
from .test_image import Entry, layer, publish

STATUS = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n"
LAYER: tuple[Entry, ...] = (
    ("usr", None), ("usr/local", None), ("usr/local/bin", None), ("usr/local/empty", None),
    ("usr/local/bin/gcc", b"program"), ("usr/local/bin/cc", "=>usr/local/bin/gcc"),
    ("usr/local/lib/absolute", "->/usr/local/bin/gcc"), ("usr/local/lib/relative", "->../bin/gcc"),
    ("usr/local/lib/out", "->/bin/sh"), ("usr/local/lib/up", "->../../../etc/passwd"),
    ("usr/localized", b"not below it"), ("etc/passwd", b"root"),
)  # fmt: skip


def asked(server: Server, folder: str = "/usr/local", libc: tuple[int, int] | None = None) -> FolderRequest:
    reference = f"{server.address.removeprefix('http://')}/lib/x:1"
    return FolderRequest(reference, folder, "linux/amd64", libc, span())


def lock(server: Server, store: Store, *arguments: object) -> ImageTree:
    return image_folder.lock(asked(server, *arguments), Client(wait=0), Site({}), store)  # type: ignore[arg-type]


def refused(server: Server, store: Store, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        lock(server, store, *arguments)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.id, diagnostic.message


def test_what_lies_below_the_folder(server: Server, store: Store) -> None:
    manifest = publish(server, layer(*LAYER), layer(("usr/local/bin/.wh.gone", b""), ("usr/local/new", b"n")))
    tree = lock(server, store)
    assert (tree.digest, tree.folder) == (manifest, "/usr/local")
    with tarfile.open(store.place(tree.sha256)) as archive:
        found = {m.name: m.linkname or m.size for m in archive.getmembers() if not m.isdir()}
        folders = {m.name for m in archive.getmembers() if m.isdir()}
        assert {(m.uid, m.gid) for m in archive.getmembers()} == {(0, 0)}
    assert found == {
        "./bin/cc": 7,
        "./bin/gcc": 7,
        "./lib/absolute": "../bin/gcc",
        "./lib/relative": "../bin/gcc",
        "./new": 1,
    }
    assert folders == {"./bin", "./lib", "./empty"}


def test_it_comes_again_by_its_digest(server: Server, store: Store, tmp_path: Path) -> None:
    publish(server, layer(*LAYER))
    tree = lock(server, store)
    publish(server, layer(("usr/local/bin/gcc", b"another")))
    other = Store(tmp_path / "other")
    image_folder.fetch(tree, Client(wait=0), Site({}), other)
    assert other.path(tree.sha256) is not None
    now = lock(server, Store(tmp_path / "third"))
    assert now.digest != tree.digest
    assert image_folder.digest(tree, "linux/amd64", Client(wait=0), Site({})) == now.digest


def test_what_it_needs_of_the_base(server: Server, store: Store) -> None:
    publish(server, layer(*LAYER, ("var/lib/dpkg/status", STATUS)))
    assert lock(server, store, "/usr/local", (2, 36)).digest
    code, message = refused(server, store, "/usr/local", (2, 31))
    assert (code, message.partition(" need ")[2]) == ("E0498", "glibc 2.36, and the base has 2.31")


@pytest.mark.parametrize("folder", ["/usr/lib", "/usr/localized", "/usr/loc"])
def test_a_folder_that_is_not_there(server: Server, store: Store, folder: str) -> None:
    publish(server, layer(*LAYER))
    assert refused(server, store, folder)[0] == "E0409"


@pytest.mark.parametrize(
    "entries",
    [
        (("usr/local/x", "->bin"), ("usr/local/x/y", b"")),
        (("usr/local/h", "=>nothing"),),
        (("usr/local/\x01", b""),),
    ],
    ids=["below a link", "dangling", "control character"],
)
def test_hostile_folders(server: Server, store: Store, entries: tuple[Entry, ...]) -> None:
    publish(server, layer(*entries))
    assert refused(server, store)[0] in ("E0442", "E0453")


class World:
    """A target whose tool chains come out of an image and from a release, both from one server."""

    def __init__(self, server: Server, folder: Path, *trees: tuple[str, TreeRequest]) -> None:
        self.server, self.folder = server, folder
        with tarfile.open(folder / "root.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo("etc"))
        self.site = Site({"REPROC_MIRROR_DOCKER": server.address})
        self.store = Store(folder / "store")
        base = ArchiveRequest("root.tar", None, "debian", "bookworm", span())
        self.request = TargetRequest("default", "linux/amd64", base, (), (), trees)

    def resolve(self, **more: Any) -> Outcome[Lock]:
        return resolve(
            (self.request,), self.folder, self.store, Silent(), now=1_800_000_000, site=self.site, **more
        )

    def told(self) -> list[tuple[str, str | None]]:
        found = self.resolve()
        assert found.value is None
        return [(each.code.id, each.help) for each in found.diagnostics]


def go(tag: str = "1.21.5-bookworm") -> tuple[str, TreeRequest]:
    reference = f"docker.io/library/golang:{tag}"
    return f"toolchain go-{tag}", FolderRequest(reference, "/usr/local/go", "linux/amd64", (2, 36), span())


def gcc(server: Server, content: bytes) -> tuple[str, TreeRequest]:
    url = f"{server.address}/gnu/gcc/gcc-9.5.0/gcc-9.5.0.tar.xz"
    expected = item(hashlib.sha256(content).hexdigest())
    return "toolchain gcc-9.5.0", WebRequest((url,), expected, None, True, None, span())


def release() -> bytes:
    return layer(("gcc-9.5.0/configure", b"#!/bin/sh\n"))


def test_from_a_request_to_a_filled_store(server: Server, tmp_path: Path) -> None:
    publish(server, layer(("usr/local/go/bin/go", b"go")), name="library/golang", tag="1.21.5-bookworm")
    server.files["/gnu/gcc/gcc-9.5.0/gcc-9.5.0.tar.xz"] = release()
    world = World(server, tmp_path, gcc(server, release()), go())
    lock = world.resolve().value
    assert lock is not None
    text = write(lock, (world.request,))
    file = read(SourceFile("repro.lock", text)).value
    assert file is not None and file.lock == lock
    trees = dict(lock.targets[0].trees)
    image = trees["toolchain go-1.21.5-bookworm"]
    assert isinstance(image, ImageTree)
    assert '"kind": "image"' in text and f'"folder": "{image.folder}"' in text

    asked_before = len(server.asked)
    assert world.resolve(previous=file).value == lock
    assert len(server.asked) == asked_before, "what did not change asks nobody"

    other = Store(tmp_path / "other")
    done = fetch(lock, lock.targets[0], tmp_path, other, Silent(), site=world.site)
    assert done.diagnostics == ()
    assert done.value is not None
    assert {(each.source, each.name) for each in done.value.files} >= {
        ("docker.io", "toolchain go-1.21.5-bookworm"),
        (server.address.removeprefix("http://"), "toolchain gcc-9.5.0"),
    }
    assert all(other.path(tree.sha256) is not None for tree in trees.values())


def test_a_tag_that_moves(server: Server, tmp_path: Path) -> None:
    publish(server, layer(("usr/local/go/bin/go", b"go")), name="library/golang", tag="1.21.5-bookworm")
    world = World(server, tmp_path, go())
    lock = world.resolve().value
    assert lock is not None
    publish(server, layer(("usr/local/go/bin/go", b"new")), name="library/golang", tag="1.21.5-bookworm")
    file = read(SourceFile("repro.lock", write(lock, (world.request,)))).value
    assert world.resolve(previous=file).value == lock
    moved = world.resolve(previous=file, update=EVERYTHING).value
    assert moved is not None
    (found,) = newer(lock, (world.request,), world.store, Silent(), now=0, site=world.site).value or ()
    after = dict(moved.targets[0].trees)["toolchain go-1.21.5-bookworm"]
    assert isinstance(after, ImageTree)
    assert (found.section, found.newest) == ("toolchain go-1.21.5-bookworm", after.digest)
    assert "golang" in repr(difference(lock, moved))


def test_a_provider_that_is_gone(server: Server, tmp_path: Path) -> None:
    """Of Go in this version nobody else knows; of GCC in this one others do."""
    alone = FolderRequest(
        "docker.io/library/golang:1.10.8-stretch", "/usr/local/go", "linux/amd64", (2, 36), span()
    )
    assert World(server, tmp_path, ("toolchain go-1.10.8-stretch", alone)).told() == [("E0451", None)]
    reference = "docker.io/library/gcc:9.5.0-bookworm"
    asked = FolderRequest(reference, "/usr/local", "linux/amd64", (2, 36), span())
    (first, _), (second, help) = World(server, tmp_path, ("toolchain gcc-9.5.0-bookworm", asked)).told()
    assert (first, second) == ("E0451", "E0499")
    assert help is not None and help.startswith(
        "the next is `provider source`: gcc 9.5.0 of https://ftp.gnu.org"
    )


def test_a_release_with_another_digest(server: Server, tmp_path: Path) -> None:
    server.files["/gnu/gcc/gcc-9.5.0/gcc-9.5.0.tar.xz"] = release()
    told = dict(World(server, tmp_path, gcc(server, b"what the catalogue knows")).told())
    assert told.keys() == {"E0435", "E0499"}
    assert told["E0499"] == (
        "the next is `provider image`: gcc 9.5.0 of docker.io/library/gcc:9.5.0-bookworm"
    )


def test_packages_that_are_gone(tmp_path: Path) -> None:
    """Another release's, which nobody serves, or which are not there; not what else may be wrong with a system."""
    base = ArchiveRequest("root.tar", None, "debian", "bookworm", span())
    asked = (item("gcc-9"),)
    layer = AptRequest("tools-gcc-9", None, asked, beside=("bullseye",), tools=(("gcc", "9.3.0"),))
    request = TargetRequest("default", "linux/amd64", base, (layer,), (), ())

    def told(diagnostic: Diagnostic, request: TargetRequest = request) -> list[str]:
        return [each.facts["next"] for each in instead_of_packages(request, (diagnostic,))]

    away = error(codes.NETWORK, None, host="example.org", reason="it is silent")
    assert told(away) == ["image"]
    assert told(error(codes.UNKNOWN_PACKAGE, asked[0].origin, name="gcc-9")) == ["image"]
    assert told(error(codes.UNKNOWN_PACKAGE, span("another"), name="another")) == []
    assert told(away, replace(request, apt=(replace(layer, beside=()),))) == []


def test_what_this_machine_lacks_no_other_provider_has() -> None:
    base = ArchiveRequest("root.tar", None, "debian", "bookworm", span())
    request = TargetRequest("default", "linux/amd64", base, (), (), ())
    asked = FolderRequest("docker.io/library/gcc:9.5.0", "/usr/local", "linux/amd64", None, span())
    for code, found in ((codes.UNKNOWN_IMAGE, ["source"]), (codes.NO_SPACE, [])):
        told = (error(code, None, registry="docker.io", reference="gcc", path="/"),)
        instead = instead_of("toolchain gcc-9.5.0", asked, request, told)
        assert [each.facts["next"] for each in instead] == found


def test_a_registry_has_no_history(server: Server, tmp_path: Path) -> None:
    publish(server, layer(("usr/local/go/bin/go", b"go")), name="library/golang", tag="1.21.5-bookworm")
    found = World(server, tmp_path, go()).resolve(as_of=1_700_000_000)
    assert found.value is not None
    assert [each.code.id for each in found.diagnostics] == ["W0488"]
