"""Names by which functions, variables and files say that they belong to a choice made when a program runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from reproc import catalog
from reproc.audit.elf import Elf


@cache
def queries() -> frozenset[str]:
    """Functions that tell what the processor is."""
    return frozenset(name for names in _table()["queries"].values() for name in names)


@cache
def variables() -> frozenset[str]:
    """Variables that hold what a test of the processor found."""
    return frozenset(name for names in _table()["variables"].values() for name in names)


@cache
def is_variant(name: str) -> bool:
    """Whether a function is by its name one of several versions, such as `sum_avx2` or `dot.arch_haswell`."""
    return _variant().search(name) is not None


def is_chosen(path: str) -> bool:
    """Whether a file is by its path one of several, such as `libmkl_avx2.so.2`."""
    return _file().search(path) is not None


@cache
def known_features(library: str | None) -> frozenset[str]:
    """What functions of a known library may need, since it tests for that in a way that its file does not show."""
    row = next((each for each in _table()["library"] if each["name"] == library), None)
    return frozenset(row["features"] if row else ())


def known_library(elf: Elf) -> str | None:
    """The known library that a file is, or holds, by its soname or by a text in its data."""
    data = [elf.bytes(each) for each in elf.sections if each.name.startswith(".rodata")]
    for row in _table()["library"]:
        soname, text = row.get("soname"), row.get("text", "").encode()
        if soname and elf.soname and re.match(soname, elf.soname):
            return str(row["name"])
        if text and any(text in each for each in data):
            return str(row["name"])
    return None


@cache
def _variant() -> re.Pattern[str]:
    names = _table()["names"]
    parts = "|".join([*names["features"], *(each.lower() for each in names["processors"])])
    starts = "|".join(names["prefixes"])
    return re.compile(rf"(?i:(?:^|[_.\d])(?:{parts})(?=$|[_.\d@EI]|\b))|^(?:{starts})")


@cache
def _file() -> re.Pattern[str]:
    files = _table()["files"]
    return re.compile(
        rf"/(?:{'|'.join(files['folders'])})/|[-_.](?:{'|'.join(files['stems'])})(?=[-_.][^/]*$|$)",
        re.IGNORECASE,
    )


def _table() -> dict[str, Any]:
    return catalog.table("multiversioned.toml")
