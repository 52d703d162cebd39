"""What an installation of Apptainer or SingularityCE is, and what it can do on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from reproc.verify.engines.base import Detail
from reproc.verify.sandbox import Sandbox

ADVICE = (
    "Ubuntu: `add-apt-repository ppa:apptainer/ppa && apt-get install apptainer`; "
    "Debian and others: the package of github.com/apptainer/apptainer/releases"
)
_ALLOW = (
    "allow unprivileged user namespaces: `sysctl user.max_user_namespaces=15000`, "
    "on Ubuntu also `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
)
_SECONDS = 20
PHASES = {
    "Starting build": "getting the base",
    "Running setup scriptlet": "unpacking the base",
    "Creating SIF file": "packing the image",
}
"""What a build does besides the recipe's steps and takes time for, by how it says so."""
PHASE = re.compile(
    r"INFO: +(" + "|".join((*PHASES, "Running post scriptlet", "Adding", "Build complete")) + ")"
)
"""A line with which a build says that it goes on to something; what it went on with before has ended."""


def program() -> str | None:
    """The full path of `apptainer`, or else of `singularity`."""
    return shutil.which("apptainer") or shutil.which("singularity")


def version(path: str) -> str | None:
    """The name and version of the program, such as `apptainer 1.4.5`; None if it does not run."""
    match = re.fullmatch(r"(\S+) version (\S+)\s*", _spython_version() or _said([path, "--version"]))
    return f"{match[1]} {match[2]}" if match else None


def _spython_version() -> str:
    """What `singularity --version` says; nothing where only `apptainer` is installed."""
    try:
        from spython.utils import get_singularity_version

        answer = get_singularity_version()
    except (SystemExit, OSError):
        # spython ends the program where it finds no singularity; for us that is an answer
        return ""
    return answer if isinstance(answer, str) else ""


def _said(arguments: list[str]) -> str:
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def compression() -> tuple[str, ...]:
    """Arguments of a build: zstd where mksquashfs has it, which is five times as fast as gzip."""
    has_zstd = re.search(r"^\s+zstd\b", _said(["mksquashfs", "-help"]), re.MULTILINE)
    return ("--mksquashfs-args", "-comp zstd -Xcompression-level 3") if has_zstd else ()


def details(sandbox: Sandbox) -> tuple[Detail, ...]:
    """What decides how well images are built and tested here."""
    rows = []
    if sandbox.root and sandbox.user:
        text = "builds and tests run in user, mount, process and network namespaces"
        rows.append(Detail("namespaces", True, text))
    reason = sandbox.reason or ""
    advice = reason if "`" in reason else _ALLOW
    if not sandbox.root:
        text = f"builds may reach the network and see the host's /tmp: {reason}"
        rows.append(Detail("namespaces for builds", False, text, advice))
    if not sandbox.user:
        text = f"tests run as the calling user: {reason}"
        rows.append(Detail("namespaces for tests", False, text, advice))
    return (*rows, _fuse())


def _fuse() -> Detail:
    try:
        usable = os.stat("/dev/fuse").st_mode & 0o006 == 0o006
    except OSError:
        usable = False
    if not usable:
        text = "/dev/fuse cannot be used: an image is unpacked for every test"
        return Detail("fuse", False, text, "`chmod 666 /dev/fuse`")
    if not _mounter():
        text = "squashfuse is not installed: an image is unpacked for every test"
        return Detail("fuse", False, text, "`apt-get install squashfuse`")
    return Detail("fuse", True, "images are mounted")


def _mounter() -> bool:
    """Whether there is a program that mounts images: the system's, or the one that Apptainer's own packages bring."""
    own = (
        Path(program() or "/usr/bin/apptainer").resolve().parent.parent
        / "libexec/apptainer/bin/squashfuse_ll"
    )
    return bool(shutil.which("squashfuse_ll") or shutil.which("squashfuse") or own.exists())
