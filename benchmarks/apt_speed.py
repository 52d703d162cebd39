"""How long it takes to resolve 200 packages of Debian bookworm: reproc beside apt, in one run.

    python benchmarks/apt_speed.py [--rounds N] [--limit]

Cold: the compressed indexes are there and nothing else; they are unpacked, searched and the packages resolved, as
`reproc lock` does it for the first time. Warm: the unpacked indexes are in the store. For apt that is
`apt-get update` on the same indexes with a first simulated installation, which makes its caches, and then a second.
Every round is a process of its own on both sides; what is told is the median, of the time that passed and of the
processors' time, which says the same on a machine that others use, too. Needs apt and a mirror, which is asked once.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from reproc import catalog
from reproc.lock.archives import Site
from reproc.lock.debian.index import Universe
from reproc.lock.debian.oracle import Oracle
from reproc.lock.debian.solver import Solution, Wish, solve
from reproc.lock.net import Client
from reproc.lock.providers import apt
from reproc.lock.store import Store

WISHES = (
    "build-essential",
    "gfortran",
    "openmpi-bin",
    "libopenmpi-dev",
    "libhdf5-dev",
    "cmake",
    "git",
    "r-base-core",
)
"""With what they need some 200 packages."""
Times = tuple[float, float]
"""Seconds that passed, and that processors spent."""
COLD, WARM = 2.0, 0.3
"""The most seconds that are allowed, on two cores."""


class Mirror(Client):
    """Answers what was asked before out of a folder, so that the line is not what is measured."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def get(self, urls: Sequence[str], what: str, limit: int = 64 << 20, sha256: str | None = None) -> bytes:
        """The content of the first address that serves it."""
        place = self.folder / urlsplit(urls[0]).path.replace("/", "_")
        if not place.exists():
            place.write_bytes(super().get(urls, what, limit, sha256))
        return place.read_bytes()


def resolved(store: Path, mirror: Path) -> tuple[Universe, Solution]:
    """The packages, out of the indexes."""
    release = catalog.release("debian", "bookworm")
    assert release is not None
    with Store(store) as here:
        universe = apt.Archives(Site(), Mirror(mirror), here, int(time.time())).universe(release, "amd64")
        base = apt.basic_closure(universe, release)
        return universe, solve(universe, base, [Wish(name) for name in WISHES])


def ours(store: Path, mirror: Path) -> tuple[Times, Times]:
    """What a process of reproc's takes to read the indexes and to resolve, and what it takes as a whole."""
    command = [sys.executable, __file__, "--resolve", str(store), str(mirror)]
    said: list[str] = []

    def run() -> None:
        said.extend(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())

    whole = _seconds(run)
    return (float(said[0]), float(said[1])), whole


def apts(universe: Universe) -> tuple[Times, Times]:
    """What apt takes to read the indexes and to resolve, and then to resolve once more."""
    release = catalog.release("debian", "bookworm")
    assert release is not None
    base = apt.basic_closure(universe, release)
    made: list[Oracle] = []
    reading = _seconds(lambda: made.append(Oracle(universe)))
    first, second = (_seconds(lambda: made[0].simulate(base, WISHES)) for _ in range(2))
    return (reading[0] + first[0], reading[1] + first[1]), second


def _seconds(work: Callable[[], object]) -> Times:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, spent


def main() -> int:
    """Prints both; with `--limit`, 1 if reproc is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--limit", action="store_true", help=f"exit with 1 above {COLD} s cold or {WARM} s warm"
    )
    options = parser.parse_args()
    rows: list[tuple[Times, ...]] = []
    with tempfile.TemporaryDirectory(prefix="reproc-bench-") as name:
        folder = Path(name)
        (folder / "mirror").mkdir()
        universe, found = resolved(folder / "first", folder / "mirror")
        assert not found.failures, found.failures
        for number in range(options.rounds):
            store = folder / f"store-{number}"
            (cold, cold_whole), (warm, warm_whole) = (ours(store, folder / "mirror") for _ in range(2))
            rows.append((cold, warm, cold_whole, warm_whole, *apts(universe)))
    print(
        f"{len(found.added)} packages on {len(found.installed) - len(found.added)} of the base; passed (processors)"
    )
    medians = [tuple(map(statistics.median, zip(*column, strict=True))) for column in zip(*rows, strict=True)]
    for number, name in enumerate(("reproc: indexes and packages", "reproc: the whole process", "apt")):
        (cold, cold_spent), (warm, warm_spent) = medians[2 * number : 2 * number + 2]
        print(f"{name:28} cold {cold:5.2f} ({cold_spent:5.2f}) s   warm {warm:5.2f} ({warm_spent:5.2f}) s")
    return int(options.limit and (medians[0][0] > COLD or medians[1][0] > WARM))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--resolve"]:
        start, spent = time.perf_counter(), time.process_time()
        resolved(Path(sys.argv[2]), Path(sys.argv[3]))
        print(time.perf_counter() - start, time.process_time() - spent)
    else:
        sys.exit(main())
