"""`reproc compile --watch`: once more whenever a file changes, until it is interrupted."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from reproc.files import write_atomically

SPEC = 'reproc 1\nbase debian bookworm\nsystem { packages htop }\npython 3.11 { requirements "requirements.txt" }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "repro.spec").write_text(SPEC)
    (tmp_path / "requirements.txt").write_text("numpy==1.26.4\n")
    return tmp_path


class Watcher:
    """The process, and the lines that it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        assert process.stderr is not None
        self.reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.put(line)

    def run(self) -> list[str]:
        """What it says up to the end of its next run."""
        said: list[str] = []
        while not said or "; watching" not in said[-1]:
            said.append(self.lines.get(timeout=30))
        return said

    def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.reader.join(30)
        return code, "".join(self.lines.queue)


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[Watcher]:
    process = subprocess.Popen(
        [sys.executable, "-m", "reproc", "compile", "--watch", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Watcher(process)
    finally:
        process.kill()
        process.wait()


def test_a_change_of_the_spec(folder: Path) -> None:
    recipe = folder / "containers" / "default" / "Dockerfile"
    with watching(folder) as watcher:
        assert " done in " in watcher.run()[-1]
        assert "htop" in recipe.read_text()
        (folder / "repro.spec").write_text(SPEC.replace("htop", "curl"))
        assert " done in " in watcher.run()[-1]
        assert "curl" in recipe.read_text()
        code, said = watcher.interrupt()
    assert code == 130
    assert said == "reproc: interrupted\n"


def test_an_editor_that_renames_a_new_file_into_place(folder: Path) -> None:
    with watching(folder) as watcher:
        watcher.run()
        write_atomically(folder / "repro.spec", SPEC.replace("htop", "less").encode())
        watcher.run()
        assert "less" in (folder / "containers" / "default" / "Dockerfile").read_text()


def test_mistakes_are_shown_and_waited_out(folder: Path) -> None:
    with watching(folder) as watcher:
        watcher.run()
        (folder / "repro.spec").write_text("reproc 1\nsystem {\n")
        said = watcher.run()
        assert any("error[E01" in line for line in said)
        assert "not done" in said[-1]
        (folder / "repro.spec").unlink()
        assert any("E0701" in line for line in watcher.run())
        (folder / "repro.spec").write_text(SPEC)
        assert " done in " in watcher.run()[-1]
        assert "Traceback" not in watcher.interrupt()[1]


@pytest.mark.parametrize("name", ["requirements.txt", "repro.lock"])
def test_files_beside_the_spec(folder: Path, name: str) -> None:
    with watching(folder) as watcher:
        watcher.run()
        (folder / name).write_text("scipy==1.11.4\n")
        said = watcher.run()
        assert ("not done" in said[-1]) == (name == "repro.lock")


def test_included_files_there_or_not(folder: Path) -> None:
    (folder / "repro.spec").write_text(SPEC + 'include "parts/common.spec"\n')
    with watching(folder) as watcher:
        assert "not done" in watcher.run()[-1]
        (folder / "parts").mkdir()
        (folder / "parts" / "common.spec").write_text('include "more.spec"\n')
        assert "not done" in watcher.run()[-1]
        (folder / "parts" / "more.spec").write_text("env { DEPTH 2 }\n")
        assert " done in " in watcher.run()[-1]
        assert "DEPTH" in (folder / "containers" / "default" / "Dockerfile").read_text()
