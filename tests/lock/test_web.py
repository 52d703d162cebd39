"""Files and archives by address: mirrors in turn, digests, and archives that nobody should unpack."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import web
from reproc.lock.requests import WebRequest
from reproc.lock.store import Store

from .conftest import Server, item, span


def tarball(files: dict[str, str], *extra: tarfile.TarInfo, form: str = "gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{form}") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            member.mode = 0o755 if name.endswith(".sh") else 0o640
            archive.addfile(member, io.BytesIO(text.encode()))
        for member in extra:
            archive.addfile(member)
    return out.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def zipped(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def request(
    *urls: str, sha256: str | None = None, size: int | None = None, unpack: bool = True
) -> WebRequest:
    return WebRequest(urls, item(sha256) if sha256 else None, size, unpack, None, span())


def contents(sha256: str, store: Store) -> dict[str, str]:
    """The files of a canonical archive."""
    path = store.path(sha256)
    assert path is not None
    with tarfile.open(path) as archive:
        files = [each for each in archive if not each.isdir()]
        return {each.name.removeprefix("./"): read(archive, each) for each in files}


def read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    assert file is not None
    return file.read().decode()


FILES = {"x-1.0/run.sh": "echo", "x-1.0/src/main.c": "int x;"}


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.bz2", "x.tar.xz", "x.zip"])
def test_archives_of_every_form_give_the_same_tree(name: str, server: Server, store: Store) -> None:
    form = name.rpartition(".")[2]
    server.files[f"/{name}"] = zipped(FILES) if form == "zip" else tarball(FILES, form=form)
    tree = web.lock(request(f"{server.address}/{name}"), Client(wait=0), store).value
    assert tree is not None
    assert contents(tree.sha256, store) == {"run.sh": "echo", "src/main.c": "int x;"}
    assert [(each.strip, each.single) for each in tree.downloads] == [(1, False)]


def test_a_locked_tree_comes_back_the_same(server: Server, store: Store, tmp_path: Path) -> None:
    server.files["/x.tar.gz"] = tarball(FILES)
    tree = web.lock(request(f"{server.address}/x.tar.gz"), Client(wait=0), store).value
    assert tree is not None
    other = Store(tmp_path / "other")
    web.fetch(tree, Client(wait=0), other)
    assert contents(tree.sha256, other) == contents(tree.sha256, store)
    server.files["/x.tar.gz"] = tarball({**FILES, "x-1.0/new": "!"})
    with pytest.raises(Problem, match="x.tar.gz"):
        web.fetch(tree, Client(wait=0), Store(tmp_path / "third"))


def test_a_mirror_with_other_bytes_is_told_and_passed_over(server: Server, store: Store) -> None:
    good = tarball(FILES)
    server.files |= {"/second/x.tar.gz": tarball({"x-1.0/evil": "!"}), "/third/x.tar.gz": good}
    urls = [f"{server.address}/{place}/x.tar.gz" for place in ("first", "second", "third")]
    outcome = web.lock(request(*urls, sha256=hashlib.sha256(good).hexdigest()), Client(wait=0), store)
    assert outcome.value is not None
    assert contents(outcome.value.sha256, store).keys() == {"run.sh", "src/main.c"}
    assert [each.code.name for each in outcome.diagnostics] == ["mirror-passed-over"] * 2
    assert [each.facts["url"] for each in outcome.diagnostics] == urls[:2]


@pytest.mark.parametrize(
    ("content", "asked", "code"),
    [
        (b"bytes", {"sha256": "0" * 64}, "source-digest"),
        (b"bytes", {"size": 4}, "source-size"),
        (b"<!DOCTYPE html><html>log in</html>", {}, "web-page"),
        (tarball(FILES)[:-20], {}, "bad-archive"),
        (b"\x1f\x8b" + b"x" * 50, {}, "bad-archive"),
    ],
    ids=["digest", "size", "web page", "cut off", "no gzip"],
)
def test_what_is_not_what_was_asked_for_is_refused(
    content: bytes, asked: dict[str, object], code: str, server: Server, store: Store
) -> None:
    server.files["/x.tar.gz"] = content
    with pytest.raises(Problem) as caught:
        web.lock(request(f"{server.address}/x.tar.gz", **asked), Client(wait=0), store)  # type: ignore[arg-type]
    assert [each.code.name for each in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    "archive",
    [
        tarball({"../evil": "!"}),
        tarball({"x/../../evil": "!"}),
        tarball({"/etc/passwd": "!"}),
        tarball(FILES, link("x-1.0/out", "../../etc")),
        tarball(FILES, link("x-1.0/out", "/etc/passwd")),
        tarball(FILES, link("x-1.0/hard", "../../etc/passwd", tarfile.LNKTYPE)),
        tarball(FILES, link("x-1.0/device", "", tarfile.CHRTYPE)),
        tarball(FILES, link("x-1.0/pipe", "", tarfile.FIFOTYPE)),
        zipped({"../evil": "!"}),
        zipped({"/etc/passwd": "!"}),
    ],
    ids=[
        "..",
        "inner ..",
        "absolute",
        "link up",
        "absolute link",
        "hard link",
        "device",
        "pipe",
        "zip ..",
        "zip /",
    ],
)
def test_hostile_archives_are_refused(archive: bytes, server: Server, store: Store) -> None:
    server.files["/x"] = archive
    with pytest.raises(Problem) as caught:
        web.lock(request(f"{server.address}/x"), Client(wait=0), store)
    assert [each.code.name for each in caught.value.diagnostics] == ["hostile-archive"]


def test_a_single_file_stays_one(server: Server, store: Store) -> None:
    server.files["/table.csv"] = b"1,2\n"
    tree = web.lock(request(f"{server.address}/table.csv", unpack=False), Client(wait=0), store).value
    assert tree is not None and tree.single
    assert tree.downloads[0].name == "table.csv"
