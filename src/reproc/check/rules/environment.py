"""No variable looks as if a shell would expand it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    blocks = (
        [each.env for each in target.builds]
        + [each.env for each in target.apps]
        + [each.env for each in target.tests]
    )
    inner = [entry for block in blocks if block for entry in block.entries]
    for entry in (*target.environment, *inner):
        match = re.search(rf"\$(\{{{entry.name}\}}|{entry.name}\b)", entry.value)
        if match:
            rest = (entry.value[: match.start()] + entry.value[match.end() :]).strip(":")
            yield error(
                codes.SELF_REFERENCE, entry.origin, reference=match[1], name=entry.name, rest=rest or None
            )
