"""What a Python project says of itself in its `pyproject.toml`: what it needs to run, and to be built."""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, Label, error
from reproc.lock.foreign import admits
from reproc.lock.requests import PROJECT
from reproc.record import record
from reproc.source import SourceFile, Span

LEGACY = ("setuptools >= 40.8.0", "wheel")
"""What builds a project that does not say (PEP 518, "build-system table"; setuptools' own hook adds wheel)."""
_LARGEST = 4 << 20
"""A description of a project that is larger is none."""


@record
class Project:
    """The part of a `pyproject.toml` that locking looks at."""

    dependencies: tuple[str, ...] | None
    """None if they are known only to who builds the project."""
    requires: tuple[str, ...]
    """What its build takes."""


def read(path: str, text: str, origin: Span, python: str) -> Project | Diagnostic:
    """The project that a `pyproject.toml` describes; without any text, one that is built the old way."""
    try:
        return _project(tomllib.loads(text), python)
    except _Refused as trouble:
        code, facts = trouble.code, trouble.facts
    except (tomllib.TOMLDecodeError, RecursionError) as trouble:
        reason = str(trouble).split("\n", 1)[0].lower() or "it is nested too deeply"
        code, facts = codes.BAD_PROJECT, {"reason": reason}
    span = Span(SourceFile(path, text), 0, min(1, len(text)))
    return error(code, span, Label(origin, "named here"), path=path, **facts)


class _Refused(Exception):
    def __init__(self, code: Code, **facts: str) -> None:
        super().__init__(code.name)
        self.code = code
        self.facts = facts


def _project(content: dict[str, Any], python: str) -> Project:
    system, project = content.get("build-system", {}), content.get("project")
    if not isinstance(system, dict) or not isinstance(project, dict | None):
        raise _Refused(codes.BAD_PROJECT, reason="it has not the form that such a file has")
    requires = _texts("requires", system.get("requires", LEGACY))
    if "setuptools" in " ".join(requires):
        requires = (*requires, "wheel")
    requires = tuple(dict.fromkeys(requires))
    if project is None:
        return Project(None, requires)
    wanted = project.get("requires-python", "")
    try:
        fits = not wanted or admits(wanted, python)
    except (ValueError, TypeError):
        raise _Refused(codes.BAD_PROJECT, reason="its `requires-python` cannot be read") from None
    if not fits:
        raise _Refused(codes.FOREIGN_PYTHON, wanted=wanted, python=python)
    dependencies = _texts("dependencies", project.get("dependencies", ()))
    return Project(None if "dependencies" in project.get("dynamic", ()) else dependencies, requires)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise _Refused(codes.BAD_PROJECT, reason=f"its `{name}` are not a list of texts")
    return tuple(value)


def described(archive: Path, depth: int = 0) -> str | None:
    """The text of the `pyproject.toml` that lies so many folders deep in an archive.

    Empty if there is only a `setup.py`, None if there is no project.
    """
    found: dict[str, bytes] = {}
    for name, content in _members(archive):
        *folders, last = name.removeprefix("./").split("/")
        if len(folders) == depth and last in (PROJECT, "setup.py"):
            found[last] = content()
    if PROJECT in found:
        return found[PROJECT].decode("utf-8", "replace")
    return "" if found else None


def _members(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The names of an archive's files, each with a way to read it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                yield name, lambda name=name: zipped.read(name)  # type: ignore[misc]
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            file = packed.extractfile(member) if member.isfile() and member.size < _LARGEST else None
            if file is not None:
                yield member.name, file.read
