"""Runs one command in namespaces of its own: a program by itself, which `sandbox.py` starts.

It reads a request as JSON from its only argument. Three processes stand between the caller and the command:
the launcher, which writes the id maps; the namespace's keeper; and the first process of the new process
namespace. Each dies with the one before it, and the last takes everything in the namespace with it: whatever
happens to the caller, `kill -9` included, nothing that the command started lives on and no mount is left.

It needs no privilege where Linux allows unprivileged user namespaces; a root that lacks some capability
(in a container, in a virtual machine) gets the full set inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
from typing import Any, NoReturn

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/sockios.h, linux/if.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

CANNOT = 125
"""The exit status when the namespaces cannot be made; the reason is the last line of the error output."""
MARK = "reproc: cannot isolate: "

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    def text(value: str | None) -> bytes | None:
        return None if value is None else os.fsencode(value)

    _checked(
        f"mount {target}",
        _libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data)),
    )


def _die_with_parent(parent: int) -> None:
    _checked("prctl", _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() not in (parent, 0):  # 0: the parent is outside of this process namespace
        os._exit(CANNOT)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _map_ids(pid: int, request: dict[str, Any]) -> None:
    """Fills the id maps of `pid`: rows of inside, outside, count."""
    for kind in ("uid", "gid"):
        rows: list[list[int]] = request[f"{kind}_map"]
        words = [str(number) for row in rows for number in row]
        if request["helper"]:
            subprocess.run([f"new{kind}map", str(pid), *words], check=True, capture_output=True)
            continue
        if kind == "gid" and os.geteuid() != 0:
            _write(f"/proc/{pid}/setgroups", "deny")
        _write(f"/proc/{pid}/{kind}_map", "".join(f"{a} {b} {c}\n" for a, b, c in rows))


def _loopback_up() -> None:
    """Brings `lo` up, as `--network none` of the engines does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", answer)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _make_place(target: str, source: int) -> None:
    """Makes what can be mounted on: a folder, or an empty file for a file."""
    if source < 0 or stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, mode=0o755, exist_ok=True)
    else:
        with open(target, "ab"):
            pass


def _unsync(target: str, beside: str) -> None:
    """Puts an overlay on a folder that passes no wish to sync on to the disk (overlayfs.rst, "Volatile mount").

    A kernel before 5.11 or a file system that cannot lie below an overlay leaves the folder as it is.
    """
    for name in ("lower", "upper", "work"):
        os.makedirs(f"{beside}/{name}", exist_ok=True)
    shutil.copymode(target, f"{beside}/upper")
    places = f"lowerdir={beside}/lower,upperdir={beside}/upper,workdir={beside}/work"
    with contextlib.suppress(OSError):
        _mount("overlay", target, "overlay", 0, f"{places},volatile")


def _arrange(request: dict[str, Any]) -> None:
    """Makes the mounts, in order; a source is looked up before any mount can cover it."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    sources = [
        os.open(row["source"], os.O_PATH | os.O_CLOEXEC) if "source" in row else -1
        for row in request["mounts"]
    ]
    for row, source in zip(request["mounts"], sources, strict=True):
        target = row["target"]
        if row["make"]:
            _make_place(target, source)
        if "beside" in row:
            _unsync(target, row["beside"])
        elif source < 0:
            _mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, row["options"])
        else:
            _mount(f"/proc/self/fd/{source}", target, None, MS_BIND | MS_REC)
            os.close(source)
            if row["read_only"]:
                _mount("none", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY)
    for row in request["folders"]:
        os.makedirs(row["path"], exist_ok=True)
        os.chmod(row["path"], row["mode"])
        os.chown(row["path"], row["uid"], row["gid"])
    if request["root"] != "/":
        _mount("none", request["root"], None, MS_REMOUNT | MS_BIND | MS_RDONLY)


def _emulate(request: dict[str, Any]) -> None:
    """Hands programs of one kind to an interpreter, in these namespaces alone (Linux 6.7: binfmt_misc is theirs).

    The kernel keeps the interpreter open, so it need not be in the root that the command will see.
    """
    if request["interpreter"] is not None:
        place = request["interpreter"]["place"]
        _mount("binfmt_misc", place, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _write(f"{place}/register", request["interpreter"]["rule"])


def _change_root(root: str) -> None:
    """Makes a folder the root; what is mounted in it stays."""
    if root != "/":
        os.chroot(root)
        os.chdir("/")


def _execute(request: dict[str, Any]) -> NoReturn:
    os.umask(request["umask"])
    _change_root(request["root"])
    uid, gid = request["uid"], request["gid"]
    if not request["single"]:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    os.chdir(request["workdir"])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(request["argv"][0], request["argv"])


def _report(failure: BaseException) -> None:
    os.write(2, f"{MARK}{failure}\n".encode("utf-8", "replace"))


def _first_process(request: dict[str, Any]) -> int:
    """The namespace's first process: starts the command, reaps what is orphaned, ends with the command."""
    _mount("proc", os.path.join(request["root"], "proc"), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    child = os.fork()
    if child == 0:
        try:
            _execute(request)
        except BaseException as failure:
            _report(failure)
            os._exit(CANNOT)
    while True:
        pid, status = os.wait()
        if pid == child:
            return _code(status)


def _keeper(request: dict[str, Any], parent: int, ready: int, mapped: int) -> int:
    """Enters the new namespaces, arranges them and waits for their first process."""
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | (0 if request["network"] else CLONE_NEWNET)
    flags |= CLONE_NEWUTS if request["hostname"] else 0
    _checked("unshare", _libc.unshare(flags))
    os.write(ready, b"x")
    os.close(ready)
    if os.read(mapped, 1) != b"x":
        os._exit(CANNOT)
    if not request["single"]:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    _die_with_parent(parent)  # again: a change of ids withdraws the wish
    if not request["network"]:
        _loopback_up()
    if request["hostname"]:
        socket.sethostname(request["hostname"])
    _arrange(request)
    _emulate(request)
    here = os.getpid()
    first = os.fork()
    if first == 0:
        try:
            _die_with_parent(here)
            os._exit(_first_process(request))
        except BaseException as failure:
            _report(failure)
            os._exit(CANNOT)
    return _code(_ended(first, signal.SIGKILL))


def _ended(child: int, number: signal.Signals) -> int:
    """The wait status of a child, to whom a wish to end (SIGINT, SIGTERM) is passed on as this signal.

    Killing a namespace's first process kills all of them, and the kernel lets it be waited for only when they
    are gone (pid_namespaces(7)): so when the launcher has ended, nothing is left.
    """
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda *_: os.kill(child, number))
    return os.waitpid(child, 0)[1]


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(request: dict[str, Any]) -> int:
    """The command's exit status; 128 + N where signal N ended it."""
    _die_with_parent(request["parent"])
    ready_r, ready_w = os.pipe()
    mapped_r, mapped_w = os.pipe()
    here = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        try:
            os.close(mapped_w)
            os.close(ready_r)
            _die_with_parent(here)
            os._exit(_keeper(request, here, ready_w, mapped_r))
        except BaseException as failure:
            _report(failure)
            os._exit(CANNOT)
    os.close(ready_w)
    os.close(mapped_r)
    if os.read(ready_r, 1) == b"x":
        try:
            _map_ids(keeper, request)
            os.write(mapped_w, b"x")
        except (OSError, subprocess.CalledProcessError) as failure:
            _report(failure)
        os.close(mapped_w)
    return _code(_ended(keeper, signal.SIGTERM))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
