"""Images that hold Python, R or CUDA as a whole, and every way to these."""

from __future__ import annotations

import pytest

from reproc import catalog
from reproc.catalog import cuda, holders
from reproc.catalog.environments import environment_ways, instead


def release(distribution: str, name: str) -> catalog.Release:
    found = catalog.release(distribution, name)
    assert found is not None
    return found


BOOKWORM = release("debian", "bookworm")


@pytest.mark.parametrize("name", holders.names())
def test_every_image_can_be_said(name: str) -> None:
    found = holders.holders(name)
    assert len({each.reference for each in found}) == len(found) > 20
    for each in found:
        assert "{" not in each.reference and each.version in each.reference
        assert each.statement.startswith(f'base image "{each.reference}"')
        assert (" { is " in each.statement) is (each.release is not None)


@pytest.mark.parametrize("version", ["2.7", *(f"3.{minor}" for minor in range(4, 15))])
def test_every_python_is_in_an_image(version: str) -> None:
    found = holders.holder("python", version, BOOKWORM)
    assert found is not None and found.version.startswith(f"{version}.")
    assert (found.codename == "bookworm") is (version in [f"3.{minor}" for minor in range(7, 15)])
    assert (instead("python", version, BOOKWORM) is None) is (version in ("2.7", "3.4", "3.5"))


def test_every_cuda_in_an_image_is_a_known_one() -> None:
    for each in holders.holders("cuda"):
        assert cuda.toolkit(each.version) is not None


def test_the_base_s_own_release_first_then_the_newest() -> None:
    found = holders.holder("python", "3.10", release("debian", "bullseye"))
    assert found is not None and (found.version, found.codename) == ("3.10.18", "bullseye")
    other = holders.holder("python", "3.10", release("ubuntu", "noble"))
    assert other is not None and (other.version, other.codename) == ("3.10.21", "trixie")
    assert holders.holder("r", "1.0", BOOKWORM) is None


@pytest.mark.parametrize("name", holders.names())
@pytest.mark.parametrize("version", ["2.7", "3.11", "4.1", "4.2", "9.0", "11.8", "99"])
def test_every_way_has_a_reason(name: str, version: str) -> None:
    for base in (*catalog.releases("debian"), *catalog.releases("ubuntu")):
        found = environment_ways(name, version, base)
        assert all(way.reason and way.what for way in found)
        assert {"distro", "image"} <= {way.provider for way in found}
        packaged = name == "python" and catalog.packaged_python(version, base) is not None
        archived = name == "python" and version == "3.11"
        taken = ["distro"] if packaged else ["archive"] if archived else []
        assert [way.provider for way in found if way.taken] == taken


def told(name: str, version: str, provider: str) -> str:
    (way,) = [each for each in environment_ways(name, version, BOOKWORM) if each.provider == provider]
    return way.reason


def test_what_is_said_of_them() -> None:
    assert told("python", "3.8", "distro") == "it packages 3.11; `base ubuntu focal` packages 3.8"
    assert told("python", "3.8", "image") == (
        'take it as the base, `base image "docker.io/library/python:3.8.20-slim-bookworm" '
        "{ is debian bookworm }`; `python 3.8 { provider image }` makes environments of it"
    )
    assert told("python", "3.8", "archive").startswith("it runs on any base")
    assert told("python", "3.11", "archive") == "packages come first; `provider archive` takes it"
    assert told("python", "3.7", "archive").startswith("there are 3.8.20, 3.9.25, ")
    assert "too old for `is`" in told("python", "2.7", "image")
    assert told("python", "2.7", "distro") == "its packages stand beside the base's own, of which none moves"
    assert told("r", "4.2", "distro") == (
        "the base's own release packages it: `system { packages r-base-core }`"
    )
    assert "docker.io/rocker/r-ver:4.1.3" in told("r", "4.1", "image")
    assert "docker.io/nvidia/cuda:11.8.0-devel-ubuntu22.04" in told("cuda", "11.8", "image")
    assert told("cuda", "9.0", "image").startswith("they hold 11.0.3, ")
