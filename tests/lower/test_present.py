"""Which compilers a build has beside the ones that it uses, told from the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproc.check import Target, check
from reproc.folder import Folder
from reproc.lock.model import AptLayer, BootstrapBase, Deb, ImageBase, LockedBase, LockedTarget
from reproc.lower.present import compilers_beside
from reproc.source import SourceFile
from reproc.syntax import parse

BOOTSTRAP = BootstrapBase("debian", "bookworm", (), "mmdebstrap 1.3.5", "b" * 64, 1)
IMAGE = ImageBase("x", "sha256:" + "c" * 64, "d" * 64, 1, ())
SPEC = """
reproc 1
base {base}
system {{ packages build-essential }}
toolchain gcc 9 {{ languages c c++ fortran }}
toolchain gcc 12
build old {{ using gcc 9; in /opt/src; run "make"; keep /opt/old }}
build new {{ using gcc 12; in /opt/src; run "make"; keep /opt/new }}
build here {{ using gcc 12; in /opt/src; run "make" }}
"""


def target(base: str, tmp_path: Path) -> Target:
    parsed = parse(SourceFile("repro.spec", SPEC.format(base=base).lstrip())).value
    assert parsed is not None
    outcome = check(parsed, Folder(tmp_path))
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value.targets[0]


def layer(name: str, after: str | None, *packages: str) -> AptLayer:
    debs = (Deb(each, "1.0-1", "amd64", "debian", f"pool/{each}.deb", 1, "a" * 64) for each in packages)
    return AptLayer(name, after, (), tuple(debs))


@pytest.mark.parametrize(
    ("base", "locked", "old", "new"),
    [
        ("debian bookworm { from bootstrap }", BOOTSTRAP, ("g++-12 1.0-1", "gcc-12 1.0-1"), ()),
        ("debian bookworm", IMAGE, ("g++-12 1.0-1", "gcc-12 1.0-1"), ()),
        ('image "x" { is debian bookworm }', IMAGE, None, None),
    ],
)
def test_what_stands_beside(
    base: str,
    locked: LockedBase,
    old: tuple[str, ...] | None,
    new: tuple[str, ...] | None,
    tmp_path: Path,
) -> None:
    apt = (
        layer("system", None, "gcc", "gcc-12", "g++-12", "gcc-12-base", "libgcc-12-dev"),
        layer("tools-gcc-9", "system", "gcc-9", "g++-9", "gfortran-9", "cpp-9", "gcc-9-base"),
        layer("tools-gcc-12", "system"),
    )
    found = compilers_beside(
        target(base, tmp_path), LockedTarget("default", "linux/amd64", locked, apt, (), ())
    )
    assert found == {"old": old, "new": new}
