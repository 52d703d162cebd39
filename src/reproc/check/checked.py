"""What checking a spec gives: every target whole, with all that it inherits."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

from reproc import catalog, model
from reproc.record import record, replace
from reproc.source import Span


@record
class Target:
    """A buildable variant, after merging."""

    name: str
    extends: str | None
    backends: tuple[str, ...]
    base: model.Base
    platform: str
    """Such as `linux/amd64`."""
    cpu: model.Item | None
    without: tuple[model.Item, ...]
    cuda: model.Cuda | None
    rocm: model.Rocm | None
    packages: tuple[model.Item, ...]
    recommends: bool
    sources: tuple[model.Source, ...]
    toolchains: tuple[model.Toolchain, ...]
    pythons: tuple[model.Python, ...]
    code: tuple[model.Code, ...]
    data: tuple[model.Data, ...]
    files: tuple[model.File, ...]
    directories: tuple[model.Directory, ...]
    builds: tuple[model.Build, ...]
    """A build comes after the ones it needs."""
    environment: tuple[model.EnvironmentEntry, ...]
    labels: tuple[model.ImageLabel, ...]
    activate: tuple[model.Activate, ...]
    user: model.User | None
    workdir: str
    apps: tuple[model.App, ...]
    tests: tuple[model.Test, ...]
    origin: Span = field(compare=False, repr=False)

    @property
    def release(self) -> catalog.Release | None:
        """The base's distribution release, where it is known."""
        base = self.base
        if base.kind not in ("image", "archive"):
            return catalog.release(base.kind, base.name.text)
        return catalog.release(base.is_.distribution, base.is_.release) if base.is_ else None

    def under(self, build: model.Build) -> Target:
        """The target as a build finds it: on the base that it names itself, if it names one."""
        return self if build.on is None else replace(self, base=build.on)

    def place(self, build: model.Build) -> str | None:
        """Where a build's commands run."""
        return build.in_ or self._places.get(build.name)

    @cached_property
    def _places(self) -> dict[str, str]:
        return {code.name: place_of_code(code).rstrip("/") for code in self.code}


@record
class CheckedSpec:
    """A spec without errors."""

    paper: model.Paper | None
    as_of: int | None
    """Seconds since 1970-01-01 UTC."""
    targets: tuple[Target, ...]
    experiments: tuple[model.Experiment, ...]
    path: str
    """The spec's file name."""
    included: tuple[str, ...]
    """The files that it includes, relative to it."""
    origin: Span = field(compare=False, repr=False)


def place_of_code(code: model.Code) -> str:
    """Where code lies in the image; behind a final `/` a single file keeps its own name."""
    return code.into or f"/opt/src/{code.name}"


def place_of_data(data: model.Data) -> str:
    """Where data lies in the image; behind a final `/` a single file keeps its own name."""
    return data.into or f"/data/{data.name}"


def place_of_python(python: model.Python) -> str:
    """Where a Python environment lies in the image."""
    return python.venv or ("/opt/venv" if python.name is None else f"/opt/venv-{python.name}")
