"""Reading and normalising SIFs that are made by hand, and hostile ones."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproc.verify import sif


def write(path: Path, objects: list[tuple[int, bytes]], *, id: bytes = b"i" * 16, time: int = 5) -> Path:
    """A SIF as the format's description has it, independent of our own structures."""
    rows, data, place = b"", b"", 128 + 585 * 4
    for number, (kind, content) in enumerate(objects):
        numbers = struct.pack(
            "<qqqqqqq", place + len(data), len(content), len(content), time, time, 1000, 1000
        )
        rows += (
            struct.pack("<i?III", kind, True, number + 1, 1, 0)
            + numbers
            + b"name".ljust(128, b"\0")
            + bytes(384)
        )
        data += content
    rows = rows.ljust(585 * 4, b"\0")
    numbers = struct.pack("<8q", time, time, 4 - len(objects), 4, 128, len(rows), place, len(data))
    header = b"#!/usr/bin/env run\n".ljust(32, b"\0") + b"SIF_MAGIC\0" + b"01\0" + b"02\0" + id + numbers
    assert len(header) == 128
    path.write_bytes(header + rows + data)
    return path


OBJECTS = [(0x4001, b"Bootstrap: scratch\n"), (sif.SQUASHFS_PARTITION, b"hsqs" * 100)]


def test_two_builds_of_one_tree_become_one_file(tmp_path: Path) -> None:
    one = write(tmp_path / "a.sif", OBJECTS, id=b"1" * 16, time=1)
    two = write(tmp_path / "b.sif", OBJECTS, id=b"2" * 16, time=2)
    assert one.read_bytes() != two.read_bytes()
    for path in (one, two):
        sif.normalise(path, 1_700_000_000)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes()[128 + 585 * 4 :] == OBJECTS[0][1] + OBJECTS[1][1]
    assert struct.unpack("<2q", one.read_bytes()[64:80]) == (1_700_000_000, 1_700_000_000)
    sif.check(one)


def test_another_tree_gets_another_id(tmp_path: Path) -> None:
    one = write(tmp_path / "a.sif", OBJECTS)
    two = write(tmp_path / "b.sif", [OBJECTS[0], (sif.SQUASHFS_PARTITION, b"hsqt" * 100)])
    for path in (one, two):
        sif.normalise(path, 0)
    assert one.read_bytes()[48:64] != two.read_bytes()[48:64]


def test_a_signed_one_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sif", [*OBJECTS, (sif.SIGNATURE, b"signature")])
    before = path.read_bytes()
    with pytest.raises(sif.BadSif, match="is signed already"):
        sif.normalise(path, 0)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (0, "is shorter than a header"),
        (127, "is shorter than a header"),
        (300, "ends within its table"),
        (128 + 585 * 4 + 10, "is cut off: object 1 ends at byte"),
        (-1, "is cut off: object 2 ends at byte"),
    ],
)
def test_a_truncated_one_is_refused(tmp_path: Path, cut: int, reason: str) -> None:
    path = write(tmp_path / "a.sif", OBJECTS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(sif.BadSif, match=reason):
        sif.check(path)


def test_one_without_a_tree_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sif", OBJECTS[:1])
    with pytest.raises(sif.BadSif, match="holds no root file system"):
        sif.check(path)


@given(st.data())
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = write(tmp_path_factory.mktemp("sif") / "a.sif", OBJECTS)
    content = bytearray(path.read_bytes())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, 128 + 585), st.integers(0, 255)), max_size=20)
    ):
        content[place] = value
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        sif.normalise(path, 0)
    except sif.BadSif as refused:
        assert str(refused)
