"""One processor for the steps of a daemon's build: a control group of ours, where this process may make one.

Only root can, beside a daemon on the same machine that manages groups by itself (its driver `cgroupfs`). Whether the
build has really been in the group is seen from the groups that the daemon makes below it (cgroups(7), cpuset(7)).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reproc.verify.workspace import is_dead

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "reproc-"
_PATIENCE = 5
"""Seconds until the kernel has let go of the groups of processes that have ended."""


@dataclass
class Group:
    """A control group with one processor."""

    name: str
    """As `--cgroup-parent` takes it."""
    used: bool = False
    """Whether a build has been in it; known when it is gone."""


@contextmanager
def one_processor(run_id: str) -> Iterator[Group | None]:
    """A group for as long as it is needed; None where it cannot be had."""
    cpuset = _ROOT / "cpuset" if (_ROOT / "cpuset").is_dir() else _ROOT
    folder = cpuset / f"{_PREFIX}{run_id}"
    try:
        for each in cpuset.glob(f"{_PREFIX}run-*"):
            if is_dead(each.name.removeprefix(_PREFIX)):
                _remove(each.name)
        folder.mkdir()
        for name in ("cpus", "mems"):
            allowed = _first(cpuset, f"cpuset.{name}.effective", f"cpuset.effective_{name}", f"cpuset.{name}")
            (folder / f"cpuset.{name}").write_text(allowed, encoding="ascii")
    except OSError:
        _remove(folder.name)
        yield None
        return
    group = Group(f"/{folder.name}")
    try:
        yield group
    finally:
        group.used = any(each.is_dir() for each in folder.iterdir())
        _remove(folder.name)


def _first(cpuset: Path, *names: str) -> str:
    """The first number of a list such as `0-3,7`, from the first of these files that is there."""
    path = next((path for name in names if (path := cpuset / name).exists()), cpuset / names[-1])
    return path.read_text(encoding="ascii").strip().replace("-", ",").split(",")[0]


def _remove(name: str) -> None:
    """Removes a group in every hierarchy, where the daemon has made it too, with those below it."""
    places = [_ROOT / name, *(each / name for each in _ROOT.iterdir())]
    deadline = time.monotonic() + _PATIENCE
    while left := [each for each in places if each.is_dir()]:
        for place in left:
            for folder, _, _ in os.walk(place, topdown=False):
                with suppress(OSError):  # its processes have not quite ended
                    os.rmdir(folder)
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
