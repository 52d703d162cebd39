"""Which distribution package a header, a library or a command comes from; for hints, never for building."""

from __future__ import annotations

from functools import cache
from typing import Any

from reproc import catalog


def of_header(name: str) -> str | None:
    """The package with a header, named as an `#include` has it."""
    headers = _by("headers")
    folders = [f"{part}/" for part in name.split("/")[:-1]]
    return next(
        (headers[each] for each in (name, *folders, name.rpartition("/")[2]) if each in headers), None
    )


def of_library(name: str) -> str | None:
    """The package with `libNAME.so`."""
    return _by("libraries").get(name)


def of_command(name: str) -> str | None:
    """The package with a command."""
    found: str | None = _table()["commands"].get(name)
    return found


@cache
def _by(kind: str) -> dict[str, str]:
    rows: dict[str, dict[str, list[str]]] = _table()["packages"]
    return {name: package for package, row in rows.items() for name in row.get(kind, ())}


@cache
def _table() -> dict[str, Any]:
    return catalog.table("development.toml")
