"""Tools of conda-forge itself: cuts of its index, what is chosen of them, and the recipe that installs GCC.

`conda_forge.json` holds records of October 2024, `conda_forge_cmake.json` of February 2026, as lock files of public
projects have them (pixi.lock, versions 5 and 7): names, builds, digests, sizes, times, what each needs. The packages
are not here, so that nothing is installed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproc.catalog import elsewhere
from reproc.lock.archives import Site
from reproc.lock.conda import channel
from reproc.lock.model import CondaPackage, CondaTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.requests import CondaRequest
from reproc.lock.store import Store
from reproc.lower.conda import installed

from .conftest import Server, span

HERE = Path(__file__).parent
PLACE = "/opt/reproc/toolchains/gcc-13.3.0-conda-bullseye"
RECIPE = HERE / "conda_forge.sh"


def test_what_gcc_takes_and_the_recipe_that_installs_it(
    server: Server, store: Store, update_golden: bool
) -> None:
    names = ("gcc_impl_linux-64", "gxx_impl_linux-64")
    packages = solved(server, store, "conda_forge.json", names, "13.3.0")
    assert sum(each.size for each in packages) == 129_950_176
    tree = CondaTree("conda-forge", "https://channels.example.org/conda-forge", PLACE, packages, "0" * 64)
    _, run = installed("gcc-13.3.0-conda-bullseye", tree, span())
    recipe = "".join(f"{line}\n" for line in run.lines)
    if update_golden:
        RECIPE.write_text(recipe, encoding="utf-8")
    assert recipe == RECIPE.read_text(encoding="utf-8")


def solved(
    server: Server, store: Store, index: str, names: tuple[str, ...], version: str
) -> tuple[CondaPackage, ...]:
    for subdir, records in json.loads((HERE / index).read_text(encoding="utf-8")).items():
        server.files[f"/{subdir}/repodata.json"] = json.dumps(records).encode()
    asked = CondaRequest("conda-forge", names, version, PLACE, "linux/amd64", (2, 31), None, None, span())
    site = Site({"REPROC_MIRROR_CONDA_FORGE": server.address})
    return channel.solved(asked, Client(wait=0), site, store)


CMAKE = (
    "_openmp_mutex bzip2 c-ares ca-certificates cmake keyutils krb5 libcurl libedit libev libexpat libgcc libgcc-ng "
    "libgomp liblzma libnghttp2 libssh2 libstdcxx libstdcxx-ng libuv libzlib ncurses openssl rhash zstd"
)


@pytest.mark.parametrize(
    ("name", "version", "needs"),
    [
        ("cmake", "4.2.3", CMAKE),
        ("ninja", "1.13.2", "_openmp_mutex libgcc libgomp libstdcxx ninja"),
        ("make", "4.4.1", "_openmp_mutex libgcc libgomp make"),
    ],
)
def test_what_build_tools_take(server: Server, store: Store, name: str, version: str, needs: str) -> None:
    asked = elsewhere.conda_package(name, version)
    assert asked is not None and asked.version == version
    names = asked.on("linux/amd64", (name,))
    found = solved(server, store, "conda_forge_cmake.json", names, version)
    assert [each.name for each in found] == needs.split()


def test_a_version_that_the_index_lacks(server: Server, store: Store) -> None:
    with pytest.raises(Problem) as caught:
        solved(server, store, "conda_forge_cmake.json", ("cmake",), "3.10.2")
    (found,) = caught.value.diagnostics
    assert (found.code.id, found.help) == ("E0470", "of other versions it has `4.2.3`")
