"""Child processes whose output is read as it comes, within limits, and that never outlive the call."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reproc.record import record
from reproc.verify.engines.base import Captured

_CHUNK = 1 << 16
_LINE_LIMIT = 1 << 16
_TAIL = 1 << 16
LOG_LIMIT = 64 << 20
"""Bytes of output that a log file takes; what comes after is read, told as progress and not kept."""


def die_with_parent() -> Callable[[], None]:
    """What a child does first, so that it ends with us even if we are killed (prctl(2), PR_SET_PDEATHSIG)."""
    libc, parent = ctypes.CDLL(None), os.getpid()

    def wish() -> None:
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # we were killed in between
            os._exit(1)

    return wish


def start(
    arguments: Sequence[str], environment: Mapping[str, str] | None, folder: Path | None, *, merged: bool
) -> subprocess.Popen[bytes]:
    """A child in a process group of its own, with empty input and its output on pipes; raises OSError."""
    return subprocess.Popen(
        arguments,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        start_new_session=True,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - it calls nothing that could wait for a lock
    )


GRACE = 10
"""Seconds that a child gets to clear up behind itself before it is killed."""


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ends a child and its process group, kindly first; returns when the child is gone."""
    if child.poll() is None:
        _signal(child, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # then the next line is what happens
            child.wait(GRACE)
    _signal(child, signal.SIGKILL)
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # until it is waited for, the child's id, which is also its group's, cannot be another process's
    if child.returncode is None:
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return


@dataclass
class Lines:
    """Cuts a stream of bytes into lines of text."""

    tell: Callable[[str], None]
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        for line in lines:
            self._say(line)
        if len(rest) > _LINE_LIMIT:
            self._say(rest)
            rest = b""
        self._rest = bytearray(rest)

    def end(self) -> None:
        if self._rest:
            self._say(bytes(self._rest))
            self._rest.clear()

    def _say(self, line: bytes) -> None:
        # a progress bar rewrites its line with carriage returns; the last state is what counts
        self.tell(line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode("utf-8", "replace"))


class Log:
    """A log file that takes no more than LOG_LIMIT bytes; raises OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("wb")
        self._left = LOG_LIMIT

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")[: self._left]
        self._file.write(data)
        self._left -= len(data)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def follow(
    arguments: Sequence[str],
    tell: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> int:
    """The exit status of a child whose output and error lines were told as they came; raises OSError."""
    child = start(arguments, environment, folder, merged=True)
    lines = Lines(tell)
    try:
        assert child.stdout is not None
        while data := os.read(child.stdout.fileno(), _CHUNK):
            lines.feed(data)
        lines.end()
        return child.wait()
    finally:
        stop(child)


class Keeper:
    """Keeps the first bytes of a stream, and the last ones of those that it does not keep, and counts all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._tail = bytearray()
        self.size = 0

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        room = max(0, self._limit - len(self._data))
        self._data += data[:room]
        self._tail = (self._tail + data[room:])[-_TAIL:]

    def captured(self, skip: int = 0) -> Captured:
        """What was kept, without the first `skip` bytes."""
        text, tail = (bytes(each).decode("utf-8", "replace") for each in (self._data[skip:], self._tail))
        return Captured(text, self.size - skip, self.size > len(self._data), tail)

    @property
    def data(self) -> bytes:
        return bytes(self._data)


@record
class Finished:
    """A child that came to an end, or was ended when its time ran out (`code` is None)."""

    code: int | None
    stdout: Keeper
    stderr: Keeper
    seconds: float


def capture(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float,
    limit: int,
) -> Finished:
    """Runs a child to its end and keeps what it wrote, up to `limit` bytes a stream; raises OSError."""
    began = time.monotonic()
    child = start(arguments, environment, folder, merged=False)
    assert child.stdout is not None and child.stderr is not None
    out, err = Keeper(limit), Keeper(limit)
    try:
        with selectors.DefaultSelector() as waiting:
            waiting.register(child.stdout, selectors.EVENT_READ, out)
            waiting.register(child.stderr, selectors.EVENT_READ, err)
            finished = _read_until(waiting, child, began + timeout)
        code = _wait(child, began + timeout) if finished else None
        return Finished(code, out, err, time.monotonic() - began)
    finally:
        stop(child)


def _read_until(waiting: selectors.BaseSelector, child: subprocess.Popen[bytes], deadline: float) -> bool:
    """Whether every stream came to its end, or the child did, before the deadline."""
    while waiting.get_map():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        ready = waiting.select(min(left, 0.5))
        for key, _ in ready:
            data = os.read(key.fd, _CHUNK)
            if data:
                key.data.feed(data)
            else:
                waiting.unregister(key.fileobj)
        if not ready and child.poll() is not None:
            return True  # something else still holds the pipes: a descendant that outlived its parent
    return True


def _wait(child: subprocess.Popen[bytes], deadline: float) -> int | None:
    try:
        return child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
