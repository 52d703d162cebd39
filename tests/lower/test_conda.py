"""What a tool chain of conda-forge becomes in both shapes, line by line."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

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
