"""The folder that a spec lies in: the only files that compiling may read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from reproc.record import record


class OutsideFolder(Exception):
    """A path leaves the folder, through a symbolic link."""


@record
class Folder:
    """Reads files below `root`, never above it, symbolic links included."""

    root: Path

    def path(self, relative: str) -> Path:
        """The real path of a name below the folder; raises OutsideFolder if links lead out of it, OSError."""
        try:
            path = (self.root / relative).resolve()
        except RuntimeError:  # Python before 3.13 says so of symbolic links in a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), relative) from None
        if not path.is_relative_to(self.root.resolve()):
            raise OutsideFolder(relative)
        return path

    def kind(self, relative: str) -> str | None:
        """`file`, `folder`, or None if there is nothing (or something else) of that name."""
        path = self.path(relative)
        if path.is_file():
            return "file"
        return "folder" if path.is_dir() else None

    def names(self, relative: str) -> tuple[str, ...]:
        """The sorted names in a folder; none if it is not one."""
        path = self.path(relative)
        return tuple(sorted(each.name for each in path.iterdir())) if path.is_dir() else ()

    def read(self, relative: str, limit: int = -1) -> bytes:
        """A file's content, or its first `limit` bytes; raises OSError."""
        with self.path(relative).open("rb") as file:
            return file.read(limit)
