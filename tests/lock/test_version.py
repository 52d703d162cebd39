"""Versions sort as dpkg sorts them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproc.lock.debian.version import holds, key

ORDERED = [
    "0",
    "1~~",
    "1~~a",
    "1~",
    "1-0~1",
    "1",
    "1-1",
    "1.0a",
    "1.0a-1",
    "1.0+b",
    "1.2",
    "1.10",
    "2",
    "1:0.1",
]


def test_known_order() -> None:
    assert sorted(reversed(ORDERED), key=key) == ORDERED


@pytest.mark.parametrize(("left", "right"), [("1.", "1.0"), ("0:1", "1"), ("1.00", "1.0"), ("1-0", "1")])
def test_equal(left: str, right: str) -> None:
    assert key(left) == key(right) or holds(left, "=", right)


VERSION = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9+.~]{1,4})?", fullmatch=True)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=150, deadline=None)
@given(VERSION, VERSION)
def test_as_dpkg(left: str, right: str) -> None:
    for relation, name in (("<<", "lt"), ("=", "eq"), (">=", "ge")):
        done = subprocess.run(
            ["dpkg", "--compare-versions", left, name, right], check=False, capture_output=True
        )
        assert holds(left, relation, right) == (done.returncode == 0), (left, relation, right)
