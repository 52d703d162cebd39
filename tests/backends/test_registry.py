"""Back ends are found through one door, and a stranger's are as welcome."""

from __future__ import annotations

import importlib.metadata
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from reproc import registry
from reproc.diagnostics.codes.build import BACKEND_BROKEN, BACKEND_UNKNOWN
from reproc.target.backend import Feature


def _installed(monkeypatch: pytest.MonkeyPatch, **places: str) -> None:
    points = EntryPoints(EntryPoint(name, value, registry.BACKENDS) for name, value in places.items())
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points.select(group=group))


def test_the_built_in_ones_are_there_even_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    assert list(registry.backend_places()) == ["docker", "singularity"]
    docker, singularity = registry.backend("docker").value, registry.backend("singularity").value
    assert docker is not None and singularity is not None
    assert docker.features == {Feature.STAGE_FROM_STAGE, Feature.LIMITED_LAYERS}
    assert singularity.features == frozenset()
    assert (docker.name, singularity.name) == ("docker", "singularity")


def test_the_distribution_declares_what_the_registry_falls_back_to() -> None:
    declared = importlib.metadata.entry_points(group=registry.BACKENDS)
    if not declared:
        pytest.skip("the distribution is not installed")
    assert {point.name: point.value for point in declared}.items() <= registry.backend_places().items()


def test_a_strangers_back_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, charlie="reproc_backends.docker:backend")
    assert list(registry.backend_places()) == ["charlie", "docker", "singularity"]
    assert registry.backend("charlie").value is registry.backend("docker").value


def test_an_unknown_one_gets_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    outcome = registry.backend("dokcer")
    assert outcome.value is None
    (diagnostic,) = outcome.diagnostics
    assert diagnostic.code is BACKEND_UNKNOWN and diagnostic.help == "did you mean `docker`?"
    (diagnostic,) = registry.backend("kaniko!").diagnostics
    assert diagnostic.help == "there are: `docker`, `singularity`"


@pytest.mark.parametrize("place", ["no.such.module:x", "reproc_backends.docker:nothing", "reproc_backends"])
def test_a_broken_one_is_told(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    _installed(monkeypatch, broken=place)
    outcome = registry.backend("broken")
    assert outcome.value is None
    assert [diagnostic.code for diagnostic in outcome.diagnostics] == [BACKEND_BROKEN]
