"""`reproc check`: all diagnostics of a spec."""

from __future__ import annotations

from argparse import Namespace

from reproc import pipeline
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("check", COMMANDS["check"].summary)
    made.spec()
    made.add_argument(
        "--message-format",
        choices=("full", "concise", "json", "github"),
        default="full",
        help="how to show them",
    )
    made.add_argument(
        "--json",
        action="store_const",
        dest="message_format",
        const="json",
        help="the same as --message-format json",
    )
    return made


def run(options: Namespace, console: Console) -> int:
    """Shows what is wrong; the exit code says whether anything is."""
    path = spec_path(options.spec)
    outcome = pipeline.checked(path, path.as_posix(), warnings=True)
    console.show(outcome.diagnostics, options.message_format)
    if outcome.value is None:
        return WRONG_CALL
    if options.message_format == "full" and not outcome.diagnostics:
        _, spec = outcome.value
        names = ", ".join(target.name for target in spec.targets)
        print(f"{path.as_posix()}: no mistakes; targets: {names}")
    return DONE
