"""Pieces of work side by side, in processes of their own: what one does to its process is no other's business.

A worker leaves the terminal's process group, so that ^C reaches the caller alone; he ends the workers with one
signal, which unwinds each of them as ^C does, and waits until they have cleared up. They end with him, too.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from reproc.progress import Progress
from reproc.verify.interrupt import Terminated, interruptible, undisturbed
from reproc.verify.process import die_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess


class Died(Exception):
    """A worker that ended without a word: it was killed, or the machine had no memory for it."""


class Worker(Protocol):
    """What is made in a process of its own."""

    def do(self, task: Any) -> Any:
        """The result of one piece of work, which can be sent between processes."""
        ...

    def close(self) -> None:
        """Clears up."""
        ...


@dataclass
class Relay:
    """Progress as a worker sees it: told to the caller's."""

    connection: Connection

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        self.connection.send(("task", title))
        well = False
        try:
            yield
            well = True
        finally:
            with suppress(OSError):  # nobody listens any more
                self.connection.send(("end", well))

    def note(self, text: str) -> None:
        self.connection.send(("note", text))

    def status(self, text: str) -> None:
        self.connection.send(("status", text))


def _serve(connection: Connection, begin: Callable[[Progress], Worker], wish: Callable[[], None]) -> None:
    """A worker's life."""
    os.setpgid(0, 0)
    # he who ends us, or is gone, waits for no more
    with suppress(Terminated, EOFError, BrokenPipeError), interruptible():
        wish()
        worker = begin(Relay(connection))
        try:
            while (task := connection.recv()) is not None:
                try:
                    said = ("done", worker.do(task))
                except Exception as failure:  # a bug of ours, which the caller reports as he does his own
                    said = ("bug", failure)
                connection.send(said)
        finally:
            with undisturbed():
                worker.close()


@dataclass
class Crew:
    """Workers that take pieces of work one after the other."""

    begin: Callable[[int, Progress], Worker]
    """Called in each worker's process with its number."""
    progress: Progress

    def do(
        self, queues: Sequence[deque[int]], count: int, task: Callable[[int, Sequence[Any]], Any]
    ) -> list[Any]:
        """What each of `count` pieces of work gave, `Died` where its worker did; raises what a worker raised.

        Each worker takes the numbers of its pieces from a queue, which may be another's, too; where all that did are
        dead, others go on. `task` is called with a number and the results so far when a worker is free to do it.
        """
        results: list[Any] = [Died()] * count
        while any(queues):
            self._work([each for each in queues if each], task, results)
        for each in results:
            if isinstance(each, Exception) and not isinstance(each, Died):
                raise each
        return results

    def _work(
        self,
        queues: Sequence[deque[int]],
        task: Callable[[int, Sequence[Any]], Any],
        results: list[Any],
    ) -> None:
        """Has a worker for each queue do what stands in it, until all are done or dead."""
        # every worker is made before a thread is, which could be in the middle of anything then
        members = [self._hire(number) for number in range(len(queues))]
        relays = [
            threading.Thread(target=self._lead, args=(member[1], queue, task, results), daemon=True)
            for member, queue in zip(members, queues, strict=True)
        ]
        well = False
        try:
            for each in relays:
                each.start()
            for each in relays:
                each.join()
            well = True
        finally:
            with undisturbed():
                for process, _ in members:
                    if not well:
                        process.terminate()
                for each in relays:
                    each.join()
                for process, _ in members:
                    process.join()

    def _hire(self, number: int) -> tuple[BaseProcess, Connection]:
        from multiprocessing import get_context

        context = get_context("fork")  # what the work is about need not be sent
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, partial(self.begin, number), die_with_parent())
        )
        process.start()
        theirs.close()
        return process, ours

    def _lead(
        self,
        connection: Connection,
        waiting: deque[int],
        task: Callable[[int, Sequence[Any]], Any],
        results: list[Any],
    ) -> None:
        """Gives one worker its tasks; a thread of the caller's."""
        with connection:
            while True:
                try:
                    number = waiting.popleft()
                except IndexError:
                    with suppress(OSError):
                        connection.send(None)
                    return
                open_: list[AbstractContextManager[None]] = []
                try:
                    connection.send(task(number, results))
                    results[number] = self._listen(connection, open_)
                except (EOFError, OSError):
                    return  # it ended without a word
                finally:
                    while open_:
                        _leave(open_.pop(), well=False)

    def _listen(self, connection: Connection, open_: list[AbstractContextManager[None]]) -> Any:
        """Passes progress on until there is a result."""
        while True:
            kind, what = connection.recv()
            match kind:
                case "task":
                    open_.append(self.progress.task(what))
                    open_[-1].__enter__()
                case "end":
                    _leave(open_.pop(), well=what)
                case "note":
                    self.progress.note(what)
                case "status":
                    self.progress.status(what)
                case _:
                    return what


def _leave(task: AbstractContextManager[None], *, well: bool) -> None:
    if well:
        task.__exit__(None, None, None)
        return
    with suppress(KeyboardInterrupt):
        task.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
