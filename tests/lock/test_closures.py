"""The resolver against apt itself, on the real archive: the same packages at the same versions."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reproc import catalog
from reproc.catalog import Release
from reproc.lock.archives import Site
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Universe
from reproc.lock.debian.release import keyrings
from reproc.lock.debian.solver import Wish, solve
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt
from reproc.lock.store import Store

pytestmark = [pytest.mark.network, pytest.mark.slow]

WISHES = (
    "gcc g++ libc6-dev", "gfortran", "openmpi-bin libopenmpi-dev", "cmake ninja-build", "python3-venv",
    "python3-numpy", "r-base-core", "octave", "git curl wget", "libhdf5-dev", "libfftw3-dev", "vim",
    "texlive-latex-base", "postgresql", "nodejs npm", "ffmpeg", "default-jre", "exim4", "systemd-sysv",
    "apache2 php", "emacs-nox", "libgomp1", "libboost-all-dev", "mail-transport-agent",
)  # fmt: skip
LEFT_OUT = {"filename", "size", "sha256", "md5sum", "description", "description-md5", "tag"}


@dataclass(frozen=True)
class Oracle:
    """apt with folders of its own, on a base that has nothing but the basic closure."""

    universe: Universe
    base: Mapping[str, Package]
    environment: dict[str, str]

    def install(self, wishes: list[str]) -> list[str] | None:
        """What apt would install; None if it refuses."""
        done = subprocess.run(
            ["apt-get", "-s", "install", *wishes],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            return None
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("Inst ")]
        return sorted(f"{words[1]} {next(w for w in words[2:] if w.startswith('('))[1:]}" for words in lines)


@pytest.fixture(scope="module", params=["bookworm", "bullseye", "trixie"])
def oracle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    if shutil.which("apt-get") is None:
        pytest.skip("apt is not installed")
    release, site = catalog.release("debian", request.param), Site()
    assert release is not None
    if not all(site.live(archive) for archive, _ in release.suites):
        pytest.skip(
            "this machine's apt has no source of Debian's archive, and REPROC_MIRROR_DEBIAN names none"
        )
    folder = tmp_path_factory.mktemp("apt")
    try:
        universe = apt.Archives(site, Client(), Store(folder / "store"), 0).universe(release, "amd64")
    except Problem as trouble:
        pytest.skip(f"{request.param}: {trouble}")
    base = apt.basic_closure(universe, release)
    yield Oracle(universe, base, _apt(folder, release, site, base))


def _apt(folder: Path, release: Release, site: Site, base: Mapping[str, Package]) -> dict[str, str]:
    for name in (
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
    ):
        (folder / name).mkdir(parents=True)
    (folder / "var/lib/dpkg").mkdir(parents=True)
    signed = keyrings(release.distribution, site.keyrings)[0]
    lines = (f"deb [signed-by={signed}] {site.live(a)[0]} {suite} main\n" for a, suite in release.suites)
    (folder / "etc/apt/sources.list").write_text("".join(lines))
    stanzas = []
    for package in base.values():
        fields = {k.title(): v for k, v in package.fields.items() if k not in LEFT_OUT}
        fields |= {"Status": "install ok installed", "Description": "x"}
        stanzas.append("".join(f"{k}: {v}\n" for k, v in fields.items()))
    (folder / "var/lib/dpkg/status").write_text("\n".join(stanzas))
    settings = (
        f'Dir "{folder}/"; Dir::State::status "{folder}/var/lib/dpkg/status"; APT::Architecture "amd64";'
        'APT::Architectures {"amd64";}; Acquire::Check-Valid-Until "false"; APT::Install-Recommends "false";'
        'APT::Sandbox::User "root"; Acquire::Languages "none";'
    )
    (folder / "apt.conf").write_text(settings)
    environment = os.environ | {"APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    done = subprocess.run(["apt-get", "update"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return environment


def test_the_same_as_apt(oracle: Oracle) -> None:
    different = []
    for wish in WISHES:
        names = wish.split()
        found = solve(oracle.universe, oracle.base, [Wish(name) for name in names])
        mine = None if found.failures else sorted(f"{p.name} {p.version}" for p in found.added)
        if mine != oracle.install(names):
            different.append(wish)
    assert different == []
