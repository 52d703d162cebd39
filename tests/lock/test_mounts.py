"""Locked data laid out for engines to mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc.lock import tar
from reproc.lock.model import TreeEntry
from reproc.lock.mounts import laid_out
from reproc.lock.store import Store


def member(path: str, content: bytes, *, executable: bool = False) -> tar.Member:
    return tar.Member(TreeEntry(path, executable, None), tar.of_bytes(content), len(content))


def modes(place: Path) -> dict[str, str]:
    found = [place, *place.rglob("*")]
    return {
        p.relative_to(place).as_posix(): f"{p.lstat().st_mode & 0o777:o}" for p in found if not p.is_symlink()
    }


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (None, {".": "755", "d": "755", "d/run": "755", "content": "644", "empty": "755"}),
        (0o640, {".": "750", "d": "750", "d/run": "640", "content": "640", "empty": "750"}),
        (0o400, {".": "500", "d": "500", "d/run": "400", "content": "400", "empty": "500"}),
    ],
)
def test_a_folder(store: Store, tmp_path: Path, mode: int | None, said: dict[str, str]) -> None:
    members = (
        member("d/run", b"#!", executable=True),
        member("content", b"not the whole"),
        tar.Member(TreeEntry("empty", False, None), None),
        tar.Member(TreeEntry("link", False, None, "../../outside"), None),
    )
    place = laid_out(tar.write(members, store), False, mode, store, tmp_path / "data")
    assert modes(place) == said
    assert (place / "link").readlink() == Path("../../outside")
    assert (place / "content").read_bytes() == b"not the whole"


def test_a_file_is_laid_out_once_for_each_mode(store: Store, tmp_path: Path) -> None:
    sha256 = tar.write([member("", b"abc")], store)
    first = laid_out(sha256, True, None, store, tmp_path / "data")
    assert (first.read_bytes(), f"{first.stat().st_mode & 0o777:o}") == (b"abc", "644")
    store.place(sha256).unlink()
    assert laid_out(sha256, True, None, store, tmp_path / "data") == first
    with pytest.raises(FileNotFoundError):
        laid_out(sha256, True, 0o600, store, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [sha256]


def test_nothing_is_written_through_a_link(store: Store, tmp_path: Path) -> None:
    link = tar.Member(TreeEntry("a", False, None, str(tmp_path)), None)
    sha256 = tar.write([link, member("a/b", b"x")], store)
    with pytest.raises(FileExistsError):
        laid_out(sha256, False, None, store, tmp_path / "data")
    assert not (tmp_path / "b").exists()
