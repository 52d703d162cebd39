"""A store whose disk is full: said as what it is, nothing kept that is not whole, and taken up when there is room."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Outcome
from reproc.lock.net import Client
from reproc.lock.problem import attempt
from reproc.lock.store import Store


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_the_download_taken_up(disk: Path, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    sha256 = hashlib.sha256(content).hexdigest()
    (tmp_path / "large").write_bytes(content)
    url = (tmp_path / "large").as_uri()

    def get() -> Outcome[Path]:
        with Store(disk / "store") as store:
            return attempt(lambda: Outcome(Client().download([url], sha256, store, "`large`")))

    found = get()
    assert [each.code for each in found.diagnostics] == [codes.NO_SPACE]
    assert not any(each.is_file() for each in (disk / "store/sha256").rglob("*"))
    subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
    again = get()
    assert again.diagnostics == () and again.value is not None
    assert again.value.read_bytes() == content
