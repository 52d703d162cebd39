"""Common causes of failed builds are known by what tools print; the lines are those of real tools."""

from __future__ import annotations

import pytest

from reproc.catalog import development
from reproc.verify.hints import hint


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x.c:1:10: fatal error: fftw3.h: No such file or directory", "package `libfftw3-dev` has it"),
        ("x.cc:1:10: fatal error: boost/mpl/vector.hpp: No such file or directory", "package `libboost-dev`"),
        ("x.cpp:1:10: fatal error: 'zlib.h' file not found", "package `zlib1g-dev`"),
        ("x.c:1:10: fatal error: Python.h: No such file or directory", "package `python3-dev`"),
        ("x.c:1:10: fatal error: own/thing.h: No such file or directory", "`own/thing.h`; name the package that has"),
        ("/usr/bin/ld: cannot find -lsndfile: No such file or directory", "package `libsndfile1-dev`"),
        ("/usr/bin/ld: cannot find -lspeech", "`libspeech`; name its development package"),
        ("No package 'sndfile' found", "package `libsndfile1-dev`"),
        ("Package gsl was not found in the pkg-config search path.", "package `libgsl-dev`"),
        ("  Could NOT find HDF5 (missing: HDF5_LIBRARIES)", "CMake does not find `HDF5`"),
        ("configure: error: no acceptable C compiler found in $PATH", "`toolchain gcc 12`"),
        ("/bin/sh: 3: cmake: not found", "Debian's package `cmake`"),
        ("bash: line 4: autoreconf: command not found", "Debian's package `autoconf`"),
        ("make: g++: No such file or directory", "`g++` is not in the image; write for example `toolchain gcc 12`"),
        ("/bin/sh: 1: gfortran: not found", "`toolchain gfortran 12`"),
        ("/bin/sh: 2: source: not found", "`shell bash`"),
        ("/bin/sh: 2: wget: not found", "declare what it fetches"),
        ("/usr/bin/env: 'python': No such file or directory", "`python 3.11`"),
        ("/bin/sh: 2: frobnicate: not found", "name the package that has it"),
        ("ModuleNotFoundError: No module named 'scipy.linalg'", "the Python module `scipy` is missing"),
        ('/bin/sh: 1: Syntax error: "(" unexpected', "`shell bash`"),
        ("curl: (6) Could not resolve host: example.org", "a build step has no network"),
        ("E: Failed to fetch http://example.org/x.deb  404  Not Found [IP: 1.2.3.4 80]", "`reproc lock --update-all`"),
        ("curl: (22) The requested URL returned error: 404", "is no longer there; declare it as `code` or `data`"),
        ("2026-11-28 10:56:17 ERROR 404: Not Found.", "is no longer there"),
        ("urllib.error.HTTPError: HTTP Error 404: Not Found", "is no longer there"),
        ("Illegal instruction (core dumped)", "`-march=native`"),
        ("./a: /lib/libc.so.6: version `GLIBC_2.38' not found (required by ./a)", "needs `GLIBC_2.38`"),
        ("gcc: fatal error: Killed signal terminated program cc1", "not enough memory"),
        ("x.h:9: error: ISO C++17 does not allow dynamic exception specifications", "`-std=c++98`"),
        ("ld: b.o:(.bss+0x0): multiple definition of `x'; a.o:(.bss+0x0): first defined here", "`-fcommon`"),
        ("Error: Rank mismatch between actual argument at (1) and actual argument at (2)", "`toolchain gfortran 9`"),
        ("x.c:2:3: error: implicit declaration of function 'gets'", "`toolchain gcc 13`"),
        ("/bin/sh: 1: ./configure: Permission denied", "`sh FILE`"),
    ],
)  # fmt: skip
def test_what_helps(line: str, says: str) -> None:
    found = hint(["checking whether build environment is sane... yes", line, "make: *** [all] Error 2"])
    assert found is not None
    assert says in found


@pytest.mark.parametrize(
    "line", ["make: *** [all] Error 2", "warning: unused variable", "cc1: note: not found", "configure: done"]
)
def test_other_lines_say_nothing(line: str) -> None:
    assert hint([line]) is None


def test_a_header_is_found_by_its_name_its_folder_or_its_last_part() -> None:
    assert development.of_header("zlib.h") == "zlib1g-dev"
    assert development.of_header("opencv2/core/mat.hpp") == "libopencv-dev"
    assert development.of_header("hdf5/serial/hdf5.h") == "libhdf5-dev"
    assert development.of_header("nothing.h") is None
