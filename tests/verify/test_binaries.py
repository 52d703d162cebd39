"""The audit of an image's binaries against its target, with an engine that has its files in a folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from reproc import pipeline
from reproc.audit import Cache
from reproc.check import Target
from reproc.lock.store import Store
from reproc.verify.audits import binaries
from reproc.verify.audits.image import Image
from reproc.verify.engines.base import Engine

ADD = "void add(int *a) { for (int i = 0; i < 64; i++) a[i] += 3; }\n"
TESTS = f"""\
float scale(float f) {{ return f * 3; }}
float half(float f) {{ return f / 2; }}
float add1(float f) {{ return f + 1; }}
__attribute__((target("avx2"))) {ADD}
int known(void) {{ unsigned a = 7, b, c = 0, d; __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)); return b; }}
"""
"""It tests the processor, and calls nothing behind that."""


@dataclass
class Shelf:
    """As much of an engine as is asked here: it hands out the files of a folder."""

    root: Path
    asked: list[list[str]] = field(default_factory=list)

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> None:
        self.asked.append([*paths])
        for path in paths:
            if (self.root / path.lstrip("/")).is_dir():
                shutil.copytree(self.root / path.lstrip("/"), folder / path.lstrip("/"))


def target(tmp_path: Path, hardware: str) -> Target:
    spec = tmp_path / "repro.spec"
    spec.write_text(f"reproc 1\nbase debian bookworm\n{hardware}\n")
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value[1].targets[0]


def image(tmp_path: Path, text: str = ADD, *options: str) -> Image:
    """With one library that needs AVX2."""
    library = tmp_path / "image/opt/fit/lib/libfit.so"
    library.parent.mkdir(parents=True)
    options = ("-O3", *(options or ("-mavx2",)), "-shared", "-fPIC", "-nostdlib")
    subprocess.run(["gcc", "-x", "c", *options, "-o", library, "-"], input=text.encode(), check=True)
    (tmp_path / "copies").mkdir()
    return Image(cast(Engine, Shelf(tmp_path / "image")), "image", (), tmp_path / "copies")


@pytest.mark.parametrize(
    ("hardware", "needs"),
    [
        ("cpu x86-64-v2", "avx, avx2"),
        ("cpu haswell\nwithout avx2", "avx2"),
    ],
)
def test_a_library_that_needs_more(hardware: str, needs: str, tmp_path: Path) -> None:
    (finding,) = binaries.check(target(tmp_path, hardware), image(tmp_path))
    assert not finding.holds
    assert finding.path == "/opt/fit/lib/libfit.so"
    assert finding.message.startswith(f"`/opt/fit/lib/libfit.so` needs {needs}, and the target allows ")


def test_a_library_that_fits(tmp_path: Path) -> None:
    (finding,) = binaries.check(target(tmp_path, "cpu x86-64-v3"), image(tmp_path))
    assert finding.holds
    assert finding.message == "of 1 programs and libraries none needs more than x86-64-v3"


def test_what_chooses_and_is_not_of_the_spec_s_own_making_is_only_doubted(tmp_path: Path) -> None:
    """Its test is not seen to guard the call, and for all that is known it does."""
    build = 'build fit { in /opt; run "make"; keep /opt/fit }'
    for number, (text, option, more, holds) in enumerate(
        (
            (TESTS, "-msse2", "", True),
            (TESTS, "-msse2", build, False),
            (TESTS, "-mavx2", "", False),
            (ADD, "-mavx2", "", False),
        )
    ):
        place = tmp_path / str(number)
        place.mkdir()
        found = list(binaries.check(target(place, f"cpu x86-64-v2\n{more}"), image(place, text, option)))
        assert found[0].holds == holds, found
        assert ("`reproc verify --emulate` tells" in found[0].message) == holds


def test_a_build_s_own_programs_are_looked_at_whatever_the_target_says(tmp_path: Path) -> None:
    build = 'build fit { in /opt/src; run "make"; keep /opt/fit }'
    wanted = target(tmp_path, build)
    assert binaries.idle(wanted) is None
    (finding,) = binaries.check(wanted, image(tmp_path))
    assert finding.message == "of 1 programs and libraries none needs more than linux/amd64"
    (tmp_path / "native").mkdir()
    native = image(tmp_path / "native", ADD, "-march=native", "-g")
    (finding,) = binaries.check(wanted, native)
    assert not finding.holds
    assert "`-march=native`" in finding.message


def test_an_interpreter_out_of_an_archive_is_not_of_the_spec_s_own_making(tmp_path: Path) -> None:
    build = 'cpu x86-64-v2\nbuild fit { in /opt; run "make" }\n'
    seen = image(tmp_path, TESTS, "-msse2")
    (tmp_path / "image/opt/python").mkdir()
    (tmp_path / "image/opt/fit").rename(tmp_path / "image/opt/python/3.8.20")
    (tmp_path / "own").mkdir()
    findings = [
        next(binaries.check(target(folder, build + python), seen))
        for folder, python in ((tmp_path, "python 3.8"), (tmp_path / "own", ""))
    ]
    assert [each.holds for each in findings] == [True, False]
    assert {each.path for each in findings} == {"/opt/python/3.8.20/lib/libfit.so"}


def test_an_image_is_looked_into_once(tmp_path: Path) -> None:
    found = image(tmp_path)
    shelf = cast(Shelf, found.engine)
    with Store(tmp_path / "store") as store:
        for number in range(2):
            (tmp_path / f"copies{number}").mkdir()
            again = Image(found.engine, "image", (), tmp_path / f"copies{number}", "sha256:1", Cache(store))
            for paths in (["/usr", "/opt"], ["/opt/fit"], ["/opt/fit/lib/libfit.so"], ["/opt/none"]):
                programs = [path for path, _ in again.programs(paths)]
                assert programs == ([] if "/opt/none" in paths else ["/opt/fit/lib/libfit.so"])
    assert shelf.asked == [["/opt", "/usr"]]


def test_nothing_is_promised(tmp_path: Path) -> None:
    assert (
        binaries.idle(target(tmp_path, "")) == "the target says nothing of the hardware, and builds nothing"
    )
    assert binaries.idle(target(tmp_path, "cpu x86-64-v3")) is None


def test_gpus_come_as_the_language_has_them(tmp_path: Path) -> None:
    promise = binaries.promise(target(tmp_path, "cuda 12.4 {\n arch sm_80..sm_89\n}"))
    assert promise.gpus == ("sm_80", "sm_86", "sm_87", "sm_89")
