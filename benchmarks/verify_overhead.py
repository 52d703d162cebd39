"""Measures `reproc verify` on a target of specs/quickstart against the bare commands of the engines, side by side.

A round verifies everything anew (`--no-cache`: build, tests, audits, comparison of the images), and has the engines
alone build the same recipes (`docker buildx build --no-cache`, `apptainer build`) and run the same tests in a
container each. The result is the median of the ratios within a round, so that what else the machine does counts less.
The SIF is compressed alike in both. The bare commands run one after the other; `reproc verify` has the engines work
side by side, unless `--jobs 1` has it work in turn, too. Afterwards it runs once more with nothing changed: its
seconds, the median of five runs, are told beside those of `reproc --version`, which is the least that a start takes.
Audits, the list of packages and the comparison count as overhead. Only a machine that does nothing else shows the
seconds.

usage: python benchmarks/verify_overhead.py [-t TARGET] [-e ENGINE] [--jobs N] [--rounds N] [--json FILE] [--limit RATIO]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from reproc.verify.engines.apptainer import compression
from reproc.verify.sandbox import Sandbox

QUICKSTART = Path(__file__).resolve().parent.parent / "specs" / "quickstart"
TESTS = (
    "python -c 'import numpy; print(numpy.__version__)'",
    "main",
    "python /opt/quickstart/compare.py",
)
TAG = "reproc-benchmark:bare"


def run(*arguments: str | Path, cwd: Path) -> float:
    """Seconds that a command takes; ends the program where it fails."""
    began = monotonic()
    # an installed program has its byte code
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    called = [*map(str, arguments)]
    done = subprocess.run(called, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{arguments}\n{(done.stdout + done.stderr).decode(errors='replace')[-4000:]}")
    return monotonic() - began


def docker(context: Path) -> float:
    """Seconds of Docker alone."""
    options = ("--no-cache", "--provenance=false", "--network=none", f"--tag={TAG}", "--load")
    seconds = run("docker", "buildx", "build", *options, ".", cwd=context)
    for test in TESTS:
        seconds += run("docker", "run", "--rm", "--network=none", TAG, "sh", "-c", test, cwd=context)
    return seconds


def singularity(context: Path) -> float:
    """Seconds of Apptainer alone, as root of a namespace where that is how it can be called here."""
    sandbox, sif = Sandbox.detect(), context.parent / "bare.sif"

    def inside(*arguments: str) -> Sequence[str]:
        if os.geteuid() != 0 or sandbox.root is None:
            return arguments
        return sandbox.argv(sandbox.root, arguments, network=False, workdir=str(context))

    bind = ("--bind", f"{context}/inputs:/mnt")
    build = ("apptainer", "build", "--force", *bind, *compression(), str(sif), "Singularity.def")
    seconds = run(*inside(*build), cwd=context)
    for test in TESTS:
        seconds += run(*inside("apptainer", "exec", "--containall", str(sif), "sh", "-c", test), cwd=context)
    sif.unlink()
    return seconds


ENGINES = {"docker": docker, "singularity": singularity}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("-t", "--target", default="laptop")
    parser.add_argument("-e", "--engine", choices=tuple(ENGINES), action="append", default=[])
    parser.add_argument("--jobs", help="passed on to `reproc verify`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, help="fail above this ratio, or above 2 s for nothing")
    options = parser.parse_args()
    engines = options.engine or list(ENGINES)
    with tempfile.TemporaryDirectory(prefix="reproc-overhead-") as folder:
        spec = Path(folder) / "quickstart"
        shutil.copytree(QUICKSTART, spec, ignore=shutil.ignore_patterns(".reproc", "containers"))
        called = [sys.executable, "-m", "reproc", "verify", "-t", options.target]
        called += [word for engine in engines for word in ("-e", engine)]
        called += ["--jobs", options.jobs] if options.jobs else []
        run(sys.executable, "-m", "reproc", "fetch", cwd=spec)
        context = spec / ".reproc/vendored" / options.target
        ratios = []
        for number in range(options.rounds):
            ours = run(*called, "--no-cache", cwd=spec)
            bare = sum(ENGINES[engine](context) for engine in engines)
            ratios.append(ours / bare)
            print(
                f"round {number + 1}: {ours:.1f} s, the engines alone {bare:.1f} s: {ours / bare:.3f}",
                flush=True,
            )
        again = statistics.median(run(*called, cwd=spec) for _ in range(5))
        least = statistics.median(
            run(sys.executable, "-m", "reproc", "--version", cwd=spec) for _ in range(5)
        )
    if "docker" in engines:
        subprocess.run(["docker", "image", "rm", "--force", TAG], capture_output=True)
    found = {"ratio": statistics.median(ratios), "again": again, "start": least}
    print(f"verify takes {found['ratio']:.3f} times what the engines alone take (median of {len(ratios)})")
    print(f"with nothing changed {again:.2f} s, of which starting is {least:.2f} s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(options.limit is not None and (found["ratio"] > options.limit or again > 2))


if __name__ == "__main__":
    sys.exit(main())
