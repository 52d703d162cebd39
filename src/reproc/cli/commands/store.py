"""`reproc store`: where the store is, whether it is sound, and removing what nothing uses."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproc.cli.arguments import Parser
from reproc.cli.console import Console
from reproc.cli.exits import DOES_NOT_HOLD, DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.lock.store import Store, default_root
from reproc.progress import Silent, amount

if TYPE_CHECKING:
    from reproc.lock.tidy import Tidied, Verified

_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_KINDS = {
    "file": "nothing uses",
    "partial": "of transfers that were broken off",
    "temporary": "left behind by processes that were stopped",
    "damaged": "damaged",
    "note": "of notes that can be made again",
}


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("store", COMMANDS["store"].summary)
    made.add_argument(
        "action",
        choices=("path", "verify", "gc"),
        help="print where the store is, or a file of it; read everything again; remove what no lock uses",
    )
    made.add_argument("digest", metavar="SHA256", nargs="?", type=_digest, help="with `path`: this file")
    made.add_argument(
        "--older-than",
        metavar="TIME",
        type=_duration,
        help="with `gc`: leave what was used in the last 12h, 30d, 8w",
    )
    made.add_argument("--dry-run", action="store_true", help="with `gc`: only say what would be removed")
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def _digest(text: str) -> str:
    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", text.lower())
    if found is None:
        raise ArgumentTypeError(f"`{text}` is not a sha256 of 64 hexadecimal digits")
    return found[1]


def _duration(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if found is None:
        raise ArgumentTypeError(f"`{text}` is not a time such as `12h`, `30d` or `8w`")
    return int(found[1]) * _SECONDS[found[2]]


def run(options: Namespace, console: Console) -> int:
    """Does one of the three."""
    if options.action != "path" and options.digest is not None:
        console.say("only `reproc store path` takes a digest")
        return WRONG_CALL
    if options.action != "gc" and (options.dry_run or options.older_than is not None):
        console.say("only `reproc store gc` takes `--dry-run` and `--older-than`")
        return WRONG_CALL
    with Store(default_root()) as store:
        match options.action:
            case "path":
                return _path(store, options, console)
            case "verify":
                return _verify(store, options, console)
            case _:
                return _gc(store, options, console)


def _path(store: Store, options: Namespace, console: Console) -> int:
    found: Path | None = store.root
    if options.digest is not None:
        found = store.path(options.digest)
    if options.json:
        _print_json({"path": None if found is None else str(found)})
    elif found is not None:
        print(found)
    else:
        damaged = options.digest in store.damaged
        told = "it was damaged, and is set aside now" if damaged else f"the store is `{store.root}`"
        console.say(f"the store does not hold `{options.digest}`: {told}")
    return DOES_NOT_HOLD if found is None else DONE


def _verify(store: Store, options: Namespace, console: Console) -> int:
    from reproc.lock.tidy import verify

    found = verify(store, Silent() if options.json else console.progress())
    if options.json:
        _print_json(
            {
                "store": str(store.root),
                "files": found.files,
                "bytes": found.size,
                "damaged": [
                    {"sha256": each.sha256, "names": list(each.names), "locks": list(each.locks)}
                    for each in found.damaged
                ],
            }
        )
    else:
        _print_verified(found)
    return DOES_NOT_HOLD if found.damaged else DONE


def _print_verified(found: Verified) -> None:
    for each in found.damaged:
        print(f"damaged and set aside: {each.sha256}")
        for name in each.names:
            print(f"  it is {name}")
        for lock in each.locks:
            print(f"  {lock} names it")
    print(f"{_files(found.files)} {'is' if found.files == 1 else 'are'} sound, {amount(found.size)}")
    if found.damaged:
        print("`reproc fetch` gets again what a lock names")


def _gc(store: Store, options: Namespace, console: Console) -> int:
    from reproc.lock.tidy import tidy

    found = tidy(store, older_than=options.older_than, dry=options.dry_run)
    console.show(found.diagnostics)
    if found.value is not None:
        if options.json:
            _print_json(_document(found.value, store, options.dry_run))
        else:
            _print_tidied(found.value, options.dry_run)
    if found.value is None:
        return LACKING
    return DOES_NOT_HOLD if found.errors else DONE


def _print_tidied(found: Tidied, dry: bool) -> None:
    for kind, words in _KINDS.items():
        sizes = [each.size for each in found.removed if each.kind == kind]
        if sizes:
            verb = "would remove" if dry else "removed"
            print(f"{verb} {_files(len(sizes))} {words}, {amount(sum(sizes))}")
    for lock in found.gone:
        print(f"{lock} is not there any more")
    locks = f"{len(found.locks)} {'lock is' if len(found.locks) == 1 else 'locks are'} known"
    print(f"{_files(found.files)} {'stays' if found.files == 1 else 'stay'}, {amount(found.size)}; {locks}")


def _document(found: Tidied, store: Store, dry: bool) -> dict[str, Any]:
    return {
        "store": str(store.root),
        "dry-run": dry,
        "removed": [{"kind": each.kind, "name": each.name, "bytes": each.size} for each in found.removed],
        "freed": sum(each.size for each in found.removed),
        "kept": {"files": found.files, "bytes": found.size},
        "locks": list(found.locks),
        "gone": list(found.gone),
    }


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _print_json(document: object) -> None:
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False))
