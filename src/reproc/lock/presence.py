"""Which processes use a store now, and which locks use it, so that tidying up spares what they need.

A process that takes something from the store holds a locked file in `running/` for as long as it lives: the
operating system lets go of the lock however the process ends. What it takes gets the time of its last use. Both
happen under a shared lock on `gate`, and tidying up removes under an exclusive one, so that nothing is removed
between the moment in which it is found and the moment in which that is written down.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


class Presence:
    """This process's use of the store below `root`; it begins when something is first taken from there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._guard = threading.Lock()
        self._held: int | None = None
        self._token: str | None = None

    def begin(self) -> str:
        """A name that no other running process has, under which this one uses the store from now on."""
        with self._guard:
            if self._token is None:
                self._token = f"{os.getpid()}-{os.urandom(4).hex()}"
                self._register(self._token)
            return self._token

    def touch(self, path: Path) -> bool:
        """Writes down that a file is used now; false if it is gone."""
        self.begin()
        with gate(self.root):
            try:
                os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
            except FileNotFoundError:
                return False
            except OSError as trouble:
                if trouble.errno not in _NOT_OURS:
                    raise
        return True

    def end(self) -> None:
        """The use is over."""
        with self._guard:
            if self._token is not None:
                with suppress(OSError):
                    (self.root / "running" / self._token).unlink(missing_ok=True)
            if self._held is not None:
                os.close(self._held)
            self._token = self._held = None

    def _register(self, token: str) -> None:
        folder = self.root / "running"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with gate(self.root):
                self._held = os.open(folder / token, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                fcntl.flock(self._held, fcntl.LOCK_EX)
        except OSError as trouble:
            if trouble.errno not in _NOT_OURS:
                raise
            # who may only read cannot say what it uses: as long as it lives, nothing is removed
            with suppress(FileNotFoundError, PermissionError):
                self._held = os.open(self.root / "gate", os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(self._held, fcntl.LOCK_SH)


@contextmanager
def gate(root: Path, *, alone: bool = False, patience: float = 0) -> Iterator[None]:
    """A part of the work that excludes removals, or everything else where it is done `alone`.

    Alone it waits so many seconds for the others, and raises `TimeoutError` then.
    """
    flags = os.O_CLOEXEC | os.O_CREAT | os.O_RDWR
    try:
        held = os.open(root / "gate", flags, 0o644)
    except OSError as trouble:
        if trouble.errno not in _NOT_OURS or alone:
            raise
        yield  # it holds the gate already, if there is one
        return
    try:
        if alone:
            _wait(held, time.monotonic() + patience)
        else:
            fcntl.flock(held, fcntl.LOCK_SH)
        yield
    finally:
        os.close(held)


def _wait(held: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError from None
        time.sleep(0.02)


def running(root: Path) -> dict[str, float]:
    """The processes that use a store, by token, and when they began; to be asked for alone behind the gate.

    What ended processes left behind of themselves is removed.
    """
    found: dict[str, float] = {}
    for path in _listed(root / "running"):
        with suppress(FileNotFoundError), path.open("rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                found[path.name] = path.stat().st_mtime
    return found


def keep(root: Path, lock: Path) -> None:
    """Writes down that a lock uses the store: tidying up looks into it then."""
    path = os.fsencode(lock.absolute())
    place = root / "locks" / hashlib.sha256(path).hexdigest()
    if place.exists():
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}")
        new.write_bytes(path)
        os.replace(new, place)
    except OSError as trouble:
        if trouble.errno not in _NOT_OURS:
            raise


def locks(root: Path) -> dict[Path, Path]:
    """The locks that used a store, and where that is written down."""
    found = {place: Path(os.fsdecode(place.read_bytes())) for place in _listed(root / "locks")}
    return {lock: place for place, lock in sorted(found.items(), key=lambda each: each[1])}


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
