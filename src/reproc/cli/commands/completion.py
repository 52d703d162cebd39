"""`reproc completion`: a script that completes reproc's words in a shell."""

from __future__ import annotations

from argparse import Namespace

from reproc.cli.arguments import Parser
from reproc.cli.console import Console
from reproc.cli.exits import DONE
from reproc.cli.options import COMMANDS

SHELLS = ("bash", "zsh", "fish")


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("completion", COMMANDS["completion"].summary)
    made.add_argument("shell", choices=SHELLS, help="which shell is to read it")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints the script."""
    from reproc.cli.completion.scripts import script

    print(script(options.shell), end="")
    return DONE
