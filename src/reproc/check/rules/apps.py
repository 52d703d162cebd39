"""An app does not take the name of what runs it."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder

_TAKEN = frozenset(
    "bash cat cd cp dash env exec export ln ls mkdir mv perl pip printf python python3 rm sed set sh tar test "
    "true".split()
)
"""What recipes, entry scripts and tests call by name while the apps' directory is first on PATH."""


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    for app in target.apps:
        if app.name in _TAKEN:
            yield error(codes.TAKEN_APP_NAME, app.origin, name=app.name)
