"""Looking after a store: reading everything again, and removing what nothing uses."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import presence
from reproc.lock.problem import of_system
from reproc.lock.store import Store, remove, sha256_of
from reproc.progress import Progress
from reproc.record import record

DAY = 86_400
NOTES_LAST = 30 * DAY
"""For so many seconds after their last use notes stay, which no lock names; without them, all is only slower."""
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BATCH = 64
"""How many files are removed before others get at the store again."""
_PATIENCE = 10.0


@record
class Damaged:
    """A file that is not what its name says."""

    sha256: str
    names: tuple[str, ...]
    """What locks call it, sorted."""
    locks: tuple[str, ...]
    """The locks that name it, sorted."""


@record
class Verified:
    """What reading everything again has shown."""

    files: int
    size: int
    damaged: tuple[Damaged, ...]


@record
class Removed:
    """Something that nothing uses."""

    kind: str
    """`file`, `partial`, `temporary`, `damaged` or `note`."""
    name: str
    size: int
    """What its removal gives back: nothing where it has a second name elsewhere."""


@record
class Tidied:
    """What was removed, or would be, and what stays."""

    removed: tuple[Removed, ...]
    files: int
    size: int
    """How many files stay, and their bytes."""
    locks: tuple[str, ...]
    """The locks that were looked into."""
    gone: tuple[str, ...]
    """The locks that used the store once and are not there any more."""


def verify(store: Store, progress: Progress) -> Verified:
    """Reads every file of the store; damaged ones are set aside."""
    found = list(_files(store.root))
    with progress.task(f"reading {len(found)} files again"), ThreadPoolExecutor(os.cpu_count()) as pool:
        sound = list(pool.map(_is_sound, found))
    damaged = [_digest(path) for path, size in zip(found, sound, strict=True) if size is None]
    for sha256 in damaged:
        store.set_aside(sha256)
    texts = _texts(presence.locks(store.root))
    return Verified(
        sum(size is not None for size in sound),
        sum(size or 0 for size in sound),
        tuple(_described(sha256, texts) for sha256 in damaged),
    )


def _is_sound(path: Path) -> int | None:
    """The size of a file that is sound; one that is gone by now has none to lose."""
    try:
        return path.stat().st_size if sha256_of(path) == _digest(path) else None
    except FileNotFoundError:
        return 0
    except OSError:  # a disk that cannot give it back
        return None


def _described(sha256: str, texts: dict[Path, str]) -> Damaged:
    naming = {lock: text for lock, text in texts.items() if sha256 in text}
    names: set[str] = set()
    for text in naming.values():
        with suppress(ValueError, RecursionError):
            names.update(_names(json.loads(text), sha256))
    return Damaged(sha256, tuple(sorted(names)), _told(naming))


def _names(value: Any, sha256: str) -> Iterator[str]:
    """What a lock calls the things that have a digest: the most telling of their fields."""
    if isinstance(value, list):
        for each in value:
            yield from _names(each, sha256)
    elif isinstance(value, dict):
        if sha256 in value.values():
            told = (value.get(key) for key in ("filename", "url", "source", "reference", "path", "name"))
            yield from (name for name in told if isinstance(name, str) and name)
        for each in value.values():
            yield from _names(each, sha256)


def tidy(store: Store, *, older_than: float | None = None, dry: bool = False) -> Outcome[Tidied]:
    """Removes what no lock names that used the store, and what ended processes left behind.

    Nothing goes that was used in the last `older_than` seconds, or that a process which still runs may have
    taken since it began; others may go on using the store meanwhile. If `dry`, nothing is removed.
    """
    try:
        return _Sweep(store.root, older_than or 0.0, dry).outcome(NOTES_LAST if older_than is None else 0.0)
    except TimeoutError:
        return Outcome(None, (error(codes.STORE_BUSY, None, path=str(store.root)),))
    except OSError as trouble:
        return Outcome(None, (of_system(trouble, store.root),))


class _Sweep:
    """One run."""

    def __init__(self, root: Path, older_than: float, dry: bool) -> None:
        self.root, self.dry = root, dry
        self.before = time.time() - older_than
        self.known = presence.locks(root)
        self.texts = _texts(self.known)
        self.removed: dict[Path, Removed] = {}
        self.refused: list[Diagnostic] = []

    def outcome(self, notes_last: float) -> Outcome[Tidied]:
        used = {sha256 for text in self.texts.values() for sha256 in _DIGEST.findall(text)}
        gone = [lock for lock in self.known if lock not in self.texts]
        if self.root.is_dir():
            self._take_old(
                "file", [path for path in _files(self.root) if _digest(path) not in used], self.before
            )
            self._take_old("damaged", _below(self.root / "damaged"), self.before)
            self._take_old("note", list((self.root / "index").glob("*/*/*")), self.before - notes_last)
            self._take_left_over(gone)
        left = [path.stat().st_size for path in _files(self.root) if path not in self.removed]
        value = Tidied(tuple(self.removed.values()), len(left), sum(left), _told(self.texts), _told(gone))
        return Outcome(value, tuple(self.refused[:1]))

    def _take_old(self, kind: str, paths: Sequence[Path], before: float) -> None:
        """Takes what was last used before a moment, and before any process began that still runs."""
        for start in range(0, len(paths), _BATCH):
            with presence.gate(self.root, alone=True, patience=_PATIENCE):
                since = min((before, *presence.running(self.root).values()))
                for path in paths[start : start + _BATCH]:
                    with suppress(FileNotFoundError):
                        status = path.stat()
                        if max(status.st_atime, status.st_mtime) < since:
                            self._take(kind, path)

    def _take_left_over(self, gone: Sequence[Path]) -> None:
        """Takes what ended processes left behind, and forgets locks that are gone."""
        with presence.gate(self.root, alone=True, patience=_PATIENCE):
            alive = presence.running(self.root)
            for path in _below(self.root / "partial"):
                with suppress(FileNotFoundError), path.open("rb+") as file, suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._take("partial", path)
            for path in _below(self.root / "temporary"):
                if path.name.rpartition("-")[0] not in alive:
                    self._take("temporary", path)
            for lock in gone if not self.dry else ():
                self.known[lock].unlink(missing_ok=True)

    def _take(self, kind: str, path: Path) -> None:
        size = sum(_freed(each) for each in (path, *path.rglob("*")))
        name = _digest(path) if kind == "file" else path.name
        try:
            if not self.dry:
                remove(path)
        except PermissionError as trouble:
            self.refused.append(of_system(trouble, path))
        else:
            self.removed[path] = Removed(kind, name, size)


def _freed(path: Path) -> int:
    """What removing a file gives back: nothing while it has another name."""
    status = path.lstat()
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0


def _texts(locks: Iterable[Path]) -> dict[Path, str]:
    """What stands in the locks that are there."""
    found = {}
    for lock in locks:
        with suppress(FileNotFoundError, NotADirectoryError):
            found[lock] = lock.read_text(encoding="utf-8", errors="replace")
    return found


def _told(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)


def _files(root: Path) -> list[Path]:
    """Every file that stands under its digest."""
    found = _below(root / "sha256", "*/*")
    return [path for path in found if _DIGEST.fullmatch(_digest(path)) and path.is_file()]


def _below(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(folder.glob(pattern))


def _digest(path: Path) -> str:
    return path.parent.name + path.name
