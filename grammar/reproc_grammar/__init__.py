"""The structural grammar of the spec language, and the parser generated from it when the wheel is built."""

from __future__ import annotations

START = "spec"
"""The rule that a whole file is."""


def grammar() -> str:
    """The text of `repro.lark`."""
    from importlib.resources import files

    return files(__name__).joinpath("repro.lark").read_text(encoding="utf-8")
