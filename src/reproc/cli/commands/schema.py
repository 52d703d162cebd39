"""`reproc schema`: the language as data."""

from __future__ import annotations

import json
from argparse import Namespace

from reproc.cli.arguments import Parser
from reproc.cli.console import Console
from reproc.cli.exits import DONE
from reproc.cli.options import COMMANDS


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("schema", COMMANDS["schema"].summary)
    made.add_argument(
        "--vocabulary",
        action="store_true",
        help="statements, types, meanings and examples; without it, the JSON Schema of `reproc dump model`",
    )
    made.add_argument("--json", action="store_true", help="JSON, which this command prints anyway")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints it as JSON."""
    if options.vocabulary:
        from reproc.reference.vocabulary import vocabulary

        document = vocabulary()
    else:
        from reproc.reference.jsonschema import json_schema

        document = json_schema()
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return DONE
