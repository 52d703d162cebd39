"""`reproc compile`: recipes for people, from spec and lock alone."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

from reproc.cli.arguments import Parser, chosen, load, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.suggest import nearest
from reproc.files import write_atomically
from reproc.lock.requests import TargetRequest
from reproc.pipeline import CONTAINERS, Project
from reproc.recipes import RecipeFile, recipes


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("compile", COMMANDS["compile"].summary)
    made.spec()
    made.targets()
    made.add_argument(
        "-b",
        "--backend",
        metavar="BACKEND",
        action="append",
        default=[],
        help="docker or singularity (repeat); both if not given",
    )
    made.add_argument(
        "-o", "--output", metavar="DIR", help="where to write; containers/ beside the spec if not given"
    )
    made.add_argument("--locked", action="store_true", help="fail if nothing is locked")
    made.add_argument(
        "--standalone", action="store_true", help="recipes that fetch by themselves (this is the default)"
    )
    made.add_argument(
        "--vendored",
        action="store_true",
        help="recipes that take everything from the store, under .reproc/vendored",
    )
    made.add_argument("--stdout", action="store_true", help="print the recipes and write nothing")
    made.add_argument("--json", action="store_true", help="print the manifest")
    made.add_argument(
        "--watch", action="store_true", help="go on until interrupted: once more whenever a file changes"
    )
    return made


def run(options: Namespace, console: Console) -> int:
    """Writes the recipes, once or whenever what they are made from changes."""
    if not options.watch:
        return _compile(options, console)
    from reproc.cli.watch import watch

    return watch(spec_path(options.spec), lambda: _compile(options, console), console)


def _compile(options: Namespace, console: Console) -> int:
    """Writes the recipes; files that would not change are left alone."""
    project = load(options.spec, console, need_lock=options.locked or options.vendored)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    if unknown := _unknown_backends(project, requests, options.backend):
        console.show(unknown)
        return WRONG_CALL
    if options.vendored:
        from reproc.workbench import prepare

        prepared = prepare(project, requests, tuple(options.backend), console.progress())
        console.show(prepared.diagnostics)
        return DONE if prepared.value is not None else WRONG_CALL
    root = spec_path(options.spec).parent
    output = Path(options.output) if options.output else root / CONTAINERS
    folder = Path(os.path.relpath(output, root)).as_posix()
    outcome = recipes(project, requests, tuple(options.backend), folder)
    console.show(outcome.diagnostics)
    if outcome.value is None:
        return WRONG_CALL
    if project.lock is None:
        console.say("nothing is locked: versions float, and the recipes say so; `reproc lock` pins them")
    if options.stdout:
        print("\n".join(file.text for file in outcome.value if file.backend), end="")
        return DONE
    return _write(outcome.value, root, output, options.json, console)


def _unknown_backends(
    project: Project, requests: tuple[TargetRequest, ...], names: list[str]
) -> tuple[Diagnostic, ...]:
    """What is wrong with the names behind `-b`: none of the chosen targets has such a recipe."""
    chosen = {request.name for request in requests}
    known = {name for target in project.spec.targets if target.name in chosen for name in target.backends}
    return tuple(
        error(codes.NO_SUCH_BACKEND, None, name=name, suggestion=nearest(name, sorted(known)))
        for name in dict.fromkeys(names)
        if name not in known
    )


def _write(files: tuple[RecipeFile, ...], root: Path, output: Path, as_json: bool, console: Console) -> int:
    """Writes what is new; removes what an earlier run wrote, nobody changed and this run has no more."""
    obsolete = _obsolete(files, root, output)
    try:
        for file in files:
            path = output / file.path
            written = write_atomically(path, file.text.encode(), 0o755 if file.executable else 0o644)
            if not as_json and not console.quiet:
                print(f"{path.as_posix()}{'' if written else '  (unchanged)'}")
        for path in obsolete:
            path.unlink()
    except OSError as problem:
        console.show(
            (error(codes.NOT_WRITABLE, None, path=problem.filename or str(output), problem=problem.strerror),)
        )
        return WRONG_CALL
    if as_json:
        print(files[-1].text, end="")
    return DONE


def _obsolete(files: tuple[RecipeFile, ...], root: Path, output: Path) -> list[Path]:
    import hashlib

    kept = {(output / file.path).resolve() for file in files}
    try:
        rows = json.loads((output / "manifest.json").read_text(encoding="utf-8"))["files"]
        listed = [(root / str(row["path"]), str(row["sha256"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    inside = output.resolve()
    return [
        path
        for path, digest in listed
        if path.resolve() not in kept
        and path.resolve().is_relative_to(inside)
        and path.is_file()
        and hashlib.sha256(path.read_bytes()).hexdigest() == digest
    ]
