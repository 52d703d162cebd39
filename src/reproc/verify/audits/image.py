"""What audits see of an image: copies of its files, and what its own programs say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reproc.verify.engines.base import Command, CommandResult, Engine

_SECONDS = 120


class Unreadable(Exception):
    """An engine does not show what it has built; the text says why."""


@dataclass
class Image:
    """An image in the engine that built it; what was copied once is not copied again."""

    engine: Engine
    name: str
    entry: tuple[str, ...]
    """What the image starts commands with."""
    folder: Path
    """An empty folder for the copies; whoever gives it removes it."""
    _copied: set[str] = field(default_factory=set)

    def files(self, paths: Sequence[str]) -> Iterator[tuple[str, Path]]:
        """The regular files at or below some paths, each with a copy; raises `Unreadable`."""
        missing = [path for path in paths if path not in self._copied]
        if missing:
            told = self.engine.copy_out(self.name, missing, self.folder)
            if told is not None:
                raise Unreadable(told.message)
            self._copied |= {*missing}
        for path in paths:
            top = self.folder / path.lstrip("/")
            # a link would be read on this machine and not in the image
            for file in [top] if top.is_file() else sorted(top.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    yield f"/{file.relative_to(self.folder).as_posix()}", file

    def say(self, script: str, *arguments: str) -> str:
        """What a shell script in a container of the image prints; raises `Unreadable`."""
        command = Command((*self.entry, "/bin/sh", "-c", script, "reproc", *arguments), timeout=_SECONDS)
        result = self.engine.run(self.name, command)
        if not isinstance(result, CommandResult):
            raise Unreadable(result.diagnostic.message)
        if result.exit_code != 0 or result.stdout.truncated:
            raise Unreadable(result.stderr.text.strip() or f"a command ends with {result.exit_code}")
        return result.stdout.text
