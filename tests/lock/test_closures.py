"""The resolver against apt itself, on the real archive: the same packages at the same versions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reproc import catalog
from reproc.lock.archives import Site
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Universe
from reproc.lock.debian.oracle import Oracle
from reproc.lock.debian.solver import Wish, solve
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt
from reproc.lock.store import Store

pytestmark = [pytest.mark.network, pytest.mark.slow]

ALONE, RECOMMENDS = 20, 4
"""How many of the closures are compared for every release; benchmarks/closures.py compares all."""


@dataclass(frozen=True)
class World:
    """A release, and a base that has nothing but the basic closure."""

    universe: Universe
    base: Mapping[str, Package]
    oracle: Oracle

    def differing(self, closures: list[list[Wish]], *, recommends: bool) -> list[str]:
        """The closures that the two do not resolve alike; both may refuse one."""
        found = []
        for wishes in closures:
            ours = solve(self.universe, self.base, wishes, recommends=recommends)
            mine = None if ours.failures else [(p.name, p.version) for p in ours.added]
            words = [str(wish) for wish in sorted(wishes, key=str)]
            if mine != self.oracle.simulate(self.base, words, recommends=recommends)[0]:
                found.append(" ".join(words))
        return found

    def closures(self, count: int) -> list[list[Wish]]:
        """The first closures of the list, those with `=` at the oldest version that there is."""
        text = Path(__file__).with_name("closures.txt").read_text(encoding="utf-8")
        lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
        return [[self._wish(word) for word in line] for line in lines[:count]]

    def _wish(self, word: str) -> Wish:
        name, equals, _ = word.partition("=")
        return Wish(name, self.universe.versions(name)[-1].version if equals else None)


@pytest.fixture(scope="module", params=["bookworm", "bullseye", "trixie"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if shutil.which("apt-get") is None:
        pytest.skip("apt is not installed")
    release, site = catalog.release("debian", request.param), Site()
    assert release is not None
    if not all(site.live(archive) for archive, _ in release.suites):
        pytest.skip(
            "this machine's apt has no source of Debian's archive, and REPROC_MIRROR_DEBIAN names none"
        )
    folder = tmp_path_factory.mktemp("indexes")
    try:
        universe = apt.Archives(site, Client(), Store(folder), 0).universe(release, "amd64")
    except Problem as trouble:
        pytest.skip(f"{request.param}: {trouble}")
    yield World(universe, apt.basic_closure(universe, release), Oracle(universe))
    shutil.rmtree(folder)


def test_the_same_as_apt(world: World) -> None:
    closures = world.closures(ALONE)
    assert len(closures) == ALONE
    assert world.differing(closures, recommends=False) == []


def test_the_same_as_apt_with_what_is_recommended(world: World) -> None:
    assert world.differing(world.closures(RECOMMENDS), recommends=True) == []
