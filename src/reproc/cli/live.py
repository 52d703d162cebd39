"""Progress: live on a terminal, a line a task elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reproc.diagnostics.ansi import visible, without_sequences

if TYPE_CHECKING:
    from rich.progress import TaskID


class Plain:
    """A line when a task begins and one when it ends; the notes too if `verbose`."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.lock = threading.Lock()

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        start = time.monotonic()
        self._line(f"{title} …")
        try:
            yield
        except BaseException:
            self._line(f"{title}: stopped after {time.monotonic() - start:.1f} s")
            raise
        self._line(f"{title}: {time.monotonic() - start:.1f} s")

    def note(self, text: str) -> None:
        if self.verbose:
            self._line(f"  {visible(without_sequences(text))}")

    def status(self, text: str) -> None:
        pass

    def _line(self, text: str) -> None:
        with self.lock:
            print(text, file=sys.stderr, flush=True)


class Live:
    """The running tasks with their latest notes, redrawn in place; a line for each finished one stays above."""

    def __init__(self, *, color: bool) -> None:
        from rich.console import Console as Rich
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        self.running: dict[TaskID, int] = {}
        """The tasks that have begun, and the threads that began them."""
        self.lock = threading.Lock()
        self.rich = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}", markup=False, table_column=Column(no_wrap=True)),
            TextColumn(
                "{task.fields[note]}",
                style="dim",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=Rich(stderr=True, no_color=not color, highlight=False, markup=False, emoji=False),
            expand=True,
            transient=True,
        )

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        start = time.monotonic()
        with self.lock:
            if not self.running:
                self.rich.start()
            task = self.rich.add_task(title, total=None, note="", status="")
            self.running[task] = threading.get_ident()
        mark = "✗"
        try:
            yield
            mark = "✓"
        finally:
            with self.lock:
                del self.running[task]
                self.rich.remove_task(task)
                self.rich.console.print(f"{mark} {title}  {time.monotonic() - start:.1f} s")
                if not self.running:
                    self.rich.stop()

    def note(self, text: str) -> None:
        with self.lock:
            if self.running:
                self.rich.update(self._current(), note=visible(without_sequences(text)))

    def status(self, text: str) -> None:
        with self.lock:
            if self.running:
                self.rich.update(self._current(), status=text)

    def _current(self) -> TaskID:
        """The task that this thread began last; where it has begun none, the last of all."""
        here = threading.get_ident()
        mine = [task for task, thread in self.running.items() if thread == here]
        return (mine or list(self.running))[-1]
