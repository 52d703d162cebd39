"""The usual suspects, with files that real tools have made twice."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reproc.verify.suspects import suspect


def cause(path: str, first: bytes, second: bytes) -> str | None:
    found = suspect(path, first, second)
    return found.cause if found else None


def test_python_bytecode_with_the_time_of_its_source(tmp_path: Path) -> None:
    made = []
    for time in (1_700_000_000, 1_700_000_060):
        (tmp_path / "m.py").write_text("x = 1\n")
        os.utime(tmp_path / "m.py", (time, time))
        environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
        subprocess.run(
            [sys.executable, "-m", "py_compile", "m.py"], cwd=tmp_path, check=True, env=environment
        )
        made.append(next((tmp_path / "__pycache__").iterdir()).read_bytes())
    assert cause("opt/m.pyc", *made) == "the time of the module's source"
    assert (
        cause("opt/m.pyc", made[0], made[1][:-1] + b"x")
        == "compiled Python, in which sets have no fixed order"
    )


def compiled(folder: Path, name: str, *options: str, text: str = "int x = 1;\n") -> Path:
    (folder / f"{name}.c").write_text(text)
    subprocess.run(["gcc", *options, "-c", f"{name}.c", "-o", f"{name}.o"], cwd=folder, check=True)
    return folder / f"{name}.o"


def test_static_libraries(tmp_path: Path) -> None:
    compiled(tmp_path, "a"), compiled(tmp_path, "b", text="int y = 2;\n")
    made = {}
    for name, time, members in (
        ("one", 1_700_000_000, "ab"),
        ("two", 1_600_000_000, "ab"),
        ("three", 1_600_000_000, "ba"),
    ):
        for member in members:
            os.utime(tmp_path / f"{member}.o", (time, time))
        subprocess.run(["ar", "rcU", name, *(f"{each}.o" for each in members)], cwd=tmp_path, check=True)
        made[name] = (tmp_path / name).read_bytes()
    assert cause("usr/lib/libx.a", made["one"], made["two"]) == "times and owners of an archive's members"
    said = cause("usr/lib/libx.a", made["two"], made["three"])
    assert said == "an archive's members in the order of the file system"


def test_compressed_files() -> None:
    first, second = (gzip.compress(b"x" * 100, mtime=time) for time in (1, 2))
    assert cause("usr/share/man/x.1.gz", first, second) == "the time of what was compressed"
    archives = []
    for day, names in ((1, "ab"), (2, "ab"), (2, "ba")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name, (2024, 1, day, 0, 0, 0)), name)
        archives.append(buffer.getvalue())
    assert cause("x.jar", archives[0], archives[1]) == "the times of an archive's members"
    assert cause("x.jar", archives[1], archives[2]) == "an archive's members in the order of the file system"


def test_programs_with_times_temporary_names_and_paths(tmp_path: Path) -> None:
    def program(text: str, *options: str, folder: str = "one") -> bytes:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        return compiled(place, "p", *options, text=text).read_bytes()

    dated = 'const char *when = "built {} ";\n'
    first, second = (program(dated.format(each)) for each in ("Nov 24 2026 10:00:00", "Nov 25 2026 11:30:00"))
    assert cause("opt/p", first, second) == "a time"
    noted = 'const char *file = "{}";\n'
    first, second = (program(noted.format(each)) for each in ("/tmp/ccA1b2C3.o", "/tmp/ccZ9y8X7.o"))
    assert cause("opt/p", first, second) == "the name of a temporary file"
    names = (f"tmpxft_{number:08x}_00000000-6_twice.compute_90.cudafe1.cpp" for number in (26354, 26406))
    first, second = (program(noted.format(each)) for each in names)
    assert cause("opt/p", first, second) == "the name of a temporary file of nvcc"
    first, second = (program("int x;\n", "-g", folder=each) for each in ("one", "two"))
    assert cause("opt/p", first, second) == "the path of a build"


def test_a_build_id_alone(tmp_path: Path) -> None:
    (tmp_path / "m.c").write_text("int main(void) { return 0; }\n")
    made = []
    for identity in ("11" * 20, "22" * 20):
        subprocess.run(["gcc", "m.c", f"-Wl,--build-id=0x{identity}", "-o", "m"], cwd=tmp_path, check=True)
        made.append((tmp_path / "m").read_bytes())
    assert (cause("opt/m", *made) or "").startswith("a build id")


@pytest.mark.parametrize(
    ("path", "first", "second", "expected"),
    [
        ("var/log/apt/term.log", b"a", b"b", "a log"),
        ("opt/x/build.log", b"a", b"b", "a log"),
        ("etc/machine-id", b"a", b"b", "a number that was drawn for this machine"),
        ("opt/src/.git/index", b"a", b"b", "git's own files"),
        ("opt/list.txt", b"b\na\n", b"a\nb\n", "the same lines in another order"),
        ("opt/version.h", b"built 2026-11-24\n", b"built 2026-11-25\n", "a time"),
        ("opt/config.h", b"make -j4\n", b"make -j16\n", "the number of processors"),
        ("opt/x.la", b"libdir=/home/a/lib\n", b"libdir=/build/b/lib\n", "the path of a build"),
        ("opt/x", b"one\n", b"two\n", None),
        ("opt/empty", b"", b"x", None),
    ],
)
def test_places_and_texts(path: str, first: bytes, second: bytes, expected: str | None) -> None:
    assert cause(path, first, second) == expected


def test_damaged_files_are_no_trouble() -> None:
    for start in (b"!<arch>\n", b"\x1f\x8b", b"PK\3\4", b"\x7fELF"):
        assert suspect("x", start + b"\xff" * 70, start + b"\xfe" * 71) is None
