"""Archives of CPython: which there are, and which one a version means."""

from __future__ import annotations

import re

import pytest

from reproc.catalog import pythons
from reproc.catalog.ways import numbers

AMD64, ARM64 = pythons.PLATFORMS


@pytest.mark.parametrize("platform", pythons.PLATFORMS)
def test_what_is_said_of_each(platform: str) -> None:
    found = pythons.archives(platform)
    assert len({each.version for each in found}) == len(found) > 80
    assert [numbers(each.version) for each in found] == sorted(
        (numbers(each.version) for each in found), reverse=True
    )
    for each in found:
        assert re.fullmatch(r"[0-9a-f]{64}", each.sha256)
        machine = pythons.PLATFORMS[platform]
        assert f"/cpython-{each.version}%2B" in each.url and f"-{machine}-unknown-linux-gnu-" in each.url
        assert each.url.endswith((".tar.gz",)) and "{" not in each.url


@pytest.mark.parametrize("minor", range(8, 15))
@pytest.mark.parametrize("platform", pythons.PLATFORMS)
def test_every_minor_version_has_one(minor: int, platform: str) -> None:
    found = pythons.archive(f"3.{minor}", platform)
    assert found is not None and found.minor == f"3.{minor}"
    assert found.interpreter == f"/opt/python/{found.version}/bin/python3.{minor}"


@pytest.mark.parametrize(
    ("version", "platform", "full"),
    [
        ("3.8", AMD64, "3.8.20"),
        ("3.1", AMD64, None),
        ("3.10", AMD64, "3.10.21"),
        ("3.8.12", AMD64, "3.8.12"),
        ("3.8.12", ARM64, None),
        ("3.8.1", AMD64, None),
        ("3.8", "linux/riscv64", None),
    ],
)
def test_which_one_is_meant(version: str, platform: str, full: str | None) -> None:
    found = pythons.archive(version, platform)
    assert (found and found.version) == full


def test_one_as_its_project_lists_it() -> None:
    """As uv, crates/uv-python/download-metadata.json, has it."""
    found = pythons.archive("3.12.3", ARM64)
    assert found is not None
    assert found.url == (
        "https://github.com/astral-sh/python-build-standalone/releases/download/20240415/"
        "cpython-3.12.3%2B20240415-aarch64-unknown-linux-gnu-install_only.tar.gz"
    )
    assert found.sha256 == "ec8126de97945e629cca9aedc80a29c4ae2992c9d69f2655e27ae73906ba187d"
