"""The Python environment is one that the base's release can hold, and its requirements can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Item

_REQUIREMENT = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\])?\s*(?P<rest>.*)", re.DOTALL
)


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    python = target.python
    if python is None:
        return
    release = target.release
    if python.version is None:
        yield error(
            codes.PYTHON_VERSION_MISSING, python.origin, version=release.python if release else "3.11"
        )
    elif release is not None and not f"{release.python}.".startswith(f"{python.version}."):
        name = f"{release.distribution} {release.codename}"
        yield error(
            codes.PYTHON_NOT_IN_RELEASE,
            python.origin,
            release=name,
            known=release.python,
            version=python.version,
        )
    for item in python.packages:
        yield from _requirement(item)


def _requirement(item: Item) -> Iterator[Diagnostic]:
    match = _REQUIREMENT.fullmatch(item.text)
    rest = match["rest"] if match else ""
    if match is None or rest[:1] not in ("", "=", "<", ">", "!", "~", "(", ";", "@"):
        yield error(
            codes.BAD_REQUIREMENT,
            item.origin,
            text=item.text,
            problem="it does not start with a project's name",
        )
    elif rest.startswith("@"):
        yield error(codes.DIRECT_REQUIREMENT, item.origin, text=item.text)
