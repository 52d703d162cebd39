"""What packages of Debian's live archive hold, for stand-ins of programs that come from elsewhere."""

from __future__ import annotations

import io
import lzma
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reproc.lock.archives import Site
from reproc.lock.net import Client


def debian(path: str) -> bytes:
    """A file of the live archive."""
    roots = Site(environment={}).live("debian")
    return Client().get([f"{root}/{path}" for root in roots], path)


def members(suite: str, names: Sequence[str], folder: Path) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """The files and links of some packages of a suite, for amd64, and the files' contents."""
    index = lzma.decompress(debian(f"dists/{suite}/main/binary-amd64/Packages.xz")).decode()
    for path in sorted(_paths(index, names)):
        deb = folder / path.rpartition("/")[2]
        deb.write_bytes(debian(path))
        tree = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(tree)) as packed:
            for head in packed:
                head.name = head.name.removeprefix("./")
                file = packed.extractfile(head) if head.isreg() else None
                if not head.isdir():
                    yield head, file.read() if file else None


def _paths(index: str, names: Sequence[str]) -> Iterator[str]:
    """Where the archive has the packages."""
    for stanza in index.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Package") in names:
            yield fields["Filename"]
