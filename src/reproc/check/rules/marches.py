"""The processors that a build's commands name are ones that its GCC knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.catalog import marches
from reproc.check.checked import Target
from reproc.check.tools import tools_of
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Build
from reproc.source import Span

_MARCH = re.compile(r"(?<![\w-])-march=([a-z0-9][a-z0-9.-]*)")
_COMPILERS = ("gcc", "gfortran")


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    for build in target.builds:
        compilers = [tool for tool in tools_of(target, build) if tool.name in _COMPILERS]
        if not compilers:
            continue
        seen: set[str] = set()
        for name, origin in _named(target, build):
            tool = next((each for each in compilers if not marches.knows(each.version, name)), None)
            if tool is None or name in seen:
                continue
            seen.add(name)
            yield error(
                codes.MARCH_UNKNOWN,
                origin,
                name=name,
                compiler=f"{tool.name} {tool.version}",
                since=marches.known_since(name),
                flags=marches.instead(tool.version, name),
            )


def _named(target: Target, build: Build) -> Iterator[tuple[str, Span]]:
    """The processors that commands and variables of a build name, each with its place."""
    texts = [
        ("".join(part for part in command.text if isinstance(part, str)), command.origin)
        for command in build.commands
    ]
    entries = (*(build.env.entries if build.env else ()), *target.environment)
    texts += [(entry.value, entry.origin) for entry in entries if entry.scope != "run"]
    for text, origin in texts:
        for match in _MARCH.finditer(text):
            yield match[1], origin
