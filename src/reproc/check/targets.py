"""Targets that tests and experiments name exist; what is for no target that is built would never run."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.names import unknown
from reproc.diagnostics import Diagnostic
from reproc.diagnostics.codes import rules as codes
from reproc.model import Experiment, SpecFile, Test


def unknown_targets(spec: SpecFile) -> Iterator[Diagnostic]:
    """One diagnostic for every name behind `on` that no target has."""
    names = tuple(target.name for target in spec.targets) or ("default",)
    found: list[Test | Experiment] = [*spec.tests, *spec.experiments]
    found += [test for target in spec.targets for test in target.tests]
    for each in found:
        yield from unknown(codes.UNKNOWN_TARGET, each.on, names)
