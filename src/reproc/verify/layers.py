"""Reads the tree of an image out of tars, without unpacking anything to disk.

They are the one tar of a container's files that `docker export` writes, or an archive of the image: an OCI layout, or
what `docker save` and `docker build -o` write, whose layers are read once each, in their order (OCI image
specification, "Image Layer Filesystem Changeset").
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from reproc.verify.tree import BadTree, Entry, Kind, Tree

_BUFFER = 1 << 18
_LARGEST = 8 << 20
"""The most bytes of a manifest."""
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_ZSTD = b"\x28\xb5\x2f\xfd"
_DAMAGED = (tarfile.TarError, EOFError, KeyError, TypeError, IndexError, ValueError, zlib.error)
_KINDS = {
    tarfile.DIRTYPE: Kind.FOLDER,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.FIFOTYPE: Kind.PIPE,
    tarfile.CHRTYPE: Kind.DEVICE,
    tarfile.BLKTYPE: Kind.DEVICE,
}


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def tree_of_export(chunks: Iterable[bytes]) -> Tree:
    """The files of a container, out of the tar that comes in chunks; raises BadTree, or what those raise."""
    tree: dict[str, Entry] = {}
    stream: IO[bytes] = io.BufferedReader(_Stream(chunks), _BUFFER)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as archive:
            for path, member in _members(archive):
                tree[path] = (
                    _linked(_inside(member.linkname), tree, {}) if member.islnk() else _entry(archive, member)
                )
    except _DAMAGED as failure:
        raise BadTree(f"what it shows is damaged ({failure})") from failure
    return tree


def tree_of_archive(path: Path) -> Tree:
    """The files of the image in an archive that holds one; raises BadTree, or OSError if it cannot be read."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = {posixpath.normpath(member.name): member for member in archive}
            tree: dict[str, Entry] = {}
            for name in _layers(archive, members):
                with _content(archive, members[posixpath.normpath(name)]) as layer:
                    _apply(layer, tree)
            return tree
    except _DAMAGED as failure:
        raise BadTree(f"its archive is damaged ({failure})") from failure


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise BadTree(f"`{member.name}` in its archive is no file")
    return content


def _layers(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> list[str]:
    """The names of its layers, the lowest first."""

    def document(name: str) -> Any:
        with _content(archive, members[name]) as file:
            return json.loads(file.read(_LARGEST))

    if "manifest.json" in members:
        return [str(name) for name in document("manifest.json")[0]["Layers"]]
    found = document("index.json")
    while "manifests" in found:
        images = [each for each in found["manifests"] if _is_image(each)]
        if len(images) != 1:
            raise BadTree(f"its archive holds {len(images)} images")
        found = document(_blob(images[0]))
    return [_blob(each) for each in found["layers"]]


def _is_image(descriptor: dict[str, Any]) -> bool:
    """Whether it is an image and not what BuildKit attests about one."""
    return (descriptor.get("platform") or {}).get("os") != "unknown"


def _blob(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _apply(layer: IO[bytes], tree: dict[str, Entry]) -> None:
    """One layer on top of the others; its whiteouts hide only what is below it."""
    head = layer.read(4)
    layer.seek(0)
    if head == _ZSTD:
        raise BadTree("a layer is compressed with zstd, which this version does not read")
    mine: dict[str, Entry] = {}
    with tarfile.open(fileobj=layer, mode="r|*") as archive:
        for path, member in _members(archive):
            folder, name = posixpath.split(path)
            if name == _OPAQUE:
                _remove(tree, folder, itself=False)
            elif name.startswith(_WHITEOUT):
                _remove(tree, posixpath.join(folder, name.removeprefix(_WHITEOUT)), itself=True)
            elif member.islnk():
                mine[path] = _linked(_inside(member.linkname), mine, tree)
            else:
                mine[path] = _entry(archive, member)
    for path, entry in mine.items():
        if path in tree and tree[path].kind is Kind.FOLDER is not entry.kind:
            _remove(tree, path, itself=False)
        tree[path] = entry


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    return ((_inside(member.name), member) for member in archive)


def _inside(name: str) -> str:
    path = posixpath.normpath(name).lstrip("/")
    return "" if path == "." else path


def _linked(target: str, mine: dict[str, Entry], tree: dict[str, Entry]) -> Entry:
    found = mine.get(target) or tree.get(target)
    if found is None:
        raise BadTree(f"a hard link in it points at `{target}`, which is not there")
    return found


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    kind = _KINDS.get(member.type, Kind.FILE)
    content = ""
    match kind:
        case Kind.FILE:
            with _content(archive, member) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        case Kind.LINK:
            content = member.linkname
        case Kind.DEVICE:
            content = f"{'c' if member.ischr() else 'b'} {member.devmajor}:{member.devminor}"
        case _:
            pass
    mode = 0o777 if kind is Kind.LINK else member.mode & 0o7777
    return Entry(kind, mode, member.uid, member.gid, content)


def _remove(tree: dict[str, Entry], path: str, *, itself: bool) -> None:
    inside = f"{path}/" if path else ""
    for each in [p for p in tree if p.startswith(inside) or (itself and p == path)]:
        if itself or each != path:
            del tree[each]
