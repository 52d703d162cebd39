"""The commands, their options and what their values are, as the table of commands and the parsers have them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib import import_module

from reproc.cli.options import COMMANDS
from reproc.record import record
from reproc.registry import backend_places


@record
class Offer:
    """What a value may be: a few words, or a kind of thing that a shell has to look up."""

    kind: str
    """`words`, `files`, `folders`, `targets`, `codes`, or `anything`."""
    words: tuple[str, ...] = ()


@record
class Option:
    """An option with its names; without an offer it takes no value."""

    names: tuple[str, ...]
    help: str
    offer: Offer | None = None


@record
class Subcommand:
    """A command."""

    name: str
    summary: str
    options: tuple[Option, ...]
    positional: tuple[Offer, ...]
    """What each of the other words may be; the last also stands for any that follow."""


GLOBAL = (
    Option(("-C",), "work in this folder", Offer("folders")),
    Option(("--color",), "colours", Offer("words", ("auto", "always", "never"))),
    Option(("-q", "--quiet"), "no progress"),
    Option(("-v", "--verbose"), "the engines' output, and tracebacks of bugs"),
    Option(("-h", "--help"), "the help of a command, or of all"),
    Option(("--version",), "the version"),
)

_BY_METAVAR = {
    "SPEC": "files",
    "A": "files",
    "B": "files",
    "FILE": "files",
    "DIR": "folders",
    "TARGET": "targets",
    "CODE": "codes",
}


def subcommands() -> tuple[Subcommand, ...]:
    """Every command, in the order of the table."""
    return tuple(_subcommand(name) for name in COMMANDS)


def _subcommand(name: str) -> Subcommand:
    parser: argparse.ArgumentParser = import_module(f"reproc.cli.commands.{COMMANDS[name].module}").parser()
    actions = parser._actions  # argparse has no public way to ask for them
    options = [
        Option(tuple(each.option_strings), each.help or "", None if each.nargs == 0 else _offer(each))
        for each in actions
        if each.option_strings
    ]
    positional = tuple(_offer(each) for each in actions if not each.option_strings)
    return Subcommand(name, COMMANDS[name].summary, tuple(options), positional)


def _offer(action: argparse.Action) -> Offer:
    if action.choices is not None:
        return Offer("words", _words(action.choices))
    if action.metavar == "BACKEND":
        return Offer("words", tuple(backend_places()))
    return Offer(_BY_METAVAR.get(str(action.metavar), "anything"))


def _words(choices: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(each) for each in choices)
