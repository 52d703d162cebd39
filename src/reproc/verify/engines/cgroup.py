"""This process's processors for the steps of a daemon's build: a control group of ours, where it may make one.

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
    """A control group with the processors of the process that made it."""

    name: str
    """As `--cgroup-parent` takes it."""
    used: bool = False
    """Whether a build has been in it; known when it is gone."""


@contextmanager
def own_processors(run_id: str) -> Iterator[Group | None]:
    """A group for as long as it is needed; None where it cannot be had."""
    cpuset = _ROOT / "cpuset" if (_ROOT / "cpuset").is_dir() else _ROOT
    folder = cpuset / f"{_PREFIX}{run_id}"
    try:
        for each in cpuset.glob(f"{_PREFIX}run-*"):
            if is_dead(each.name.removeprefix(_PREFIX)):
                _remove(each.name)
        folder.mkdir()
        processors = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        for name, allowed in (("cpus", processors), ("mems", _memory(cpuset))):
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


def _memory(cpuset: Path) -> str:
    """The memory nodes that there are, by either version of control groups."""
    names = ("cpuset.mems.effective", "cpuset.effective_mems", "cpuset.mems")
    path = next((path for name in names if (path := cpuset / name).exists()), cpuset / names[-1])
    return path.read_text(encoding="ascii").strip()


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
