"""Folders beside the spec: what enters, what is left out, what is refused, and that only content counts."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from reproc.lock.fetch import again
from reproc.lock.problem import Problem
from reproc.lock.providers import local
from reproc.lock.requests import LocalRequest
from reproc.lock.store import Store
from reproc.lock.tar import MOMENT

from .conftest import item, span


def make(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def request(
    source: str = ".", *exclude: str, sha256: str | None = None, size: int | None = None
) -> LocalRequest:
    return LocalRequest(source, exclude, item(sha256) if sha256 else None, size, span())


def paths(folder: Path, store: Store, asked: LocalRequest) -> list[str]:
    return [entry.path for entry in local.lock(asked, folder, store).entries]


def refused(folder: Path, store: Store, asked: LocalRequest) -> list[str]:
    with pytest.raises(Problem) as caught:
        local.lock(asked, folder, store)
    return [d.code.name for d in caught.value.diagnostics]


def test_sorted_with_digests(tmp_path: Path, store: Store) -> None:
    make(tmp_path / "s", {"b.py": "b", "a/z.py": "z", "a.py": "a"})
    (tmp_path / "s/b.py").chmod(0o700)
    tree = local.lock(request("s"), tmp_path, store)
    assert [(e.path, e.executable) for e in tree.entries] == [
        ("a.py", False),
        ("a/z.py", False),
        ("b.py", True),
    ]
    with tarfile.open(store.place(tree.sha256)) as archive:
        assert [(m.name, oct(m.mode), m.uid, m.mtime) for m in archive] == [
            ("./a.py", "0o644", 0, MOMENT),
            ("./a", "0o755", 0, MOMENT),
            ("./a/z.py", "0o644", 0, MOMENT),
            ("./b.py", "0o755", 0, MOMENT),
        ]


def test_the_checkout_does_not_matter(tmp_path: Path, store: Store) -> None:
    for name, mode, time in (("one", 0o600, 1), ("two", 0o664, 2_000_000_000)):
        make(tmp_path / name / "s", {"f": "text", "d/g": "more"})
        (tmp_path / name / "s/f").chmod(mode)
        os.utime(tmp_path / name / "s/f", (time, time))
    trees = [local.lock(request("s"), tmp_path / name, store) for name in ("one", "two")]
    assert trees[0] == trees[1]


def test_ignore_files(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {
        ".git/HEAD": "", ".gitignore": "*.o\n/build\n!keep.o\n", ".dockerignore": "# c\nsecret\n*.log\n",
        "a.c": "", "a.o": "", "keep.o": "", "build/x": "", "sub/build/y": "",
        "sub/.gitignore": "local\n!b.o\n",
        "sub/local": "", "sub/b.o": "", "secret": "", "sub/secret": "", "run.log": "", "sub/run.log": "",
        "containers/x/Dockerfile": "", ".reproc/state": "", "repro.lock": "", "sub/containers/kept": "",
    })  # fmt: skip
    assert paths(tmp_path, store, request()) == sorted([
        ".dockerignore", ".gitignore", "a.c", "keep.o", "sub/.gitignore", "sub/b.o", "sub/build/y",
        "sub/containers/kept", "sub/run.log", "sub/secret",
    ])  # fmt: skip


def test_ignore_files_above_the_folder_count(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {".git/HEAD": "", ".gitignore": "*.o\n", "paper/src/a.c": "", "paper/src/a.o": ""})
    assert paths(tmp_path / "paper", store, request("src")) == ["a.c"]


def test_exclude(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"s/a": "", "s/b.tmp": "", "s/d/c.tmp": "", "s/d/e": ""})
    assert paths(tmp_path, store, request("s", "*.tmp", "/d/e")) == ["a"]


def test_links(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"s/d/f": "x", "out": "y"})
    (tmp_path / "s/up").symlink_to("d/f")
    (tmp_path / "s/d/back").symlink_to("../d/f")
    tree = local.lock(request("s"), tmp_path, store)
    assert [(e.path, e.link) for e in tree.entries if e.link] == [("d/back", "../d/f"), ("up", "d/f")]
    for number, target in enumerate(("../out", "/etc/passwd", "../s/d/f", "d/../../out")):
        link = tmp_path / f"s/bad{number}"
        link.symlink_to(target)
        assert refused(tmp_path, store, request("s")) == ["link-leads-outside"], target
        link.unlink()
    (tmp_path / "door").symlink_to("/etc")
    assert refused(tmp_path, store, request("door")) == ["link-leads-outside"]


def test_what_is_refused_comes_together(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"s/f": ""})
    os.mkfifo(tmp_path / "s/pipe")
    (tmp_path / "s/new\nline").write_text("")
    Path(os.fsdecode(os.fsencode(tmp_path / "s") + b"/\xff")).write_text("")
    assert sorted(refused(tmp_path, store, request("s"))) == [
        "bad-file-name",
        "bad-file-name",
        "special-file",
    ]


def test_missing_and_empty(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"s/a.o": ""})
    assert refused(tmp_path, store, request("none")) == ["missing-source"]
    assert refused(tmp_path, store, request("s/a.o/x")) == ["missing-source"]
    assert refused(tmp_path, store, request("s", "*")) == ["empty-source"]


def test_a_single_file(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"data.csv": "1,2\n"})
    digest = "8d2b3f3a1f6ae5b9e0e3f0d6d1b0b1d5c2a7f0e1d2c3b4a5968778695a4b3c2d"
    assert refused(tmp_path, store, request("data.csv", sha256=digest)) == ["source-digest"]
    assert refused(tmp_path, store, request("data.csv", size=5)) == ["source-size"]
    (entry,) = local.lock(request("data.csv", size=4), tmp_path, store).entries
    assert entry.path == ""
    assert local.lock(request("data.csv", sha256=f"sha256:{entry.sha256}"), tmp_path, store).entries == (
        entry,
    )


def test_changed_since_locking(tmp_path: Path, store: Store) -> None:
    make(tmp_path, {"s/f": "x", "s/g": "y"})
    (tmp_path / "s/l").symlink_to("f")
    tree = local.lock(request("s"), tmp_path, store)
    store.place(tree.sha256).unlink()
    again(tree, tmp_path, store)
    assert store.path(tree.sha256) is not None

    def change(name: str) -> None:
        with pytest.raises(Problem) as caught:
            again(tree, tmp_path, store)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code.name == "source-changed"
        assert f"`{name}`" in diagnostic.message
        assert diagnostic.help == "run `reproc lock`"

    (tmp_path / "s/f").write_text("z")
    change("f")
    (tmp_path / "s/f").write_text("x")
    (tmp_path / "s/g").chmod(0o755)
    change("g")
    (tmp_path / "s/g").chmod(0o644)
    (tmp_path / "s/l").unlink()
    change("l")
