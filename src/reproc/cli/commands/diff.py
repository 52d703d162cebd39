"""`reproc diff`: what changes between the environments of two specs, and between their locks."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from reproc import pipeline
from reproc.check import CheckedSpec
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.difference import lines, plain
from reproc.cli.exits import DOES_NOT_HOLD, DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.compare import Difference, Kind, Read, TargetDifference, compare
from reproc.diagnostics.ansi import Paint
from reproc.folder import Folder, OutsideFolder
from reproc.lock.model import Lock

SAME = Difference((), ())


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("diff", COMMANDS["diff"].summary)
    made.add_argument("before", metavar="A", help="a spec, a folder that holds repro.spec, or a .lock file")
    made.add_argument("after", metavar="B", help="what it is compared with")
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints what changes from A to B, target by target; 1 if anything does."""
    names = (options.before, options.after)
    if all(name.endswith(".lock") for name in names):
        specs: Difference | None = SAME
        places = [_lock_place(name) for name in names]
    else:
        specs = _specs(options, console)
        places = [path for name in names if (path := _lock_place(name)).exists()]
    if specs is None:
        return WRONG_CALL
    found = {path: _lock(path, console) for path in places}
    if None in found.values():
        return WRONG_CALL
    before, after = (found.get(_lock_place(name)) for name in names)
    locks = _locks(before, after) if before or after else None
    if options.json:
        _print_json(specs, locks)
    else:
        _print(specs, locks, Paint(console.colored(sys.stdout)))
    return DONE if specs.same and (locks is None or locks.same) else DOES_NOT_HOLD


def _lock_place(name: str) -> Path:
    return Path(name) if name.endswith(".lock") else spec_path(name).parent / pipeline.LOCK


def _specs(options: Namespace, console: Console) -> Difference | None:
    before, after = _checked(options.before, console), _checked(options.after, console)
    if before is None or after is None:
        return None
    return compare(before, after, _reader(options.before), _reader(options.after))


def _checked(name: str, console: Console) -> CheckedSpec | None:
    path = spec_path(name)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.errors)
    return outcome.value[1] if outcome.value else None


def _lock(path: Path, console: Console) -> Lock | None:
    """The lock in a file; what is wrong with it is shown."""
    from reproc.lock import file

    source = pipeline.read_source(path, path.as_posix())
    read = file.read(source.value) if source.value else None
    console.show((*source.diagnostics, *(read.diagnostics if read else ())))
    return read.value.lock if read and read.value else None


def _locks(before: Lock | None, after: Lock | None) -> Difference:
    """What changes between the locks; where there is only one, all of its targets."""
    from reproc.lock.difference import difference

    if before is not None and after is not None:
        return difference(before, after)
    only = before or after
    assert only is not None, "asked by the caller"
    kind: Kind = "removed" if before else "added"
    return Difference((), tuple(TargetDifference(each.name, kind) for each in only.targets))


def _reader(name: str) -> Read:
    folder = Folder(spec_path(name).parent)

    def read(relative: str) -> bytes | None:
        try:
            return folder.read(relative) if folder.kind(relative) == "file" else None
        except (OSError, OutsideFolder):
            return None

    return read


def _print_json(specs: Difference, locks: Difference | None) -> None:
    import json

    both = {**plain(specs), "lock": plain(locks) if locks is not None else None}
    both["same"] = specs.same and (locks is None or locks.same)
    print(json.dumps(both, indent=2, ensure_ascii=False))


def _print(specs: Difference, locks: Difference | None, paint: Paint) -> None:
    for line in lines(specs, paint):
        print(line)
    if locks is not None and not locks.same:
        print(paint.strong("lock"))
        for line in lines(locks, paint):
            print(f"  {line}")
    if specs.same and (locks is None or locks.same):
        print("no difference")
