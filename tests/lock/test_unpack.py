"""Archives: what is in them, and what they must not hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.lock import tar
from reproc.lock.problem import Problem
from reproc.lock.store import Store
from reproc.lock.unpack import Limits, Source, form_of, link_stays, unpacked

from .conftest import span

Build = Callable[[tarfile.TarFile], None]


def head(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode, found.uid = kind, link, mode, 1000
    return found


def add(archive: tarfile.TarFile, name: str, content: bytes = b"x", mode: int = 0o644) -> None:
    entry = head(name, mode=mode)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def tarred(build: Build) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        build(archive)
    return out.getvalue()


def one_folder(archive: tarfile.TarFile) -> None:
    archive.addfile(head("x-1.0", tarfile.DIRTYPE, mode=0o700))
    add(archive, "x-1.0/configure", b"#!/bin/sh\n", 0o700)
    add(archive, "x-1.0/src/a.c", b"int main;\n", 0o600)
    archive.addfile(head("x-1.0/src/b.c", tarfile.SYMTYPE, link="a.c"))
    archive.addfile(head("x-1.0/hard.c", tarfile.LNKTYPE, link="x-1.0/src/a.c"))
    archive.addfile(head("x-1.0/empty/", tarfile.DIRTYPE))


def packed(content: bytes, form: str, tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    match form.rpartition(".")[2]:
        case "gz":
            content = gzip.compress(content)
        case "bz2":
            content = bz2.compress(content)
        case "xz":
            content = lzma.compress(content)
        case "zst":
            if shutil.which("zstd") is None:
                pytest.skip("zstd is not installed")
            content = subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout
        case _:
            pass
    path.write_bytes(content)
    return path


def canonical(path: Path, store: Store, strip: int | None = None, limits: Limits | None = None) -> list[str]:
    """The canonical archive's entries in words: mode, owner, name, link or content."""
    source = Source(path, "x", span(), limits or Limits())
    with unpacked(source, form_of(path), strip, store) as (members, _):
        sha256 = tar.write(members, store)
    with tarfile.open(store.place(sha256)) as archive:
        told = []
        for each in archive:
            content = archive.extractfile(each)
            what = f"-> {each.linkname}" if each.issym() else content.read().decode() if content else "/"
            told.append(f"{each.mode:o} {each.uid} {each.name} {what.strip()}")
        return told


def refused(path: Path, store: Store, strip: int | None = None, limits: Limits | None = None) -> str:
    with pytest.raises(Problem) as caught:
        canonical(path, store, strip, limits)
    assert not any(store.root.glob("tmp/*")), "nothing is left lying about"
    return caught.value.diagnostics[0].message


EXPECTED = [
    "755 0 ./configure #!/bin/sh",
    "755 0 ./empty /",
    "644 0 ./hard.c int main;",
    "755 0 ./src /",
    "644 0 ./src/a.c int main;",
    "777 0 ./src/b.c -> a.c",
]


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_every_packing_gives_the_same_tree(form: str, tmp_path: Path, store: Store) -> None:
    path = packed(tarred(one_folder), form, tmp_path)
    assert form_of(path) == form
    assert canonical(path, store) == EXPECTED


def test_a_zip_gives_the_same_tree(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in (
            ("x-1.0/", b"", stat.S_IFDIR | 0o755),
            ("x-1.0/configure", b"#!/bin/sh\n", stat.S_IFREG | 0o755),
            ("x-1.0/src/a.c", b"int main;\n", stat.S_IFREG | 0o600),
            ("x-1.0/src/b.c", b"a.c", stat.S_IFLNK | 0o777),
            ("x-1.0/hard.c", b"int main;\n", stat.S_IFREG | 0o644),
            ("x-1.0/empty/", b"", stat.S_IFDIR | 0o755),
        ):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)
    assert form_of(path) == "zip"
    assert canonical(path, store) == EXPECTED


@pytest.mark.parametrize("form", ["gz", "bz2", "xz", "zst"])
def test_a_single_file_comes_out_of_its_packing(form: str, tmp_path: Path, store: Store) -> None:
    path = packed(b"a,b\n1,2\n" * 100, form, tmp_path)
    assert form_of(path) == form
    assert canonical(path, store)[0].startswith("644 0 ./content a,b")


def test_a_plain_file_is_itself(tmp_path: Path, store: Store) -> None:
    assert canonical(packed(b"PKnot a zip", "file", tmp_path), store) == ["644 0 ./content PKnot a zip"]
    assert canonical(packed(b"", "file", tmp_path), store) == ["644 0 ./content "]


def test_top_folders(tmp_path: Path, store: Store) -> None:
    def two(archive: tarfile.TarFile) -> None:
        add(archive, "./a/x")
        add(archive, "b/c/y")

    path = packed(tarred(two), "tar", tmp_path)
    assert [line.split()[2] for line in canonical(path, store)] == ["./a", "./a/x", "./b", "./b/c", "./b/c/y"]
    assert [line.split()[2] for line in canonical(path, store, 1)] == ["./c", "./c/y", "./x"]
    assert [line.split()[2] for line in canonical(path, store, 2)] == ["./y"]
    assert "without 3 top folders nothing is left" in refused(path, store, 3)


