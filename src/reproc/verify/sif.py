"""Reads the header of a SIF and sets what in it changes from build to build.

A SIF (Singularity Image Format, version 01) is a header of 128 bytes, a table of descriptors of 585 bytes
each, and the data objects that they point at: the def file, metadata, the squashfs. All numbers are
little-endian. Two builds of the same tree differ only in the header's id (random) and in the times of header
and descriptors.
The layout is that of the sif library (github.com/apptainer/sif, pkg/sif).
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reproc.record import record

_MAGIC = b"SIF_MAGIC\0"
_HEADER = struct.Struct("<32s10s3s3s16s8q")
"""Launch line, magic, version, architecture, id; times of making and of change, free and all descriptors,
where the table begins, its size, where the data begins, their size."""
_DESCRIPTOR = struct.Struct("<i?III7q128s384s")
"""Kind, used, id, group, link; offset, size, size with padding, two times, user, group; name, extra."""
_TABLE_LIMIT = 4096
_CHUNK = 1 << 20

SQUASHFS_PARTITION = 0x4004
SIGNATURE = 0x4005


class BadSif(Exception):
    """A file is not a whole SIF; the text says what is wrong, in words that follow "it"."""


@record
class DataObject:
    """A used row of the table of descriptors."""

    index: int
    kind: int
    id: int
    offset: int
    size: int


@record
class Sif:
    """The table of a SIF."""

    table: int
    """Where the descriptors begin."""
    objects: tuple[DataObject, ...]

    @property
    def signed(self) -> bool:
        return any(each.kind == SIGNATURE for each in self.objects)

    @property
    def root_file_system(self) -> DataObject | None:
        """The first partition, which holds the image's tree."""
        return next((each for each in self.objects if each.kind == SQUASHFS_PARTITION), None)


def read(file: BinaryIO) -> Sif:
    """The table of an open file; raises BadSif if an object is not all there."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise BadSif("is shorter than a header")
    _, magic, version, _, _, _, _, _, total, table, _, _, _ = _HEADER.unpack(head)
    if magic != _MAGIC:
        raise BadSif("does not begin with the header of a SIF")
    if version[:2] != b"01":
        raise BadSif(f"has the unknown version {version[:2].decode('ascii', 'replace')}")
    if not 0 <= total <= _TABLE_LIMIT or not _HEADER.size <= table <= length:
        raise BadSif("has a broken header")
    file.seek(table)
    rows = file.read(total * _DESCRIPTOR.size)
    if len(rows) < total * _DESCRIPTOR.size:
        raise BadSif("ends within its table")
    objects = []
    for index, row in enumerate(_DESCRIPTOR.iter_unpack(rows)):
        kind, used, number, _, _, offset, size = row[:7]
        if not used:
            continue
        if offset < 0 or size < 0 or offset + size > length:
            raise BadSif(f"is cut off: object {number} ends at byte {offset + size}, the file at {length}")
        objects.append(DataObject(index, kind, number, offset, size))
    return Sif(table, tuple(objects))


def _chunks(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size:
        data = file.read(min(size, _CHUNK))
        if not data:
            raise BadSif("became shorter while it was read")
        size -= len(data)
        yield data


def normalise(path: Path, epoch: int) -> None:
    """Sets, in place, times to `epoch`, owners to 0, and the id to one made from the objects' digests.

    Raises BadSif, also for a SIF that is signed: signatures cover descriptors, so signing comes afterwards.
    """
    with path.open("r+b") as file:
        sif = read(file)
        if sif.signed:
            raise BadSif("is signed already")
        digest = hashlib.sha256()
        for each in sif.objects:
            content = hashlib.sha256()
            for data in _chunks(file, each.offset, each.size):
                content.update(data)
            digest.update(struct.pack("<i", each.kind) + content.digest())
        for each in sif.objects:
            place = sif.table + each.index * _DESCRIPTOR.size
            file.seek(place)
            row = list(_DESCRIPTOR.unpack(file.read(_DESCRIPTOR.size)))
            row[8:12] = [epoch, epoch, 0, 0]
            file.seek(place)
            file.write(_DESCRIPTOR.pack(*row))
        file.seek(0)
        head = list(_HEADER.unpack(file.read(_HEADER.size)))
        head[4] = uuid.UUID(bytes=digest.digest()[:16], version=5).bytes
        head[5:7] = [epoch, epoch]
        file.seek(0)
        file.write(_HEADER.pack(*head))


def check(path: Path) -> None:
    """Raises BadSif unless the file is a whole SIF with a root file system; OSError if it cannot be read."""
    with path.open("rb") as file:
        if read(file).root_file_system is None:
            raise BadSif("holds no root file system")


def file_digest(path: Path) -> str:
    """`sha256:…` of a whole file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
