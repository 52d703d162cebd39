"""The facts of many files: read side by side, and kept by digest, so that no file is looked at twice."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from reproc import catalog
from reproc.audit.elf import MAGIC
from reproc.audit.facts import SCHEME, Facts, document, read, restored
from reproc.audit.producers import ARCHIVE
from reproc.record import record, replace

_LISTS = f"programs-{SCHEME}"
_PAUSE = 0.2
"""Seconds after which it is asked again whether the facts are still wanted."""
_WORTH = 4 << 20
"""Bytes of files from which on more processes are worth their start."""


@record
class File:
    """A file of an image."""

    path: str
    """In the image."""
    copy: Path
    sha256: str | None = None
    """If it is known already."""


class Notes(Protocol):
    """A store's small values, which several processes may use at once."""

    def recall(self, area: str, key: str) -> bytes | None:
        """What was remembered."""
        ...

    def remember(self, area: str, key: str, value: bytes) -> None:
        """Keeps a value; raises OSError."""
        ...


class Cache:
    """Facts by the digest of the file, and by the digest of an image which ELF files it has."""

    def __init__(self, notes: Notes) -> None:
        tables = [catalog.table("multiversioned.toml"), catalog.table("processors.toml")["instructions"]]
        # what was found by other tables is found anew
        mark = hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:12]
        self._notes, self._area = notes, f"audit-{SCHEME}-{mark}"

    def get(self, sha256: str) -> Facts | None:
        """The facts of a file; None if they are not kept, or damaged."""
        try:
            return restored(json.loads(self._notes.recall(self._area, sha256) or "null"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, sha256: str, facts: Facts) -> None:
        """Keeps facts; notes that cannot be written keep nothing."""
        self._remember(self._area, sha256, document(facts))

    def listed(self, image: str, path: str) -> dict[str, str] | None:
        """The ELF files at or below a path of an image, each with its digest; None if that is not kept."""
        try:
            found = json.loads(self._notes.recall(_LISTS, f"{image} {path}") or "null")
            return {str(name): str(sha256) for name, sha256 in found.items()} if found is not None else None
        except (OSError, ValueError, AttributeError):
            return None

    def list(self, image: str, path: str, files: Mapping[str, str]) -> None:
        """Keeps which ELF files are at or below a path of an image."""
        self._remember(_LISTS, f"{image} {path}", files)

    def _remember(self, area: str, key: str, value: object) -> None:
        with suppress(OSError):
            self._notes.remember(area, key, json.dumps(value, separators=(",", ":")).encode())


def facts_of(
    files: Iterable[File],
    cache: Cache | None = None,
    workers: int | None = None,
    wanted: Callable[[], bool] | None = None,
) -> list[tuple[File, Facts]]:
    """The ELF files and static libraries among some files, with their digests, and what they say, in order.

    Raises `CancelledError` soon after `wanted` has become false.
    """
    found = [each for each in files if _may_say(each.copy)]
    workers = workers or os.cpu_count() or 1
    # sha256 lets other threads run
    with ThreadPoolExecutor(workers) as threads:
        digests = list(threads.map(_digest, found))
    known: dict[str, Facts] = {}
    for digest in {*digests} if cache is not None else ():
        if facts := cache.get(digest):  # type: ignore[union-attr]
            known[digest] = facts
    left = {digest: each.copy for digest, each in zip(digests, found, strict=True) if digest not in known}
    for digest, facts in zip(left, _read([*left.values()], workers, wanted), strict=True):
        known[digest] = facts
        if cache is not None:
            cache.put(digest, facts)
    return [
        (replace(each, sha256=digest), known[digest]) for digest, each in zip(digests, found, strict=True)
    ]


def _read(copies: Sequence[Path], workers: int, wanted: Callable[[], bool] | None) -> list[Facts]:
    sizes = [copy.stat().st_size for copy in copies]
    if workers == 1 or sum(sizes) < _WORTH:
        return [_certainly(copy) for copy in copies]
    # the largest first, so that no process is left alone with one at the end
    order = sorted(range(len(copies)), key=lambda index: -sizes[index])
    # a fork would copy the locks of the threads that wait for engines
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours, ProcessPoolExecutor(workers, context, _attend, (theirs,)) as pool:
        results = {index: pool.submit(_certainly, copies[index]) for index in order}
        left: Collection[Future[Facts]] = results.values()
        try:
            while left:
                left = wait(left, _PAUSE).not_done
                if wanted is not None and not wanted():
                    raise CancelledError
        except BaseException:
            ours.close()
            raise
    return [results[index].result() for index in range(len(copies))]


def _attend(caller: Connection) -> None:
    """Has this process leave in the midst of its work when its caller has closed the connection, and only then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def leave() -> None:
        caller.poll(None)
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _certainly(copy: Path) -> Facts:
    facts = read(copy)
    assert facts is not None, "only what may say something is asked"
    return facts


def _may_say(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(ARCHIVE)).startswith((MAGIC, ARCHIVE))
    except OSError:
        return False


def _digest(file: File) -> str:
    if file.sha256 is not None:
        return file.sha256
    with file.copy.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
