"""`reproc outdated`: what there is that is newer than the lock."""

from __future__ import annotations

import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reproc.cli.arguments import Parser, chosen, load
from reproc.cli.console import Console
from reproc.cli.exits import DONE, LACKING
from reproc.cli.options import COMMANDS
from reproc.diagnostics.ansi import Paint, visible

if TYPE_CHECKING:
    from reproc.lock.outdated import Newer

HEADINGS = ("", "locked", "to be had", "newest", "")


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("outdated", COMMANDS["outdated"].summary)
    made.spec()
    made.targets()
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints one line for each thing that there is a newer one of; that there are some is no failure."""
    project = load(options.spec, console, need_lock=True)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    from reproc.lock.outdated import newer
    from reproc.lock.store import Store, default_root

    assert project.lock is not None, "asked for above"
    with Store(default_root()) as store:
        found = newer(project.lock, requests, store, console.progress(), now=int(time.time()))
    console.show(found.diagnostics)
    if options.json:
        _print_json(found.value or ())
    else:
        paint = Paint(console.colored(sys.stdout))
        every = {request.name for request in project.requests}
        for line in _lines(found.value or (), every, paint):
            print(line)
        if not found.value and not found.errors:
            print("nothing is newer than the lock")
    return LACKING if found.errors else DONE


def _lines(found: Sequence[Newer], every: set[str], paint: Paint) -> Iterator[str]:
    """A table for each section; what is alike in all targets is not told apart."""
    sections = list(dict.fromkeys(each.section for each in found))
    rows = {section: [_row(each, every) for each in found if each.section == section] for section in sections}
    widths = [max((len(row[n]) for each in rows.values() for row in each), default=0) for n in range(4)]
    widths = [max(width, len(heading)) for width, heading in zip(widths, HEADINGS, strict=False)]
    for section in sections:
        heads = (section, *HEADINGS[1:])
        yield paint.strong(
            "  ".join(_padded(heads, [max(widths[0] + 2, len(section)), *widths[1:]])).rstrip()
        )
        for row in rows[section]:
            width = [max(widths[0], len(section) - 2), *widths[1:]]
            yield ("  " + "  ".join(_padded(row, width))).rstrip()


def _padded(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for n, cell in enumerate(cells):
        yield f"{cell:<{widths[n]}}" if n < len(widths) else cell


def _row(each: Newer, every: set[str]) -> tuple[str, ...]:
    only = "" if set(each.targets) == every else f"only {', '.join(each.targets)}"
    within = each.within if each.within != each.locked else "–"
    words = "; ".join(filter(None, (each.held, only)))
    cells = (each.name, each.locked, within, each.newest)
    return (*(visible(_short(cell)) for cell in cells), words)


def _short(text: str) -> str:
    """Of digests and commits as much as tells them apart."""
    return re.sub(r"^((?:sha256:)?[0-9a-f]{12})[0-9a-f]{28,52}$", r"\1", text)


def _print_json(found: Sequence[Newer]) -> None:
    import json

    document = [
        {
            "section": each.section,
            "name": each.name,
            "locked": each.locked,
            "within": each.within,
            "newest": each.newest,
            "held": each.held or None,
            "targets": list(each.targets),
        }
        for each in found
    ]
    print(json.dumps(document, indent=2, ensure_ascii=False))
