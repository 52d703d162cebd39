"""`reproc build`: images, without tests."""

from __future__ import annotations

from argparse import Namespace

from reproc.cli.arguments import Parser
from reproc.cli.commands.verify import build_arguments, verify
from reproc.cli.console import Console
from reproc.cli.options import COMMANDS


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("build", COMMANDS["build"].summary)
    build_arguments(made)
    return made


def run(options: Namespace, console: Console) -> int:
    """Builds every target in every engine that is here."""
    return verify(options, console, test=False)
