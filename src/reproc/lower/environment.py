"""The variables of builds and of the finished image, each with its final value."""

from __future__ import annotations

from collections.abc import Iterable

from reproc.check import Target, place_of_python
from reproc.check.tools import default_tools
from reproc.graph import APPS, Variable
from reproc.lock.model import ArchiveBase, ImageBase, LockedTarget
from reproc.model import EnvironmentEntry
from reproc.source import Span

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Debian's and Ubuntu's images set."""
TOOLS = "/opt/reproc/tools"
"""A directory a tool chain, with its commands under their plain names."""


def base_environment(locked: LockedTarget | None) -> dict[str, str]:
    """What is set before the spec says anything."""
    of_image = (
        dict(locked.base.environment) if locked and isinstance(locked.base, ImageBase | ArchiveBase) else {}
    )
    return {"PATH": PATH, **of_image, "LANG": "C.UTF-8", "TZ": "UTC"}


def apply(
    entries: Iterable[EnvironmentEntry], scopes: tuple[str, ...], values: dict[str, str]
) -> dict[str, str]:
    """The values after the entries of these scopes; what is prepended or appended is joined with `:`."""
    result = dict(values)
    for entry in entries:
        if entry.scope not in scopes:
            continue
        there = result.get(entry.name)
        if entry.action == "prepend":
            result[entry.name] = f"{entry.value}:{there}" if there else entry.value
        elif entry.action == "append":
            result[entry.name] = f"{there}:{entry.value}" if there else entry.value
        else:
            result[entry.name] = entry.value
    return result


def image_path(target: Target, below: str) -> str:
    """The image's search path: apps, the Python environment, kept programs, default tools, then the base's."""
    kept = [f"{path.text}/bin" for build in target.builds for path in build.keep]
    parts = [APPS] if target.apps else []
    parts += [f"{place_of_python(python)}/bin" for python in target.pythons]
    parts += [*kept, *(f"{TOOLS}/{tool.key}" for tool in default_tools(target)), below]
    return ":".join(parts)


def changed(new: dict[str, str], old: dict[str, str]) -> tuple[Variable, ...]:
    """The variables of `new` that `old` lacks or has otherwise, in order of their names."""
    return tuple(Variable(name, value) for name, value in sorted(new.items()) if old.get(name) != value)


def environment_origin(target: Target) -> Span | None:
    """Where the spec sets its first variable."""
    return target.environment[0].origin if target.environment else None
