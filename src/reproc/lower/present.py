"""Which compilers stand in the stages of kept builds beside those that the builds use."""

from __future__ import annotations

import re

from reproc import catalog
from reproc.check import Target
from reproc.check.tools import tools_of
from reproc.lock.model import Deb, LockedTarget
from reproc.lock.requests import SYSTEM, layer_on
from reproc.lower.stages import BuildStage, build_stages

_PACKAGE = re.compile(r"(?:gcc|g\+\+|gfortran|clang|rustc|golang)-([0-9.]+)(?:-go)?|rustc")
"""Debian's packages that hold a compiler (`gcc` and its like bring one of them)."""


def compilers_beside(target: Target, locked: LockedTarget) -> dict[str, tuple[str, ...] | None]:
    """By each kept build, the packages with compilers that are there and not used, `gcc-12 12.2.0-14`.

    None where nobody knows: an image that the spec names may hold any.
    """
    found: dict[str, tuple[str, ...] | None] = {}
    for stage in build_stages(target):
        first = stage.builds[0]
        used = _own(tools_of(target, first))
        others = (each for each in _installed(locked, stage) if _PACKAGE.fullmatch(each.name))
        names = tuple(f"{deb.name} {deb.version}" for deb in others if deb.name not in used)
        known = target.under(first).base.kind not in ("image", "archive")
        found |= {build.name: names if known else None for build in stage.builds}
    return found


def _own(tools: tuple[catalog.Toolchain, ...]) -> set[str]:
    """The packages with compilers that tool chains bring: `g++-9` depends on `gcc-9`."""
    series = {tool.series for tool in tools if tool.archive is None and tool.name in ("gcc", "gfortran")}
    return {package for tool in tools for package in tool.packages} | {f"gcc-{each}" for each in series}


def _installed(locked: LockedTarget, stage: BuildStage) -> tuple[Deb, ...]:
    """What is known to be installed in a stage: the official images hold no compilers."""
    system = next((each for each in locked.further if each.name == stage.ground), locked)
    layers = {layer.name: layer for layer in system.apt}
    at = next((name for name in (stage.toolset, layer_on(stage.ground, SYSTEM)) if name in layers), None)
    debs = {deb.name: deb for deb in getattr(system.base, "debs", ())}
    chain = []
    while at is not None:
        chain.append(layers[at])
        at = layers[at].after
    for layer in reversed(chain):
        debs |= {deb.name: deb for deb in layer.debs}
    return tuple(sorted(debs.values(), key=lambda deb: deb.name))
