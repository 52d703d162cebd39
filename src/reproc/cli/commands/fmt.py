"""`reproc fmt`: specs in their canonical form."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

from reproc import pipeline
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DOES_NOT_HOLD, DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Outcome, error
from reproc.diagnostics.ansi import Paint, visible
from reproc.diagnostics.codes import cli as codes
from reproc.files import write_atomically
from reproc.record import record
from reproc.syntax import decode, parse
from reproc.syntax.decode import LIMIT
from reproc.syntax.format import format_tree

STDIN = "-"


@record
class Layout:
    """A file as it is and as it should be."""

    path: str
    before: bytes
    after: bytes

    @property
    def canonical(self) -> bool:
        return self.before == self.after


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("fmt", COMMANDS["fmt"].summary)
    made.add_argument(
        "specs",
        metavar="SPEC",
        nargs="*",
        default=["repro.spec"],
        help="files, also included ones; folders that hold repro.spec; `-` for standard input to output",
    )
    made.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file is not canonical"
    )
    made.add_argument("--diff", action="store_true", help="write nothing; print what would change")
    made.add_argument("--json", action="store_true", help="print which files are canonical, or were not")
    return made


def run(options: Namespace, console: Console) -> int:
    """Lays the files out; one with a mistake in its syntax is left alone, and the others are done."""
    rows: list[dict[str, object]] = []
    wrong = differs = False
    for name in dict.fromkeys(options.specs):
        path = spec_path(name)
        outcome = _standard_input() if name == STDIN else _file(path)
        console.show(outcome.diagnostics)
        layout = outcome.value
        if layout is None:
            wrong = True
            continue
        differs = differs or not layout.canonical
        rows.append({"path": layout.path, "canonical": layout.canonical})
        if options.diff:
            _show_difference(layout, console)
        elif name == STDIN:
            if not options.check and not options.json:
                sys.stdout.buffer.write(layout.after)
        elif not options.check and not layout.canonical:
            wrong = not _write(path, layout.after, console) or wrong
        if not options.json and not options.diff:
            _say(layout, options.check, name == STDIN, console)
    if options.json:
        import json

        print(json.dumps(rows, indent=2))
    if wrong:
        return WRONG_CALL
    return DOES_NOT_HOLD if options.check and differs else DONE


def _standard_input() -> Outcome[Layout]:
    return _layout("<stdin>", sys.stdin.buffer.read(LIMIT + 1))


def _file(path: Path) -> Outcome[Layout]:
    shown = path.as_posix()
    content = pipeline.read(path, shown)
    return Outcome(None, content.diagnostics) if content.value is None else _layout(shown, content.value)


def _layout(shown: str, data: bytes) -> Outcome[Layout]:
    """The canonical bytes; a text that says something else than before never leaves here."""
    source = decode(shown, data)
    if source.value is None:
        return Outcome(None, source.diagnostics)
    parsed = parse(source.value)
    if parsed.value is None or parsed.errors:
        return Outcome(None, parsed.diagnostics)
    after = format_tree(parsed.value).encode()
    again = decode(shown, after)
    if again.value is None or parse(again.value).value != parsed.value:
        raise AssertionError(f"the canonical form of `{shown}` would say something else")
    return Outcome(Layout(shown, data, after), parsed.diagnostics)


def _write(path: Path, data: bytes, console: Console) -> bool:
    """Whether the file now holds the data; a link stays one, and the file keeps its mode."""
    place = path.resolve()
    try:
        if not os.access(place, os.W_OK):
            raise PermissionError(0, "it may only be read")
        write_atomically(place, data, S_IMODE(place.stat().st_mode))
    except OSError as problem:
        console.show((error(codes.NOT_WRITABLE, None, path=path.as_posix(), problem=problem.strerror),))
        return False
    return True


def _say(layout: Layout, check: bool, stdin: bool, console: Console) -> None:
    if check and not layout.canonical:
        print(f"{visible(layout.path)}: not in the canonical form")
    elif not check and not stdin and not console.quiet:
        print(f"{visible(layout.path)}{'  (unchanged)' if layout.canonical else ''}")


def _show_difference(layout: Layout, console: Console) -> None:
    """A unified diff, which `patch` takes where it goes into a file; on a terminal nothing in it acts."""
    terminal = sys.stdout.isatty()
    paint = Paint(console.colored(sys.stdout))
    for line in _difference(layout):
        shown = visible(line) if terminal else line
        match line[:1]:
            case "-" if not line.startswith("---"):
                shown = paint.removed(shown)
            case "+" if not line.startswith("+++"):
                shown = paint.added(shown)
            case "@":
                shown = paint.second(shown)
            case _:
                pass
        sys.stdout.buffer.write(f"{shown}\n".encode(errors="surrogateescape"))


def _difference(layout: Layout) -> Iterator[str]:
    """The lines of the diff, without their ends."""
    from difflib import unified_diff

    before, after = (_lines(data.decode()) for data in (layout.before, layout.after))
    for line in unified_diff(before, after, layout.path, layout.path):
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    """The lines with their ends; only a line feed ends one."""
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])
