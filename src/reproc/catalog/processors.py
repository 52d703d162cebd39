"""Processor levels by archspec's names, and the features that each has."""

from __future__ import annotations

from functools import cache
from typing import Any

from reproc import catalog
from reproc.record import record


@record
class Level:
    """A processor, or a level that many processors reach."""

    name: str
    """As archspec has it, `x86_64_v2`."""
    family: str
    """The level at the root of its ancestry, `x86_64`."""
    features: frozenset[str]
    """Its own and those of all that it builds on."""


def level(name: str) -> Level | None:
    """The level of this name, dashes and underscores alike; None if there is none."""
    plain = name.replace("-", "_")
    rows = _rows("levels")
    known = _rows("aliases").get(name) or next((each for each in (name, plain) if each in rows), None)
    return None if known is None else _level(known)


def names(family: str | None = None) -> tuple[str, ...]:
    """Every level's name as the language writes it, `x86-64-v2`; of one family if that is given."""
    found = (each for each in _rows("levels") if family is None or _level(each).family == family)
    return tuple(written(each) for each in found)


def written(name: str) -> str:
    """A level's name as specs have it: the psABI's levels with dashes, all others as they are."""
    return name.replace("_", "-") if name.startswith("x86_64") else name


def family_of(platform: str) -> str:
    """The family of a platform's processors: `x86_64` for `linux/amd64`."""
    return str(_rows("platforms")[platform])


def feature(name: str) -> str:
    """A feature's name as the table has it: `sse4.2` is `sse4_2`."""
    return name.replace(".", "_")


@cache
def features(family: str) -> frozenset[str]:
    """Every feature that some processor of a family has."""
    return frozenset().union(
        *(_level(each).features for each in _rows("levels") if _level(each).family == family)
    )


def _rows(table: str) -> dict[str, Any]:
    rows: dict[str, Any] = catalog.table("processors.toml")[table]
    return rows


@cache
def _level(name: str) -> Level:
    row = _rows("levels")[name]
    below = [_level(each) for each in row.get("from", ())]
    own = frozenset(row.get("features", ()))
    return Level(name, below[0].family if below else name, own.union(*(each.features for each in below)))


def instruction_feature(cpuid: str) -> str | None:
    """The feature that a flag of the instruction set stands for, `sse4_1` for `SSE4_1`; None if every
    processor has it, or if programs ask for it by name (transactions, protection keys, virtualisation)."""
    found = _rows("instructions").get(cpuid)
    return None if found is None else str(found)


@cache
def instruction_features() -> frozenset[str]:
    """Every feature that some instruction needs."""
    return frozenset(map(str, _rows("instructions").values()))


def reachable(level: Level, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Every feature that instructions may need at a level, less some and all that is built on those."""
    implies = _rows("implies")
    found = set(level.features)
    found.update(_rows("base").get(level.family, ()))
    while more := {each for name in found for each in implies.get(name, ())} - found:
        found |= more
    lost = set(without)
    while more := {name for name, below in implies.items() if lost & {*below}} - lost:
        lost |= more
    return frozenset(found - lost)
