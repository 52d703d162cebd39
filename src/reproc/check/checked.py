"""What checking a spec gives: every target whole, with all that it inherits."""

from __future__ import annotations

from dataclasses import field

from reproc import catalog, model
from reproc.record import record
from reproc.source import Span


@record
class Target:
    """A buildable variant, after merging."""

    name: str
    backends: tuple[str, ...]
    base: model.Base
    packages: tuple[model.Item, ...]
    toolchains: tuple[model.Toolchain, ...]
    python: model.Python | None
    code: tuple[model.Code, ...]
    data: tuple[model.Data, ...]
    builds: tuple[model.Build, ...]
    """A build comes after the ones it needs."""
    environment: tuple[model.EnvironmentEntry, ...]
    apps: tuple[model.App, ...]
    tests: tuple[model.Test, ...]
    origin: Span = field(compare=False, repr=False)

    @property
    def release(self) -> catalog.Release | None:
        """The base's distribution release, where it is known."""
        base = self.base
        if base.kind != "image":
            return catalog.release(base.kind, base.name.text)
        return catalog.release(base.is_.distribution, base.is_.release) if base.is_ else None

    def place(self, build: model.Build) -> str | None:
        """Where a build's commands run."""
        code = next((each for each in self.code if each.name == build.name), None)
        return build.in_ or (place_of_code(code).rstrip("/") if code else None)


@record
class CheckedSpec:
    """A spec without errors."""

    paper: model.Paper | None
    targets: tuple[Target, ...]
    path: str
    """The spec's file name."""
    origin: Span = field(compare=False, repr=False)


def place_of_code(code: model.Code) -> str:
    """Where code lies in the image; behind a final `/` a single file keeps its own name."""
    return code.into or f"/opt/src/{code.name}"


def place_of_data(data: model.Data) -> str:
    """Where data lies in the image; behind a final `/` a single file keeps its own name."""
    return data.into or f"/data/{data.name}"
