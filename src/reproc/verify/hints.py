"""What to do about the common causes of a failed build, told from its output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from reproc import catalog
from reproc.catalog import development
from reproc.record import record

_IN_SYSTEM = "in `system { packages … }`"
_COMMANDS = {
    **dict.fromkeys(("gcc", "cc", "g++", "c++"), "write for example `toolchain gcc 12`"),
    **dict.fromkeys(("gfortran", "f77", "f95"), "write for example `toolchain gfortran 12`"),
    **dict.fromkeys(("python", "python3", "pip", "pip3"), "write for example `python 3.11`"),
    **dict.fromkeys(("wget", "curl"), "declare what it fetches, as `code` or `data`: builds have no network"),
    **dict.fromkeys(("source", "pushd", "popd", "shopt", "[["), "sh does not know it, `shell bash` does"),
}
"""Commands that are had otherwise than by a package of the distribution."""


@record
class _Complaint:
    """What tools print, and the kind of what helps."""

    text: re.Pattern[str]
    says: str
    kind: str
    """`header`, `library`, `command`, or `plain`."""


def hint(lines: Sequence[str]) -> str | None:
    """What helps against the first complaint that is known; None where none is."""
    for line in lines:
        for each in _complaints():
            if match := each.text.search(line):
                return _told(each, match)
    return None


def _told(complaint: _Complaint, match: re.Match[str]) -> str:
    name = next(iter(match.groups()), "")
    match complaint.kind:
        case "header":
            package = "python3-dev" if name == "Python.h" else development.of_header(name)
            return _missing(f"a header is missing: `{name}`", package, "the package that has it")
        case "library":
            package = development.of_library(name)
            return _missing(f"a library is missing: `lib{name}`", package, "its development package")
        case "command":
            absent = f"`{name}` is not in the image"
            if name in _COMMANDS:
                return f"{absent}; {_COMMANDS[name]}"
            return _missing(absent, development.of_command(name), "the package that has it")
        case _:
            return complaint.says.format(*match.groups())


def _missing(what: str, package: str | None, otherwise: str) -> str:
    if package is None:
        return f"{what}; name {otherwise} {_IN_SYSTEM}"
    return f"{what}; Debian's package `{package}` has it: name that {_IN_SYSTEM}"


@cache
def _complaints() -> tuple[_Complaint, ...]:
    rows = catalog.table("complaints.toml")["complaints"]
    return tuple(
        _Complaint(re.compile(row["text"]), row.get("says", ""), row.get("kind", "plain")) for row in rows
    )
