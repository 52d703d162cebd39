"""The report as Markdown: for a pull request, an issue, or the summary page of a GitHub workflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproc.verify.reports import words

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_TAIL = 4000
"""Characters of a failing test's output that are quoted."""


def markdown(document: Mapping[str, Any]) -> str:
    """The report in GitHub's dialect of Markdown."""
    return "\n".join(_lines(document)) + "\n"


def text(value: object) -> str:
    """Plain text that stays plain text inside a line or a cell of a table."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.shown(str(value)).split()))


def fenced(value: str) -> list[str]:
    """A block of text as it is, whatever marks it holds."""
    value = words.shown(value)
    longest = max((len(each) for each in re.findall("`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *value.rstrip("\n").split("\n"), fence]


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    mark = {"passed": "✅", "failed": "❌"}.get(words.verdict(document), "⚠️")
    yield f"## {mark} {text(document['spec'].get('title') or document['spec']['path'])}: {words.verdict(document)}"
    yield ""
    yield f"{words.sums(document['summary'])} · reproc {text(document['reproc'])} · {text(document['started'])}"
    yield ""
    yield from _table(
        ("target", "engine", "result", "level", "build", "size", "digest"),
        [
            (
                text(target["name"]),
                text(f"{row['engine']} {row['version'] or ''}"),
                f"{words.MARKS[row['status']]} {row['status']}",
                _level(row["level"]),
                words.seconds((row["build"] or {}).get("seconds")),
                words.size((row["build"] or {}).get("size")),
                f"`{row['build']['digest'][:19]}`" if row["build"] and row["build"]["digest"] else "",
            )
            for target, row in words.rows(document)
        ],
    )
    for target in document["targets"]:
        yield from _target(target)
    if document["diagnostics"]:
        yield from ("", "### What went wrong", "")
    for each in document["diagnostics"]:
        place = f" ({text(each['place'])})" if each["place"] else ""
        yield f"- **{each['code']}** {text(each['message'])}{place}"
        if each["output"]:
            yield from ("", *(f"  {line}" for line in fenced(each["output"][-_TAIL:])), "")


def _target(target: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {text(target['name'])}", "")
    if (agreement := words.trees(target)) is not None:
        yield from (f"{agreement[0].upper()}{agreement[1:]}.", "")
    for each in target.get("conversions", ()):
        yield from (f"{words.MARKS[each['status']]} {text(words.converted(each))}.", "")
    engines = [row["engine"] for row in target["engines"]]
    found = {(row["engine"], test["name"]): test for row in target["engines"] for test in row["tests"]}
    names = list(dict.fromkeys(name for _, name in found))
    cells = [[text(name), *(_cell(found.get((engine, name))) for engine in engines)] for name in names]
    if cells:
        yield from _table(("test", *map(text, engines)), cells)
    if remarks := list(_remarks(target)):
        yield from ("", *remarks)


def _remarks(target: Mapping[str, Any]) -> Iterator[str]:
    """What was found and why something failed or was skipped, a line each."""
    for row in target["engines"]:
        for audit in row["audits"]:
            for finding in audit["findings"]:
                yield f"- {text(row['engine'])}, {text(audit['name'])}: {text(words.said(finding))}"
        if row["reason"] is not None:
            yield f"- {text(row['engine'])} {row['status']}: {text(row['reason'])}"
        for test in row["tests"]:
            if test["reason"] is not None and row["reason"] is None:
                yield f"- {text(row['engine'])}, “{text(test['name'])}” {words.outcome(test)}: {text(test['reason'])}"


def _level(level: str | None) -> str:
    return f"{level} ({words.LEVELS[level]})" if level else ""


def _cell(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return ""
    how = words.outcome(test)
    return f"{words.MARKS[how]} {'flaky ' if how == 'flaky' else ''}{words.seconds(test['seconds'])}".strip()


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in body:
        yield f"| {' | '.join(row)} |"
