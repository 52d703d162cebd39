"""The report as one HTML file: it asks for nothing outside itself, and works without scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from reproc.record import record
from reproc.verify.reports import words

if TYPE_CHECKING:
    from markupsafe import Markup

_LOG = {"passed": 20_000, "failed": 200_000}
"""The last characters of a log that the page holds, by how the build came out."""
_NAMED = 3
"""How many targets are named one by one beside a package."""
_CODE = re.compile("`([^`\n]+)`")


@record
class Log:
    """The end of a log."""

    end: str
    whole: bool

    def __bool__(self) -> bool:
        return bool(self.end)


def page(document: Mapping[str, Any], logs: Callable[[str], str]) -> str:
    """The whole page; `logs` gives the text of a log by the path that the document names."""
    from jinja2 import Environment, StrictUndefined

    folder = files(__name__.rpartition(".")[0])
    style, script, source = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.j2")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_plain
    )
    environment.filters |= {"seconds": words.seconds, "size": words.size, "hash": _hash, "code": _code}

    def log(build: Mapping[str, Any]) -> Log:
        text, room = logs(build["log"]), _LOG[build["status"]]
        return Log(text[-room:], len(text) <= room)

    return environment.from_string(source).render(
        document=document,
        title=document["spec"].get("title") or document["spec"]["path"],
        verdict=words.verdict(document),
        verdicts=words.VERDICTS,
        how=words.outcome,
        said=words.said,
        sums=words.sums(document["summary"]),
        levels=words.LEVELS,
        marks=words.MARKS,
        matrix=_matrix(document),
        trees=words.trees,
        converted=words.converted,
        sentence=lambda text: text[:1].upper() + text[1:],
        by_name=_by_name,
        packages=_packages(document),
        log=log,
        style=style,
        script=script,
    )


def _plain(value: object) -> object:
    """What stands in the page for a value: text whose every character can be seen."""
    from markupsafe import Markup

    return words.shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> Markup:
    """A message with what stands between backticks as code."""
    from markupsafe import Markup

    parts = _CODE.split(words.shown(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(each) if at % 2 else each for at, each in enumerate(parts)
    )


def _hash(text: str) -> str:
    """How a content security policy names an inline script or style that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _matrix(document: Mapping[str, Any]) -> dict[str, Any]:
    """The engines of all targets, and the version of each."""
    rows = [row for _, row in words.rows(document)]
    versions = {row["engine"]: row["version"] or "" for row in reversed(rows)}
    return {"engines": list(dict.fromkeys(row["engine"] for row in rows)), "versions": versions}


def _by_name(target: Mapping[str, Any], what: str) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
    """Every test (or audit) by its name, with how it came out in each engine, in the order of the first."""
    found = [{each["name"]: each for each in row[what]} for row in target["engines"]]
    names = dict.fromkeys(name for each in found for name in each)
    return [(name, [each.get(name) for each in found]) for name in names]


def _packages(document: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Every package once, and which targets hold it."""
    rows: dict[tuple[str, ...], tuple[Mapping[str, Any], list[str]]] = {}
    for target in document["targets"]:
        for each in target.get("packages") or ():
            lists = (*each["licenses"], "", *each["mentions"])
            key = (each["kind"], each["name"], each["version"], *lists)
            rows.setdefault(key, (each, []))[1].append(target["name"])
    names = [target["name"] for target in document["targets"] if target.get("packages") is not None]
    return [
        (each, _held(places, names)) for _, (each, places) in sorted(rows.items(), key=lambda row: row[0])
    ]


def _held(places: Sequence[str], names: Sequence[str]) -> str:
    """Which of all targets, in few words."""
    others = [name for name in names if name not in places]
    if not others:
        return "all"
    if len(places) <= _NAMED:
        return ", ".join(places)
    if len(others) <= _NAMED:
        return f"all but {', '.join(others)}"
    return f"{len(places)} of {len(names)}"
