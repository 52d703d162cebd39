"""`reproc doctor`: what this machine can build with, and how to get the rest."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path

from reproc.cli.arguments import Parser
from reproc.cli.console import Console
from reproc.cli.exits import DONE, LACKING
from reproc.cli.options import COMMANDS


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("doctor", COMMANDS["doctor"].summary)
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints a row for each engine and tool; 3 if no engine at all can be used."""
    from reproc.verify.doctor import doctor, render, render_json
    from reproc.verify.run import all_engines
    from reproc.verify.workspace import Workspace

    with tempfile.TemporaryDirectory(prefix="reproc-doctor-") as folder:
        engines = all_engines(Workspace.open(Path(folder)))
        rows = doctor(engines)
        usable = any(engine.probe().usable for engine in engines)
        for engine in engines:
            engine.close()
    print(render_json(rows) if options.json else render(rows), end="")
    return DONE if usable else LACKING
