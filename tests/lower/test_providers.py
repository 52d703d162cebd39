"""What tool chains out of images, and compiled ones, become in both shapes, line by line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reproc.graph import BuildGraph, CopyKept, FromStage, Image, Run, Script, Stage
from reproc.lower import Shape

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
DIGEST = "sha256:" + "c" * 64


def stage(graph: BuildGraph, name: str) -> Stage:
    return next(each for each in graph.stages if each.name == name)


def runs(stage: Stage, title: str) -> str:
    (found,) = [each for each in stage.steps if isinstance(each, Run) and each.title == title]
    return "\n".join(found.lines)


def copies(stage: Stage) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.stage, each.paths) for each in stage.steps if isinstance(each, CopyKept)]


IMAGE = (
    BASE + 'toolchain gcc 9.5 { provider image }\nbuild a { using gcc 9.5; in /a; run "make"; keep /opt/a }\n'
)
TAKEN = """\
mkdir -p /opt/reproc/toolchains
cp -a /usr/local /opt/reproc/toolchains/gcc-9.5.0-bookworm
find /opt/reproc/toolchains/gcc-9.5.0-bookworm -type l | while read -r link; do
    target=$(readlink "$link")
    case "$target" in
        /usr/local/*) full=/opt/reproc/toolchains/gcc-9.5.0-bookworm"${target#/usr/local}" ;;
        /*) rm "$link"; continue ;;
        *) full="${link%/*}/$target" ;;
    esac
    full=$(realpath -ms "$full")
    case "$full" in
        /opt/reproc/toolchains/gcc-9.5.0-bookworm/*) ;;
        *) rm "$link"; continue ;;
    esac
    case "$target" in
        /*) ln -sfn "$(realpath -ms --relative-to="${link%/*}" "$full")" "$link" ;;
    esac
done
chown -hR 0:0 /opt/reproc/toolchains/gcc-9.5.0-bookworm
chmod -R u=rwX,go=rX,a-st /opt/reproc/toolchains/gcc-9.5.0-bookworm"""


def test_an_image_has_a_stage_of_its_own(lowered: Lower) -> None:
    graph = lowered(IMAGE, shape=Shape.STANDALONE)
    taken = stage(graph, "toolchain-gcc-9-5-0-bookworm")
    assert taken.base == Image("docker.io/library/gcc:9.5.0-bookworm", DIGEST)
    assert runs(taken, "tool chain gcc-9.5.0-bookworm") == TAKEN
    tools = stage(graph, "tools-gcc-9-5-0-bookworm")
    place = "/opt/reproc/toolchains/gcc-9.5.0-bookworm"
    assert copies(tools) == [(taken.name, (place,))]
    (script,) = [each for each in tools.steps if isinstance(each, Script)]
    assert {v.name: v.value for v in script.environment if v.name != "PATH"} == {
        "CC": "/opt/reproc/tools/gcc-9.5.0-bookworm/gcc",
        "CXX": "/opt/reproc/tools/gcc-9.5.0-bookworm/g++",
        "GCC_HOME": place,
    }


def test_vendored_it_is_a_tree_like_others(lowered: Lower) -> None:
    graph = lowered(IMAGE)
    assert not any(isinstance(each.base, Image) for each in graph.stages)
    tools = stage(graph, "tools-gcc-9-5-0-bookworm")
    assert "toolchain-gcc-9.5.0-bookworm.tar" in runs(tools, "toolchain gcc-9.5.0-bookworm")
    assert copies(stage(graph, "image")) == [(tools.name, ("/opt/a",))]


def test_without_a_lock_its_tag_floats(lowered: Lower) -> None:
    graph = lowered(IMAGE, shape=Shape.STANDALONE, lock=False)
    assert stage(graph, "toolchain-gcc-9-5-0-bookworm").base == Image(
        "docker.io/library/gcc:9.5.0-bookworm", None
    )


NEWER = """\
find /opt/reproc/toolchains/{key}/lib/gcc/*/*/include-fixed -type f ! -name limits.h ! -name syslimits.h \
! -name README -delete
mkdir -p /opt/reproc/lib/{key}
find /opt/reproc/toolchains/{key}/lib64 -maxdepth 1 -name '*.so.*' ! -name '*.py' -exec cp -a -t \
/opt/reproc/lib/{key} {{}} +"""


@pytest.mark.parametrize(
    ("tool", "key"), [("gcc 15", "gcc-15.2.0-bookworm"), ("gfortran 5", "gfortran-5.5.0")]
)
def test_programs_take_libraries_along_that_the_base_lacks(lowered: Lower, tool: str, key: str) -> None:
    """A newer libstdc++ than the base's, or a libgfortran that it has no longer."""
    graph = lowered(f'{BASE}toolchain {tool}\nbuild a {{ using {tool}; in /a; run "x"; keep /opt/a }}\n')
    tools = stage(graph, f"tools-{key}".replace(".", "-"))
    commands = runs(tools, f"commands of {key}")
    assert commands.startswith(NEWER.format(key=key))
    assert f"${{libc##*/}} -Wl,-rpath,/opt/reproc/lib/{key}" in commands
    kept = copies(stage(graph, "image"))
    assert kept == [(tools.name, (f"/opt/reproc/lib/{key}",)), (tools.name, ("/opt/a",))]
    programs = "*gfortran*" if tool.startswith("gfortran") else "*"
    assert f"for program in /opt/reproc/toolchains/{key}/bin/{programs}; do" in commands, "no `cc` of it"
    at_run = lowered(f"{BASE}toolchain {tool} {{ at run }}\n")
    assert copies(stage(at_run, "image")) == [], "it is there as a whole"


