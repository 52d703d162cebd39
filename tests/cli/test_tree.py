"""`reproc tree` as a process: what brought a package in, from the lock and the store alone."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from reproc.lock.contents import package_of, requirements_of
from reproc.lock.dependencies import Needs, Root
from reproc.lock.model import Deb, Wheel
from reproc.lock.store import Store

from ..lock.conftest import build_deb
from ..lock.test_pypi import wheel
from .conftest import Paper


@pytest.fixture
def locked(paper: Paper) -> Paper:
    paper.run("lock")
    paper.server.asked.clear()
    return paper


def test_the_whole_tree(locked: Paper) -> None:
    assert (
        locked.run("tree")
        == """\
packages, targets one, two
viewer 1.0-1  (system, repro.spec:3)
└── libdraw 2.0-1
    └── libink 1.0-1
python3.11-venv 3.11.2-6  (python, repro.spec:4)
python main, targets one, two
alpha 1.0  (python main, repro.spec:4)
└── beta 1.0
"""
    )
    assert locked.run("tree", "--depth", "2", "-t", "one").splitlines()[:3] == [
        "packages, target one",
        "viewer 1.0-1  (system, repro.spec:3)",
        "└── libdraw 2.0-1 …",
    ]
    assert locked.server.asked == []


def test_what_brought_it_in(locked: Paper) -> None:
    expected = """\
packages, targets one, two
libink 1.0-1
└── libdraw 2.0-1
    └── viewer 1.0-1  (system, repro.spec:3)
"""
    assert locked.run("tree", "libink") == expected
    assert locked.run("tree", ".", "libink") == expected
    assert locked.run("tree", "repro.spec", "Beta").splitlines()[1:] == [
        "beta 1.0",
        "└── alpha 1.0  (python main, repro.spec:4)",
    ]
    assert locked.run("tree", "viewer", "--needs").splitlines()[1:] == [
        "viewer 1.0-1",
        "└── libdraw 2.0-1",
        "    └── libink 1.0-1",
    ]
    (told,) = json.loads(locked.run("tree", "libink", "--json"))
    assert told["chain"] == ["viewer", "libdraw", "libink"]
    assert told["targets"] == ["one", "two"]
    assert told["packages"]["viewer"] == {"version": "1.0-1", "needs": ["libdraw"]}
    assert told["roots"] == [{"name": "viewer", "from": "system"}]


def test_a_near_miss_and_wrong_calls(locked: Paper) -> None:
    said = locked.run("tree", "libnik", code=2)
    assert "error[E0466]: no package in the lock is called `libnik`" in said
    assert "did you mean `libink`?" in said
    assert "not a number of levels" in locked.run("tree", "--depth", "0", code=2)
    assert "E0701" in locked.run("tree", "nowhere/repro.spec", code=2)
    assert "E0704" in locked.run("tree", "-t", "three", code=2)
    (locked.folder / "repro.lock").unlink()
    assert "E0702" in locked.run("tree", code=2)


def test_what_the_store_lacks_is_told(locked: Paper, tmp_path: Path) -> None:
    locked.environment["REPROC_STORE"] = str(tmp_path / "empty")
    said = locked.run("tree", code=3)
    assert "error[E0463]: the store does not hold `libdraw_2.0-1.deb` and 3 more" in said
    assert "run `reproc fetch`" in said
    assert "error[E0463]" in locked.run("tree", "libink", code=3)


CONTROL = "Package: x\nVersion: 1\nDepends: a,\n b (>= 2) | c,\n d\nDescription: x\n long\n"


@pytest.mark.parametrize("packing", ["xz", "gzip", "zstd", "none"])
def test_packages_say_what_they_need(tmp_path: Path, packing: str) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    path = build_deb(tmp_path, "x", "1", "Pre-Depends: p\nDepends: a,\n b (>= 2) | c,\n d\n")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", f"-Z{packing}", "--uniform-compression", "-b",
         str(tmp_path / "x-tree"), str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    store = Store(tmp_path / "store")
    sha256 = store.add_file(path)
    package = package_of(Deb("x", "1", "amd64", "debian", "pool/x.deb", 1, sha256), store)
    assert package is not None
    assert [" | ".join(map(str, group)) for group in package.depends] == ["p", "a", "b (>= 2) | c", "d"]


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"no archive", b"!<arch>\n" + b"control.tar" * 20])
def test_what_is_no_package(tmp_path: Path, content: bytes) -> None:
    from reproc.lock.problem import Problem

    store = Store(tmp_path)
    with pytest.raises(Problem) as caught:
        package_of(Deb("x", "1", "all", "debian", "x.deb", 1, store.add_stream([content])), store)
    assert caught.value.diagnostics[0].code.name == "file-trouble"


def test_wheels_say_what_they_need(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = store.add_stream([wheel("a", "1", "b[x]>=1; python_version < '4'")])
    found = requirements_of(Wheel("a", "1", "a-1-py3-none-any.whl", 1, sha256), store)
    assert found == ("b[x]>=1; python_version < '4'",)
    out = io.BytesIO()
    tarfile.open(fileobj=out, mode="w").close()
    assert requirements_of(Wheel("a", "1", "a-1.tar.gz", 1, store.add_stream([out.getvalue()])), store) == ()
    assert requirements_of(Wheel("a", "1", "a-1-py3-none-any.whl", 1, "0" * 64), store) is None


def test_extras_and_markers_decide(paper: Paper) -> None:
    paper.index(
        "alpha", "1.0", requires='beta>=1; extra == "fast"\nRequires-Dist: gamma; sys_platform == "win32"'
    )
    paper.index("gamma", "1.0")
    paper.write(**{"packages alpha": 'packages "alpha[fast]" gamma'})
    paper.run("lock")
    assert paper.run("tree").splitlines()[-4:] == [
        "python main, targets one, two",
        "alpha 1.0  (python main, repro.spec:4)",
        "└── beta 1.0",
        "gamma 1.0  (python main, repro.spec:4)",
    ]


def test_circles_end() -> None:
    versions = dict.fromkeys("abc", "1")
    needs = Needs("x", (Root("a", "system", None),), versions, {"a": ("b",), "b": ("c",), "c": ("a",)})
    assert needs.chain("c") == ("a", "b", "c")
    assert needs.chain("z") == ()
    assert needs.reachable() == frozenset("abc")
    assert needs.needed_by() == {"a": ("c",), "b": ("a",), "c": ("b",)}
