"""`reproc targets`: what a spec can be built into."""

from __future__ import annotations

from argparse import Namespace

from reproc import pipeline
from reproc.check import Target
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("targets", COMMANDS["targets"].summary)
    made.spec()
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints a line for each target; its name is the first word."""
    path = spec_path(options.spec)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.diagnostics)
    if outcome.value is None:
        return WRONG_CALL
    _, spec = outcome.value
    if options.json:
        import json

        print(json.dumps([_facts(target) for target in spec.targets], indent=2, ensure_ascii=False))
        return DONE
    width = max(len(target.name) for target in spec.targets)
    for target in spec.targets:
        extends = f"  extends {target.extends}" if target.extends else ""
        print(f"{target.name:<{width}}  {' '.join(target.backends)}  on {_base(target)}{extends}")
    return DONE


def _base(target: Target) -> str:
    return f"{target.base.kind} {target.base.name}"


def _facts(target: Target) -> dict[str, object]:
    return {
        "name": target.name,
        "extends": target.extends,
        "backends": list(target.backends),
        "base": _base(target),
        "apps": [app.name for app in target.apps],
        "tests": [test.name for test in target.tests],
    }
