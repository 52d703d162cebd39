"""What this machine can do, one row an engine or tool, and in one line each how to get what is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict

from reproc.record import record
from reproc.verify.engines.base import Engine, Probe
from reproc.verify.machine import Machine


@record
class Row:
    """One thing that was looked for."""

    name: str
    version: str | None
    status: str
    """`ok`, `limited` (it works, but not as well as it could) or `missing`."""
    text: str
    advice: str | None = None


_TOOLS = (
    ("mmdebstrap", "--version", "makes bases that come `from bootstrap`", "`apt-get install mmdebstrap`"),
    ("gpgv", "--version", "checks the signatures of Debian's archive when locking", "`apt-get install gpgv`"),
    ("git", "--version", "fetches code from git", "`apt-get install git`"),
)


def doctor(engines: Sequence[Engine], machine: Machine | None = None) -> tuple[Row, ...]:
    """Looks at every engine, then at the tools, then at the hardware."""
    found = machine or Machine.look()
    rows = [row for engine in engines for row in _engine(engine.probe())]
    rows += [_tool(*tool) for tool in _TOOLS]
    gpu = (
        "tests that need a GPU run" if found.gpu else "no NVIDIA GPU is here: tests that need one are skipped"
    )
    rows.append(Row("gpu", None, "ok" if found.gpu else "missing", gpu))
    return tuple(rows)


def _engine(probe: Probe) -> list[Row]:
    if not probe.usable:
        return [
            Row(probe.engine, probe.version, "missing", probe.reason or "it cannot be used", probe.advice)
        ]
    good = all(detail.good for detail in probe.details)
    rows = [Row(probe.engine, probe.version, "ok" if good else "limited", "can build and test")]
    rows += [
        Row(
            f"{probe.engine}: {detail.name}",
            None,
            "ok" if detail.good else "limited",
            detail.text,
            detail.advice,
        )
        for detail in probe.details
    ]
    return rows


def _tool(name: str, option: str, purpose: str, advice: str) -> Row:
    path = shutil.which(name)
    if path is None:
        return Row(name, None, "missing", f"not installed; it {purpose}", advice)
    try:
        done = subprocess.run([path, option], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return Row(name, None, "missing", f"`{path}` does not run; it {purpose}", advice)
    lines = done.stdout.decode("utf-8", "replace").splitlines() or [""]
    return Row(name, next((word for word in lines[0].split() if word[0].isdigit()), None), "ok", purpose)


def render(rows: Sequence[Row]) -> str:
    """The rows as text: a line each, advice below it."""
    wide = max((len(row.name) + len(row.version or "") + 1 for row in rows), default=0)
    lines = []
    for row in rows:
        name = f"{row.name} {row.version or ''}".rstrip()
        lines.append(f"{row.status:<8} {name:<{wide}}  {row.text}")
        if row.advice is not None and row.status != "ok":
            lines.append(f"{'':<8} {'':<{wide}}  help: {row.advice}")
    return "\n".join(lines) + "\n"


def render_json(rows: Sequence[Row]) -> str:
    """The rows as JSON."""
    return (
        json.dumps({"version": 1, "rows": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False) + "\n"
    )
