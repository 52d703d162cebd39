"""The options in front of the command, and the table of commands; light, since every call imports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reproc.record import record


@record
class Command:
    """A row of the table."""

    module: str
    summary: str


COMMANDS = {
    "check": Command("check", "look for mistakes in a spec"),
    "fmt": Command("fmt", "lay a spec out in the canonical form"),
    "lock": Command("lock", "pin everything that the spec takes from outside"),
    "compile": Command("compile", "write Dockerfiles and Singularity definition files"),
    "fetch": Command("fetch", "fill the store with everything that the lock names"),
    "build": Command("build", "build images"),
    "verify": Command("verify", "build, test, report"),
    "diff": Command("diff", "say what changes between the environments of two specs, or two locks"),
    "tree": Command("tree", "show what brought a package in, and what it needs"),
    "outdated": Command("outdated", "say what there is that is newer than the lock"),
    "targets": Command("targets", "list what a spec can be built into"),
    "explain": Command("explain", "explain a code of a diagnostic, with an example"),
    "doctor": Command("doctor", "say what this machine can build with, and how to get the rest"),
    "dump": Command("dump", "show what a phase makes of a spec: tree, model, plan, graph"),
    "schema": Command("schema", "print the language as data, for editors and other programs"),
    "store": Command("store", "look after the store of what was fetched: path, verify, gc"),
    "completion": Command("completion", "print a script that completes reproc's words in a shell"),
}


class UsageError(Exception):
    """The call has no meaning."""


@dataclass
class Call:
    """The call, as far as it is the same for every command."""

    command: str | None = None
    rest: tuple[str, ...] = ()
    directory: str | None = None
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    help: bool = False
    version: bool = False


def usage() -> str:
    """The text of `reproc --help`."""
    width = max(len(name) for name in COMMANDS)
    commands = "".join(f"  {name:<{width}}  {row.summary}\n" for name, row in COMMANDS.items())
    return f"""\
usage: reproc [-C DIR] [--color auto|always|never] [-q | -v] COMMAND [SPEC] ...

Write a paper's computing environment down once, and get it back, the same.

commands:
{commands}
options:
  -C DIR                      work in DIR
  --color auto|always|never   colours; auto means on a terminal
  -q, --quiet                 no progress
  -v, --verbose               the engines' output, and tracebacks of bugs
  --version                   the version
  -h, --help                  this text; `reproc COMMAND --help` has a command's own

SPEC is a file, or a folder that holds repro.spec; ./repro.spec if not given.
exit codes: 0 done, 1 what was checked does not hold, 2 the spec or the call is wrong,
3 the machine lacks what was asked for, 70 a bug of reproc's own, 130 interrupted
"""


def parse(arguments: Sequence[str]) -> Call:
    """Sorts out what is the same for every command, wherever it stands before a `--`. Raises UsageError."""
    call = Call()
    waiting = list(arguments)
    rest: list[str] = []
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if _is_global(word, waiting, call):
            continue
        if call.command is not None:
            rest.append(word)
        elif word.startswith("-"):
            raise UsageError(f"unknown option `{word}`; `reproc --help` lists them")
        elif word in COMMANDS:
            call.command = word
        else:
            raise UsageError(_unknown(word))
    if call.quiet and call.verbose:
        raise UsageError("`-q` and `-v` exclude each other")
    call.rest = ("--help", *rest) if call.command is not None and call.help else tuple(rest)
    return call


def _is_global(word: str, waiting: list[str], call: Call) -> bool:
    """Whether the word is an option of every command; if so it has been taken, with its value."""
    name, equals, attached = word.partition("=")
    match name:
        case "-h" | "--help":
            call.help = True
        case "-V" | "--version":
            call.version = True
        case "-q" | "--quiet":
            call.quiet = True
        case "-v" | "--verbose":
            call.verbose = True
        case "-C" | "--color":
            if not equals and not waiting:
                raise UsageError(f"`{name}` needs a value")
            _setting(name, attached if equals else waiting.pop(0), call)
        case _:
            return False
    return True


def _setting(name: str, value: str, call: Call) -> None:
    if name == "-C":
        call.directory = value
    elif value in ("auto", "always", "never"):
        call.color = value
    else:
        raise UsageError(f"`--color` is auto, always or never, not `{value}`")


def _unknown(word: str) -> str:
    from reproc.diagnostics.suggest import nearest

    near = nearest(word, tuple(COMMANDS))
    return f"there is no command `{word}`; " + (
        f"did you mean `{near}`?" if near else "`reproc --help` lists them"
    )