def test_a_single_top_file_is_no_top_folder(tmp_path: Path, store: Store) -> None:
    path = packed(tarred(lambda a: add(a, "only")), "tar.gz", tmp_path)
    assert canonical(path, store) == ["644 0 ./only x"]


HOSTILE: dict[str, tuple[Build, str]] = {
    "up": (lambda a: add(a, "x/../../etc/passwd"), "which leads out of it"),
    "absolute": (lambda a: add(a, "/etc/passwd"), "which has an absolute name"),
    "link out": (lambda a: a.addfile(head("d/l", tarfile.SYMTYPE, link="../../x")), "a link that leads out"),
    "absolute link": (lambda a: a.addfile(head("l", tarfile.SYMTYPE, link="/etc")), "a link that leads out"),
    "in and out": (
        lambda a: a.addfile(head("l", tarfile.SYMTYPE, link="a/../../b")),
        "a link that leads out",
    ),
    "hard link": (lambda a: a.addfile(head("h", tarfile.LNKTYPE, link="/etc/shadow")), "a hard link to"),
    "device": (lambda a: a.addfile(head("null", tarfile.CHRTYPE)), "a device or a pipe"),
    "pipe": (lambda a: a.addfile(head("p", tarfile.FIFOTYPE)), "a device or a pipe"),
    "control": (lambda a: add(a, "a\nb"), "control character"),
    "bytes": (lambda a: add(a, "a\udcffb"), "not UTF-8"),
}


@pytest.mark.parametrize("build, words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(build: Build, words: str, tmp_path: Path, store: Store) -> None:
    assert words in refused(packed(tarred(build), "tar.gz", tmp_path), store, 0)


def test_nothing_goes_through_a_link(tmp_path: Path, store: Store) -> None:
    def through(archive: tarfile.TarFile) -> None:
        archive.addfile(head("a", tarfile.SYMTYPE, link="b"))
        add(archive, "a/x")

    assert "lies below `a`, which is no folder" in refused(packed(tarred(through), "tar", tmp_path), store, 0)


def test_a_link_that_strip_makes_lead_out(tmp_path: Path, store: Store) -> None:
    def build(archive: tarfile.TarFile) -> None:
        add(archive, "top/a")
        archive.addfile(head("top/l", tarfile.SYMTYPE, link="../top/a"))

    path = packed(tarred(build), "tar", tmp_path)
    assert len(canonical(path, store, 0)) == 3
    assert "a link that leads out" in refused(path, store, 1)


@pytest.mark.parametrize(
    "name, link, stays",
    [
        ("a", "b", True),
        ("d/a", "../b", True),
        ("d/a", "../../b", False),
        ("a", "", False),
        ("a", "./x/..", True),
    ],
)
def test_links(name: str, link: str, stays: bool) -> None:
    assert link_stays(name, link) is stays


def test_zips_are_looked_at_as_closely(tmp_path: Path, store: Store) -> None:
    for name, content, mode, words in (
        ("../x", b"", 0o100644, "leads out of it"),
        ("/x", b"", 0o100644, "an absolute name"),
        ("l", b"/etc/passwd", 0o120777, "a link that leads out"),
        ("dev", b"", 0o020666, "a device or a pipe"),
    ):
        path = tmp_path / "archive"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)
        assert words in refused(path, store)


def test_bombs_are_stopped_early(tmp_path: Path, store: Store) -> None:
    small = Limits(small=100_000, ratio=2)
    path = packed(tarred(lambda a: add(a, "zeros", bytes(10_000_000))), "tar.gz", tmp_path)
    assert "unpacks to more than 100000 bytes" in refused(path, store, 0, small)
    path = packed(bytes(10_000_000), "xz", tmp_path)
    assert "unpacks to more than 100000 bytes" in refused(path, store, 0, small)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    assert "unpacks to more than 100000 bytes" in refused(path, store, 0, small)

    def many(archive: tarfile.TarFile) -> None:
        for number in range(30):
            add(archive, str(number))

    path = packed(tarred(many), "tar.gz", tmp_path)
    assert "unpacks to more than 20 entries" in refused(path, store, 0, Limits(entries=20))


@pytest.mark.parametrize("form", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_a_cut_archive_is_damaged(form: str, tmp_path: Path, store: Store) -> None:
    path = packed(tarred(lambda a: add(a, "x/y", bytes(range(256)) * 2000)), form, tmp_path)
    whole = path.read_bytes()
    for kept in (len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:kept])
        assert "cannot be unpacked" in refused(path, store)


def test_a_flipped_byte_in_a_zip_is_seen(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
    path.write_bytes(path.read_bytes().replace(b"content", b"cOntent"))
    assert "it is damaged" in refused(path, store)
