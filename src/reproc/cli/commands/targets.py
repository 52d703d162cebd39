"""`reproc targets`: what a spec can be built into, what each promises, and which of them run here."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from reproc import model, pipeline
from reproc.catalog import cuda
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
    """Prints a few lines for each target; the first begins with its name, the others with a blank."""
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
        extends = f", extends {target.extends}" if target.extends else ""
        print(f"{target.name:<{width}}  {', '.join(target.backends)} on {_base(target)}{extends}")
        rows = [*_promises(target), *(_told(*here[target.name]) if here is not None else ())]
        for about, told in rows:
            print(f"{'':<{width}}  {about:<9}  {told}")
    return DONE


def _base(target: Target) -> str:
    return f"{target.base.kind} {target.base.name}"


def _promises(target: Target) -> list[tuple[str, str]]:
    """The hardware that a target is made for: of what, and which."""
    found = [("processor", _processor(target))]
    if target.cuda:
        arch = f" for {' '.join(item.text for item in target.cuda.arch)}" if target.cuda.arch else ""
        oldest = cuda.oldest_driver(target.cuda.version, target.cuda.driver)
        driver = f", driver {oldest} or newer" if oldest else ""
        found.append(("GPU", f"CUDA {target.cuda.version}{arch}{driver}"))
    if target.rocm:
        found.append(("GPU", f"ROCm {target.rocm.version}"))
    return found


def _processor(target: Target) -> str:
    name = target.cpu.text if target.cpu else "any"
    without = f" without {' '.join(item.text for item in target.without)}" if target.without else ""
    return f"{name}{without} ({target.platform})"


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


def _told(engines: tuple[str, ...], why: tuple[str, ...]) -> list[tuple[str, str]]:
    if not why:
        return [("here", f"runs with {', '.join(engines)}")]
    return [("not here", each) for each in why]


def _cuda(wanted: model.Cuda) -> dict[str, object]:
    driver = cuda.oldest_driver(wanted.version, wanted.driver)
    return {"version": wanted.version, "arch": [item.text for item in wanted.arch], "driver": driver}


def _facts(target: Target, here: Here | None) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": target.name,
        "extends": target.extends,
        "backends": list(target.backends),
        "base": _base(target),
        "platform": target.platform,
        "cpu": target.cpu.text if target.cpu else None,
        "without": [item.text for item in target.without],
        "cuda": _cuda(target.cuda) if target.cuda else None,
        "rocm": target.rocm.version if target.rocm else None,
        "apps": [app.name for app in target.apps],
        "tests": [
            test.name
            for test in target.tests
            if not test.on or target.name in {item.text for item in test.on}
        ],
    }
    if here is not None:
        engines, why = here[target.name]
        facts["here"] = {"runs": not why, "engines": list(engines), "why_not": list(why)}
    return facts
