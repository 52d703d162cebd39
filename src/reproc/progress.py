"""How long work says what it is doing; the command line shows it, tests record it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Told what is going on."""

    def task(self, title: str) -> AbstractContextManager[None]:
        """A piece of work that begins now and ends with the context, well or with an exception."""
        ...

    def note(self, text: str) -> None:
        """One line about the task that is going on: an engine's output, a file that is fetched."""
        ...

    def status(self, text: str) -> None:
        """How far the task has come; shown only where it can be redrawn in place."""
        ...


class Silent:
    """Says nothing."""

    def task(self, title: str) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, text: str) -> None:
        pass

    def status(self, text: str) -> None:
        pass


def amount(size: float) -> str:
    """A number of bytes such as `12.3 MB` (powers of ten)."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"
