"""Names by which functions, variables and files say that they belong to a choice made when a program runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from reproc import catalog
from reproc.audit.elf import Elf


@cache
def is_query(name: str) -> bool:
    """Whether a function tells what the processor is."""
    return _plain(name) in {each for names in _table()["queries"].values() for each in names}


@cache
def is_answer(name: str) -> bool:
    """Whether a variable holds what a test of the processor found."""
    return _plain(name) in {each for names in _table()["variables"].values() for each in names}


def _plain(name: str) -> str:
    """A symbol's name without its version, and without the digest that Rust ends its names with."""
    return re.sub(r"17h[0-9a-f]{16}E$", "", name.partition("@")[0])


@cache
def calls_back(name: str) -> bool:
    """Whether a function calls what it is handed; the C library has such under names with more underscores too."""
    known = {each.lstrip("_") for names in _table()["callers"].values() for each in names}
    return name.partition("@")[0].lstrip("_") in known


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
