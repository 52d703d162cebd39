"""The state folder (`.reproc`) as verification uses it, and what a run that died has left in it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reproc.record import record

_RUN = re.compile(r"run-([0-9a-f]{8})-([0-9]+)-([0-9]+)-[0-9a-f]{8}")


def _boot() -> str:
    """Eight digits that tell this start of this machine from any other."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").replace("-", "")[:8]
    except OSError:
        return "0" * 8


def _started(pid: int) -> str | None:
    """When a process began, in clock ticks since the machine did; None if there is no such process."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc(5): the second field is the name in parentheses, which may hold anything; starttime is the 22nd
    return line[line.rindex(")") + 2 :].split()[19]


def new_run_id() -> str:
    """A name for a run of this process that others can tell to be dead or alive."""
    pid = os.getpid()
    return f"run-{_boot()}-{pid}-{_started(pid) or 0}-{secrets.token_hex(4)}"


def is_dead(run_id: str) -> bool:
    """Whether this names a run of this machine whose process is gone; False for any other text."""
    match = _RUN.fullmatch(run_id)
    if not match:
        return False
    boot, pid, started = match.groups()
    if boot != _boot():
        # another machine may share the folder or the engine; only its next start proves this one dead
        return False
    return _started(int(pid)) != started


def remove_tree(path: Path) -> bool:
    """Whether the folder is gone; read-only folders, which an unpacked image may hold, are made writable."""

    def retry(function: Callable[..., object], name: str, _: object) -> None:
        try:
            parent = os.path.dirname(name)
            os.chmod(parent, stat.S_IRWXU)
            if os.path.isdir(name) and not os.path.islink(name):
                os.chmod(name, stat.S_IRWXU)
                shutil.rmtree(name, ignore_errors=True)
            else:
                function(name)
        except OSError:
            return  # told by the result

    shutil.rmtree(path, onerror=retry)
    return not path.exists()


@record
class Workspace:
    """A state folder and the run that uses it now."""

    root: Path
    run_id: str

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """The state folder, made if need be, without what dead runs have left in it."""
        workspace = cls(root.absolute(), new_run_id())
        for folder in (workspace.temporary, workspace.logs, workspace.sif):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in workspace.stale():
            remove_tree(folder)  # what only an engine's namespaces may remove is left to the engine
        return workspace

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """Nothing of this run's own folder is left afterwards."""
        try:
            yield
        finally:
            remove_tree(self.temporary)

    @property
    def temporary(self) -> Path:
        """This run's own folder; gone when the run ends."""
        return self.root / "tmp" / self.run_id

    def new_folder(self, name: str) -> Path:
        """A place in this run's own folder that nobody else has; nothing is there yet."""
        return self.temporary / f"{name}-{secrets.token_hex(8)}"

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """An empty folder that nobody else has, while it lasts."""
        made = self.new_folder(name)
        made.mkdir(parents=True)
        try:
            yield made
        finally:
            remove_tree(made)

    @property
    def logs(self) -> Path:
        """What engines said, a file a target and engine."""
        return self.root / "logs"

    @property
    def sif(self) -> Path:
        """The SIFs, a file a target."""
        return self.root / "sif"

    @property
    def vendored(self) -> Path:
        """Recipes with all that they read, a folder a target."""
        return self.root / "vendored"

    @property
    def cuts(self) -> Path:
        """Trees that builds without layers start from."""
        return self.root / "cuts"

    @property
    def proven(self) -> Path:
        """What earlier runs have shown, a file a target and engine."""
        return self.root / "proven"

    @property
    def report(self) -> Path:
        return self.root / "report.json"

    def log(self, name: str) -> str:
        """The text of a log by the name that a report has for it; empty where it is gone."""
        try:
            return (self.root.parent / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def stale(self) -> tuple[Path, ...]:
        """Folders of runs that died."""
        return tuple(sorted(path for path in (self.root / "tmp").iterdir() if is_dead(path.name)))

    def others(self) -> tuple[Path, ...]:
        """Folders of other runs that are alive."""
        runs = (path for path in (self.root / "tmp").iterdir() if path != self.temporary)
        return tuple(sorted(path for path in runs if not is_dead(path.name)))
