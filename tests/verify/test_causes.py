"""The common causes of failed builds, each for real in both engines: where it is told, with what, and what helps.

The compilers are the machine's own, in a small image without a single header.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reproc.diagnostics import Diagnostic
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Silent
from reproc.record import replace
from reproc.verify.engines.base import BuildFailed, Engine
from reproc.verify.plan import Access

from .conftest import PROGRAMS, write_recipe, write_rootfs

NEEDED = ("gcc", "g++", "as", "ld", "make")
APT = ("/usr/lib/apt/apt-helper", "/usr/lib/apt/methods/http")
FOR_APT = (
    "mkdir -p /var/lib/dpkg /usr/share/dpkg /etc/apt/apt.conf.d\n"
    ": > /var/lib/dpkg/status\n: > /usr/share/dpkg/cputable\n: > /usr/share/dpkg/tupletable"
)
FOR_CC = "mkdir -p /usr/include\n: > /usr/include/stdc-predef.h"
FILLER = "for i in $(seq 1 90); do echo line $i; done"

CAUSES: dict[str, tuple[str, str, str]] = {
    "a header that is missing": (
        "echo '#include <fftw3.h>' > /tmp/x.c\ngcc -B/bin -c /tmp/x.c -o /tmp/x.o",
        "fatal error: fftw3.h: No such file or directory",
        "Debian's package `libfftw3-dev` has it",
    ),
    "a library that is missing": (
        "ld -lsndfile -o /tmp/x",
        "cannot find -lsndfile",
        "Debian's package `libsndfile1-dev` has it",
    ),
    "a tool that is missing": (
        "printf 'all:\\n\\tcmake .\\n' > /tmp/Makefile\ncd /tmp\nmake",
        "make: cmake: No such file or directory",
        "Debian's package `cmake` has it",
    ),
    "a compiler too new for old C++": (
        "echo 'void f() throw(int);' > /tmp/x.cc\ng++ -B/bin -c /tmp/x.cc -o /tmp/x.o",
        "does not allow dynamic exception specifications",
        "`toolchain gcc 9`",
    ),
    "a compiler too new for old C": (
        "cd /tmp\necho 'int x;' > a.c\ncp a.c b.c\ngcc -B/bin -c a.c\ngcc -B/bin -c b.c\nld -r a.o b.o -o c.o",
        "multiple definition of `x'",
        "pass `-fcommon`, or use `toolchain gcc 9`",
    ),
}


@pytest.fixture(scope="module")
def compilers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system with compilers, and with the part of apt that fetches where the machine has it."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    parts = [
        subprocess.run(["gcc", f"-print-prog-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("cc1", "cc1plus")
    ]
    path = tmp_path_factory.mktemp("compilers") / "rootfs.tar"
    write_rootfs(path, [*PROGRAMS, *NEEDED, *parts, *(each for each in APT if Path(each).exists())])
    return path


Build = Callable[..., Diagnostic]


@pytest.fixture
def fails(engine: Engine, compilers: Path, tmp_path: Path) -> Build:
    """What is told of a build of which this step fails, the second of three; `access` opens the network."""

    def build(step: str, access: Access | None = None, *, lacking: bool = False) -> Diagnostic:
        steps = [FOR_CC, f"{FILLER}\n{step}\necho not reached", "echo after"]
        network = access is not None
        recipe = write_recipe(tmp_path / "context", compilers, engine.name, steps, "cpu", network)
        recipe = replace(recipe, access=access)
        found = engine.build(recipe, Silent(), tmp_path / "build.log")
        assert isinstance(found, BuildFailed), found
        assert found.lacking is lacking
        said = found.diagnostic
        assert str(said.span) == "repro.spec:2:1"
        lines = (said.output or "").splitlines()
        assert len(lines) <= 40
        assert "line 89" in lines, "the lines before the complaint are shown"
        assert not {"line 1", "not reached", "after"} & {*lines}
        return said

    return build


@pytest.mark.parametrize("cause", CAUSES)
def test_what_helps(fails: Build, cause: str) -> None:
    step, complaint, hint = CAUSES[cause]
    said = fails(step)
    assert said.code is codes.BUILD_FAILED
    assert complaint in (said.output or "")
    assert hint in (said.help or "").splitlines()[0]


def test_no_cause_is_made_up(fails: Build) -> None:
    said = fails("echo 'something is wrong' >&2\nfalse")
    assert (said.help or "").startswith("the whole output is in")


def test_a_step_that_fills_the_disk(fails: Build) -> None:
    said = fails("cat /bin/sh > /dev/full", lacking=True)
    assert said.code is codes.NO_SPACE
    assert "No space left on device" in (said.output or "")
    assert (said.help or "").startswith("make room in")


@contextmanager
def nothing_there(folder: Path) -> Iterator[Access]:
    """A proxy on loopback that knows of nothing."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Access(f"http://127.0.0.1:{server.server_address[1]}", folder)
        finally:
            server.shutdown()


@pytest.mark.skipif(not all(Path(each).exists() for each in APT), reason="apt is not installed")
def test_an_archive_that_no_longer_has_it(fails: Build, tmp_path: Path) -> None:
    address = "http://archive.invalid/pool/x.deb"
    options = "-o Dir::Bin::methods=/bin -o APT::Sandbox::User=root"
    with nothing_there(tmp_path / "settings") as access:
        said = fails(
            f"{FOR_APT}\napt-helper {options} download-file {address} /tmp/x.deb SHA256:{'0' * 64}", access
        )
    assert f"E: Failed to fetch {address}  404  Not Found" in (said.output or "")
    assert "`reproc lock --update-all` takes what there is now" in (said.help or "")
