"""The report as one HTML file: it asks for nothing outside itself, and works without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from reproc.verify.reports import words

_LOG = 200_000
"""The last characters of a log that the page holds."""


def page(document: Mapping[str, Any], logs: Callable[[str], str]) -> str:
    """The whole page; `logs` gives the text of a log by the path that the document names."""
    from jinja2 import Environment, StrictUndefined

    folder = files(__name__.rpartition(".")[0])
    style, script, source = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.j2")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"seconds": words.seconds, "size": words.size, "hash": _hash}
    return environment.from_string(source).render(
        document=document,
        verdict=words.verdict(document),
        verdicts=words.VERDICTS,
        how=words.outcome,
        sums=words.sums(document["summary"]),
        levels=words.LEVELS,
        marks=words.MARKS,
        rows=list(words.rows(document)),
        trees=words.trees,
        tests=_tests,
        log=lambda path: logs(path)[-_LOG:],
        style=style,
        script=script,
    )


def _hash(text: str) -> str:
    """How a content security policy names an inline script or style that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _tests(target: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
    """Every test's name with how it came out in each engine, in the spec's order."""
    found = [{test["name"]: test for test in row["tests"]} for row in target["engines"]]
    names = dict.fromkeys(name for each in found for name in each)
    return [(name, [each.get(name) for each in found]) for name in names]
