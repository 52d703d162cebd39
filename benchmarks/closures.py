"""Closures of distribution packages: reproc's resolver beside apt itself.

    python benchmarks/closures.py [--release bookworm]… [--aged] [--limit N]

Prints for every release how many of the closures in tests/lock/closures.txt are the same as apt's, without and
with recommendations, then each one that is not. Of a closure that differs, apt is asked whether it would install
exactly that. `--aged` starts from a base that has none of the updates, so that packages have to be upgraded.
Needs apt (2.6 is the one that the resolver follows), the archives' keyrings and a mirror.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reproc import catalog
from reproc.lock.archives import Site
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Universe
from reproc.lock.debian.oracle import Oracle
from reproc.lock.debian.solver import Wish, asked, solve
from reproc.lock.net import Client
from reproc.lock.providers import apt
from reproc.lock.store import Store, default_root

CLOSURES = Path(__file__).parent.parent / "tests/lock/closures.txt"
RELEASES = ("bullseye", "bookworm", "trixie")


@dataclass
class Tally:
    """How often the two agreed."""

    same: int = 0
    refused: int = 0
    """By both."""
    different: list[str] = field(default_factory=list)
    ours: float = 0.0
    apts: float = 0.0

    @property
    def compared(self) -> int:
        return self.same + self.refused + len(self.different)

    def row(self, release: str, kind: str) -> str:
        """A row of the table."""
        share = 100 * (self.same + self.refused) / max(1, self.compared)
        times = (
            f"{1000 * self.ours / max(1, self.compared):8.0f} {1000 * self.apts / max(1, self.compared):8.0f}"
        )
        return (
            f"{release:<10} {kind:<12} {self.compared:>8} {self.same:>6} {self.refused:>8}"
            f" {len(self.different):>6} {share:>7.1f} {times}"
        )


def main() -> int:
    """Compares, and prints the table; 1 if apt refuses something that reproc would lock."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--release", action="append", choices=RELEASES)
    parser.add_argument("--aged", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--store", type=Path, default=default_root())
    options = parser.parse_args()
    rows, notes = [], []
    for name in options.release or RELEASES:
        for recommends in (False, True):
            tally = _compare(name, recommends, options)
            kind = "recommends" if recommends else "alone"
            rows.append(tally.row(name, kind))
            notes += [f"{name}, {kind}: {each}" for each in tally.different]
    print("release    kind         compared   same  refused differ     % ms reproc   ms apt")
    print("\n".join(rows))
    print("\n".join(notes))
    return int(any("apt refuses it" in note for note in notes))


def _compare(name: str, recommends: bool, options: argparse.Namespace) -> Tally:
    release = catalog.release("debian", name)
    assert release is not None
    universe = apt.Archives(Site(), Client(), Store(options.store), int(time.time())).universe(
        release, "amd64"
    )
    first = Universe("amd64", universe.indexes[:1]) if options.aged else universe
    base = apt.basic_closure(first, release)
    oracle, tally = Oracle(universe), Tally()
    for wishes in list(_wishes(universe, base))[: options.limit]:
        started = time.perf_counter()
        found = solve(universe, base, wishes, recommends=recommends)
        between = time.perf_counter()
        theirs, _ = oracle.simulate(base, [str(wish) for wish in wishes], recommends=recommends)
        tally.ours += between - started
        tally.apts += time.perf_counter() - between
        ours = None if found.failures else [(p.name, p.version) for p in found.added]
        if ours == theirs:
            tally.same += ours is not None
            tally.refused += ours is None
        else:
            words = " ".join(map(str, wishes))
            reason = "; ".join(failure.reason for failure in found.failures[:2])
            tally.different.append(f"{words}\n    {_difference(oracle, base, ours, theirs, reason)}")
        if sys.stderr.isatty():
            print(f"\r{name} {tally.compared}", end="", file=sys.stderr)
    return tally


def _wishes(universe: Universe, base: Mapping[str, Package]) -> Iterator[list[Wish]]:
    """The closures all of whose names the release has."""
    for line in CLOSURES.read_text(encoding="utf-8").splitlines():
        words = [] if line.startswith("#") else sorted(line.split())
        wishes = []
        for word in words:
            name, equals, _ = word.partition("=")
            versions = universe.versions(name)
            wishes.append(Wish(name, versions[-1].version if equals and versions else None))
        if wishes and not asked(universe, base, wishes)[1]:
            yield wishes


def _difference(
    oracle: Oracle,
    base: Mapping[str, Package],
    ours: list[tuple[str, str]] | None,
    theirs: list[tuple[str, str]] | None,
    reason: str,
) -> str:
    if ours is None:
        return f"reproc refuses it: {reason}"
    exactly, _ = oracle.simulate(base, [f"{name}={version}" for name, version in ours])
    verdict = "apt would install that too" if exactly == ours else "apt refuses it"
    if theirs is None:
        return f"apt finds nothing; {verdict}"
    mine = " ".join(name for name, _ in sorted(set(ours) - set(theirs)))
    apts = " ".join(name for name, _ in sorted(set(theirs) - set(ours)))
    return f"only reproc: {mine or '-'}; only apt: {apts or '-'}; {verdict}"


if __name__ == "__main__":
    raise SystemExit(main())
