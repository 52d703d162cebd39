"""The report as a table for people: target × engine × test, in 80 columns, readable without color."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reproc.verify.report import AuditReport, EngineReport, Report, Status, TestReport
from reproc.verify.reports.words import seconds as _seconds
from reproc.verify.reports.words import shown, sums

if TYPE_CHECKING:
    from rich.text import Text

_MARKS = {Status.PASSED: "ok", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}
_LEVELS = {"R0": "builds", "R1": "packages", "R2": "files", "R3": "bytes"}
_EARLIER = " earlier"
_STYLES = {Status.PASSED: "green", Status.FAILED: "bold red", Status.SKIPPED: "yellow"}


def table(report: Report, *, width: int = 80, color: bool = False) -> str:
    """The table, then one line a reason, then the sums; ends with a newline."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        emoji=False,
        markup=False,
    )
    engines = list(dict.fromkeys(row.engine for row in report.rows()))
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    grid.add_column("target", overflow="fold")
    grid.add_column("check", overflow="fold", ratio=1)
    for engine in engines:
        grid.add_column(engine, no_wrap=True)
    for target in report.targets:
        rows = {row.engine: row for row in target.engines}
        names = list(dict.fromkeys(test.name for row in target.engines for test in row.tests))
        cells = [_build_cell(rows.get(engine)) for engine in engines]
        grid.add_row(Text(target.name), Text("builds"), *(_text(cell) for cell in cells))
        for name in names:
            found = [_find(rows.get(engine), name) for engine in engines]
            grid.add_row("", Text(name), *(_text(_test_cell(test)) for test in found))
        for name in dict.fromkeys(audit.name for row in target.engines for audit in row.audits):
            audited = [_audit(rows.get(engine), name) for engine in engines]
            grid.add_row("", Text(f"audit: {name}"), *(_text(_audit_cell(each)) for each in audited))
        if any(row.rebuild is not None for row in target.engines):
            levels = [_level_cell(rows.get(engine)) for engine in engines]
            grid.add_row("", Text("a second build gives the same"), *(_text(cell) for cell in levels))
        if target.same_tree is not None:
            status = Status.PASSED if target.same_tree else Status.FAILED
            same = [_same_cell(rows.get(engine), status, target.same_since) for engine in engines]
            grid.add_row("", Text("the same files in every engine"), *(_text(cell) for cell in same))
        for each in target.conversions:
            cell = (_MARKS[each.status], _STYLES[each.status])
            converted = (cell if name == "singularity" else ("–", "dim") for name in engines)
            grid.add_row("", Text(f"a SIF out of docker's image ({each.way})"), *map(_text, converted))
        grid.add_section()
    console.print(grid)
    lines = [*_reasons(report), *_earlier(report)]
    if lines:
        console.print()
    for line in lines:
        console.print(Text(shown(line)), soft_wrap=False)
    if any(report.counts.values()):
        console.print()
        console.print(Text(_sums(report)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _text(cell: tuple[str, str]) -> Text:
    from rich.text import Text

    return Text(cell[0], style=cell[1])


def _build_cell(row: EngineReport | None) -> tuple[str, str]:
    if row is None:
        return ("–", "dim")
    if row.build is None:
        return (_MARKS[row.status] if row.status is Status.SKIPPED else "MISSING", _STYLES[row.status])
    took = _EARLIER if row.build.since else f" {_seconds(row.build.seconds)}"
    return (f"{_MARKS[row.build.status]}{took}", _STYLES[row.build.status])


def _level_cell(row: EngineReport | None) -> tuple[str, str]:
    """`R3 bytes`: what a second build has in common with the first, at the highest level."""
    if row is None or row.rebuild is None:
        return ("–", "dim")
    level = row.rebuild.level
    return (
        f"{level} {_LEVELS[level]}{_EARLIER if row.rebuild.since else ''}",
        "green" if level == "R3" else "yellow",
    )


def _same_cell(row: EngineReport | None, status: Status, since: str | None) -> tuple[str, str]:
    if row is None or row.build is None or row.build.image is None:
        return ("–", "dim")
    return (f"{_MARKS[status]}{_EARLIER if since else ''}", _STYLES[status])


def _test_cell(test: TestReport | None) -> tuple[str, str]:
    if test is None:
        return ("–", "dim")
    took = "" if test.seconds is None or test.status is Status.SKIPPED else f" {_seconds(test.seconds)}"
    took = _EARLIER if test.since else took
    return (f"{'FLAKY' if test.flaky else _MARKS[test.status]}{took}", _STYLES[test.status])


def _audit(row: EngineReport | None, name: str) -> AuditReport | None:
    return next((audit for audit in row.audits if audit.name == name), None) if row is not None else None


def _audit_cell(audit: AuditReport | None) -> tuple[str, str]:
    if audit is None:
        return ("–", "dim")
    earlier = _EARLIER if audit.since and audit.status is Status.PASSED else ""
    return (f"{_MARKS[audit.status]}{earlier}", _STYLES[audit.status])


def _find(row: EngineReport | None, name: str) -> TestReport | None:
    return next((test for test in row.tests if test.name == name), None) if row is not None else None


def _reasons(report: Report) -> Iterable[str]:
    """Every failure and skip with its reason, said once for all the tests that share it."""
    for target in report.targets:
        if target.flattened or any(each.flattened for each in target.conversions):
            yield f"{target.name}, note: an image gives every file to root, so that owners were not compared"
        for row in target.engines:
            if row.reason is not None:
                word = "skipped" if row.status is Status.SKIPPED else "failed"
                yield f"{target.name}, {row.engine} {word}: {row.reason}"
            for test in row.tests:
                if test.reason is not None and row.reason is None:
                    yield f"{target.name}, {row.engine}, “{test.name}” {test.status.value}: {test.reason}"
            for audit in row.audits:
                if audit.status is Status.FAILED:
                    yield f"{target.name}, {row.engine}, audit {audit.name} failed: {audit.reason}"
            recorded = row.build.recorded if row.build is not None else None
            if recorded is not None and not recorded.same:
                text = f"the same recipe and inputs gave other bytes in the run of {recorded.since}"
                yield f"{target.name}, {row.engine}, note: {text}"
            for note in row.build.notes if row.build is not None else ():
                yield f"{target.name}, {row.engine}, note: {note}"


def _earlier(report: Report) -> Iterable[str]:
    """When earlier runs showed what this one did not do again."""
    found = {each for target in report.targets for each in (target.same_since,)}
    for row in report.rows():
        found |= {
            each.since for each in (row.build, row.rebuild, *row.tests, *row.audits) if each is not None
        }
    if times := sorted(each for each in found if each):
        runs = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
        yield f"earlier: shown {runs}, nothing has changed since; --no-cache does all of it again"


def _sums(report: Report) -> str:
    return sums({status.value: report.counts[status] for status in Status} | {"flaky": report.flaky})
