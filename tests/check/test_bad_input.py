"""Bad input, one kind a test: each is refused in words at its place, or read for what it plainly means."""

from __future__ import annotations

import cProfile
import os
import pstats
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproc import pipeline
from reproc.diagnostics import Diagnostic, Outcome
from reproc.diagnostics.render import render
from reproc.model import SpecFile
from reproc.model.schema import Block, schema_of
from reproc.syntax.decode import LIMIT

HEAD = "reproc 1\nbase debian bookworm\n"
Check = Callable[[str | bytes], tuple[Diagnostic, ...]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Writes a spec and says what is wrong with it; it is shown in every form, and its places lie in the text."""

    def run(text: str | bytes) -> tuple[Diagnostic, ...]:
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "repro.spec").write_bytes(data)
        found = pipeline.checked(tmp_path / "repro.spec", "repro.spec")
        for each in found.diagnostics:
            assert each.span is None or each.span.end <= len(each.span.source.text)
        for form in ("full", "concise", "json", "github"):
            render(found.diagnostics, form)
        assert (found.value is None) == bool(found.errors)
        return found.diagnostics

    return run


def ids(found: tuple[Diagnostic, ...]) -> list[str]:
    return [each.code.id for each in found]


# files that are none, and files that are too large


@pytest.mark.parametrize("limit_s", [5])
def test_a_device_without_end(limit_s: float) -> None:
    start = time.monotonic()
    found = pipeline.checked(Path("/dev/zero"), "/dev/zero")
    assert [each.message for each in found.diagnostics] == ["`/dev/zero` is neither a file nor a folder"]
    assert time.monotonic() - start < limit_s


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    """Opening one waits for a writer, unless it is asked not to: a thread tells the two apart."""
    os.mkfifo(tmp_path / "repro.spec")
    found: list[Outcome[object]] = []

    def work() -> None:
        outcome = pipeline.checked(tmp_path / "repro.spec", "repro.spec")
        found.append(Outcome(outcome.value, outcome.diagnostics))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for the pipe"
    assert ids(found[0].diagnostics) == ["E0701"]


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "repro.spec").mkdir()
    found = pipeline.checked(tmp_path / "repro.spec", "repro.spec")
    assert [each.message for each in found.diagnostics] == ["`repro.spec` cannot be read: Is a directory"]


def test_nothing_at_all_and_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "link.spec").symlink_to("nowhere")
    (tmp_path / "loop.spec").symlink_to("loop.spec")
    for name in ("repro.spec", "link.spec", "loop.spec"):
        assert ids(pipeline.checked(tmp_path / name, name).diagnostics) == ["E0701"]


def test_a_file_that_says_it_is_empty_and_is_not() -> None:
    """The kernel's files have a size of 0, and something in them: what is read counts."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc here")
    assert status.stat().st_size == 0
    found = pipeline.read(status, "status", limit=10)
    assert found.value is not None and len(found.value) == 11


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "repro.spec"
    path.write_bytes(HEAD.encode())
    done = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not done.is_set() and file.tell() < 64 << 20:
                file.write(b"# and on it goes\n" * 4096)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(20):
            content = pipeline.read(path, "repro.spec").value
            assert content is not None and len(content) <= LIMIT + 1
    finally:
        done.set()
        thread.join()


def test_four_mebibytes_are_read_and_a_byte_more_is_not(check: Check) -> None:
    line = b"# " + b"0123456789abcdef" * 20 + b"\n"
    text = HEAD.encode() + line * ((LIMIT - len(HEAD)) // len(line))
    text += b"#" * (LIMIT - len(text))
    assert len(text) == LIMIT and ids(check(text)) == []
    assert ids(check(text + b"#")) == ["E0104"]


# nesting and including


@pytest.mark.parametrize(
    ("form", "fits", "too_deep"),
    [("each v{n} 1 {{ ", 31, 33), ("x {{ ", 0, 33), ("x [ ", 0, 40)],
)
def test_thirty_two_deep_and_deeper(check: Check, form: str, fits: int, too_deep: int) -> None:
    closing = "]" if "[" in form else "}"

    def nested(depth: int) -> str:
        opened = "".join(form.format(n=number) for number in range(depth))
        return f"{HEAD}{opened}{'system { }' if fits else ''} {closing * depth}\n"

    if fits:
        assert ids(check(nested(fits))) == []
    assert "E0116" in ids(check(nested(too_deep)))
    assert "E0116" in ids(check(nested(100_000)))


def test_files_that_include_each_other(check: Check, tmp_path: Path) -> None:
    (tmp_path / "a.spec").write_text('include "b.spec"\n')
    (tmp_path / "b.spec").write_text('include "c.spec"\n')
    (tmp_path / "c.spec").write_text('include "a.spec"\n')
    (told,) = check(f'{HEAD}include "a.spec"\n')
    assert told.code.id == "E0223"
    assert "a.spec → b.spec → c.spec → a.spec" in told.message
    assert told.span is not None and told.span.source.path == "c.spec"


@pytest.mark.parametrize(("number", "expected"), [(32, []), (33, ["E0229"]), (3_000, ["E0229"])])
def test_a_long_row_of_includes(check: Check, tmp_path: Path, number: int, expected: list[str]) -> None:
    for n in range(1, number):
        (tmp_path / f"{n}.spec").write_text(f'include "{n + 1}.spec"\n')
    (tmp_path / f"{number}.spec").write_text("env { A 1 }\n")
    assert ids(check(f'{HEAD}include "1.spec"\n')) == expected


def test_a_circle_through_a_symbolic_link_and_through_the_spec_itself(check: Check, tmp_path: Path) -> None:
    (tmp_path / "link.spec").symlink_to("repro.spec")
    assert ids(check(f'{HEAD}include "link.spec"\n')) == ["E0223"]
    assert ids(check(f'{HEAD}include "repro.spec"\n')) == ["E0223"]


def test_includes_that_leave_the_folder(check: Check, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.spec"
    outside.write_text("env { A 1 }\n")
    try:
        (tmp_path / "link.spec").symlink_to(outside)
        (tmp_path / "folder").symlink_to(tmp_path.parent)
        (tmp_path / "loop.spec").symlink_to("loop.spec")
        told = {
            "../x.spec": "E0206",
            "/etc/passwd": "E0206",
            "folder/../../x.spec": "E0206",
            "link.spec": "E0318",
            f"folder/{outside.name}": "E0318",
            "loop.spec": "E0318",
        }
        for path, code in told.items():
            assert ids(check(f'{HEAD}include "{path}"\n')) == [code], path
    finally:
        outside.unlink()


def test_what_an_include_may_be(check: Check, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.spec")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.spec").write_bytes(b"\xff\xfe")
    for name, code in (("pipe.spec", "E0317"), ("folder", "E0318"), ("binary.spec", "E0101")):
        assert ids(check(f'{HEAD}include "{name}"\n')) == [code], name


# characters


@pytest.mark.parametrize("surrogate", [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80"])
def test_lone_surrogates(check: Check, surrogate: bytes) -> None:
    assert ids(check(HEAD.encode() + b'env { A "' + surrogate + b'" }\n')) == ["E0101"]


def test_a_surrogate_as_an_escape(check: Check) -> None:
    assert ids(check(HEAD + 'env { A "\\u{D800}" }\n')) == ["E0131"]


@pytest.mark.parametrize("number", [0, 1, 7, 8, 0x0B, 0x0C, 0x1B, 0x7F, 0x80, 0x85, 0x9F])
@pytest.mark.parametrize("place", ['env {{ A "{}" }}\n', "# {}\n", "app a{} {{ run 'x' }}\n"])
def test_control_characters(check: Check, number: int, place: str) -> None:
    assert ids(check(HEAD + place.format(chr(number)))) == ["E0102"]


@pytest.mark.parametrize("number", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
@pytest.mark.parametrize("place", ["app ma{}in {{ run x }}\n", 'env {{ A "x{}" }}\n', "# {} a comment\n"])
def test_marks_that_reorder_text(check: Check, number: int, place: str) -> None:
    """They can make a spec that was reviewed say something else than what the reviewer saw."""
    found = check(HEAD + place.format(chr(number)))
    assert ids(found) == ["E0103"]
    assert f"U+{number:04X}" in found[0].message
    assert chr(number) not in render(found, "full")


@pytest.mark.parametrize("name", ["m\u0430in", "ma\u200bin", "ma\u0301in", "ma in\u00a0"])
def test_names_that_look_like_others_are_none(check: Check, name: str) -> None:
    assert "E0206" in ids(check(HEAD + f'app "{name}" {{ run "x" }}\n'))


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path, check: Check) -> None:
    text = (
        HEAD
        + 'env {\n    A 1\n}\nbuild x {\n    in /opt\n    script """\n        a\n        b\n        """\n}\n'
    )
    forms = (text, text.replace("\n", "\r\n"), "\ufeff" + text, "\ufeff" + text.replace("\n", "\r\n"))
    read = []
    for form in forms:
        assert ids(check(form)) == []
        outcome = pipeline.checked(tmp_path / "repro.spec", "repro.spec").value
        assert outcome is not None
        read.append(outcome[1])
    assert read[0] == read[1] == read[2] == read[3]


def test_a_carriage_return_by_itself_and_a_mark_in_the_middle(check: Check) -> None:
    assert "E0102" in ids(check(HEAD + "env { A 1 }\renv { B 2 }\n"))
    assert check(HEAD + "\ufeffenv { A 1 }\n")


# statements


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("workdir /a\nworkdir /b", "E0210"),
        ('app a { run "x" }\napp a { run "y" }', "E0211"),
        ("let a 1\nlet a 2", "E0211"),
        ("base debian bullseye", "E0210"),
        ("reproc 1", "E0210"),
        ('test "a" { run "x" }\ntest "a" { run "x" }', "E0211"),
        ("target a { }\ntarget a { }", "E0211"),
        ("env { A 1; A 2 }", "E0211"),
        ("env { A 1 }\nenv { B 1 }", "E0210"),
        ("toolchain gcc 12\ntoolchain gcc 12", "E0211"),
    ],
)
def test_duplicated_statements_point_at_both(check: Check, text: str, code: str) -> None:
    (told,) = check(f"{HEAD}{text}\n")
    assert told.code.id == code
    (label,) = told.labels
    assert told.span is not None and label.span.start < told.span.start


def keywords() -> list[str]:
    found: dict[str, None] = {}
    waiting: list[type[Block]] = [SpecFile]
    seen: set[type[Block]] = set()
    while waiting:
        cls = waiting.pop()
        if cls in seen:
            continue
        seen.add(cls)
        for word, (_, keyword) in schema_of(cls).keywords.items():
            found[word] = None
            if isinstance(keyword.type, type):
                waiting.append(keyword.type)
    return sorted(found)


SOUP = [*keywords(), *'{ } [ ] ; " """ # \\ = : , {{a}} 1 /a x.y "b" "{{jobs}}" \n'.split(" "), "\n", "\r\n"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(SOUP), max_size=60).map(" ".join))
def test_keyword_soup(check: Check, text: str) -> None:
    check(HEAD + text)
    check(text)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense{n} {n}",
        'app a{n} {{ run "x"; run "y" }}',
        'file "f{n}" {{ into /x }}',
        "target t{n} {{ extends t{m} }}",
        'let v{n} "{{{{v{m}}}}}"',
        "}}",
    ],
)
def test_the_cost_of_many_mistakes_grows_with_the_text(tmp_path: Path, line: str) -> None:
    """Calls are counted, so that a machine's load does not matter."""

    def calls(number: int) -> int:
        text = HEAD + "".join(f"{line.format(n=n, m=n + 1)}\n" for n in range(number))
        (tmp_path / "repro.spec").write_text(text)
        profile = cProfile.Profile()
        profile.enable()
        pipeline.checked(tmp_path / "repro.spec", "repro.spec")
        profile.disable()
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(1_200) < 4.6 * calls(300)
