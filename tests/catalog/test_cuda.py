"""The table of CUDA toolkits: whole, in order, and what it says of versions that the field knows."""

from __future__ import annotations

import pytest

from reproc.catalog import cuda


def test_every_toolkit_has_a_driver_and_compiles_for_something() -> None:
    for version in cuda.toolkits():
        toolkit = cuda.toolkit(version)
        assert toolkit is not None
        assert cuda.number(toolkit.driver)
        assert len(cuda.architectures(toolkit)) >= 5


def test_newer_toolkits_take_newer_compilers_and_need_newer_drivers() -> None:
    rows = [cuda.toolkit(version) for version in cuda.toolkits()]
    for older, newer in zip(rows, rows[1:], strict=False):
        assert older is not None
        assert newer is not None
        assert cuda.number(older.version) < cuda.number(newer.version)
        assert cuda.number(older.driver) <= cuda.number(newer.driver)
        assert cuda.number(older.gcc)[0] <= cuda.number(newer.gcc)[0]


@pytest.mark.parametrize(
    ("version", "gcc", "driver"),
    [
        ("8.0", "5", "367.48"),
        ("11.8.0", "11", "450.80.02"),
        ("12.4", "13", "525.60.13"),
        ("13.0", "15", "580.65.06"),
    ],
)
def test_known_toolkits(version: str, gcc: str, driver: str) -> None:
    toolkit = cuda.toolkit(version)
    assert toolkit is not None
    assert (toolkit.gcc, toolkit.driver) == (gcc, driver)


@pytest.mark.parametrize("version", ["11.9", "6.5", "99.0"])
def test_there_is_no_such_toolkit(version: str) -> None:
    assert cuda.toolkit(version) is None


@pytest.mark.parametrize(
    ("version", "arch", "stands_for"),
    [
        ("11.8", "sm_80", ("sm_80",)),
        ("11.8", "sm_70..sm_90", ("sm_70", "sm_72", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90")),
        ("9.0", "sm_60..sm_90", ("sm_60", "sm_61", "sm_62", "sm_70")),
        ("99.0", "sm_120..sm_121", ("sm_120", "sm_121")),
    ],
)
def test_ranges_hold_what_the_toolkit_compiles_for(
    version: str, arch: str, stands_for: tuple[str, ...]
) -> None:
    assert cuda.expanded(arch, version) == stands_for


def test_toolkits_of_an_architecture() -> None:
    assert cuda.compiled_by("sm_20")[-1] == "8.0"
    assert cuda.compiled_by("sm_90")[0] == "11.8"
    assert cuda.compiled_by("sm_1") == ()
