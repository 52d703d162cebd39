"""What a tool chain of conda-forge becomes in both shapes, line by line."""

from __future__ import annotations

import pkgutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reproc.graph import BuildGraph, CopyKept, FromStage, Run, Script, Stage, WriteFile
from reproc.lower import Shape

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
BUILD = 'build a { using gcc 9.5; in /a; run "make"; keep /opt/a }\n'
GCC = f"{BASE}toolchain gcc 9.5 {{ provider conda }}\n{BUILD}"
KEY = "gcc-9.5.0-conda-bookworm"
PLACE = f"/opt/reproc/toolchains/{KEY}"
INSTALLED = f"""\
place={PLACE}
channel=https://channels.example.org/conda-forge
if [ -s /mnt/conda-forge ]; then channel=$(cat /mnt/conda-forge); fi
# what comes is compared with its digest, so that nobody's certificate has to be trusted
fetch() {{ /usr/lib/apt/apt-helper -qq -o Acquire::https::Verify-Peer=false download-file "$2" file "$1"; }}
add() {{
    fetch "SHA256:$1" "$channel/$2"
    mkdir package
    case "$2" in
        *.conda)
            python3 -m zipfile -e file parts
            for part in parts/info-*.tar.zst parts/pkg-*.tar.zst; do
                tar -C package --no-same-owner -I zstd -xf "$part"
            done ;;
        *) tar -C package --no-same-owner --bzip2 -xf file ;;
    esac
    python3 /opt/reproc/relocate.py package "$place"
    rm -rf package/info
    cp -a package/. "$place"
    rm -rf file parts package
}}
mkdir -p "$place" /mnt/fetched
cd /mnt/fetched
add {"8" * 64} linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda
add {"8" * 64} linux-64/gxx_impl_linux-64-9.5.0-h0_0.conda
chown -hR 0:0 "$place"
chmod -R u=rwX,go=rX,a-st "$place"
cd /
rm -rf /mnt/fetched"""
COMMANDS = f"""\
find {PLACE} -path '*/lib/gcc/*/include-fixed/*' -type f ! -name limits.h ! -name syslimits.h ! -name README -delete
if [ -z "$(find {PLACE}/bin -type f -perm -u=x)" ]; then
    echo 'reproc: there are no programs in `bin` of the archive of {KEY}' >&2; exit 1
fi
mkdir -p /opt/reproc/tools/{KEY}
mkdir /opt/reproc/tools/{KEY}/linker
ln -s /usr/bin/ld /opt/reproc/tools/{KEY}/linker/ld
libc=$(dirname /usr/lib/*-linux-gnu*/crt1.o)
options="--sysroot=/ -B/opt/reproc/tools/{KEY}/linker -B$libc -idirafter /usr/include/${{libc##*/}}"
for program in {PLACE}/bin/*-linux-gnu-[cg]*; do
"""


def stage(graph: BuildGraph, name: str) -> Stage:
    return next(each for each in graph.stages if each.name == name)


def runs(stage: Stage, title: str) -> str:
    (found,) = [each for each in stage.steps if isinstance(each, Run) and each.title == title]
    return "\n".join(found.lines)


def copies(stage: Stage) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.stage, each.paths) for each in stage.steps if isinstance(each, CopyKept)]


def test_standalone_it_is_installed_in_a_stage_of_its_own(lowered: Lower) -> None:
    graph = lowered(GCC, shape=Shape.STANDALONE)
    made = stage(graph, f"toolchain-{KEY}".replace(".", "-"))
    assert made.base == FromStage("base")
    assert runs(made, f"tool chain {KEY}") == INSTALLED
    packages, write, run = made.steps
    assert isinstance(packages, Run) and "zstd_1.0_amd64.deb" in "\n".join(packages.lines)
    text = pkgutil.get_data("reproc.lock.conda", "relocate.py")
    assert isinstance(write, WriteFile) and text is not None and write.content == text.decode()
    assert isinstance(run, Run) and (run.network, run.settings) == (True, ("conda-forge",))
    tools = stage(graph, f"tools-{KEY}".replace(".", "-"))
    assert copies(tools) == [(made.name, (PLACE,))]


