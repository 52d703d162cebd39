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


class Silent:
    """Says nothing."""

    def task(self, title: str) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, text: str) -> None:
        pass
