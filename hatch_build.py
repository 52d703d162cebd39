"""Generates the parser from the grammar and code from the templates: a hook of hatchling, and a program of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("grammar/reproc_grammar")
GENERATED = FOLDER / "_standalone.py"
TEMPLATES = "backends/reproc_backends/*/*.j2"
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
    return lean("\n".join(lines) + "\n")


_NEEDLESS = {
    "import pickle, zlib, base64\n": "",
    "import logging\nfrom": "from",
    """logger: logging.Logger = logging.getLogger("lark")
logger.addHandler(logging.StreamHandler())
""": """class _Silent:
    def __getattr__(self, name):
        return lambda *values, **named: None


logger = _Silent()
""",
    "logger.setLevel(logging.CRITICAL)\n": "",
}
"""What costs a tenth of a compilation's start and serves lark's caches and debugging, which nobody uses here."""


def lean(text: str) -> str:
    """The generated text without its needless imports; a version of lark that differs there fails loudly."""
    for old, new in _NEEDLESS.items():
        assert text.count(old) == 1, f"lark's parser has no {old!r}"
        text = text.replace(old, new)
    return text


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


def compiled(template: str) -> str:
    """The source text of the module that jinja2 makes of a template; it knows which text it was made from.

    The environment is the one of `reproc_backends.layout`, which makes the same of a template at run time.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return f"{environment.compile(template, raw=True, defer_init=True)}\nTEMPLATE = {template!r}\n"


def write(root: Path) -> list[Path]:
    """Writes the generated modules below `root` unless they are there already, and returns their paths."""
    written = {root / GENERATED: generated((root / FOLDER / "repro.lark").read_text(encoding="utf-8"))}
    for template in sorted(root.glob(TEMPLATES)):
        module = template.with_name(f"_{template.name.replace('.', '_')}.py")
        written[module] = compiled(template.read_text(encoding="utf-8"))
    for target, text in written.items():
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            partial = target.with_name(f"{target.name}.{os.getpid()}")
            partial.write_text(text, encoding="utf-8", newline="\n")
            partial.replace(target)
    return list(written)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a program, without hatchling
    pass
else:

    class GeneratedCode(BuildHookInterface):  # type: ignore[type-arg]
        """Writes the modules before a wheel is made; an sdist has the grammar and the templates."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if self.target_name == "wheel":
                root = Path(self.root)
                build_data["artifacts"] += [path.relative_to(root).as_posix() for path in write(root)]


if __name__ == "__main__":
    for path in write(Path(__file__).resolve().parent):
        print(path, file=sys.stderr)
