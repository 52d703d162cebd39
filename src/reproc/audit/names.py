"""Names by which functions, variables and files say that they belong to a choice made when a program runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from reproc import catalog


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
def _variant() -> re.Pattern[str]:
    names = _table()["names"]
    parts = "|".join([*names["features"], *(each.lower() for each in names["processors"])])
    starts = "|".join(names["prefixes"])
    return re.compile(rf"(?i:(?:^|[_.\d])(?:{parts})(?=$|[_.\d@EI]|\b))|^(?:{starts})")


@cache
def _file() -> re.Pattern[str]:
    files = _table()["files"]
    return re.compile(
        rf"/(?:{'|'.join(files['folders'])})/|[-_.](?:{'|'.join(files['stems'])})(?=[-_.][^/]*$|$)", re.IGNORECASE
    )


def _table() -> dict[str, Any]:
    return catalog.table("multiversioned.toml")
