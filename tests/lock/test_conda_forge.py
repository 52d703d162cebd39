"""GCC 13.3.0 of conda-forge itself: a cut of its index, what is chosen of it, and the recipe that installs that.

`conda_forge.json` holds the records of October 2024 as lock files of public projects have them (pixi.lock, version 5):
names, builds, digests, sizes, times, what each needs. The packages are not here, so that nothing is installed.
"""

from __future__ import annotations

import json
from pathlib import Path

from reproc.lock.archives import Site
from reproc.lock.conda import channel
from reproc.lock.model import CondaTree
from reproc.lock.net import Client
from reproc.lock.requests import CondaRequest
from reproc.lock.store import Store
from reproc.lower.conda import installed

from .conftest import Server, span

INDEX = Path(__file__).parent / "conda_forge.json"
PLACE = "/opt/reproc/toolchains/gcc-13.3.0-conda-bullseye"
RECIPE = Path(__file__).parent / "conda_forge.sh"


def test_what_gcc_takes_and_the_recipe_that_installs_it(
    server: Server, store: Store, update_golden: bool
) -> None:
    for subdir, index in json.loads(INDEX.read_text(encoding="utf-8")).items():
        server.files[f"/{subdir}/repodata.json"] = json.dumps(index).encode()
    names = ("gcc_impl_linux-64", "gxx_impl_linux-64")
    asked = CondaRequest("conda-forge", names, "13.3.0", PLACE, "linux/amd64", (2, 31), None, None, span())
    site = Site({"REPROC_MIRROR_CONDA_FORGE": server.address})
    packages = channel.solved(asked, Client(wait=0), site, store)
    assert sum(each.size for each in packages) == 129_950_176
    tree = CondaTree("conda-forge", "https://channels.example.org/conda-forge", PLACE, packages, "0" * 64)
    _, run = installed("gcc-13.3.0-conda-bullseye", tree, span())
    recipe = "".join(f"{line}\n" for line in run.lines)
    if update_golden:
        RECIPE.write_text(recipe, encoding="utf-8")
    assert recipe == RECIPE.read_text(encoding="utf-8")
