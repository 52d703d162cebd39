"""Work that is done again whenever a spec, or a file that it names, changes."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

from reproc.cli.console import Console
from reproc.cli.exits import DONE
from reproc.model import SpecFile
from reproc.model.literals import FILE, Literal
from reproc.model.schema import Block, schema_of
from reproc.pipeline import LOCK, read_source
from reproc.syntax import parse
from reproc.syntax.tree import List, Statement, String, Value, Word

INTERVAL = 0.2
"""Seconds between two looks; a change is acted on once a look finds nothing new."""

State = dict[Path, tuple[int, int, int] | None]
"""What each file looked like; None for one that is not there."""


def watch(spec: Path, work: Callable[[], int], console: Console) -> NoReturn:
    """Does the work, and again after every change, until it is interrupted; mistakes are shown and waited out."""
    gc.enable()
    while True:
        # looked at first, so that a change during the work is not missed
        before = _look(_files(spec))
        start = time.monotonic()
        outcome = "done" if work() == DONE else "not done"
        sys.stdout.flush()
        console.say(
            f"{time.strftime('%H:%M:%S')} {outcome} in {time.monotonic() - start:.2f} s; "
            f"watching {len(before)} file{'s' if len(before) > 1 else ''}"
        )
        _wait(before)


def _wait(before: State) -> None:
    """Returns once something has changed and then been left alone for a moment."""
    while (now := _look(before)) == before:
        time.sleep(INTERVAL)
    while now != before:
        before = now
        time.sleep(INTERVAL)
        now = _look(before)


def _look(paths: Sequence[Path] | State) -> State:
    return {path: _state(path) for path in paths}


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _files(spec: Path) -> list[Path]:
    """The spec, its lock, the files that it includes, and what any of them names, there or not."""
    specs, found = [spec], [spec, spec.parent / LOCK]
    for path in specs:
        source = read_source(path, path.as_posix()).value
        tree = parse(source).value if source else None
        for keyword, name in _names(tree.statements if tree else ()):
            named = path.parent / name
            if named not in found:
                found.append(named)
                specs.extend([named] if keyword == "include" else ())
    return found


def _names(statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """The files that statements name, each with the keyword in front."""
    for statement in statements:
        keyword = statement.keyword.text
        if keyword in _keywords():
            yield from ((keyword, name) for name in _words(statement.values))
        yield from _names(statement.block.statements if statement.block else ())


def _words(values: Sequence[Value]) -> Iterator[str]:
    for value in values:
        match value:
            case Word(text=text) | String(parts=(str(text),)):
                yield text
            case List(items=items):
                yield from _words(items)
            case _:
                pass


@cache
def _keywords() -> frozenset[str]:
    """The statements that name files beside the spec."""
    found: set[str] = set()
    seen: list[type[Block]] = [SpecFile]
    for cls in seen:
        schema = schema_of(cls)
        for keyword in (*(each for _, each in schema.keywords.values()), *schema.replaced.values()):
            if isinstance(keyword.type, Literal):
                types = [keyword.type]
            else:
                types = [value.type for _, value in schema_of(keyword.type).values]
                seen.extend({keyword.type}.difference(seen))
            found.update({keyword.word} if FILE in types else ())
    return frozenset(found)