@pytest.mark.parametrize("shape", list(Shape))
def test_its_compilers_work_with_the_base_s_libc(lowered: Lower, shape: Shape) -> None:
    tools = stage(lowered(GCC, shape=shape), f"tools-{KEY}".replace(".", "-"))
    assert runs(tools, f"commands of {KEY}").startswith(COMMANDS)
    (script,) = [each for each in tools.steps if isinstance(each, Script)]
    assert {v.name: v.value for v in script.environment if v.name != "PATH"} == {
        "CC": f"/opt/reproc/tools/{KEY}/gcc",
        "CXX": f"/opt/reproc/tools/{KEY}/g++",
        "GCC_HOME": PLACE,
    }


def test_vendored_it_is_a_tree_like_others(lowered: Lower) -> None:
    graph = lowered(GCC)
    assert f"toolchain-{KEY}".replace(".", "-") not in {each.name for each in graph.stages}
    tools = stage(graph, f"tools-{KEY}".replace(".", "-"))
    assert f"toolchain-{KEY}.tar" in runs(tools, f"toolchain {KEY}")
    assert copies(stage(graph, "image")) == [(tools.name, ("/opt/a",))]


def test_of_a_newer_one_programs_take_its_own_libraries_along(lowered: Lower) -> None:
    """And not what else lies beside these: a program that links the base's zlib gets that."""
    text = f'{BASE}toolchain gcc 15 {{ provider conda }}\nbuild a {{ using gcc 15; in /a; run "x"; keep /opt/a }}\n'
    graph = lowered(text)
    key = "gcc-15.2.0-conda-bookworm"
    tools = stage(graph, f"tools-{key}".replace(".", "-"))
    commands = runs(tools, f"commands of {key}")
    assert (
        f"find /opt/reproc/toolchains/{key}/lib -maxdepth 1 \\( -name 'libatomic.so.*' -o -name 'libgcc_s.so.*' -o "
        "-name 'libgfortran.so.*' -o -name 'libgomp.so.*' -o -name 'libitm.so.*' -o -name 'libquadmath.so.*' -o "
        f"-name 'libstdc++.so.*' \\) ! -name '*.py' -exec cp -a -t /opt/reproc/lib/{key} {{}} +"
    ) in commands
    assert f"${{libc##*/}} -Wl,-rpath,/opt/reproc/lib/{key}" in commands
    kept = copies(stage(graph, "image"))
    assert kept == [(tools.name, (f"/opt/reproc/lib/{key}",)), (tools.name, ("/opt/a",))]


def test_languages_are_packages_and_each_base_has_its_own(lowered: Lower) -> None:
    graph = lowered(
        f"{BASE}toolchain gfortran 13 {{ provider conda }}\n"
        'build a { using gfortran 13; in /a; run "make"; keep /opt/a }\n'
        "build b { on base debian bullseye { from bootstrap }\n"
        'using gfortran 13; in /b; run "make"; keep /opt/b }\n',
        shape=Shape.STANDALONE,
    )
    mine = stage(graph, "toolchain-gfortran-13-4-0-conda-bookworm")
    there = stage(graph, "on-debian-bullseye-toolchain-gfortran-13-4-0-conda-bullseye")
    assert there.base == FromStage("on-debian-bullseye")
    for each, key in ((mine, "gfortran-13.4.0-conda-bookworm"), (there, "gfortran-13.4.0-conda-bullseye")):
        lines = runs(each, f"tool chain {key}").splitlines()
        assert [line.rpartition("/")[2] for line in lines if line.startswith("add ")] == [
            "gcc_impl_linux-64-13.4.0-h0_0.conda",
            "gfortran_impl_linux-64-13.4.0-h0_0.conda",
        ]


def test_it_is_taken_unasked_where_nothing_else_has_the_version(lowered: Lower) -> None:
    text = "reproc 1\nbase debian bullseye { from bootstrap }\ntoolchain gcc 13\n" + BUILD.replace(
        "9.5", "13"
    )
    assert "tools-gcc-13-4-0-conda-bullseye" in {each.name for each in lowered(text).stages}


