"""`reproc fetch`: fills the store with everything that the lock names."""

from __future__ import annotations

from argparse import Namespace

from reproc.cli.arguments import Parser, chosen, load
from reproc.cli.console import Console
from reproc.cli.exits import DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.lock.fetch import fetch
from reproc.lock.store import Store, default_root


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("fetch", COMMANDS["fetch"].summary)
    made.spec()
    made.targets()
    return made


def run(options: Namespace, console: Console) -> int:
    """Fetches what is missing; everything is checked against the lock's digests."""
    project = load(options.spec, console, need_lock=True)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    progress, code = console.progress(), DONE
    with Store(default_root()) as store:
        for request in requests:
            locked = project.locked(request.name)
            assert project.lock is not None and locked is not None, "a lock that fits has every target"
            outcome = fetch(project.lock, locked, project.folder.root, store, progress)
            console.show(outcome.diagnostics)
            if outcome.errors:
                unreachable = any(each.code in UNREACHABLE for each in outcome.diagnostics)
                code = LACKING if unreachable else WRONG_CALL
    return code
