"""`reproc diff`: what changes between the environments of two specs."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator

from reproc import pipeline
from reproc.check import CheckedSpec
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DOES_NOT_HOLD, DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.compare import Change, Difference, Kind, Read, compare
from reproc.diagnostics.ansi import Paint, visible
from reproc.folder import Folder, OutsideFolder

SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("diff", COMMANDS["diff"].summary)
    made.add_argument("before", metavar="A", help="a file, or a folder that holds repro.spec")
    made.add_argument("after", metavar="B", help="what it is compared with")
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints what changes from A to B, target by target; 1 if anything does."""
    before, after = _checked(options.before, console), _checked(options.after, console)
    if before is None or after is None:
        return WRONG_CALL
    found = compare(before, after, _reader(options.before), _reader(options.after))
    if options.json:
        _print_json(found)
    else:
        for line in _lines(found, Paint(console.colored(sys.stdout))):
            print(line)
    return DONE if found.same else DOES_NOT_HOLD


def _checked(name: str, console: Console) -> CheckedSpec | None:
    path = spec_path(name)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.errors)
    return outcome.value[1] if outcome.value else None


def _reader(name: str) -> Read:
    folder = Folder(spec_path(name).parent)

    def read(relative: str) -> bytes | None:
        try:
            return folder.read(relative) if folder.kind(relative) == "file" else None
        except (OSError, OutsideFolder):
            return None

    return read


def _print_json(found: Difference) -> None:
    import json

    document = {
        "same": found.same,
        "shared": [_plain(each) for each in found.shared],
        "targets": [
            {"name": each.name, "kind": each.kind, "changes": [_plain(change) for change in each.changes]}
            for each in found.targets
        ],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _plain(change: Change) -> dict[str, object]:
    facts: dict[str, object] = {"kind": change.kind, "where": list(change.where)}
    if change.kind != "added":
        facts["before"] = change.before
    if change.kind != "removed":
        facts["after"] = change.after
    return facts


def _lines(found: Difference, paint: Paint) -> Iterator[str]:
    """The differences; what changes alike in several targets is told once."""
    if found.same:
        yield "no difference"
    for change in found.shared:
        yield from _change(change, "", paint)
    for each in found.targets:
        if each.kind != "changed":
            yield _painted(each.kind, f"{SIGNS[each.kind]} target {each.name}", paint)
    for names, changes in _together(found).items():
        yield paint.strong(f"target{'s' if len(names) > 1 else ''} {', '.join(names)}")
        for change in changes:
            yield from _change(change, "  ", paint)


def _together(found: Difference) -> dict[tuple[str, ...], list[Change]]:
    """The changes by the targets that share them."""
    names: dict[Change, tuple[str, ...]] = {}
    for target in found.targets:
        for change in target.changes:
            names[change] = (*names.get(change, ()), target.name)
    together: dict[tuple[str, ...], list[Change]] = {}
    for change, sharing in names.items():
        together.setdefault(sharing, []).append(change)
    return together


def _change(change: Change, indent: str, paint: Paint) -> Iterator[str]:
    head = f"{indent}{SIGNS[change.kind]} {visible(', '.join(change.where))}"
    old, new = (text if text not in change.where[-1] else "" for text in (change.before, change.after))
    if change.kind == "changed" and "\n" in change.before + change.after:
        yield _painted(change.kind, head, paint)
        yield from _inside(change, f"{indent}    ", paint)
    elif change.kind == "changed":
        yield _painted(change.kind, f"{head}: {visible(change.before)} → {visible(change.after)}", paint)
    else:
        text = visible(old or new)
        yield _painted(change.kind, f"{head}: {text}" if text else head, paint)


def _inside(change: Change, indent: str, paint: Paint) -> Iterator[str]:
    """The lines that come and go."""
    from difflib import ndiff

    for line in ndiff(change.before.split("\n"), change.after.split("\n")):
        if line[0] in "+-":
            kind: Kind = "added" if line[0] == "+" else "removed"
            yield _painted(kind, f"{indent}{visible(line)}", paint)


def _painted(kind: Kind, text: str, paint: Paint) -> str:
    match kind:
        case "added":
            return paint.added(text)
        case "removed":
            return paint.removed(text)
        case "changed":
            return text
