"""Measures a cold `reproc compile` of a whole matrix against one run each of hpccm and neurodocker.

reproc compiles two targets with two back ends: four recipes. The peers write one recipe each, for the same
kind of environment. What is compared is CPU time, user and system, of the whole process tree from its start
to its end: on a busy machine it moves far less than the time on the clock.

The commands run interleaved, A B C A B C …, and the result is the median of the ratios within a round:
what slows the machine down for a while slows all of them. Two rounds that do not count fill the caches first.

The peers live in an environment of their own, made from `benchmarks/peers.txt`, in the cache folder.

usage: python benchmarks/compile_vs_peers.py [--rounds N] [--spec DIR] [--json FILE] [--limit RATIO]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers.txt"

QUICKSTART = ROOT / "specs" / "quickstart"

# What the quickstart holds, as the peers can say it: no digests, one target, one format.
HPCCM_RECIPE = """\
Stage0 += baseimage(image='debian:12', _distro='ubuntu22', _as='build')
Stage0 += apt_get(ospackages=['gcc-12', 'libc6-dev'])
Stage0 += copy(src='src', dest='/opt/src/fit')
Stage0 += shell(commands=['gcc-12 -O2 -o fit /opt/src/fit/fit.c -lm', 'install -D fit /opt/fit/bin/fit'])
Stage1 += baseimage(image='debian:12', _distro='ubuntu22')
Stage1 += python(python2=False)
Stage1 += pip(packages=['numpy==1.26.4'], pip='pip3')
Stage1 += copy(_from='build', src='/opt/fit', dest='/opt/fit')
Stage1 += copy(src=['compare.py', 'data/quartet.csv'], dest='/opt/quickstart/')
Stage1 += environment(variables={'QUARTET': '/opt/quickstart/quartet.csv', 'PATH': '/opt/fit/bin:$PATH'})
"""

NEURODOCKER_ARGUMENTS = (
    "generate docker --pkg-manager apt --base-image debian:12 --install gcc-12 libc6-dev "
    "--copy src /opt/src/fit --run gcc-12\\ -O2\\ -o\\ /usr/local/bin/fit\\ /opt/src/fit/fit.c\\ -lm "
    "--miniconda version=latest pip_install=numpy==1.26.4 "
    "--copy compare.py data/quartet.csv /opt/quickstart/ --env QUARTET=/opt/quickstart/quartet.csv"
)


@dataclass(frozen=True)
class Contender:
    """A command, and where it runs."""

    name: str
    command: tuple[str, ...]
    cwd: Path


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    cpu: float
    wall: float


def cost(contender: Contender, environment: Mapping[str, str]) -> Cost:
    """Runs the command and returns what it and its children took; a run that fails stops the measurement."""
    before, start = getrusage(RUSAGE_CHILDREN), monotonic()
    done = subprocess.run(
        contender.command,
        cwd=contender.cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    after, end = getrusage(RUSAGE_CHILDREN), monotonic()
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        sys.exit(f"{contender.name} failed with status {done.returncode}:\n{said}")
    return Cost(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, end - start)


def peers_environment() -> Path:
    """The `bin` folder of an environment with the pinned peers, which is made on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "reproc-bench" / f"peers-{sha256(PEERS.read_bytes()).hexdigest()[:12]}"
    done = place / "complete"
    if not done.exists():
        print(f"installing the peers into {place}", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        pip: list[str | Path] = [
            place / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "--require-hashes", "-r", PEERS], check=True, stdin=subprocess.DEVNULL)
        done.touch()
    return place / "bin"


def own_copy(spec: Path, work: Path) -> Path:
    """A copy of a spec's folder, with its lock, in which nothing has been compiled yet."""
    copy = work / "spec"
    shutil.copytree(spec, copy, ignore=shutil.ignore_patterns(".reproc", "containers"))
    if not (copy / "repro.lock").exists():
        print(f"{spec} has no repro.lock: reading one is not measured", file=sys.stderr)
    return copy


