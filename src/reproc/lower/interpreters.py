"""Pythons that come as archives, made to stand where they lie."""

from __future__ import annotations

from reproc.catalog.pythons import PythonArchive
from reproc.check.pythons import archive_of, archives_of
from reproc.graph import Run, Step
from reproc.lower.work import Work
from reproc.record import replace
from reproc.source import Span
from reproc.target import quote

_BUILT_AT = "/install"
"""Where they were built, which is written into some of their files."""
_CROSS = "/usr/bin/[a-z0-9_]+-linux-gnu-"
"""How the compilers' names begin in those that were built on another processor."""
_BEGIN, _END = "(^|[^[:alnum:]_./+-])", "([^[:alnum:]_.+-]|$)"
"""What stands before and behind a word in a list of options."""


def interpreter_steps(work: Work) -> list[Step]:
    """What brings them into the image."""
    steps: list[Step] = []
    for archive in archives_of(work.target):
        using = (python for python in work.target.pythons if archive_of(python, work.target) == archive)
        origin = next(using).origin
        unpacked = work.unpacked(archive.key, archive.place, origin)
        assert isinstance(unpacked, Run), "an archive is unpacked by commands"
        steps += [replace(unpacked, title=f"Python {archive.version}"), _settled(archive, origin)]
    return steps


def _settled(archive: PythonArchive, origin: Span) -> Run:
    """The step that tells it its place and the base's compilers, and compiles its library.

    Both as uv does it (crates/uv-python/src/sysconfig). What is compiled when it is first imported has the time of
    its source in it, which is not the same in both shapes; before 3.11 its sets have an order by chance (ADR 60).
    """
    place, library = archive.place, f"{archive.place}/lib/python{archive.minor}"
    told = (
        f"s#{_BEGIN}{_BUILT_AT}{_END}#\\1{place}\\2#g",
        f"s#{_BEGIN}({_CROSS}gcc|clang){_END}#\\1cc\\3#g",
        f"s#{_BEGIN}({_CROSS}g\\+\\+|clang\\+\\+){_END}#\\1c++\\3#g",
        "s#/[^ ]*/llvm-ar#ar#",
    )
    lines = (
        "# its place, and the base's compilers, for what is built with it",
        f"find {place}/lib -type f \\( -name '_sysconfigdata_*.py' -o -name '*.pc' \\) -exec sed -i -E \\",
        *(f"    -e {quote(each)} \\" for each in told),
        "    {} +",
        "export PYTHONHASHSEED=0",
        "# what cannot be compiled is left, as by CPython's own `make install`",
        f"{archive.interpreter} -m compileall -q -f --invalidation-mode checked-hash {library} || true",
    )
    return Run(f"library of Python {archive.version}", lines, origin=origin)