def test_of_cmake_only_its_own_tools_are_commands(lowered: Lower) -> None:
    """Beside them in `bin` lie those of what it needs: of curl, of ncurses, of bzip2."""
    key = "cmake-3.10.2-conda-bookworm"
    place, tools = f"/opt/reproc/toolchains/{key}", f"/opt/reproc/tools/{key}"
    build = 'build a { using cmake 3.10.2; in /a; run "cmake ."; keep /opt/a }\n'
    graph = lowered(f"{BASE}toolchain cmake 3.10.2\n{build}")
    there = stage(graph, f"tools-{key}".replace(".", "-"))
    assert (
        runs(there, f"commands of {key}")
        == f"""\
if [ -z "$(find {place}/bin -type f -perm -u=x)" ]; then
    echo 'reproc: there are no programs in `bin` of the archive of {key}' >&2; exit 1
fi
mkdir -p {tools}
options=""
for program in {place}/bin/ccmake {place}/bin/cmake {place}/bin/cpack {place}/bin/ctest; do
    [ -e "$program" ] || continue
    name=${{program##*/}}
    name=${{name#*-linux-*-}}
    rm -f "{tools}/$name"
    case "$name" in
        cc | c++ | cpp | gcc | g++ | gfortran)
            printf '#!/bin/sh\\nexec %s %s "$@"\\n' "$program" "$options" > "{tools}/$name"
            chmod 755 "{tools}/$name" ;;
        *) ln -s "$program" "{tools}/$name" ;;
    esac
done
{aliases(tools)}
found=$({tools}/cmake --version)
case "$found." in *'cmake version 3.10.2'[!0-9]*) ;; *) echo \
'reproc: cmake should be 3.10.2, and says that it is' "$found" >&2; exit 1 ;; esac"""
    )
    assert copies(stage(graph, "image")) == [(there.name, ("/opt/a",))], "nothing of it is needed to run"


def aliases(tools: str) -> str:
    pairs = (
        ("cc", "gcc"),
        ("x86_64-linux-gnu-gcc", "gcc"),
        ("c++", "g++"),
        ("x86_64-linux-gnu-g++", "g++"),
        ("f77", "gfortran"),
        ("f95", "gfortran"),
        ("x86_64-linux-gnu-gfortran", "gfortran"),
    )
    return "\n".join(
        f"if [ ! -e {tools}/{plain} ] && [ -e {tools}/{name} ]; then ln -s {name} {tools}/{plain}; fi"
        for plain, name in pairs
    )


WRAPPERS = """\
grep -lI -e -linux-gnu- {place}/{files} | xargs -r sed -E -i --follow-symlinks \
-e 's,[^ "'"'"'=]*-conda[a-z0-9_]*-linux-gnu-g?cc\\b,gcc,g' \
-e 's,[^ "'"'"'=]*-conda[a-z0-9_]*-linux-gnu-[cg]\\+\\+,g++,g' \
-e 's,[^ "'"'"'=]*-conda[a-z0-9_]*-linux-gnu-gfortran\\b,gfortran,g'
"""


@pytest.mark.parametrize(
    ("tool", "version", "files"),
    [
        ("openmpi", "4.1.6", "share/openmpi/*-wrapper-data.txt"),
        ("mpich", "4.2.3", "bin/mpi[cf]*"),
    ],
)
def test_an_mpi_calls_the_build_s_compilers_and_goes_along(
    lowered: Lower, tool: str, version: str, files: str
) -> None:
    key = f"{tool}-{version}-conda-bookworm"
    place = f"/opt/reproc/toolchains/{key}"
    graph = lowered(
        f"{BASE}toolchain {tool} {version} {{ provider conda }}\n"
        f'build a {{ using {tool} {version}; in /a; run "mpicc a.c"; keep /opt/a }}\n'
    )
    there = stage(graph, f"tools-{key}".replace(".", "-"))
    assert runs(there, f"commands of {key}").startswith(WRAPPERS.format(place=place, files=files))
    assert copies(stage(graph, "image")) == [(there.name, (place,)), (there.name, ("/opt/a",))]
    (script,) = [each for each in there.steps if isinstance(each, Script)]
    assert {v.name: v.value for v in script.environment if v.name != "PATH"} == {
        "MPICC": f"/opt/reproc/tools/{key}/mpicc",
        "MPICXX": f"/opt/reproc/tools/{key}/mpicxx",
        "MPIFC": f"/opt/reproc/tools/{key}/mpifort",
        f"{tool.upper()}_HOME": place,
    }


