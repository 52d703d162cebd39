"""Namespaces of our own round an engine without a daemon: what they can be here, and how to enter them."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reproc.record import record
from reproc.verify import launcher
from reproc.verify.contract import GID, UID

_RANGE = 65536
"""How many ids an image may use: 0 to 65535, as everywhere (systemd's docs, UIDS-GIDS)."""


@record
class Ids:
    """How ids inside stand for ids outside: rows of inside, outside, count."""

    uid_map: tuple[tuple[int, int, int], ...]
    gid_map: tuple[tuple[int, int, int], ...]
    uid: int
    gid: int
    helper: bool = False
    """Whether newuidmap and newgidmap must write the maps."""
    single: bool = False
    """Whether the one id that is mapped is already the right one."""


@record
class Bind:
    """A file or folder seen at another place; with `make`, that place is made first."""

    source: Path
    target: str
    make: bool = False
    read_only: bool = False


@record
class Tmpfs:
    """An empty folder in memory."""

    target: str
    options: str
    make: bool = False


@record
class Unsynced:
    """A folder that is there already, in which nobody waits for the disk, where the kernel has that to offer.

    What is written there may be lost when the machine stops. It lies beside the folder, in one of its own.
    """

    target: str


@record
class Owned:
    """A folder that the command owns."""

    path: str
    mode: int


@record
class Interpreter:
    """A program to which the kernel hands programs of one kind."""

    place: str
    """An empty folder to mount the kernel's register on."""
    rule: str
    """In the register's form (the kernel's admin-guide/binfmt-misc.rst)."""


@record
class Sandbox:
    """What was found out about namespaces on this machine."""

    root: Ids | None
    """To be root inside over 65536 ids; None if that cannot be had."""
    user: Ids | None
    """To be the contract's user inside."""
    reason: str | None = None
    """Why one of the two is missing."""

    def argv(
        self,
        ids: Ids,
        arguments: Sequence[str],
        *,
        network: bool,
        workdir: str,
        mounts: Sequence[Bind | Tmpfs | Unsynced] = (),
        folders: Sequence[Owned] = (),
        root: str = "/",
        interpreter: Interpreter | None = None,
        hostname: str | None = None,
        umask: int = 0o022,
    ) -> list[str]:
        """The command line that runs `arguments` inside; its environment is the child's own.

        Another `root` is a mount point among `mounts`, which gets read-only; all targets are seen from outside.
        Without a `hostname` it is the machine's.
        """
        request: dict[str, Any] = {
            "parent": os.getpid(),
            "uid_map": ids.uid_map,
            "gid_map": ids.gid_map,
            "helper": ids.helper,
            "single": ids.single,
            "uid": ids.uid,
            "gid": ids.gid,
            "network": network,
            "root": root,
            "interpreter": interpreter and {"place": interpreter.place, "rule": interpreter.rule},
            "hostname": hostname,
            "umask": umask,
            "workdir": workdir,
            "mounts": [_mount(each) for each in mounts],
            "folders": [
                {"path": each.path, "mode": each.mode, "uid": ids.uid, "gid": ids.gid} for each in folders
            ],
            "argv": list(arguments),
        }
        return [sys.executable, "-I", "-S", launcher.__file__, json.dumps(request)]

    @classmethod
    def detect(cls) -> Sandbox:
        """Tries both kinds for real."""
        found: dict[str, Ids | None] = {}
        reasons: list[str] = []
        for kind, candidate in (("root", _root_ids()), ("user", _user_ids())):
            reason = candidate if isinstance(candidate, str) else _try(candidate)
            found[kind] = None if reason is not None or isinstance(candidate, str) else candidate
            if reason is not None:
                reasons.append(reason)
        return cls(found["root"], found["user"], reasons[0] if reasons else None)


def _mount(mount: Bind | Tmpfs | Unsynced) -> dict[str, Any]:
    match mount:
        case Bind():
            return {
                "source": os.fspath(mount.source),
                "target": mount.target,
                "make": mount.make,
                "read_only": mount.read_only,
            }
        case Tmpfs():
            return {"target": mount.target, "options": mount.options, "make": mount.make}
        case Unsynced():
            return {"target": mount.target, "beside": f"{mount.target}.disk", "make": False}


def _try(ids: Ids) -> str | None:
    """Why a command cannot be run under these ids; None if it can."""
    argv = Sandbox(ids, None).argv(ids, ["true"], network=False, workdir="/")
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as failure:
        return str(failure)
    if done.returncode == 0:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return lines[-1].removeprefix(launcher.MARK)


def _own_range(kind: str) -> int:
    """How many ids from 0 up this root may map."""
    try:
        rows = Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").splitlines()
    except OSError:
        return _RANGE
    first = [int(word) for word in rows[0].split()]
    return min(first[2], _RANGE) if first[0] == 0 else 0


def _root_ids() -> Ids | str:
    if os.geteuid() == 0:
        counts = [_own_range(kind) for kind in ("uid", "gid")]
        uid_map, gid_map = (((0, 0, count),) for count in counts)
        return Ids(uid_map, gid_map, 0, 0)
    if not shutil.which("newuidmap") or not shutil.which("newgidmap"):
        return "newuidmap is not installed (Debian and Ubuntu: `apt-get install uidmap`)"
    maps = []
    for file, own in (("/etc/subuid", os.geteuid()), ("/etc/subgid", os.getegid())):
        start = _subordinate(Path(file))
        if start is None:
            row = "--add-subuids 100000-165535 --add-subgids 100000-165535"
            return f"{file} gives this user no ids (as root: `usermod {row} USER`)"
        maps.append(((0, own, 1), (1, start, _RANGE - 1)))
    return Ids(maps[0], maps[1], 0, 0, helper=True)


def _subordinate(file: Path) -> int | None:
    """Where the caller's range of at least 65535 subordinate ids begins (subuid(5))."""
    names = {str(os.getuid())}
    try:
        names.add(getpass.getuser())
        rows = file.read_text(encoding="utf-8").splitlines()
    except (OSError, KeyError):
        return None
    for row in rows:
        name, _, numbers = row.partition(":")
        start, _, count = numbers.partition(":")
        if name in names and start.isdigit() and count.isdigit() and int(count) >= _RANGE - 1:
            return int(start)
    return None


def _user_ids() -> Ids | str:
    if os.geteuid() == 0:
        counts = [_own_range(kind) for kind in ("uid", "gid")]
        if min(counts) <= UID:
            return f"this root may not use the id {UID}"
        uid_map, gid_map = (((0, 0, count),) for count in counts)
        return Ids(uid_map, gid_map, UID, GID)
    return Ids(((UID, os.geteuid(), 1),), ((GID, os.getegid(), 1),), UID, GID, single=True)
