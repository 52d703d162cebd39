"""The quoters, against real shells and against what engines do with patterns and values."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_graphs import HOSTILE, lines, texts, values
from recipe_readers import read_sections

from reproc.target.quoting import (
    byte_string,
    comment,
    def_holds,
    docker_value,
    end_mark,
    export,
    feeds,
    ignore_pattern,
    printed,
    quote,
    words,
    writes,
)

SHELLS = [
    shell
    for shell in (["/bin/sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"])
    if shutil.which(shell[0]) is not None
]
anything = st.one_of(texts, st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))


def said(shell: list[str], script: str) -> str:
    done = subprocess.run([*shell, "-eu"], input=script.encode(), capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=60, deadline=None)
@given(st.lists(anything, min_size=1, max_size=8))
def test_a_shell_gives_back_quoted_words(shell: list[str], argv: list[str]) -> None:
    assert said(shell, f"printf '%s\\0' {words(*argv)}\n").split("\0")[:-1] == argv


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=60, deadline=None)
@given(st.lists(anything, min_size=1, max_size=8))
def test_printf_gives_back_byte_strings_and_printed_texts(shell: list[str], given_texts: list[str]) -> None:
    script = "".join(
        f"printf %b {byte_string(text)}\nprintf '\\0'\n" + "\n".join(printed(text)) + "\nprintf '\\0'\n"
        for text in given_texts
    )
    answers = said(shell, script).split("\0")[:-1]
    assert answers == [text for text in given_texts for _ in range(2)]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=60, deadline=None)
@given(anything, st.booleans())
def test_what_is_fed_arrives(shell: list[str], text: str, in_def: bool) -> None:
    assert said(shell, "\n".join(feeds("cat", text, in_def=in_def)) + "\n") == text


def test_what_is_written_arrives(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("writes")

    @settings(max_examples=60, deadline=None)
    @given(anything, st.booleans())
    def check(text: str, in_def: bool) -> None:
        path = folder / "a 'b' {{ c }}"
        said(["/bin/sh"], "\n".join(writes(str(path), text, in_def=in_def)) + "\n")
        assert path.read_bytes().decode() == text

    check()


def test_a_very_long_line_is_cut_and_comes_back_whole() -> None:
    text = "x%{" * 70_000
    shown = feeds("cat", text, in_def=True)
    assert max(map(len, shown)) < 60_000
    assert said(["/bin/sh"], "\n".join(shown)) == text


@given(st.lists(anything, max_size=4), values)
def test_no_shell_line_is_one_that_a_def_reader_takes(several: list[str], value: str) -> None:
    shell = [line for text in several for line in feeds("cat", text, in_def=True)]
    shell += [export("A", value)]
    text = "Bootstrap: scratch\n\n%post\n" + "".join(f"{line}\n" for line in shell)
    assert def_holds("\n".join(shell))
    ((_, sections),) = read_sections(text)
    assert sections == {"post": "".join(f"{line}\n" for line in shell)}


@pytest.mark.parametrize("text", ["%post", "\n \t%x", "{{ x }}", "a\nBOOTSTRAP: x", "a\r\n", "\u2028%x"])
def test_def_holds_says_no(text: str) -> None:
    assert not def_holds(text)


@given(texts)
def test_end_mark_is_no_line(text: str) -> None:
    assert end_mark(text) not in [line.rstrip("\r") for line in text.split("\n")]


@given(texts)
def test_a_comment_is_one_harmless_line(text: str) -> None:
    made = comment(text)
    assert len(made.splitlines()) <= 1 and "{{" not in made


@given(values)
def test_a_docker_value_has_no_bare_dollar_or_quote(value: str) -> None:
    inner = docker_value(value)[1:-1]
    back, at = "", 0
    while at < len(inner):
        assert inner[at] not in '$"'
        if inner[at] == "\\":
            at += 1
            assert inner[at] in '\\"$'
        back += inner[at]
        at += 1
    assert back == value


@given(lines.filter(lambda text: "/" not in text and text.strip("\r\x0b\x85")))
def test_ignore_patterns_survive_trimming_and_mean_themselves(name: str) -> None:
    """After moby's patternmatcher: `\\x` is x, `[x]` is x, and lines are trimmed."""
    pattern = ignore_pattern(name)
    assert pattern == pattern.strip()
    meant, at = "", 0
    while at < len(pattern):
        if pattern[at] == "\\":
            meant, at = meant + pattern[at + 1], at + 2
        elif pattern[at] == "[":
            assert pattern[at + 2] == "]"
            meant, at = meant + pattern[at + 1], at + 3
        else:
            assert pattern[at] not in "*?!"
            meant, at = meant + pattern[at], at + 1
    assert meant == name


def test_plain_words_stay_plain() -> None:
    assert words("make", "-j4", "CC=gcc-9", "/opt/a_b:c", "") == "make -j4 CC=gcc-9 /opt/a_b:c ''"
    assert all(
        quote(piece).startswith("'")
        for piece in HOSTILE
        if piece not in ("a", "EOF", "EOF_2", "-n", "BOOTSTRAP:")
    )
