"""Tar archives whose bytes depend on the content alone: sorted, owned by root, with one fixed time."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from reproc.lock.model import TreeEntry
from reproc.lock.store import Store
from reproc.record import record, replace

MOMENT = 315619200
"""1980-01-02 00:00 UTC, for every entry: not what a checkout happened to leave, and not before 1980, which
zip archives cannot name."""


@record
class Member:
    """An entry and where its content is read."""

    entry: TreeEntry
    open: Callable[[], BinaryIO] | None
    """None for a link, and for a folder."""
    size: int = 0


def is_folder(member: Member) -> bool:
    """Whether it is a folder, which needs to be named only where it may be empty."""
    return member.open is None and member.entry.link is None


def moved(member: Member, path: str) -> Member:
    """The same at another path."""
    return replace(member, entry=replace(member.entry, path=path))


def write(members: Iterable[Member], store: Store) -> str:
    """The sha256 of the canonical archive of these members, which is then in the store.

    Files have mode 0644 or 0755, folders 0755; every folder has an entry of its own before what it holds. A
    single file (an entry with an empty path) is the archive's one member, `./content`.
    """
    with store.temporary() as path:
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
            folders: set[str] = set()
            for member in sorted(members, key=lambda m: m.entry.path):
                name = member.entry.path or "content"
                parts = name.split("/")
                for depth in range(1, len(parts)):
                    folder = "/".join(parts[:depth])
                    if folder not in folders:
                        folders.add(folder)
                        archive.addfile(_head(folder, tarfile.DIRTYPE, 0o755))
                if not is_folder(member):
                    _add(archive, name, member)
                elif name not in folders:
                    folders.add(name)
                    archive.addfile(_head(name, tarfile.DIRTYPE, 0o755))
        return store.adopt(path)


def _add(archive: tarfile.TarFile, name: str, member: Member) -> None:
    if member.entry.link is not None:
        head = _head(name, tarfile.SYMTYPE, 0o777)
        head.linkname = member.entry.link
        archive.addfile(head)
        return
    assert member.open is not None, "a file has a content"
    head = _head(name, tarfile.REGTYPE, 0o755 if member.entry.executable else 0o644)
    head.size = member.size
    with member.open() as content:
        archive.addfile(head, content)


def _head(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    head = tarfile.TarInfo(f"./{name}")
    head.type, head.mode, head.mtime = kind, mode, MOMENT
    return head


def of_bytes(content: bytes) -> Callable[[], BinaryIO]:
    """A way to open bytes."""
    return lambda: io.BytesIO(content)


def of_file(path: Path) -> Callable[[], BinaryIO]:
    """A way to open a file."""
    return lambda: path.open("rb")
