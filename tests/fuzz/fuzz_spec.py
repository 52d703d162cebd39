"""Feeds damaged specs to everything that reads one, guided by coverage, until an exception or a hang is found.

usage: python tests/fuzz/fuzz_spec.py [--bytes N] [-timeout=10] [libFuzzer's options]     (or: make fuzz)

Needs atheris (requirements/fuzz.txt; Linux, x86-64). Seeds are the corpus's specs, the words its dictionary. It ends
after N bytes of input (10 million if not given); what breaks is written to `crash-…`, and the exit status is not 0.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "grammar"), str(ROOT / "tests/check")]

with atheris.instrument_imports(include=["reproc", "reproc_grammar"]):
    from spec_folder import fill

    from reproc.check import check
    from reproc.diagnostics.render import render
    from reproc.folder import Folder
    from reproc.model import SpecFile
    from reproc.model.schema import schema_of
    from reproc.syntax import decode, parse
    from reproc.syntax.format import format_tree

SEEDS = sorted(
    path for pattern in ("*/*/*/repro.spec", "*/*/*/*.spec") for path in (ROOT / "tests/corpus").glob(pattern)
)


def words() -> set[str]:
    """Every keyword of the language."""
    known: set[str] = set()
    waiting: list[type] = [SpecFile]
    seen: set[type] = set()
    while waiting:
        block = waiting.pop()
        if block not in seen:
            seen.add(block)
            schema = schema_of(block)
            known |= {*schema.words}
            waiting += [each.type for _, each in schema.keywords.values() if isinstance(each.type, type)]
    return known


def main(arguments: list[str]) -> None:
    limit = 10_000_000
    if "--bytes" in arguments:
        at = arguments.index("--bytes")
        limit = int(arguments[at + 1])
        del arguments[at : at + 2]
    work = Path(tempfile.mkdtemp(prefix="reproc-fuzz-"))
    beside = work / "beside"
    fill(beside)
    seeds = work / "seeds"
    seeds.mkdir()
    for number, path in enumerate(SEEDS):
        (seeds / f"{number:04}").write_bytes(path.read_bytes()[:4096])
    dictionary = work / "words.txt"
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words())), encoding="utf-8")
    folder = Folder(beside)
    fed = 0

    def one(data: bytes) -> None:
        nonlocal fed
        fed += len(data)
        decoded = decode("repro.spec", data)
        render(decoded.diagnostics, "full")
        parsed = parse(decoded.value) if decoded.value else None
        if parsed is not None and parsed.value is not None:
            outcome = check(parsed.value, folder, warnings=not parsed.errors)
            render(parsed.diagnostics + outcome.diagnostics, "full")
            render(outcome.diagnostics, "json")
            if not parsed.errors:
                again = decode("repro.spec", format_tree(parsed.value).encode())
                assert again.value is not None
                assert parse(again.value).value == parsed.value
        if fed >= limit:
            print(f"{fed} bytes, no exception, no hang", file=sys.stderr, flush=True)
            os._exit(0)

    options = ["-max_len=4096", "-timeout=10", f"-dict={dictionary}", f"-artifact_prefix={ROOT}/", str(seeds)]
    atheris.Setup([sys.argv[0], *options[:-1], *arguments, options[-1]], one)
    atheris.Fuzz()


main(sys.argv[1:])
