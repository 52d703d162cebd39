"""Interrupts that leave nothing behind: SIGTERM becomes what ^C is, and neither disturbs the clearing up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM, which unwinds as an interrupt from the keyboard does."""


def _terminated(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it, SIGTERM raises Terminated; does nothing outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within it, SIGINT and SIGTERM are ignored: for clearing up, which takes seconds at most."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
