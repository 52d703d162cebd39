"""Did you mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproc.diagnostics.suggest import nearest

KEYWORDS = [
    "reproc",
    "python",
    "packages",
    "toolchain",
    "target",
    "test",
    "env",
    "workdir",
    "as-of",
    "gcc",
    "go",
]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("pyton", "python"),
        ("pyhton", "python"),
        ("Python", "python"),
        ("package", "packages"),
        ("pakcages", "packages"),
        ("tool-chain", "toolchain"),
        ("as_of", "as-of"),
        ("targets", "target"),
        ("gc", "gcc"),
        ("evn", "env"),
    ],
)
def test_near(word: str, meant: str) -> None:
    assert nearest(word, KEYWORDS) == meant


@pytest.mark.parametrize("word", ["", "x", "ruby", "g", "conda", "packaging-tools", "java", "e", "nv-cc"])
def test_not_near(word: str) -> None:
    assert nearest(word, KEYWORDS) is None


def test_the_nearest_wins_and_of_equals_the_first() -> None:
    assert nearest("abcdef", ["abcxyz", "abcdxx", "abcdex"]) == "abcdex"
    assert nearest("abcx", ["abcd", "abce"]) == "abcd"
    assert nearest("12.3", ("12.2", "11.8", "12.1")) == "12.2"


def test_nothing_known() -> None:
    assert nearest("a", []) is None


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6))
def test_it_is_one_of_the_known(word: str, known: list[str]) -> None:
    found = nearest(word, known)
    assert found is None or (found in known and found != word)


@given(st.text("abcdef", min_size=3, max_size=12), st.data())
def test_one_slip_in_three_letters_is_near(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    for slip in (
        word[:at] + word[at + 1 :] if len(word) > 3 else word + "x",
        word[:at] + "x" + word[at:],
        word[:at] + "x" + word[at + 1 :],
    ):
        assert nearest(slip, [word]) == word
