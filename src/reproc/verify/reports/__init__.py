"""A report in the forms that people and other programs read: one file a form, all made of `report.json`'s document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from reproc.files import write_atomically

Document: TypeAlias = Mapping[str, Any]
"""What `report.json` holds (docs/report.md)."""
Logs: TypeAlias = Callable[[str], str]
"""The text of a log that the document names; empty where it is gone."""


def write(document: Document, path: Path, logs: Logs) -> None:
    """Writes a report in the form of the file's ending, whole or not at all; raises OSError."""
    # a lone surrogate cannot come from an engine's output, but may from a file name
    write_atomically(path, FORMS[path.suffix](document, logs).encode("utf-8", "replace"))


def _json(document: Document, logs: Logs) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _html(document: Document, logs: Logs) -> str:
    from reproc.verify.reports.page import page

    return page(document, logs)


def _markdown(document: Document, logs: Logs) -> str:
    from reproc.verify.reports.markdown import markdown

    return markdown(document)


def _junit(document: Document, logs: Logs) -> str:
    from reproc.verify.reports.junit import junit

    return junit(document)


def _badge(document: Document, logs: Logs) -> str:
    from reproc.verify.reports.badge import badge

    return badge(document)


FORMS: Mapping[str, Callable[[Document, Logs], str]] = {
    ".json": _json,
    ".html": _html,
    ".md": _markdown,
    ".xml": _junit,
    ".svg": _badge,
}
"""Forms by the ending of a file's name."""
