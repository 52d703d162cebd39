"""`reproc tree`: what brought a package in, or all packages with what they need."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from reproc.cli.arguments import Parser, chosen, load
from reproc.cli.console import Console
from reproc.cli.exits import DONE, LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.ansi import Paint
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import once
from reproc.diagnostics.suggest import nearest
from reproc.lock.dependencies import Needs, Root, of_target
from reproc.model.literals import project_name
from reproc.record import record, replace

DEPTH = 3
"""How far down the whole tree is shown."""


@record
class _Shown:
    """The packages of one manager, and the targets in which they are the same."""

    targets: tuple[str, ...]
    needs: Needs


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("tree", COMMANDS["tree"].summary)
    made.spec()
    made.add_argument(
        "package",
        metavar="PACKAGE",
        nargs="?",
        help="show what brought this one in, up to what the spec asks for",
    )
    made.add_argument("--needs", action="store_true", help="show what PACKAGE needs instead")
    made.add_argument(
        "--depth", metavar="N", type=_levels, help=f"how many levels (default: all; {DEPTH} without PACKAGE)"
    )
    made.targets()
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def _levels(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"`{text}` is not a number of levels")
    return int(text)


def run(options: Namespace, console: Console) -> int:
    """Prints the trees; those of several targets that are alike once."""
    spec, package = options.spec, options.package
    if package is None and not Path(spec).exists() and "/" not in spec and not spec.endswith(".spec"):
        spec, package = "repro.spec", spec
    project = load(spec, console, need_lock=True)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    from reproc.lock.store import Store, default_root

    told: list[Diagnostic] = []
    found: dict[str, list[_Shown]] = {}
    with Store(default_root()) as store:
        for request in requests:
            locked = project.locked(request.name)
            assert locked is not None, "a lock that fits has every target"
            outcome = of_target(locked, request, store)
            told += outcome.diagnostics
            for needs in outcome.value or ():
                _gather(found, needs, request.name)
    shown = [each for group in found.values() for each in group]
    if package is not None:
        known = {name for each in shown for name in each.needs.versions}
        package = package if package in known else project_name(package)
        shown = [each for each in shown if package in each.needs.versions]
    if package is None or not shown:
        console.show(once(told))
    if package is not None and not shown:
        return _unknown(package, found, bool(told), console)
    if options.json:
        _print_json(shown, package)
    else:
        paint = Paint(console.colored(sys.stdout))
        depth = options.depth or (DEPTH if package is None else sys.maxsize)
        for line in _lines(shown, package, options.needs, depth, paint):
            print(line)
    return LACKING if package is None and told else DONE


def _gather(found: dict[str, list[_Shown]], needs: Needs, target: str) -> None:
    group = found.setdefault(needs.name, [])
    for place, each in enumerate(group):
        if each.needs == needs:
            group[place] = replace(each, targets=(*each.targets, target))
            return
    group.append(_Shown((target,), needs))


def _unknown(package: str, found: dict[str, list[_Shown]], incomplete: bool, console: Console) -> int:
    if incomplete:
        return LACKING
    names = sorted({name for group in found.values() for each in group for name in each.needs.versions})
    console.show((error(codes.NOT_LOCKED, None, name=package, suggestion=nearest(package, names)),))
    return WRONG_CALL


def _lines(
    shown: Sequence[_Shown], package: str | None, down: bool, depth: int, paint: Paint
) -> Iterator[str]:
    for each in shown:
        needs = each.needs
        yield paint.strong(
            f"{needs.name}, target{'s' if len(each.targets) > 1 else ''} {', '.join(each.targets)}"
        )
        if package is None:
            yield from _whole(needs, depth)
        elif down:
            yield _label(package, needs)
            yield from _branches(package, lambda name, n=needs: n.needs.get(name, ()), needs, depth, {})  # type: ignore[misc]
        else:
            yield from _inverted(package, needs, depth)


def _whole(needs: Needs, depth: int) -> Iterator[str]:
    """Everything that is asked for, with what it needs; what every base has is only counted."""
    base = [root for root in needs.roots if root.reason == "base"]
    roots = [root for root in needs.roots if root.reason != "base"]
    seen: dict[str, None] = {}
    for root in roots:
        yield f"{_label(root.name, needs)}  ({_reason(root)})" + (" (*)" if root.name in seen else "")
        if root.name not in seen:
            seen[root.name] = None
            yield from _branches(root.name, lambda name: needs.needs.get(name, ()), needs, depth - 1, seen)
    if base:
        inside = (
            replace(needs, roots=tuple(base)).reachable() - replace(needs, roots=tuple(roots)).reachable()
        )
        yield f"and {len(inside)} packages of the base"


def _inverted(package: str, needs: Needs, depth: int) -> Iterator[str]:
    """The package, what needs it, and so on up to what is asked for."""
    above = needs.needed_by()
    reasons: dict[str, list[Root]] = {}
    for root in needs.roots:
        reasons.setdefault(root.name, []).append(root)

    def label(name: str) -> str:
        told = ", ".join(dict.fromkeys(map(_reason, reasons.get(name, ()))))
        return f"  ({told})" if told else ""

    yield _label(package, needs) + label(package)
    yield from _branches(package, lambda name: above.get(name, ()), needs, depth, {}, label)


def _branches(
    name: str,
    below: Callable[[str], Sequence[str]],
    needs: Needs,
    depth: int,
    seen: dict[str, None],
    label: Callable[[str], str] = lambda name: "",
) -> Iterator[str]:
    """The lines under a package; what was shown before is only named; without recursion: chains may be long."""
    stack: list[tuple[str, list[str]]] = [("", list(below(name)))]
    while stack:
        indent, waiting = stack[-1]
        if not waiting:
            stack.pop()
            continue
        each = waiting.pop(0)
        again, deeper = each in seen, bool(below(each))
        cut = deeper and not again and len(stack) >= depth
        mark = " (*)" if again and deeper else " …" if cut else ""
        yield f"{indent}{'├──' if waiting else '└──'} {_label(each, needs)}{label(each)}{mark}"
        if not again and not cut:
            seen[each] = None
            stack.append((f"{indent}{'│   ' if waiting else '    '}", list(below(each))))


def _label(name: str, needs: Needs) -> str:
    return f"{name} {needs.versions[name]}"


def _reason(root: Root) -> str:
    if root.origin is None:
        return root.reason
    position = root.origin.source.position(root.origin.start)
    return f"{root.reason}, {root.origin.source.path}:{position.line}"


def _print_json(shown: Sequence[_Shown], package: str | None) -> None:
    import json

    document = []
    for each in shown:
        needs = each.needs
        kept = sorted(needs.versions) if package is None else sorted(_around(package, needs))
        document.append(
            {
                "name": needs.name,
                "targets": list(each.targets),
                "roots": [
                    {"name": root.name, "from": root.reason} for root in needs.roots if root.name in kept
                ],
                "packages": {
                    name: {
                        "version": needs.versions[name],
                        "needs": [other for other in needs.needs.get(name, ()) if other in kept],
                    }
                    for name in kept
                },
                **({"chain": list(needs.chain(package))} if package is not None else {}),
            }
        )
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _around(package: str, needs: Needs) -> frozenset[str]:
    """A package and everything that leads to it."""
    above = needs.needed_by()
    waiting, seen = [package], {package}
    for name in waiting:
        new = [each for each in above.get(name, ()) if each not in seen]
        waiting += new
        seen.update(new)
    return frozenset(seen)
