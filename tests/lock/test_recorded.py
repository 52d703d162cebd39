"""The published specs, locked from recorded indexes: the same bytes again, in whatever order their statements stand."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproc import pipeline
from reproc.folder import Folder
from reproc.lock.archives import Site
from reproc.lock.file import write
from reproc.lock.providers import bootstrap
from reproc.lock.requests import requests
from reproc.lock.resolve import resolve
from reproc.lock.store import Store
from reproc.progress import Silent
from reproc.source import SourceFile
from reproc.syntax.parse import parse

from ..e2e.standin import Snapshots, snapshots

pytestmark = [pytest.mark.network, pytest.mark.slow]

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.parent.name for path in SPECS.glob("*/repro.spec"))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshots]:
    """Debian's indexes as they are now, fetched once."""
    if not Site().live("debian"):
        pytest.skip(
            "this machine's apt has no source of Debian's archive, and REPROC_MIRROR_DEBIAN names none"
        )
    with snapshots(tmp_path_factory.mktemp("record")) as service:
        yield service


@pytest.fixture
def bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base is what it would be made of; test_bootstrap makes it twice."""

    def make(recipe: bootstrap.Recipe, store: Store, progress: object) -> tuple[str, int]:
        content = recipe.script().encode()
        return store.add_stream([content]), len(content)

    monkeypatch.setattr(bootstrap, "make", make)
    monkeypatch.setattr(bootstrap, "tool", lambda: "mmdebstrap")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_in_any_order(name: str, record: Snapshots, bases: None, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(
        SPECS / name, folder, ignore=shutil.ignore_patterns("repro.lock", ".reproc", "containers")
    )
    path = folder / "repro.spec"
    source = SourceFile("repro.spec", path.read_text(encoding="utf-8"))
    tree = parse(source).value
    assert tree is not None
    first, *others = (each.span.text for each in tree.statements)
    shuffled = random.Random(4).sample(others, len(others))
    day = int(time.time()) // 86400 * 86400 - 86400
    made = set()
    for number, order in enumerate((others, others[::-1], shuffled)):
        path.write_text("\n".join((first, *order)) + "\n", encoding="utf-8")
        checked = pipeline.checked(path, "repro.spec")
        assert checked.value is not None, [each.message for each in checked.diagnostics]
        asked = requests(checked.value[1], Folder(folder))
        assert asked.value is not None
        site = Site(environment={**Site().environment, **record.environment()})
        with Store(tmp_path / f"store-{number}") as store:
            found = resolve(
                asked.value, folder, store, Silent(), now=day + 100_000 + number, as_of=day, site=site
            )
        assert found.value is not None, [each.message for each in found.diagnostics]
        made.add(write(found.value, asked.value))
    assert len(made) == 1
