"""What a compiler of a release that has left the archive becomes, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reproc.check import check
from reproc.folder import Folder
from reproc.graph import BuildGraph, Run, Script
from reproc.lock.requests import TargetRequest, requests
from reproc.lower.inputs import refusals
from reproc.source import SourceFile
from reproc.syntax import parse

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
OLD = BASE + ('toolchain gcc 4.9\ncode a { local src }\nbuild a { using gcc 4.9; run "make"; keep /opt/a }\n')
COMMANDS = """\
mkdir -p /opt/reproc/tools/gcc-4.9
ln -s /usr/bin/g++-4.9 /opt/reproc/tools/gcc-4.9/c++
ln -s /usr/bin/gcc-4.9 /opt/reproc/tools/gcc-4.9/cc
ln -s /usr/bin/cpp-4.9 /opt/reproc/tools/gcc-4.9/cpp
ln -s /usr/bin/g++-4.9 /opt/reproc/tools/gcc-4.9/g++
ln -s /usr/bin/gcc-4.9 /opt/reproc/tools/gcc-4.9/gcc
ln -s /usr/bin/gcc-ar-4.9 /opt/reproc/tools/gcc-4.9/gcc-ar
ln -s /usr/bin/gcc-nm-4.9 /opt/reproc/tools/gcc-4.9/gcc-nm
ln -s /usr/bin/gcc-ranlib-4.9 /opt/reproc/tools/gcc-4.9/gcc-ranlib
ln -s /usr/bin/gcov-4.9 /opt/reproc/tools/gcc-4.9/gcov
ln -s /usr/bin/g++-4.9 /opt/reproc/tools/gcc-4.9/x86_64-linux-gnu-g++
ln -s /usr/bin/gcc-4.9 /opt/reproc/tools/gcc-4.9/x86_64-linux-gnu-gcc
ln -s . /opt/reproc/tools/gcc-4.9/bin
found=$(/opt/reproc/tools/gcc-4.9/gcc --version)
case "$found." in *') 4.9.2'[!0-9]*) ;; *) echo 'reproc: gcc should be 4.9.2, and says that it is' \
"$found" >&2; exit 1 ;; esac"""


SECOND = ("gcc-ar", "gcc-nm", "gcc-ranlib")
"""Commands that GCC has since 4.7."""


def asked(text: str, folder: Path) -> Iterator[TargetRequest]:
    parsed = parse(SourceFile("repro.spec", text)).value
    assert parsed is not None
    checked = check(parsed, Folder(folder)).value
    assert checked is not None
    yield from requests(checked, Folder(folder)).value or ()


def test_gcc_4_9_on_bookworm(lowered: Lower) -> None:
    graph = lowered(OLD)
    (stage,) = [each for each in graph.stages if each.name == "tools-gcc-4-9"]
    (commands,) = [s for s in stage.steps if isinstance(s, Run) and s.title == "commands of gcc-4.9"]
    assert "\n".join(commands.lines) == COMMANDS.replace("\\\n", "")
    (script,) = [each for each in stage.steps if isinstance(each, Script)]
    assert {v.name: v.value for v in script.environment} == {
        "CC": "/opt/reproc/tools/gcc-4.9/gcc",
        "CXX": "/opt/reproc/tools/gcc-4.9/g++",
        "GCC_HOME": "/opt/reproc/tools/gcc-4.9",
        "PATH": "/opt/reproc/tools/gcc-4.9:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


@pytest.mark.parametrize(("series", "full"), [("4.4", "4.4.7"), ("4.6", "4.6.3"), ("4.7", "4.7.2")])
def test_the_compilers_of_wheezy_on_bookworm(lowered: Lower, series: str, full: str) -> None:
    graph = lowered(OLD.replace("4.9", series))
    (stage,) = [each for each in graph.stages if each.name == f"tools-gcc-{series.replace('.', '-')}"]
    (commands,) = [s for s in stage.steps if isinstance(s, Run) and s.title == f"commands of gcc-{series}"]
    wanted = COMMANDS.replace("\\\n", "").replace("4.9.2", full).replace("4.9", series).splitlines()
    lacks = () if series == "4.7" else SECOND
    assert list(commands.lines) == [
        line for line in wanted if not line.endswith(tuple(f"/{each}" for each in lacks))
    ]


@pytest.mark.parametrize(
    ("tool", "system"),
    [
        ("gfortran 4.4", (("libgfortran3", "libgfortran5"), ("wheezy",))),
        ("gfortran 4.9", (("libgfortran3", "libgfortran5"), ("jessie",))),
        ("gfortran 7", (("libgfortran4", "libgfortran5"), ("buster",))),
        ("gfortran 9", (("libgfortran5",), ())),
    ],
)
def test_the_library_of_an_old_fortran(
    tool: str, system: tuple[tuple[str, ...], tuple[str, ...]], tmp_path: Path
) -> None:
    text = f'{BASE}toolchain {tool}\nbuild a {{ using {tool}; in /a; run "make"; keep /opt/a }}\n'
    (request,) = asked(text, tmp_path)
    layer = next(each for each in request.apt if each.name == "system")
    libraries = tuple(each.text for each in layer.packages if "gfortran" in each.text)
    assert (libraries, layer.beside) == system


def test_without_a_lock_they_are_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (request,) = asked(OLD, tmp_path)
    assert [(each.code.id, each.message) for each in refusals(request, None)] == [
        ("E0521", "packages of jessie are in snapshots alone, and only a lock checks these")
    ]


def test_where_java_and_go_lie(lowered: Lower) -> None:
    graph = lowered(
        BASE + "toolchain java 17\ntoolchain go 1.19\n"
        'build a { using java 17; using go 1.19; in /a; run "make"; keep /opt/a }\n'
    )
    (script,) = [s for stage in graph.stages for s in stage.steps if isinstance(s, Script)]
    own = {v.name: v.value for v in script.environment}
    assert own["JAVA_HOME"] == "/usr/lib/jvm/java-17-openjdk-amd64"
    assert own["GO_HOME"] == "/usr/lib/go-1.19"
