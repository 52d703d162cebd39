"""Targets that tests name exist; a test of no target that is built would never run."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.model import SpecFile


def unknown_targets(spec: SpecFile) -> Iterator[Diagnostic]:
    """One diagnostic for every name behind `on` that no target has."""
    names = tuple(target.name for target in spec.targets) or ("default",)
    for test in (*spec.tests, *(test for target in spec.targets for test in target.tests)):
        for item in test.on:
            if item.text not in names:
                known = ", ".join(f"`{name}`" for name in names)
                near = nearest(item.text, names)
                yield error(codes.UNKNOWN_TARGET, item.origin, name=item.text, suggestion=near, known=known)
