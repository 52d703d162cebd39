"""Generates the parser from the grammar: a build hook of hatchling, and a program of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("grammar/reproc_grammar")
GENERATED = FOLDER / "_standalone.py"
START = "spec"
SHIFT = 0


def generated(grammar: str) -> str:
    """The source text of lark's stand-alone parser for `grammar`; the same text gives the same bytes."""
    from lark import Lark
    from lark.tools.standalone import gen_standalone

    class Ordered(Lark):
        """A parser whose table is written down in an order that does not change from run to run."""

        def memo_serialize(self, types_to_memoize: list[Any]) -> tuple[dict[str, Any], Any]:
            data, memo = super().memo_serialize(types_to_memoize)
            data["parser"]["parser"] = ordered(data["parser"]["parser"])
            return data, memo

    lines: list[str] = []
    parser = Ordered(grammar, parser="lalr", lexer="basic", start=START)
    gen_standalone(parser, output=lambda text="": lines.append(str(text)))  # type: ignore[no-untyped-call]
    return "\n".join(lines) + "\n"


def ordered(table: dict[str, Any]) -> dict[str, Any]:
    """The same parse table with its symbols numbered by name and its states in the order they are reached.

    lark numbers both in the order of sets, which differs from run to run.
    """
    names = sorted(table["tokens"].values())
    symbol = {number: names.index(name) for number, name in table["tokens"].items()}
    start = table["start_states"][START]
    number_of = {start: 0}
    queue = [start]
    states: dict[int, dict[int, tuple[int, Any]]] = {}
    for state in queue:
        row: dict[int, tuple[int, Any]] = {}
        cells = table["states"][state]
        for token in sorted(cells, key=symbol.__getitem__):
            action, argument = cells[token]
            if action == SHIFT and argument not in number_of:
                number_of[argument] = len(number_of)
                queue.append(argument)
            row[symbol[token]] = (action, number_of[argument] if action == SHIFT else argument)
        states[number_of[state]] = row
    return {
        **table,
        "tokens": dict(enumerate(names)),
        "states": states,
        "start_states": {START: 0},
        "end_states": {START: number_of[table["end_states"][START]]},
    }


def write(root: Path) -> Path:
    """Writes the generated module below `root` unless it is there already, and returns its path."""
    target = root / GENERATED
    text = generated((root / FOLDER / "repro.lark").read_text(encoding="utf-8"))
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(target)
    return target


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a program, without hatchling
    pass
else:

    class GrammarHook(BuildHookInterface):  # type: ignore[type-arg]
        """Writes the parser before a wheel or an editable install is made; an sdist has the grammar."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if self.target_name == "wheel":
                write(Path(self.root))
                build_data["artifacts"].append(GENERATED.as_posix())


if __name__ == "__main__":
    print(write(Path(__file__).resolve().parent), file=sys.stderr)
