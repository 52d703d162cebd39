"""What audits see of an image: copies of its files, and what its own programs say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reproc.audit import Cache, Facts, File, facts_of
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
    digest: str | None = None
    """Of all that is in it."""
    cache: Cache | None = None
    """What is known of files and images from earlier."""
    compilers: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """By build, the compilers that were there and that it does not use; None where nobody knows."""
    wanted: Callable[[], bool] | None = None
    """Whether what is found is still waited for."""
    _copied: set[str] = field(default_factory=set)
    _programs: dict[str, Facts] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)

    def files(self, paths: Sequence[str]) -> Iterator[tuple[str, Path]]:
        """The regular files at or below some paths, each with a copy; raises `Unreadable`."""
        if missing := _outermost(paths, self._copied):
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

    def programs(self, paths: Sequence[str]) -> list[tuple[str, Facts]]:
        """The programs and libraries at or below some paths, by path; raises `Unreadable`.

        Of an image that was looked into before nothing is copied.
        """
        asked = _outermost(paths, self._read)
        left = [path for path in asked if not self._remembered(path)]
        if left:
            found = facts_of(
                (File(path, copy) for path, copy in self.files(left)), self.cache, wanted=self.wanted
            )
            self._programs |= {file.path: facts for file, facts in found}
            digests = {file.path: file.sha256 or "" for file, _ in found}
            for top in left if self.cache and self.digest else ():
                mine = {path: sha256 for path, sha256 in digests.items() if below(path, (top,))}
                self.cache.list(self.digest, top, mine)  # type: ignore[union-attr, arg-type]
        self._read |= {*asked}
        return sorted((path, facts) for path, facts in self._programs.items() if below(path, paths))

    def _remembered(self, top: str) -> bool:
        """Whether all programs below a path are known from earlier; if so, they are taken up."""
        if self.cache is None or self.digest is None:
            return False
        listed = self.cache.listed(self.digest, top)
        if listed is None:
            return False
        found = {path: facts for path, sha256 in listed.items() if (facts := self.cache.get(sha256))}
        self._programs |= found
        return len(found) == len(listed)

    def say(self, script: str, *arguments: str) -> str:
        """What a shell script in a container of the image prints; raises `Unreadable`."""
        command = Command((*self.entry, "/bin/sh", "-c", script, "reproc", *arguments), timeout=_SECONDS)
        result = self.engine.run(self.name, command)
        if not isinstance(result, CommandResult):
            raise Unreadable(result.diagnostic.message)
        if result.exit_code != 0 or result.stdout.truncated:
            raise Unreadable(result.stderr.text.strip() or f"a command ends with {result.exit_code}")
        return result.stdout.text


def below(path: str, tops: Iterable[str]) -> bool:
    """Whether a path is one of some others, or lies below one."""
    return any(path == top or path.startswith(f"{top.rstrip('/')}/") for top in tops)


def _outermost(paths: Sequence[str], there: set[str]) -> list[str]:
    """The paths that lie neither below another one nor below what is there already."""
    wanted = sorted({path for path in paths if not below(path, there)})
    return [path for path in wanted if not below(path, (each for each in wanted if each != path))]
