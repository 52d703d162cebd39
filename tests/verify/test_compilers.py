"""The audit of what made kept files, of libraries that say in `.comment` what a test writes there."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from reproc import pipeline
from reproc.audit.facts import read
from reproc.audit.producers import maker
from reproc.check import Target
from reproc.verify.audits import compilers
from reproc.verify.audits.image import Image
from reproc.verify.engines.base import Engine
from reproc.verify.report import Finding

NINE = "GCC: (Debian 9.3.0-22) 9.3.0"
TEN = "GCC: (Debian 10.2.1-6) 10.2.1 20210110"
TWELVE = "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
RED_HAT = "GCC: (GNU) 8.3.1 20190605 (Red Hat 8.3.1-5)"
CLANG = "Debian clang version 14.0.6"
THERE = ("gcc-12 12.2.0-14+deb12u1",)
SPEC = """
reproc 1
base debian bookworm
toolchain gcc 9
toolchain gcc 10
toolchain gfortran 9
toolchain clang 14
build it {{ {using}; in /opt/src; run "make"; keep /opt/it }}
build other {{ using gcc 10; in /opt/src; run "make"; keep /opt/other }}
"""


class Folder:
    """As much of an engine as is asked here: an image whose files are in the place of the copies already."""

    def copy_out(self, image: str, paths: Sequence[str], folder: Path) -> None:
        pass


def target(tmp_path: Path, using: str) -> Target:
    spec = tmp_path / "repro.spec"
    spec.write_text(SPEC.format(using=using).lstrip())
    outcome = pipeline.checked(spec, "repro.spec")
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value[1].targets[0]


def compiled(path: Path, signs: Sequence[str], *options: str) -> None:
    """An object file, or with `-shared` a library, that holds these signs alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f'__asm__(".ident \\"{sign}\\"");\n' for sign in signs) + "int part(void) { return 1; }\n"
    command = ["gcc", "-x", "c", "-fno-ident", "-fPIC", "-nostdlib", *options, "-o", path, "-"]
    subprocess.run(command, input=text.encode(), check=True)


def found(
    tmp_path: Path, using: str, signs: Sequence[str], beside: tuple[str, ...] | None = THERE
) -> list[Finding]:
    compiled(tmp_path / "image/opt/it/lib/libit.so", signs, "-shared")
    given = Image(cast(Engine, Folder()), "image", (), tmp_path / "image", compilers={"it": beside})
    return [*compilers.check(target(tmp_path, using), given)]


@pytest.mark.parametrize(
    ("using", "signs", "says"),
    [
        ("using gcc 9", [NINE], f"was made by `{NINE}`"),
        (
            "using gcc 9",
            [NINE, RED_HAT],
            f"was made by `{NINE}`, and holds what was made elsewhere by `{RED_HAT}`",
        ),
        ("using gcc 9; after other", [NINE, TEN], f"was made by `{TEN}`, `{NINE}`"),
        ("using gfortran 9", [NINE, TWELVE], f"was made by `{NINE}`"),
        ("using clang 14", [CLANG, TWELVE], f"was made by `{CLANG}`"),
    ],
)
def test_what_the_build_s_own_compiler_made(using: str, signs: list[str], says: str, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, using, signs)
    assert finding.holds, finding
    assert finding.message == f"`/opt/it/lib/libit.so` {says}"


@pytest.mark.parametrize(
    ("using", "signs", "says"),
    [
        ("using gcc 9", [TWELVE], f"by `{TWELVE}`, and `build it` uses gcc 9.3.0"),
        ("using gcc 9", [RED_HAT], f"by `{RED_HAT}`, and `build it` uses gcc 9.3.0"),
        ("using gcc 9", [NINE, TWELVE], f"but in part by `{TWELVE}`, and `build it` uses gcc 9.3.0"),
        ("using gcc 9", [NINE, "GNU C17 12.2.0"], "but in part by `GNU C17 12.2.0`"),
        ("using gcc 9", [NINE, "GNU C17 10.2.1"], "but in part by `GNU C17 10.2.1`"),
        ("using gcc 9", [NINE, CLANG], f"but in part by `{CLANG}`"),
        ("using gfortran 9", [TWELVE], "and `build it` uses gfortran 9.3.0"),
        ("using gfortran 9", [NINE, "GNU Fortran2008 12.2.0"], "but in part by `GNU Fortran2008 12.2.0`"),
        ("using clang 14", [TWELVE], "and `build it` uses clang 14.0.6"),
        (
            "using gcc 9",
            [],
            "`gcc-12 12.2.0-14+deb12u1` was there as well: do not remove its section `.comment`",
        ),
    ],
)
def test_what_another_one_made(using: str, signs: list[str], says: str, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, using, signs)
    assert not finding.holds
    assert says in finding.message


@pytest.mark.parametrize(("beside", "holds"), [((), True), (None, False)])
def test_what_says_nothing_counts_where_nothing_else_could_have_made_it(
    beside: tuple[str, ...] | None, holds: bool, tmp_path: Path
) -> None:
    (finding,) = found(tmp_path, "using gcc 9", [], beside)
    assert finding.holds == holds
    assert finding.message.startswith("`/opt/it/lib/libit.so` does not say what made it")


def test_a_static_library_says_what_made_each_of_its_objects(tmp_path: Path) -> None:
    for name, sign in (("nine", NINE), ("twelve", TWELVE)):
        compiled(tmp_path / f"{name}.o", [sign], "-c")
    library = tmp_path / "image/opt/it/lib/libit.a"
    library.parent.mkdir(parents=True)
    subprocess.run(["ar", "rcD", library, tmp_path / "nine.o", tmp_path / "twelve.o"], check=True)
    messages = {each.path: each for each in found(tmp_path, "using gcc 9", [NINE])}
    assert messages["/opt/it/lib/libit.so"].holds
    assert not messages["/opt/it/lib/libit.a"].holds
    assert f"but in part by `{TWELVE}`" in messages["/opt/it/lib/libit.a"].message


def test_conda_forge_s_compilers_name_themselves() -> None:
    """As their packages are configured: github.com/conda-forge/ctng-compilers-feedstock, `--with-pkgversion`."""
    by = maker("GCC: (conda-forge gcc 9.5.0-19) 9.5.0")
    assert by is not None and (by.family, by.version, by.distribution) == ("gcc", "9.5.0", None)


@pytest.mark.parametrize("packed", ["-gz=none", "-gz=zlib"])
def test_debugging_information_says_it_too(packed: str, tmp_path: Path) -> None:
    """And each of its units by itself, so that removing `.comment` hides nothing."""
    path = tmp_path / "libit.so"
    compiled(path, [], "-shared", "-g", packed)
    facts = read(path)
    version = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    assert facts is not None
    (said,) = facts.producers
    by = maker(said)
    assert by is not None and (by.family, by.version) == ("gcc", version.strip())


def test_a_damaged_static_library_says_what_can_be_read(tmp_path: Path) -> None:
    compiled(tmp_path / "nine.o", [NINE], "-c")
    library = tmp_path / "libit.a"
    subprocess.run(["ar", "rcD", library, tmp_path / "nine.o"], check=True)
    whole = library.read_bytes()
    for length in range(8, len(whole), 7):
        library.write_bytes(whole[:length])
        facts = read(library)
        assert facts is not None and {*facts.producers} <= {NINE}
