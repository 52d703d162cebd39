"""GCC out of packages of a channel, in both engines and in both shapes: real programs, arranged as conda-forge does."""

from __future__ import annotations

import json
import lzma
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from projects import trees, written
from standin import Snapshots

from reproc.lock.archives import Site
from reproc.lock.net import Client
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
TOOLCHAIN = "toolchain gcc 9.3 { provider conda; languages c c++ fortran }\n"
SPEC = f"""
reproc 1
base debian bookworm {{ from bootstrap }}

{TOOLCHAIN}
system {{ packages zlib1g-dev }}
code all {{ local "src" }}

build all {{
    using gcc 9.3
    run   "test $($GCC_HOME/bin/x86_64-conda-linux-gnu-where) = $GCC_HOME"
    run   "cc -O2 -o c version.c -lm -lz; $CXX -O2 -fopenmp -o cxx version.cc; $FC -O2 -o f version.f90"
    run   "mkdir -p /opt/all/bin; cp c cxx f /opt/all/bin"
    keep  /opt/all
}}
test "they run"      {{ run "c; cxx; f"; expect stdout equals "9.3.0 2.0 1.2.13\\n9.3.0 12\\n 9.3.0" }}
test "no tool stays" {{ run "! ls /opt/reproc" }}
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

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    served = partial(Quiet, directory=str(folder / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), served) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def made(folder: Path) -> Channel:
    """The channel: what a package of Debian has below `/usr` lies in `libexec`, with a script for each program."""
    files = debian("Packages.xz", "bullseye")
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
    return found


def debian(path: str, suite: str = "") -> bytes:
    """A file of the live archive; of a suite, its list of packages."""
    where = f"dists/{suite}/main/binary-amd64/{path}" if suite else path
    roots = Site(environment={}).live("debian")
    return Client().get([f"{root}/{where}" for root in roots], where)


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
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report: dict[str, Any] = json.loads((project / ".reproc/report.json").read_text(encoding="utf-8"))
    assert report["targets"][0]["same_tree"]
    return report


def test_programs_of_every_language_run_without_it(tmp_path: Path, channel: str, reproc: Reproc) -> None:
    where = {"REPROC_MIRROR_CONDA_FORGE": channel}
    project = written(tmp_path / "conda", SPEC, SOURCES)
    locked = reproc("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", project, env=where).stdout
    report = verified(project, reproc, env=where)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (4, 0)
    for row in report["targets"][0]["engines"]:
        (found,) = [each for each in row["audits"] if each["name"] == "compilers"]
        assert found["status"] == "passed"
        assert [each["message"] for each in found["findings"]] == [
            f"`/opt/all/bin/{name}` was made by `GCC: (Debian 9.3.0-22) 9.3.0`" for name in ("c", "cxx", "f")
        ]
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    (tree,) = [each for each in lock["trees"].values() if each["kind"] == "conda"]
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
    assert channel not in recipe and "linux-64/gcc_impl_linux-64-9.3.0-h0_0.conda" in recipe
