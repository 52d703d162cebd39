"""CUDA toolkits: which GCC each takes, for which GPUs it compiles, and which driver runs it."""

from __future__ import annotations

from functools import cache
from typing import Any

from reproc import catalog
from reproc.record import record


@record
class Toolkit:
    """A minor version of CUDA."""

    version: str
    """Such as `11.8`."""
    gcc: str
    """The newest GCC that nvcc takes as the host's compiler, as far as that is told: `11`, or `11.1`."""
    driver: str
    """The oldest driver for Linux that runs what it compiled for the GPU itself (not PTX)."""


def number(version: str) -> tuple[int, ...]:
    """A version's numbers, for comparing."""
    return tuple(int(part) for part in version.split("."))


def toolkit(version: str) -> Toolkit | None:
    """The toolkit of a version such as `11.8` or `11.8.0`; None if there is no such version, or it is too new."""
    minor = ".".join((*version.split("."), "0")[:2])
    row = _table()["toolkits"].get(minor)
    if row is None:
        return None
    family = _table()["families"].get(minor.partition(".")[0])
    return Toolkit(minor, row["gcc"], family or row["driver"])


def oldest_driver(version: str, named: object | None) -> str | None:
    """The oldest driver for what a version of CUDA makes: the one that is named, `>=550`, else that version's."""
    known = toolkit(version)
    return str(named).removeprefix(">=") if named else known.driver if known else None


def toolkits() -> tuple[str, ...]:
    """Every known version, oldest first."""
    return tuple(_table()["toolkits"])


def architectures(toolkit: Toolkit) -> tuple[str, ...]:
    """The compute capabilities that a toolkit compiles for, `sm_50` …, oldest first."""
    return tuple(f"sm_{name}" for name in _table()["architectures"] if _within(name, toolkit.version))


def compiled_by(architecture: str) -> tuple[str, ...]:
    """The toolkits that compile for a compute capability, oldest first; empty if it is not known."""
    name = architecture.removeprefix("sm_")
    if name not in _table()["architectures"]:
        return ()
    return tuple(version for version in toolkits() if _within(name, version))


def expanded(arch: str, version: str) -> tuple[str, ...]:
    """The compute capabilities that `sm_70`, or `sm_60..sm_80`, stands for with a version of CUDA.

    One that is too new to be known is taken for the newest that is.
    """
    first, _, last = arch.partition("..")
    if not last:
        return (arch,)
    low, high = (int(each.removeprefix("sm_")) for each in (first, last))
    known = toolkit(version) or toolkit(toolkits()[-1])
    assert known is not None, "the newest is one of the table"
    plain = (each for each in architectures(known) if each[3:].isdigit())
    return tuple(each for each in plain if low <= int(each[3:]) <= high)


def _within(architecture: str, version: str) -> bool:
    first, last = _table()["architectures"][architecture]
    here = number(version)
    return (not first or number(first) <= here) and (not last or here <= number(last))


@cache
def _table() -> dict[str, Any]:
    return catalog.table("cuda.toml")
