"""Where the interpreter of a Python environment comes from."""

from __future__ import annotations

from reproc import catalog
from reproc.catalog import pythons
from reproc.catalog.pythons import PythonArchive
from reproc.check.checked import Target
from reproc.model import Python


def provider_of(python: Python, target: Target) -> str | None:
    """`distro`, `image` or `archive`: as the spec says, else the best for the base; None if none has it.

    Nobody knows which version an image of Python holds, and it is there to be used: for one as the base the spec
    has to say.
    """
    version, release = python.version, target.release
    if python.provider is not None or version is None or release is None:
        return python.provider
    if catalog.packaged_python(version, release) is not None:
        return "distro"
    known = pythons.archive(version, target.platform) is not None
    return "archive" if known and not holds_python(target) else None


def holds_python(target: Target) -> bool:
    """Whether the base is an image of Python, as its name says."""
    repository = target.base.name.text.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return target.base.kind == "image" and repository == "python"


def archive_of(python: Python, target: Target) -> PythonArchive | None:
    """The archive that the interpreter comes out of; None where packages or the base image bring it."""
    if python.version is None or provider_of(python, target) != "archive":
        return None
    return pythons.archive(python.version, target.platform)


def archives_of(target: Target) -> tuple[PythonArchive, ...]:
    """Those of all environments, each once, by version."""
    found = {each for python in target.pythons if (each := archive_of(python, target)) is not None}
    return tuple(sorted(found, key=lambda each: each.version))
