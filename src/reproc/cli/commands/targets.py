"""`reproc targets`: what a spec can be built into, what each promises, and which of them run here."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from reproc import pipeline
from reproc.catalog import processors
from reproc.check import Target
from reproc.cli.arguments import Parser, spec_path
from reproc.cli.console import Console
from reproc.cli.exits import DONE, WRONG_CALL
from reproc.cli.options import COMMANDS

if TYPE_CHECKING:
    from reproc.verify.engines.base import Probe

Here: TypeAlias = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""By target's name: the engines that run it here, and why it does not run."""


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("targets", COMMANDS["targets"].summary)
    made.spec()
    made.add_argument(
        "--here", action="store_true", help="also which of them this machine can run, and why not"
    )
    made.add_argument("--json", action="store_true", help="the same as JSON")
    return made


def run(options: Namespace, console: Console) -> int:
    """Prints a line for each target; its name is the first word."""
    path = spec_path(options.spec)
    outcome = pipeline.checked(path, path.as_posix())
    console.show(outcome.diagnostics)
    if outcome.value is None:
        return WRONG_CALL
    _, spec = outcome.value
    here = _here(spec.targets) if options.here else None
    if options.json:
        import json

        print(json.dumps([_facts(target, here) for target in spec.targets], indent=2, ensure_ascii=False))
        return DONE
    width = max(len(target.name) for target in spec.targets)
    for target in spec.targets:
        extends = f"  extends {target.extends}" if target.extends else ""
        line = f"{target.name:<{width}}  {' '.join(target.backends)}  on {_base(target)}"
        print(f"{line}  for {', '.join(_promises(target))}{extends}")
        if here is not None:
            for told in _told(*here[target.name]):
                print(f"{'':<{width}}  {told}")
    return DONE


def _base(target: Target) -> str:
    return f"{target.base.kind} {target.base.name}"


def _promises(target: Target) -> list[str]:
    """The hardware that a target is made for."""
    words = [target.platform]
    if target.cpu:
        level = processors.level(target.cpu.text)
        words.append(processors.written(level.name) if level else target.cpu.text)
    if target.without:
        words.append(f"without {' '.join(item.text for item in target.without)}")
    if target.cuda:
        arch = " ".join(item.text for item in target.cuda.arch)
        driver = f"driver {target.cuda.driver.text}" if target.cuda.driver else ""
        more = "; ".join(filter(None, (arch, driver)))
        words.append(f"CUDA {target.cuda.version}{f' ({more})' if more else ''}")
    if target.rocm:
        words.append(f"ROCm {target.rocm.version}")
    return words


def _here(targets: tuple[Target, ...]) -> Here:
    import tempfile
    from pathlib import Path

    from reproc.verify.host import Host
    from reproc.verify.run import all_engines
    from reproc.verify.workspace import Workspace

    host = Host.look()
    with tempfile.TemporaryDirectory(prefix="reproc-targets-") as folder:
        engines = all_engines(Workspace.open(Path(folder)))
        found = [(engine.backend, _named(engine.probe())) for engine in engines if engine.probe().usable]
        for engine in engines:
            engine.close()
    rows = {}
    for target in targets:
        able = tuple(version for backend, version in found if backend in target.backends)
        why = tuple(host.refuses(target))
        rows[target.name] = (
            able,
            why if able else (*why, f"no engine for {' or '.join(target.backends)} is here"),
        )
    return rows


def _named(probe: Probe) -> str:
    """An engine with its version, named once."""
    version = probe.version or ""
    return version if version[:1].isalpha() else f"{probe.engine} {version}".strip()


def _told(engines: tuple[str, ...], why: tuple[str, ...]) -> list[str]:
    if not why:
        return [f"runs here with {', '.join(engines)}"]
    return [f"does not run here: {each}" for each in why]


def _facts(target: Target, here: Here | None) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": target.name,
        "extends": target.extends,
        "backends": list(target.backends),
        "base": _base(target),
        "platform": target.platform,
        "hardware": _promises(target)[1:],
        "apps": [app.name for app in target.apps],
        "tests": [test.name for test in target.tests],
    }
    if here is not None:
        engines, why = here[target.name]
        facts["here"] = {"runs": not why, "engines": list(engines), "why_not": list(why)}
    return facts