def contenders(work: Path, spec: Path) -> list[Contender]:
    """The commands, with what they need in `work`."""
    peers = peers_environment()
    recipe = work / "recipe.py"
    recipe.write_text(HPCCM_RECIPE, encoding="utf-8")
    reproc = Path(sys.executable).with_name("reproc")
    start = (str(reproc),) if reproc.exists() else (sys.executable, "-m", "reproc")
    return [
        Contender("python", (sys.executable, "-c", "pass"), work),
        Contender("reproc", (*start, "-q", "compile", str(spec)), work),
        Contender("hpccm", (str(peers / "hpccm"), "--recipe", str(recipe), "--format", "docker"), work),
        Contender("neurodocker", (str(peers / "neurodocker"), *shlex.split(NEURODOCKER_ARGUMENTS)), work),
    ]


def measure(measured: Sequence[Contender], rounds: int) -> dict[str, list[Cost]]:
    """The costs of every command, round by round."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "NO_COLOR": "1"}
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in measured}
    for number in range(-2, rounds):
        for contender in measured:
            taken = cost(contender, environment)
            if number >= 0:
                costs[contender.name].append(taken)
    return costs


def median_ratio(costs: Mapping[str, Sequence[Cost]], one: str, other: str) -> float:
    """The median, over the rounds, of how many times the CPU time of `other` one command took."""
    return statistics.median(a.cpu / b.cpu for a, b in zip(costs[one], costs[other], strict=True))


def report(costs: Mapping[str, Sequence[Cost]], rounds: int) -> dict[str, object]:
    """What is printed and written, as plain values."""
    return {
        "version": 1,
        "machine": {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "system": platform.platform(),
        },
        "rounds": rounds,
        "seconds": {
            name: {
                "cpu": round(statistics.median(each.cpu for each in rows), 4),
                "cpu_min": round(min(each.cpu for each in rows), 4),
                "wall": round(statistics.median(each.wall for each in rows), 4),
            }
            for name, rows in costs.items()
        },
        "ratios": {
            "reproc/hpccm": round(median_ratio(costs, "reproc", "hpccm"), 3),
            "reproc/neurodocker": round(median_ratio(costs, "reproc", "neurodocker"), 3),
        },
    }


def print_table(costs: Mapping[str, Sequence[Cost]], found: Mapping[str, object]) -> None:
    """The result for people."""
    titles = {
        "python": "bare Python",
        "reproc": "reproc: 2 targets × 2 back ends",
        "hpccm": "hpccm: one recipe",
    }
    titles["neurodocker"] = "neurodocker: one recipe"
    print(
        f"{'median of ' + str(found['rounds']) + ' rounds':34} {'CPU ms':>8} {'clock ms':>9} {'× hpccm':>8}"
    )
    for name, rows in costs.items():
        cpu = statistics.median(each.cpu for each in rows) * 1000
        wall = statistics.median(each.wall for each in rows) * 1000
        print(f"{titles[name]:34} {cpu:8.0f} {wall:9.0f} {median_ratio(costs, name, 'hpccm'):8.2f}")


def main() -> int:
    """Measures, prints, and returns 1 if the ratio to hpccm is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15, help="how often each runs (default 15)")
    parser.add_argument("--spec", type=Path, default=QUICKSTART, help="a spec's folder (default: quickstart)")
    parser.add_argument("--json", type=Path, help="where the result is written as JSON (default: stdout)")
    parser.add_argument("--limit", type=float, help="exit with 1 if reproc takes more than this times hpccm")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reproc-bench-") as folder:
        work = Path(folder)
        costs = measure(contenders(work, own_copy(options.spec, work)), options.rounds)
    found = report(costs, options.rounds)
    print_table(costs, found)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return int(options.limit is not None and median_ratio(costs, "reproc", "hpccm") > options.limit)


if __name__ == "__main__":
    sys.exit(main())