def test_wrappers_are_edited_as_they_should(lowered: Lower, tmp_path: Path) -> None:
    """The line of the recipe, run here on what MPICH's and Open MPI's files say."""
    build = 'build a { using mpich 4.2; in /a; run "make"; keep /opt/a }\n'
    graph = lowered(f"{BASE}toolchain mpich 4.2 {{ provider conda }}\n{build}")
    there = stage(graph, "tools-mpich-4-2-3-conda-bookworm")
    (line,) = [
        each
        for each in runs(there, "commands of mpich-4.2.3-conda-bookworm").splitlines()
        if "grep -lI" in each
    ]
    place = tmp_path / "there"
    (place / "bin").mkdir(parents=True)
    script = place / "bin/mpicc"
    script.write_text(
        'CC="x86_64-conda_cos6-linux-gnu-cc"\nCXX=/home/_env/bin/aarch64-conda-linux-gnu-c++ -O2\n'
    )
    (place / "bin/mpif77").symlink_to("mpifort")
    (place / "bin/mpifort").write_text("FC='x86_64-conda-linux-gnu-gfortran'\ntest -linux-gnu-gcc\n")
    binary = b"\0x86_64-conda-linux-gnu-cc\0"
    (place / "bin/mpichversion").write_bytes(binary)
    moved = line.replace("/opt/reproc/toolchains/mpich-4.2.3-conda-bookworm", str(place))
    done = subprocess.run(["/bin/sh", "-eu"], input=moved, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.read_text() == 'CC="gcc"\nCXX=g++ -O2\n'
    assert (place / "bin/mpifort").read_text() == "FC='gfortran'\ntest -linux-gnu-gcc\n"
    assert (place / "bin/mpif77").is_symlink()
    assert (place / "bin/mpichversion").read_bytes() == binary


@pytest.mark.parametrize(
    ("tool", "options"),
    [("clang 12.0.1", "--gcc-toolchain=/usr"), ("clang 20.1.8", "--gcc-toolchain=/usr --no-default-config")],
)
def test_clang_is_told_of_the_base_s_gcc(lowered: Lower, tool: str, options: str) -> None:
    graph = lowered(
        f"{BASE}toolchain {tool} {{ provider conda }}\n"
        f'build a {{ using {tool}; in /a; run "make"; keep /opt/a }}\n'
    )
    key = tool.replace(" ", "-") + "-conda-bookworm"
    lines = runs(stage(graph, f"tools-{key}".replace(".", "-")), f"commands of {key}").splitlines()
    assert f'options="--sysroot=/ -B/opt/reproc/tools/{key}/linker {options}"' in lines
    assert "        clang | clang++)" in lines


@pytest.mark.parametrize(
    ("tool", "folder", "inside"), [("go", "go", "go/bin"), ("java", "lib/jvm", "lib/jvm/bin")]
)
def test_what_has_a_home_of_its_own(lowered: Lower, tool: str, folder: str, inside: str) -> None:
    version = {"go": "1.20.14", "java": "17.0.9"}[tool]
    key = f"{tool}-{version}-conda-bookworm"
    graph = lowered(
        f"{BASE}toolchain {tool} {version} {{ provider conda }}\n"
        f'build a {{ using {tool} {version}; in /a; run "make"; keep /opt/a }}\n'
    )
    there = stage(graph, f"tools-{key}".replace(".", "-"))
    assert f"for program in /opt/reproc/toolchains/{key}/{inside}/" in runs(there, f"commands of {key}")
    (script,) = [each for each in there.steps if isinstance(each, Script)]
    homes = {v.name: v.value for v in script.environment}
    assert homes[f"{tool.upper()}_HOME"] == f"/opt/reproc/toolchains/{key}/{folder}"
