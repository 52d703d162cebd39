"""`reproc explain`: the long form of a diagnostic, and the ways to a tool chain."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from importlib.resources import files

from reproc.cli.arguments import Parser
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Code
from reproc.diagnostics.codes import table
from reproc.diagnostics.suggest import nearest


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("explain", COMMANDS["explain"].summary)
    made.add_argument(
        "words",
        metavar="CODE",
        nargs="*",
        help="such as E0412, or its name; without one, all are listed. Or `toolchain gcc 9 on debian bookworm`",
    )
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints the page of a code, or one line for each code."""
    if not options.words:
        _list(options.json)
        return DONE
    if options.words[0] == "toolchain":
        return _toolchain(options.words[1:], options.json, console)
    word = options.words[0] if len(options.words) == 1 else " ".join(options.words)
    code = _find(word)
    if code is None:
        near = nearest(word, [name for each in table().values() for name in (each.id, each.name)])
        advice = f"did you mean `{near}`?" if near else "`reproc explain` lists all"
        console.say(f"there is no code `{word}`; {advice}")
        return WRONG_CALL
    text = page(code)
    if options.json:
        _print_json({**_facts(code), "help": list(code.help), "page": text})
    elif sys.stdout.isatty():
        _render(text, console.colored(sys.stdout))
    else:
        print(text, end="")
    return DONE


def _toolchain(words: list[str], as_json: bool, console: Console) -> int:
    """Prints every way to a tool chain: `NAME VERSION on DISTRIBUTION RELEASE`."""
    from reproc import catalog
    from reproc.catalog import holders
    from reproc.catalog.environments import environment_ways
    from reproc.catalog.ways import ways

    if len(words) != 5 or words[2] != "on":
        console.say("write `reproc explain toolchain NAME VERSION on DISTRIBUTION RELEASE`")
        return WRONG_CALL
    name, version, _, distribution, codename = (each.lower() for each in words)
    names = sorted((*catalog.toolchain_names(), *holders.names()))
    if name not in names:
        console.say(f"there is no tool chain `{words[0]}`; known: {', '.join(names)}")
        return WRONG_CALL
    base = catalog.release(distribution, codename)
    if base is None:
        known = ", ".join(each.codename for each in catalog.releases(distribution)) or "none"
        console.say(f"there is no release `{distribution} {codename}`; known: {known}")
        return WRONG_CALL
    found = (environment_ways if name in holders.names() else ways)(name, version, base)
    if as_json:
        _print_json(
            [{"provider": w.provider, "what": w.what, "taken": w.taken, "reason": w.reason} for w in found]
        )
        return DONE
    for way in found:
        print(f"{'*' if way.taken else '-'} {way.provider:<8} {way.what}: {way.reason}")
    if not any(way.taken for way in found):
        print(f"\nNothing provides {name} {version} for {distribution} {codename} by itself.")
    return DONE


def page(code: Code) -> str:
    """The page of a code, as Markdown; every code has one."""
    return (files("reproc.diagnostics") / "pages" / f"{code.id}.md").read_text(encoding="utf-8")


def _find(word: str) -> Code | None:
    by_number = table().get(word.upper())
    return by_number or next((code for code in table().values() if code.name == word.lower()), None)


def _list(as_json: bool) -> None:
    if as_json:
        _print_json([_facts(code) for code in table().values()])
        return
    width = max(len(code.name) for code in table().values())
    for code in table().values():
        print(f"{code.id}  {code.name:<{width}}  {_without_facts(code.message)}")


def _facts(code: Code) -> dict[str, object]:
    return {
        "code": code.id,
        "name": code.name,
        "severity": code.severity.value,
        "message": _without_facts(code.message),
    }


def _without_facts(template: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "…", template)


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))


def _render(text: str, color: bool) -> None:
    """The page as a terminal can show it."""
    from rich.console import Console as Rich
    from rich.markdown import Markdown

    rich = Rich(no_color=not color, highlight=False)
    rich.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False), width=min(rich.width, 100))
