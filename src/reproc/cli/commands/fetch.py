"""`reproc fetch`: fills the store with everything that the lock names."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence

from reproc.cli.arguments import Parser, chosen, load
from reproc.cli.console import Console
from reproc.cli.exits import DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Diagnostic
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.lock.fetch import Fetched, fetch
from reproc.lock.store import Store, default_root
from reproc.progress import Silent, amount


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("fetch", COMMANDS["fetch"].summary)
    made.spec()
    made.targets()
    made.add_argument("--json", action="store_true", help="what was fetched, as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Fetches what is missing; everything is checked against the lock's digests."""
    project = load(options.spec, console, need_lock=True)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    progress, code = Silent() if options.json else console.progress(), DONE
    found: list[Fetched] = []
    told: list[Diagnostic] = []
    with Store(default_root()) as store:
        for request in requests:
            locked = project.locked(request.name)
            assert project.lock is not None and locked is not None, "a lock that fits has every target"
            outcome = fetch(project.lock, locked, project.folder.root, store, progress, without=request.alone)
            console.show([each for each in outcome.diagnostics if each not in told])
            told += outcome.diagnostics
            if outcome.errors:
                unreachable = any(each.code in UNREACHABLE for each in outcome.diagnostics)
                code = LACKING if unreachable else WRONG_CALL
            assert outcome.value is not None, "it is told also where something is wrong"
            found.append(outcome.value)
        if options.json:
            _print_json(found, store)
        else:
            print(_summary(found))
    return code


def _summary(found: Sequence[Fetched]) -> str:
    """How much came, and from where; the targets share most of what they need."""
    files = [file for each in found for file in each.files]
    there = _there(found)
    if not files:
        return f"nothing to fetch: {_number(there)} there already"
    sources = Counter(file.source for file in files)
    listed = ", ".join(f"{name} {count}" for name, count in sorted(sources.items()))
    size = amount(sum(file.size for file in files))
    rest = f"; {_number(there)} there already" if there else ""
    return f"fetched {_number(len(files))}, {size} ({listed}){rest}"


def _there(found: Sequence[Fetched]) -> int:
    """How many files were there before; what came for one target is not there before the next."""
    came = {file.sha256 for each in found for file in each.files}
    return len({sha256 for each in found for sha256 in each.there} - came)


def _number(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _print_json(found: Sequence[Fetched], store: Store) -> None:
    import json

    files = [file for each in found for file in each.files]
    document = {
        "store": str(store.root),
        "files": [
            {"name": file.name, "sha256": file.sha256, "size": file.size, "source": file.source}
            for file in files
        ],
        "there": _there(found),
        "transferred": sum(each.transferred for each in found),
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))