SOURCE = BASE + (
    "toolchain ninja 1.12 { provider source; configure \"--verbose --with-python='a b' $(x)\" }\n"
    'build a { using ninja 1.12; in /a; run "ninja"; keep /opt/a }\n'
)


@pytest.mark.parametrize("shape", list(Shape))
def test_a_release_is_compiled_in_a_stage_of_its_own(lowered: Lower, shape: Shape) -> None:
    graph = lowered(SOURCE, shape=shape)
    compiling = stage(graph, "source-ninja-1-12-1")
    assert compiling.base == FromStage("base")
    assert runs(compiling, "compile ninja-1.12.1") == (
        "cd /opt/reproc/source/ninja-1.12.1\n"
        "sed -i 's/^import pipes$/import shlex as pipes/' configure.py\n"
        "python3 configure.py --bootstrap --verbose '--with-python=a b' '$(x)'\n"
        "mkdir -p /opt/reproc/toolchains/ninja-1.12.1/bin\n"
        "cp ninja /opt/reproc/toolchains/ninja-1.12.1/bin"
    )
    assert not any(each.network for each in compiling.steps if isinstance(each, Run)) or (
        shape is Shape.STANDALONE
    )
    tools = stage(graph, "tools-ninja-1-12-1")
    assert copies(tools) == [(compiling.name, ("/opt/reproc/toolchains/ninja-1.12.1",))]
    assert 'case "$found." in 1.12.1.*)' in runs(tools, "commands of ninja-1.12.1")
    assert copies(stage(graph, "image")) == [(tools.name, ("/opt/a",))]


GCC = """\
cd /opt/reproc/source/gcc-4.9.4
sed -i 's/struct ucontext /ucontext_t /' libgcc/config/*/linux-unwind.h
mkdir build
cd build
../configure --prefix=/opt/reproc/toolchains/gcc-4.9.4 --enable-languages=c,c++,fortran --disable-bootstrap \
--disable-libsanitizer --disable-multilib --disable-nls
make -j"$(nproc)"
make install-strip"""


def test_gcc_is_compiled_only_where_it_is_asked_for(lowered: Lower) -> None:
    """Hours of work: what is shown here was not done here."""
    text = (
        "toolchain gcc 4.9 { provider source; languages c c++ fortran }\n"
        'build a { using gcc 4.9; in /a; run "make"; keep /opt/a }\n'
    )
    compiled = lowered(BASE + text, shape=Shape.STANDALONE)
    assert runs(stage(compiled, "source-gcc-4-9-4"), "compile gcc-4.9.4") == GCC
    unasked = lowered(BASE + text.replace("provider source;", ""))
    assert "source-gcc-4-9-4" not in {each.name for each in unasked.stages}


def test_a_compiled_mpi_stays_as_a_whole(lowered: Lower) -> None:
    """What is linked with it finds its libraries there, and it starts the programs."""
    text = 'toolchain mpich 3.3\nbuild a { using mpich 3.3; in /a; run "mpicc x.c"; keep /opt/a }\n'
    graph = lowered(BASE + text)
    place = ("/opt/reproc/toolchains/mpich-3.3.2",)
    assert copies(stage(graph, "image")) == [("tools-mpich-3-3-2", place), ("tools-mpich-3-3-2", ("/opt/a",))]
    assert "FFLAGS=-fallow-argument-mismatch" in runs(
        stage(graph, "source-mpich-3-3-2"), "compile mpich-3.3.2"
    )


def test_each_base_has_its_own(lowered: Lower) -> None:
    """A build on an older base takes the image that is built on a release as old, and compiles there."""
    graph = lowered(
        BASE + "toolchain gcc 9.5 { provider image }\ntoolchain cmake 3.16\n"
        'build a { using gcc 9.5; using cmake 3.16; in /a; run "make"; keep /opt/a }\n'
        "build b { on base debian bullseye { from bootstrap }\n"
        'using gcc 9.5; using cmake 3.16; in /b; run "make"; keep /opt/b }\n',
        shape=Shape.STANDALONE,
    )
    names = {each.name for each in graph.stages}
    assert {"toolchain-gcc-9-5-0-bookworm", "toolchain-gcc-9-5-0-bullseye"} <= names
    assert {"source-cmake-3-16-9", "on-debian-bullseye-source-cmake-3-16-9"} <= names
    there = stage(graph, "on-debian-bullseye-source-cmake-3-16-9")
    assert there.base == FromStage("on-debian-bullseye")
