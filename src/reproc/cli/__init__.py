"""The command line: it finds the command, and turns whatever happens into words and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from reproc.cli.console import Console
from reproc.cli.exits import BUG, INTERRUPTED, WRONG_CALL
from reproc.cli.options import COMMANDS, Call, UsageError, parse, usage
from reproc.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the process's exit code."""
    gc.disable()  # `Console.progress` turns it on again: only long work leaves anything to collect
    try:
        call = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as problem:
        print(f"reproc: {problem}", file=sys.stderr)
        return WRONG_CALL
    if call.version:
        print(f"reproc {VERSION}")
        return 0
    if call.command is None:
        print(usage(), end="", file=sys.stdout if call.help else sys.stderr)
        return 0 if call.help else WRONG_CALL
    console = Console(color=call.color, quiet=call.quiet, verbose=call.verbose)
    try:
        code = _run(call, console)
        sys.stdout.flush()
    except KeyboardInterrupt:
        console.say("interrupted")
        sys.stdout.flush()
        sys.stderr.flush()
        # not `return`: the interpreter would wait for transfers that other threads are in
        os._exit(INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output has seen enough; a second flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as bug:
        from reproc.cli.crash import report_bug

        report_bug(bug, console)
        return BUG
    return code


def _run(call: Call, console: Console) -> int:
    assert call.command is not None
    command = import_module(f"reproc.cli.commands.{COMMANDS[call.command].module}")
    parser = command.parser()
    options = parser.parse_args(call.rest)
    if call.directory is not None:
        try:
            os.chdir(call.directory)
        except OSError as problem:
            console.say(f"cannot go to `{call.directory}`: {problem.strerror}")
            return WRONG_CALL
    return int(command.run(options, console))
