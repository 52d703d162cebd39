"""Work in processes side by side: what comes back, and what is left when one dies or somebody stops it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reproc.progress import Progress
from reproc.verify.crew import Crew, Died


@dataclass
class Heard:
    """Progress that is remembered."""

    words: list[str] = field(default_factory=list)

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        self.words.append(f"begin {title}")
        try:
            yield
            self.words.append(f"end {title}")
        except BaseException:
            self.words.append(f"break {title}")
            raise

    def note(self, text: str) -> None:
        self.words.append(f"note {text}")

    def status(self, text: str) -> None:
        self.words.append(f"status {text}")


class Hand:
    """Does what the word says; a file tells when it has cleared up."""

    def __init__(self, folder: Path, number: int, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        (folder / f"{os.getpid()}.begun").touch()

    def do(self, task: tuple[str, int]) -> tuple[int, int]:
        word, seen = task
        with self.progress.task(word):
            self.progress.note("at it")
            self.progress.status("1 of 1")
            match word:
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "err":
                    raise LookupError("mine")
                case "sleep":
                    (self.folder / f"{os.getpid()}.asleep").touch()
                    time.sleep(300)
        return os.getpid(), seen

    def close(self) -> None:
        (self.folder / f"{os.getpid()}.closed").touch()


def work(
    folder: Path, words: Sequence[str], size: int, own: Sequence[Sequence[int]] | None = None
) -> tuple[list[Any], list[str]]:
    """What workers that share a queue, or have queues of their own, gave back, and what was heard of them."""
    heard = Heard()

    def task(number: int, found: Sequence[Any]) -> tuple[str, int]:
        return words[number], sum(not isinstance(each, Died) for each in found)

    queues = [deque(range(len(words)))] * size if own is None else [*map(deque, own)]
    return Crew(partial(Hand, folder), heard).do(queues, len(words), task), heard.words


def left(folder: Path) -> list[str]:
    """The workers that began and did not clear up."""
    return [path.name for path in folder.glob("*.begun") if not path.with_suffix(".closed").exists()]


def test_every_piece_is_done_once_and_told_of(tmp_path: Path) -> None:
    found, words = work(tmp_path, ["a", "b", "c", "d", "e"], 2)
    workers = {worker for worker, _ in found}
    assert len(workers) <= 2
    assert os.getpid() not in workers
    assert max(seen for _, seen in found) >= 3, "a later piece sees what the earlier ones gave"
    assert sorted(words) == sorted(
        each for word in "abcde" for each in (f"begin {word}", "note at it", "status 1 of 1", f"end {word}")
    )
    assert left(tmp_path) == []


def test_a_worker_keeps_to_its_queue(tmp_path: Path) -> None:
    found, _ = work(tmp_path, ["a", "b", "c", "d"], 2, own=([0, 2], [3, 1]))
    workers = [worker for worker, _ in found]
    assert workers[0] == workers[2] != workers[1] == workers[3]


def test_a_worker_that_is_killed_loses_its_own_piece_only(tmp_path: Path) -> None:
    found, words = work(tmp_path, ["die", "b", "c"], 2)
    assert isinstance(found[0], Died)
    assert not any(isinstance(each, Died) for each in found[1:])
    assert "break die" in words
    assert len(left(tmp_path)) == 1


@pytest.mark.parametrize("own", [None, ([0, 1], [2])])
def test_others_go_on_for_those_that_are_dead(tmp_path: Path, own: Sequence[Sequence[int]] | None) -> None:
    found, _ = work(tmp_path, ["die", "b", "die"], 1, own)
    assert [isinstance(each, Died) for each in found] == [True, False, True]


def test_a_bug_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        work(tmp_path, ["err", "b"], 2)
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_every_worker(tmp_path: Path, number: signal.Signals) -> None:
    from reproc.verify.interrupt import interruptible

    def interrupt() -> None:
        while len([*tmp_path.glob("*.asleep")]) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    began = time.monotonic()
    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt), interruptible():
        thread.start()
        work(tmp_path, ["sleep", "sleep", "never"], 2)
    thread.join()
    assert time.monotonic() - began < 60
    assert len([*tmp_path.glob("*.begun")]) == 2
    assert left(tmp_path) == []
