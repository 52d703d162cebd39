"""`reproc dump`: what a phase makes of a spec."""

from __future__ import annotations

from argparse import Namespace

from reproc import pipeline
from reproc.cli.arguments import Parser, chosen, load, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.dump import dump
from reproc.lower import Shape
from reproc.syntax import parse


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("dump", COMMANDS["dump"].summary)
    made.add_argument("phase", choices=("tree", "model", "plan", "graph"), help="which value to show")
    made.spec()
    made.targets()
    made.add_argument(
        "--vendored", action="store_true", help="graph: of the shape that takes everything from the store"
    )
    made.add_argument("--json", action="store_true", help="JSON, which this command prints anyway")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints the value as JSON."""
    path = spec_path(options.spec)
    if options.phase == "tree":
        source = pipeline.read_source(path, path.as_posix())
        parsed = parse(source.value) if source.value is not None else None
        console.show(source.diagnostics + (parsed.diagnostics if parsed else ()))
        if parsed is None or parsed.value is None:
            return WRONG_CALL
        print(dump(parsed.value), end="")
        return WRONG_CALL if parsed.errors else DONE
    project = load(options.spec, console, need_lock=options.vendored)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    if options.phase == "model":
        print(dump(project.spec), end="")
    elif options.phase == "plan":
        print(
            dump(
                {
                    request.name: {"asked": request, "locked": project.locked(request.name)}
                    for request in requests
                }
            ),
            end="",
        )
    else:
        shape = Shape.VENDORED if options.vendored else Shape.STANDALONE
        graphs = [pipeline.graph(project, request, shape) for request in requests]
        print(dump({graph.value.target: graph.value for graph in graphs if graph.value}), end="")
    return DONE
