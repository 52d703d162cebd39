"""Shows which modules `reproc compile`, `--version` and `--help` import, and what they cost.

Python's own `-X importtime` says for every module how long it took by itself; the table adds that up
by package for all but reproc. Exits with 1 if a command imports a module that has no business there.

usage: python benchmarks/imports.py [--spec DIR] [--top N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from compile_vs_peers import QUICKSTART, own_copy  # noqa: E402  (a script's neighbour)

WORLD = frozenset(["docker", "dulwich", "lark", "pydantic", "requests", "spython", "urllib3", "uv"])
HEAVY = {
    "compile": WORLD | {"rich"},
    "--version": WORLD | {"rich", "jinja2"},
    "--help": WORLD | {"jinja2"},
}


def import_times(arguments: list[str]) -> dict[str, int]:
    """Microseconds that each module took by itself while `reproc ARGUMENTS` ran."""
    command = [sys.executable, "-X", "importtime", "-m", "reproc", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"reproc {' '.join(arguments)} failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    times = {}
    for line in done.stderr.splitlines():
        if not line.startswith("import time:"):
            continue
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            times[name.strip()] = int(own)
    return times


def show(title: str, times: dict[str, int], top: int) -> None:
    """A table of what was dearest: our modules one by one, others by package."""
    packages: Counter[str] = Counter()
    for module, own in times.items():
        ours = module.startswith(("reproc.", "reproc_"))
        packages[module if ours else module.partition(".")[0]] += own
    total = sum(times.values())
    print(f"\n{title}: {len(times)} modules, {total / 1000:.1f} ms in imports")
    for package, own in packages.most_common(top):
        print(f"  {own / 1000:7.1f} ms  {package}")


def main() -> int:
    """Prints the tables; 1 if something heavy is imported."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spec", type=Path, default=QUICKSTART, help="a spec's folder (default: quickstart)")
    parser.add_argument("--top", type=int, default=15, help="how many rows to show")
    options = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory(prefix="reproc-bench-") as folder:
        commands = {
            "compile": ["-q", "compile", str(own_copy(options.spec, Path(folder)))],
            "--version": ["--version"],
            "--help": ["--help"],
        }
        for name, arguments in commands.items():
            times = import_times(arguments)
            show(f"reproc {name}", times, options.top)
            unwanted = sorted(HEAVY[name] & {module.partition(".")[0] for module in times})
            if unwanted:
                print(f"  ✗ imports what it must not: {', '.join(unwanted)}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
