"""`reproc lock`: pins everything that the spec takes from outside."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from reproc import pipeline
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DOES_NOT_HOLD, DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.files import write_atomically
from reproc.folder import Folder
from reproc.lock import file as lock_file
from reproc.lock.requests import requests
from reproc.lock.resolve import resolve
from reproc.lock.store import Store, default_root
from reproc.progress import Silent


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("lock", COMMANDS["lock"].summary)
    made.spec()
    made.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 if the lock does not fit the spec"
    )
    made.add_argument("--update-all", action="store_true", help="resolve everything anew, as of now")
    made.add_argument("--json", action="store_true", help="print the lock")
    return made


def run(options: Namespace, console: Console) -> int:
    """Writes repro.lock; a lock that fits the spec is left alone, byte for byte."""
    path = spec_path(options.spec)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.diagnostics)
    if outcome.value is None:
        return WRONG_CALL
    folder = Folder(path.parent)
    asked = requests(outcome.value[1], folder)
    console.show(asked.diagnostics)
    if asked.value is None:
        return WRONG_CALL
    place = path.parent / pipeline.LOCK
    old = None
    if place.exists() and not options.update_all:
        source = pipeline.read_source(place, pipeline.LOCK)
        read = lock_file.read(source.value) if source.value else None
        console.show(source.diagnostics + (read.diagnostics if read else ()))
        old = read.value if read else None
        if old is None:
            return WRONG_CALL
    stale = lock_file.stale(old, asked.value) if old else ("everything",)
    if options.check and stale:
        console.show((error(codes.STALE_LOCK, None, targets=", ".join(stale)),))
        return DOES_NOT_HOLD
    progress, now = Silent() if options.check else console.progress(), int(time.time())
    with Store(default_root()) as store:
        resolved = resolve(
            asked.value, path.parent, store, progress, now=now, previous=old, update=options.update_all
        )
    console.show(resolved.diagnostics)
    if resolved.value is None:
        unreachable = any(each.code in UNREACHABLE for each in resolved.diagnostics)
        return LACKING if unreachable else WRONG_CALL
    text = lock_file.write(resolved.value, asked.value)
    if options.check:
        changed = text != place.read_text(encoding="utf-8")
        if changed:
            console.show((error(codes.STALE_LOCK, None, targets="files beside the spec have changed"),))
        return DOES_NOT_HOLD if changed else DONE
    return _write(place, text, options.json, console)


def _write(place: Path, text: str, as_json: bool, console: Console) -> int:
    try:
        written = write_atomically(place, text.encode())
    except OSError as problem:
        console.show((error(codes.NOT_WRITABLE, None, path=str(place), problem=problem.strerror),))
        return WRONG_CALL
    if as_json:
        print(text, end="")
    else:
        print(f"{place.as_posix()}{'' if written else '  (unchanged)'}")
    return DONE
