"""The content store: files under the sha256 of what they hold, shared by every project of a user.

A file appears in it by rename, complete and checked; it is checked again when a process first reads it, and a
damaged one is set aside: that is also what a file is that a power failure cut off, so that nothing waits for the
disk. Any number of processes may use one store at once.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from reproc.lock import presence

_CHUNK = 1 << 20


class Mismatch(Exception):
    """What was to be added has another digest than was expected."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_like(path: Path, expected: str) -> str:
    """A file's digest, as `expected` gives it: with `sha512:` before it, or as sha256 alone."""
    if not expected.startswith("sha512:"):
        return sha256_of(path)
    with path.open("rb") as file:
        return "sha512:" + hashlib.file_digest(file, "sha512").hexdigest()


def default_root() -> Path:
    """Where the user's store is: `$REPROC_STORE`, else `reproc` in the XDG cache folder."""
    chosen = os.environ.get("REPROC_STORE")
    if chosen:
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache and cache.startswith("/") else Path.home() / ".cache") / "reproc"


class Store:
    """A content store below `root`; nothing is made there before the first file is added."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: dict[str, tuple[int, int, int]] = {}
        self._damaged: list[str] = []
        self._guard = threading.Lock()
        self._names = 0
        self._open: set[Path] = set()
        self._presence = presence.Presence(root)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes what threads that were left alone still have open."""
        for path in tuple(self._open):
            remove(path)
        self._presence.end()

    def place(self, sha256: str) -> Path:
        """Where the file with that digest stands, if it is there."""
        return self.root / "sha256" / sha256[:2] / sha256[2:]

    def path(self, sha256: str) -> Path | None:
        """The file with that digest, checked once in the life of the process; None if it is not there."""
        place = self.place(sha256)
        try:
            status = place.stat()
        except FileNotFoundError:
            return None
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._verified.get(sha256) == stamp:
            return place
        if not self._presence.touch(place):
            return None
        if sha256_of(place) != sha256:
            self.set_aside(sha256)
            return None
        self._verified[sha256] = stamp
        return place

    def keep(self, lock: Path) -> None:
        """Has what a lock names outlive `reproc store gc`, for as long as that file is there."""
        presence.keep(self.root, lock)

    @property
    def damaged(self) -> tuple[str, ...]:
        """The digests whose files were found damaged and set aside by this process."""
        return tuple(self._damaged)

    def add_file(self, path: Path, expected: str | None = None) -> str:
        """Copies a file in; returns its digest, or raises `Mismatch` if it is not `expected`."""
        with path.open("rb") as file:
            return self.add_stream(iter(lambda: file.read(_CHUNK), b""), expected)

    def add_stream(self, chunks: Iterable[bytes], expected: str | None = None) -> str:
        """Writes chunks into a file of the store; returns its digest, or raises `Mismatch`."""
        digest = hashlib.sha256()
        with self.temporary() as temporary:
            with temporary.open("wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
            found = digest.hexdigest()
            if expected is not None and found != expected:
                raise Mismatch(expected, found)
            self._adopt(temporary, found)
        return found

    def adopt(self, path: Path, expected: str | None = None, found: str | None = None) -> str:
        """Moves a file of the store's own folders in; returns its digest, or raises `Mismatch`.

        Whoever wrote the file and made its digest on the way says what was `found`.
        """
        found = found or sha256_of(path)
        if expected is not None and found != expected:
            raise Mismatch(expected, found)
        self._adopt(path, found)
        return found

    def link(self, sha256: str, destination: Path) -> bool:
        """Puts the file at `destination`, as a hard link or else a copy; false if it is not in the store.

        The destination appears at once and complete, in place of what stood there.
        """
        source = self.path(sha256)
        if source is None:
            return False
        destination.parent.mkdir(parents=True, exist_ok=True)
        beside = destination.with_name(f".{destination.name[:100]}.{self._unique()}")
        try:
            try:
                os.link(source, beside)
            except OSError as trouble:
                if trouble.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                shutil.copyfile(source, beside)
                beside.chmod(0o444)
            os.replace(beside, destination)
        finally:
            # a rename between two links of one file does nothing (POSIX rename), so the second name stays
            beside.unlink(missing_ok=True)
        return True

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A name for a new file or folder in the store's file system; what is there afterwards is removed."""
        folder = self.root / "temporary"
        path = folder / self._unique()
        folder.mkdir(parents=True, exist_ok=True)
        self._open.add(path)
        try:
            yield path
        finally:
            remove(path)
            self._open.discard(path)

    @contextmanager
    def partial(self, sha256: str) -> Iterator[BinaryIO]:
        """The unbuffered file for what arrives of a digest's file; one that an earlier run left is taken up.

        It is this thread's alone: another thread or process waits here, and finds it empty, or the work done.
        """
        folder = os.path.join(self.root, "partial")
        path = os.path.join(folder, sha256)
        self._presence.begin()
        while True:
            try:
                file = open(path, "ab+", buffering=0)  # noqa: SIM115 (it may turn out to be another's)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)
                continue
            with file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _same(file):
                    try:
                        yield file
                    finally:
                        if not os.fstat(file.fileno()).st_size:
                            os.unlink(path)
                    return

    def recall(self, area: str, key: str) -> bytes | None:
        """What was remembered under `key`; a hint that has to be checked, not a fact."""
        place = self._note(area, key)
        try:
            found = place.read_bytes()
        except FileNotFoundError:
            return None
        with suppress(FileNotFoundError, PermissionError):  # another user's cannot be marked
            os.utime(place, ns=(time.time_ns(), place.stat().st_mtime_ns))
        return found

    def remember(self, area: str, key: str, value: bytes) -> None:
        """Keeps a small value under `key` for later processes."""
        place = self._note(area, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.temporary() as temporary:
            temporary.write_bytes(value)
            os.replace(temporary, place)

    def _note(self, area: str, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.root / "index" / area / name[:2] / name[2:]

    def _adopt(self, temporary: Path, sha256: str) -> None:
        place = self.place(sha256)
        temporary.chmod(0o444)
        try:
            os.replace(temporary, place)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, place)
        status = place.stat()
        self._verified[sha256] = (status.st_ino, status.st_size, status.st_mtime_ns)

    def set_aside(self, sha256: str) -> None:
        """Takes a damaged file away from its place."""
        aside = self.root / "damaged" / f"{sha256}.{self._unique()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was faster
            os.replace(self.place(sha256), aside)
        with self._guard:
            self._damaged.append(sha256)

    def _unique(self) -> str:
        token = self._presence.begin()
        with self._guard:
            self._names += 1
            return f"{token}-{self._names}"


def _same(file: BinaryIO) -> bool:
    """Whether a file still has its name: whoever was waited for may have finished and moved it away."""
    try:
        return os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that it holds; not being there is no mistake."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
