"""Locked data laid out as files, for engines to mount."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from reproc.lock.store import Store


def laid_out(sha256: str, single: bool, mode: int | None, store: Store, folder: Path) -> Path:
    """What a canonical archive of the store holds, below `folder`: a directory, or its `single` file.

    It is laid out once and then there for all; `mode` is that of its files, if the author gives one.
    """
    place = folder / (sha256 if mode is None else f"{sha256}-{mode:04o}")
    if not place.is_dir():
        growing = folder / f".{place.name}.{os.getpid()}"
        growing.mkdir(parents=True)
        try:
            _unpack(store.place(sha256), growing, mode)
            growing.rename(place)
        except OSError:
            if not place.is_dir():  # another process may have been faster
                raise
        finally:
            shutil.rmtree(growing, ignore_errors=True)
    return place / "content" if single else place


def _unpack(archive: Path, place: Path, mode: int | None) -> None:
    """Lays out every member; nothing is written through a link, since each folder has an entry of its own."""
    # whoever may read a folder may enter it
    folders = {place: 0o755 if mode is None else mode | (mode & 0o444) >> 2}
    with tarfile.open(archive) as members:
        for member in members:
            path = place / member.name
            if member.isdir():
                path.mkdir()
                folders[path] = folders[place]
            elif member.issym():
                path.symlink_to(member.linkname)
            else:
                content = members.extractfile(member)
                assert content is not None, "a canonical archive holds files, folders and links"
                with content, path.open("xb") as file:
                    shutil.copyfileobj(content, file)
                path.chmod(member.mode if mode is None else mode)
    for path, its in folders.items():
        path.chmod(its)
