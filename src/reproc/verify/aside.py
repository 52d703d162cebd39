"""Work beside the main line: what is found out of an image while an engine builds the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """Threads for such work; without any it is done when it is waited for."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._ended = threading.Event()

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """What waits for the result of the work, and raises what that raises."""
        return cache(work) if self._pool is None else self._pool.submit(work).result

    def wanted(self) -> bool:
        """Whether anybody still waits; long work asks now and then."""
        return not self._ended.is_set()

    def dismiss(self) -> None:
        """Nobody waits any more: what has not begun never will."""
        self._ended.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Waits until all work has ended."""
        if self._pool is not None:
            self._pool.shutdown()
