"""What a container says of a test's files, with the shell that is here."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from reproc import model
from reproc.source import SourceFile, Span
from reproc.verify import contract
from reproc.verify.engines.base import Captured
from reproc.verify.look import Look, missed, seen
from reproc.verify.process import Keeper

HERE = Span(SourceFile("repro.spec", "x"), 0, 1)
MARK = "a1b2c3"


def expectation(*words: str) -> model.Expectation:
    return model.Expectation(subject="file", words=words, origin=HERE)


def looked(folder: Path, *words: str, before: str = "") -> str | None:
    """Why an expectation does not hold, after a script."""
    wanted = Look(MARK, (expectation(*words),))
    script = f"{before}\necho its own >&2\n{wanted.after()}"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    found, stderr = seen(wanted, Captured(done.stderr, len(done.stderr), False))
    assert stderr.text == "its own\n"
    assert stderr.size == len(stderr.text)
    return missed(wanted, found)


@pytest.mark.parametrize(
    "words",
    [
        ("f", "exists"),
        ("./f", "contains", "it's $x `y`"),
        ("f", "contains", "-e"),
        ("f", "sha256", sha256(b"-e it's $x `y`\n\xff").hexdigest()),
        ("f", "sha256", "sha256:" + sha256(b"-e it's $x `y`\n\xff").hexdigest()),
        ("no", "absent"),
        ("dangling", "exists"),
        ("-n 'x'", "exists"),
        ("d", "exists"),
    ],
)
def test_what_holds(tmp_path: Path, words: tuple[str, ...]) -> None:
    _fill(tmp_path)
    assert looked(tmp_path, *words) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("no", "exists"), "the file `no` is not there"),
        (("f", "absent"), "the file `f` is there"),
        (("dangling", "absent"), "the file `dangling` is there"),
        (("f", "contains", "nope"), "the file `f` does not contain `nope`"),
        (("f", "contains", "i.*s"), "the file `f` does not contain `i.*s`"),
        (("no", "contains", "x"), "the file `no` is not there"),
        (("d", "contains", "x"), "the file `d` is no regular file"),
        (("pipe", "sha256", "0" * 64), "the file `pipe` is no regular file"),
        (("empty", "sha256", "0" * 64), f"has the sha256 {sha256(b'').hexdigest()}, expected {'0' * 64}"),
    ],
)
def test_what_does_not_hold(tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    _fill(tmp_path)
    assert reason in (looked(tmp_path, *words) or "")


def _fill(folder: Path) -> None:
    (folder / "f").write_bytes(b"-e it's $x `y`\n\xff")
    (folder / "-n 'x'").touch()
    (folder / "empty").touch()
    (folder / "d").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    subprocess.run(["mkfifo", folder / "pipe"], check=True)


def test_a_test_cannot_turn_the_looks_away(tmp_path: Path) -> None:
    _fill(tmp_path)
    assert looked(tmp_path, "f", "exists", before="PATH=/nowhere; export LC_ALL=xx") is None


def test_a_look_that_never_came_fails() -> None:
    wanted = Look(MARK, (expectation("f", "exists"),))
    found, _ = seen(wanted, Captured("killed\n", 7, False))
    assert "was not looked at" in (missed(wanted, found) or "")


def test_looks_are_found_behind_more_output_than_is_kept() -> None:
    keeper = Keeper(10)
    for _ in range(1000):
        keeper.feed(b"x" * 100)
    keeper.feed(f"\n{MARK} 0 there\n".encode())
    captured = keeper.captured()
    assert captured.text == "x" * 10
    assert captured.truncated
    wanted = Look(MARK, (expectation("f", "exists"),))
    assert missed(wanted, seen(wanted, captured)[0]) is None


def test_what_the_images_entry_says_is_not_the_tests() -> None:
    wanted = Look(MARK, (), entered=True)
    text = f"noise\n{MARK} begins\nits own\n"
    assert seen(wanted, Captured(text, len(text), False))[1].text == "its own\n"
    failed = "noise\nactivation fails\n"
    assert seen(wanted, Captured(failed, len(failed), False))[1].text == failed


def test_the_entry_stands_before_everything() -> None:
    test = model.Test(name="x", run=model.Command(text=("true",), origin=HERE), origin=HERE)
    command = contract.command(test, "/w", Look(MARK, (), entered=True), entry=("/opt/reproc/enter",))
    assert command.arguments[:3] == ("/opt/reproc/enter", "/bin/sh", "-c")
    assert f"echo {MARK} begins >&2" in command.arguments[3]
    assert command.workdir == "/w"
