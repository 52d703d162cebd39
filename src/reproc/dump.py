"""Any value of the corridor as JSON: classes by name, places as `file:line:column`."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum

from reproc.source import SourceFile, Span


def plain(value: object) -> object:
    """The value in JSON's types; source texts are left out."""
    if isinstance(value, Span):
        return str(value)
    if isinstance(value, SourceFile):
        return value.path
    if is_dataclass(value) and not isinstance(value, type):
        members = {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        return {"type": type(value).__name__, **members}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [plain(each) for each in items]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def dump(value: object) -> str:
    """The value as indented JSON with a final newline."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n"
