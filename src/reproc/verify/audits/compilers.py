"""Which compiler made what builds have kept: the one that the build uses, by the programs' own word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc import catalog
from reproc.audit import Facts
from reproc.check import Target
from reproc.check.tools import tools_of
from reproc.model import Build
from reproc.verify.audits.image import Image
from reproc.verify.report import Finding

NAME = "compilers"
_SIGN = re.compile(r"GCC: \(.*\) ([0-9]+(?:\.[0-9]+)*)")
"""What GCC and gfortran write into `.comment`: who packaged them, the version, for some a date."""
_NAMES = ("gcc", "gfortran")


def idle(target: Target) -> str | None:
    return (
        None if any(_compilers(target, build) for build in target.builds) else "no build keeps what GCC makes"
    )


def check(target: Target, image: Image) -> Iterator[Finding]:
    for build in target.builds:
        wanted = _compilers(target, build)
        if not wanted:
            continue
        for path, found in image.programs([item.text for item in build.keep]):
            yield _finding(build, wanted, path, found)


def _compilers(target: Target, build: Build) -> tuple[catalog.Toolchain, ...]:
    return tuple(tool for tool in tools_of(target, build) if build.keep and tool.name in _NAMES)


def _finding(build: Build, wanted: tuple[catalog.Toolchain, ...], path: str, found: Facts) -> Finding:
    made = {each: match[1] for each in found.producers if (match := _SIGN.match(each))}
    said = ", ".join(f"`{each}`" for each in made)
    if not found.producers:
        return Finding(f"`{path}` does not say what made it", path)
    # the C library's own start files are in every program, with the word of what made them
    if any(catalog.names_version(each, tool.version) for each in made.values() for tool in wanted):
        return Finding(f"`{path}` was made by {said}", path)
    versions = " and ".join(f"{tool.name} {tool.version}" for tool in wanted)
    others = said or ", ".join(f"`{each}`" for each in found.producers)
    message = f"`{path}` was made by {others}, and `build {build.name}` uses {versions}"
    return Finding(message, path, holds=False)
