"""`reproc lock`: pins everything that the spec takes from outside."""

from __future__ import annotations

import os
import re
import sys
import time
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

from reproc import pipeline
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DOES_NOT_HOLD, DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.ansi import Paint
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.files import write_atomically
from reproc.folder import Folder
from reproc.lock import file as lock_file
from reproc.lock.model import Lock
from reproc.lock.requests import TargetRequest, requests
from reproc.lock.sections import LockFile
from reproc.lock.update import EVERYTHING, NOTHING, Update, named


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("lock", COMMANDS["lock"].summary)
    made.spec()
    made.add_argument(
        "--check",
        action="store_true",
        help="change nothing, ask no network; exit with 1 and say why if the lock does not fit the spec",
    )
    made.add_argument("--diff", action="store_true", help="write nothing; say what the new lock would change")
    made.add_argument(
        "--update",
        metavar="NAME",
        action="append",
        default=[],
        help="resolve this anew: a package, or a section such as `system` or `code model` (repeat)",
    )
    made.add_argument("--update-all", action="store_true", help="resolve everything anew, as of now")
    made.add_argument(
        "--as-of",
        metavar="DATE",
        type=_date,
        help="take everything as it stood on this day, whatever the spec says; the lock remembers it",
    )
    made.add_argument(
        "--resolver",
        choices=("python", "apt"),
        default="python",
        help="what says which packages an installation brings in: reproc's own way, or this machine's apt",
    )
    made.add_argument("--json", action="store_true", help="print the lock, or the differences, as JSON")
    return made


def _date(text: str) -> int:
    from reproc.model.literals import DATE, Unfit

    try:
        return int(DATE.parse(text))
    except Unfit as trouble:
        raise ArgumentTypeError(f"`{text}` {trouble}") from trouble


def run(options: Namespace, console: Console) -> int:
    """Writes repro.lock; a lock that fits the spec is left alone, byte for byte."""
    changing = (
        options.update or options.update_all or options.as_of is not None or options.resolver != "python"
    )
    if options.check and (changing or options.diff):
        console.say(
            "`--check` changes nothing: it goes with none of `--update`, `--as-of`, `--resolver` and `--diff`"
        )
        return WRONG_CALL
    path = spec_path(options.spec)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.diagnostics)
    if outcome.value is None:
        return WRONG_CALL
    asked = requests(outcome.value[1], Folder(path.parent))
    console.show(asked.diagnostics)
    if asked.value is None:
        return WRONG_CALL
    place = path.parent / pipeline.LOCK
    old, told = _read(place)
    if options.check:
        return _check(old, told, asked.value, path, options.json, console)
    if old is None and told and not options.update_all:
        console.show(told)
        return WRONG_CALL
    update = _update(options, old, console)
    if update is None:
        return WRONG_CALL
    new = _resolved(options, asked.value, path.parent, old, update, console)
    if isinstance(new, int):
        return new
    if options.diff:
        _show(old.lock if old else None, new, options.json, console)
        return DONE
    return _write(place, lock_file.write(new, asked.value), old, new, options.json, console)


def _read(place: Path) -> tuple[LockFile | None, tuple[Diagnostic, ...]]:
    """The lock that is there; else what is wrong with it, or nothing where there is none."""
    if not place.exists():
        return None, ()
    source = pipeline.read_source(place, place.as_posix(), pipeline.LARGEST_LOCK)
    read = lock_file.read(source.value) if source.value else None
    return (read.value if read else None), (*source.diagnostics, *(read.diagnostics if read else ()))


def _check(
    old: LockFile | None,
    told: tuple[Diagnostic, ...],
    asked: tuple[TargetRequest, ...],
    spec: Path,
    as_json: bool,
    console: Console,
) -> int:
    """Says what does not fit; 1 if anything does not."""
    from reproc.lock.check import diagnostics, unfit

    if old is None:
        told = told or (error(codes.NO_LOCK, None, path=spec.as_posix()),)
    else:
        found = unfit(old, asked, spec.parent)
        told = found.diagnostics + diagnostics(found.value or ())
    console.show(told, "json" if as_json else "full")
    return DOES_NOT_HOLD if told else DONE


def _update(options: Namespace, old: LockFile | None, console: Console) -> Update | None:
    if options.update_all:
        return EVERYTHING
    if not options.update or old is None:
        return NOTHING
    found = named(options.update, old.lock)
    console.show(found.diagnostics)
    return found.value


def _resolved(
    options: Namespace,
    asked: tuple[TargetRequest, ...],
    folder: Path,
    old: LockFile | None,
    update: Update,
    console: Console,
) -> Lock | int:
    """The new lock, or the exit code where there is none."""
    from reproc.lock.debian.oracle import Apt
    from reproc.lock.debian.solver import solve
    from reproc.lock.resolve import resolve
    from reproc.lock.store import Store, default_root

    now = _moment(console)
    if now is None:
        return WRONG_CALL
    with Store(default_root()) as store:
        found = resolve(
            asked,
            folder,
            store,
            console.progress(),
            now=now,
            previous=old,
            update=update,
            as_of=options.as_of,
            preview=options.diff,
            resolver=Apt() if options.resolver == "apt" else solve,
        )
    console.show(found.diagnostics)
    if found.value is None:
        unreachable = any(each.code in UNREACHABLE for each in found.diagnostics)
        return LACKING if unreachable else WRONG_CALL
    return found.value


def _moment(console: Console) -> int | None:
    """The present, or the moment that SOURCE_DATE_EPOCH names in its place (reproducible-builds.org/specs)."""
    value, now = os.environ.get("SOURCE_DATE_EPOCH"), int(time.time())
    if value is None:
        return now
    if re.fullmatch("[0-9]{1,12}", value) and int(value) <= now:
        return int(value)
    console.show((error(codes.BAD_MOMENT, None, value=value),))
    return None


def _write(place: Path, text: str, old: LockFile | None, new: Lock, as_json: bool, console: Console) -> int:
    from reproc.lock.store import Store, default_root

    try:
        written = write_atomically(place, text.encode())
        Store(default_root()).keep(place)
    except OSError as problem:
        console.show((error(codes.NOT_WRITABLE, None, path=str(place), problem=problem.strerror),))
        return WRONG_CALL
    if as_json:
        print(text, end="")
        return DONE
    print(f"{place.as_posix()}{'' if written else '  (unchanged)'}")
    if written and old is not None and old.lock != new:
        _show(old.lock, new, False, console)
    return DONE


def _show(old: Lock | None, new: Lock, as_json: bool, console: Console) -> None:
    """What changes from the old lock to the new one."""
    from reproc.cli.difference import lines, plain
    from reproc.lock.difference import difference

    found = difference(old or Lock(new.time, (), ()), new)
    if as_json:
        import json

        print(json.dumps(plain(found), indent=2, ensure_ascii=False))
        return
    for line in lines(found, Paint(console.colored(sys.stdout))):
        print(line)
    if found.same:
        print("no difference")
