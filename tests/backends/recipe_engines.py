"""Builds a recipe in both engines and lists the files of the two images."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import subprocess
import tarfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from reproc.verify.sandbox import Sandbox

RUNTIME = ("/.singularity.d", "/scif", "/dev", "/proc", "/sys", "/.dockerenv", "/singularity", "/environment")
RUNTIME += ("/.exec", "/.run", "/.shell", "/.test", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname")
RUNTIME += ("/etc/mtab",)
SIF_DESCRIPTOR = struct.Struct("<i?IIIqq")
SIF_PARTITION = 0x4004
BASE_IMAGE = os.environ.get("REPROC_TEST_IMAGE", "localhost:5000/library/debian:bookworm-slim")


class Entry(NamedTuple):
    kind: str
    mode: int
    owner: tuple[int, int]
    content: str


Tree = dict[str, Entry]


def run(*argv: str | Path, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, argv)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout[-6000:]}"
    return done.stdout


def fails(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [*map(str, argv)], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


def export_image(image: str, tar: Path) -> None:
    """An image's root file system as a tar."""
    container = run("docker", "create", image, "x").strip().splitlines()[-1]
    try:
        run("docker", "export", "-o", tar, container)
    finally:
        run("docker", "rm", container)


def apptainer_build(context: Path, sif: str) -> list[str]:
    """The command that builds, as a root with all capabilities where that can be had."""
    arguments = ["apptainer", "build", "--force", "--bind", f"{context}/inputs:/mnt"]
    arguments += ["--mksquashfs-args", "-comp zstd -Xcompression-level 1", sif, "Singularity.def"]
    root = _sandbox().root
    return _sandbox().argv(root, arguments, network=True, workdir=str(context)) if root else arguments


@cache
def _sandbox() -> Sandbox:
    return Sandbox.detect()


def _ours(path: str) -> bool:
    return path != "/" and not any(path == own or path.startswith(f"{own}/") for own in RUNTIME)


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def docker_tree(tar: Path) -> tuple[Tree, set[frozenset[str]]]:
    """The files of an exported image, and which of them are one file."""
    tree: Tree = {}
    links: dict[str, set[str]] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            path = str(PurePosixPath("/", member.name))
            owner = (member.uid, member.gid)
            if member.islnk():
                first = str(PurePosixPath("/", member.linkname))
                tree[path] = tree[first]
                links.setdefault(first, {first}).add(path)
            elif member.issym():
                tree[path] = Entry("link", 0o777, owner, member.linkname)
            elif member.isdir():
                tree[path] = Entry("directory", member.mode, owner, "")
            elif member.isfile():
                held = archive.extractfile(member)
                assert held is not None
                tree[path] = Entry("file", member.mode, owner, _sum(held.read()))
    return {path: entry for path, entry in tree.items() if _ours(path)}, {
        frozenset(v) for v in links.values()
    }


def sif_tree(sif: Path, folder: Path) -> tuple[Tree, set[frozenset[str]]]:
    """The same of a SIF, unpacked into a folder."""
    with sif.open("rb") as file:
        header = file.read(128)
        count, offset = struct.unpack_from("<2q", header, 88)
        for number in range(count):
            file.seek(offset + 585 * number)
            kind, used, *_, start, _ = SIF_DESCRIPTOR.unpack_from(file.read(585), 0)
            if used and kind == SIF_PARTITION:
                run("unsquashfs", "-q", "-n", "-o", str(start), "-d", folder, sif)
    tree: Tree = {}
    inodes: dict[int, set[str]] = {}
    for top, directories, files in os.walk(folder):
        for name in directories + files:
            real = Path(top, name)
            status = real.lstat()
            path = f"/{real.relative_to(folder)}"
            owner = (status.st_uid, status.st_gid)
            if stat.S_ISLNK(status.st_mode):
                tree[path] = Entry("link", 0o777, owner, os.readlink(real))
            elif stat.S_ISDIR(status.st_mode):
                tree[path] = Entry("directory", stat.S_IMODE(status.st_mode), owner, "")
            elif stat.S_ISREG(status.st_mode):
                tree[path] = Entry("file", stat.S_IMODE(status.st_mode), owner, _sum(real.read_bytes()))
                if status.st_nlink > 1:
                    inodes.setdefault(status.st_ino, set()).add(path)
    return {path: entry for path, entry in tree.items() if _ours(path)}, set(map(frozenset, inodes.values()))
