"""Environments of Pythons that come as archives."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.graph import BuildGraph, Run
from reproc.lower import Shape

Lower = Callable[..., BuildGraph]
SPEC = """
reproc 1
base debian bookworm
python 3.8 { packages numpy }
python 3.12.3 { name newer; packages numpy }
python 3.8.20 { name again; packages numpy }
python 3.11 { name own; packages numpy }
"""


def runs(graph: BuildGraph) -> dict[str, Run]:
    return {step.title: step for step in graph.stages[-1].steps if isinstance(step, Run)}


@pytest.mark.parametrize("shape", [Shape.VENDORED, Shape.STANDALONE])
def test_several_side_by_side(shape: Shape, lowered: Lower) -> None:
    found = runs(lowered(SPEC.lstrip(), shape=shape))
    assert list(found) == [
        "Python",
        "Python 3.12.3",
        "library of Python 3.12.3",
        "Python 3.8.20",
        "library of Python 3.8.20",
        *(f"Python environment /opt/venv{name}" for name in ("", "-newer", "-again", "-own")),
    ]
    if shape is Shape.VENDORED:
        assert found["Python 3.8.20"].mounts == ("trees/interpreter-3.8.20.tar",)
        assert "--no-same-owner -xpf" in found["Python 3.8.20"].lines[-1]
    else:
        assert any("/opt/python/3.8.20" in line for line in found["Python 3.8.20"].lines)
    old, new = (found[f"Python environment /opt/venv{name}"].lines for name in ("-again", "-newer"))
    assert old[:2] == (
        "export PYTHONHASHSEED=0",
        "/opt/python/3.8.20/bin/python3.8 -m venv --without-pip /opt/venv-again",
    )
    assert new[0] == "/opt/python/3.12.3/bin/python3.12 -m venv /opt/venv-newer"
    assert found["Python environment /opt/venv-own"].lines[0] == "python3.11 -m venv /opt/venv-own"


def test_no_package_of_the_base_is_asked_for(lowered: Lower) -> None:
    graph = lowered("reproc 1\nbase debian bookworm\npython 3.8 { packages numpy }\n")
    assert "Python" not in runs(graph)
    chosen = lowered("reproc 1\nbase debian bookworm\npython 3.11 { provider archive; packages numpy }\n")
    assert "Python" not in runs(chosen) and "Python 3.11.16" in runs(chosen)


def test_without_a_lock_its_digest_is_the_catalogue_s(lowered: Lower) -> None:
    spec = "reproc 1\nbase debian bookworm\npython 3.8 { packages numpy }\n"
    lines = runs(lowered(spec, shape=Shape.STANDALONE, lock=False))["Python 3.8.20"].lines
    (fetched,) = [line for line in lines if line.startswith("fetch ")]
    assert fetched.startswith(
        "fetch SHA256:a3a75094545912d4e9413673441b3f0d2e58ce9b264477f910800148801ccf11 "
    )


OLD = """
reproc 1
base debian {0}
python 2.7 {{ packages numpy==1.16.6 }}
python {1} {{ name own; packages numpy }}
"""


@pytest.mark.parametrize(("base", "own"), [("bullseye", "3.9"), ("bookworm", "3.11")])
def test_python_2_beside_the_base_s_own(base: str, own: str, lowered: Lower) -> None:
    found = runs(lowered(OLD.format(base, own).lstrip()))
    assert list(found) == ["Python", "Python environment /opt/venv", "Python environment /opt/venv-own"]
    assert found["Python"].mounts == ("debs/python",)
    made = found["Python environment /opt/venv"]
    assert made.mounts == ("build-wheels/main/virtualenv", "wheels/main")
    assert made.lines == (
        "export PYTHONDONTWRITEBYTECODE=1",
        "python2.7 -m zipfile -e /mnt/build-wheels/main/virtualenv/v.whl /mnt/virtualenv",
        "python2.7 /mnt/virtualenv/virtualenv.py --quiet --no-download /opt/venv",
        "rm -rf /mnt/virtualenv",
        "/opt/venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --no-compile --no-deps "
        "--no-index --find-links /mnt/wheels/main --require-hashes -r /opt/venv/requirements.txt",
        "find /opt/venv -name '*.pyc' -delete",
    )


DATA = """\
# system configuration generated and used by the sysconfig module
build_time_vars = {'AR': '/tools/llvm/bin/llvm-ar',
 'BINDIR': '/install/bin',
 'BLDSHARED': '/usr/bin/aarch64-linux-gnu-gcc -shared',
 'CC': 'clang -pthread',
 'CONFIG_ARGS': "'--prefix=/install' 'CC=clang'",
 'CXX': 'clang++ -pthread',
 'LIBDEST': '/install/lib/python3.8',
 'LINKCC': '/usr/bin/riscv64-linux-gnu-gcc',
 'LDCXXSHARED': '/usr/bin/aarch64-linux-gnu-g++ -shared',
 'MULTIARCH': 'x86_64-linux-gnu',
 'OTHER': '/installed/clang-13 /opt/install -Iclang/x',
 'prefix': '/install'}
"""
"""In the form of `sysconfig`'s data, with what uv's own tests have in it (crates/uv-python/src/sysconfig/mod.rs)."""


def test_it_is_told_its_place_and_the_base_s_compilers(tmp_path: Path, lowered: Lower) -> None:
    graph = lowered("reproc 1\nbase debian bookworm\npython 3.8 { packages numpy }\n")
    lines = runs(graph)["library of Python 3.8.20"].lines
    end = lines.index("    {} +")
    (tmp_path / "lib/pkgconfig").mkdir(parents=True)
    data = tmp_path / "lib/_sysconfigdata__linux_x86_64-linux-gnu.py"
    data.write_text(DATA)
    (tmp_path / "lib/pkgconfig/python3.pc").write_text("prefix=/install\nlibdir=${prefix}/lib\n")
    script = "\n".join(lines[: end + 1]).replace("find /opt/python/3.8.20/", f"find {tmp_path}/")
    subprocess.run(["/bin/sh", "-euc", script], check=True)
    found: dict[str, dict[str, str]] = {}
    exec(data.read_text(), found)
    assert found["build_time_vars"] == {
        "AR": "ar",
        "BINDIR": "/opt/python/3.8.20/bin",
        "BLDSHARED": "cc -shared",
        "CC": "cc -pthread",
        "CONFIG_ARGS": "'--prefix=/opt/python/3.8.20' 'CC=cc'",
        "CXX": "c++ -pthread",
        "LIBDEST": "/opt/python/3.8.20/lib/python3.8",
        "LINKCC": "cc",
        "LDCXXSHARED": "c++ -shared",
        "MULTIARCH": "x86_64-linux-gnu",
        "OTHER": "/installed/clang-13 /opt/install -Iclang/x",
        "prefix": "/opt/python/3.8.20",
    }
    assert (tmp_path / "lib/pkgconfig/python3.pc").read_text().startswith("prefix=/opt/python/3.8.20\n")
