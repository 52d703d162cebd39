"""Expectations, one by one, without an engine."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from reproc import model
from reproc.verify.engines.base import Captured, CommandResult
from reproc.verify.judge import judge

MakeTest = Callable[..., model.Test]


def result(
    code: int | None = 0, stdout: str = "", stderr: str = "", truncated: bool = False
) -> CommandResult:
    def captured(text: str) -> Captured:
        return Captured(text, len(text.encode()) + (10 if truncated else 0), truncated)

    return CommandResult(code, captured(stdout), captured(stderr), 0.1, code is None)


@pytest.mark.parametrize(
    ("expect", "given", "reason"),
    [
        ((), result(0), None),
        ((), result(1), "exit code 1, expected 0"),
        ((("exit", "2"),), result(2), None),
        ((("exit", "2"),), result(0), "exit code 0, expected 2"),
        ((), result(139), "exit code 139, expected 0 (a segmentation fault)"),
        ((), result(None), "it did not end within 30 s"),
        ((("stdout", "contains", "b"),), result(0, "abc"), None),
        ((("stdout", "contains", "x"),), result(0, "abc\n"), 'stdout does not contain "x"; it is "abc"'),
        ((("stdout", "contains", "x"),), result(0), 'stdout does not contain "x"; it is empty'),
        ((("stdout", "equals", "abc"),), result(0, "abc\n"), None),
        ((("stdout", "equals", "abc\n"),), result(0, "abc"), None),
        ((("stdout", "equals", "abc"),), result(0, "abc\n\n"), 'stdout does not equal "abc"; it is "abc\\n"'),
        ((("stdout", "equals", ""),), result(0, "\n"), None),
        ((("stdout", "matches", r"^1\.2\d$"),), result(0, "1.26"), None),
        (
            (("stdout", "matches", r"^1\.2\d$"),),
            result(0, "x1.26"),
            r'stdout does not match "^1\\.2\\d$"; it is "x1.26"',
        ),
        ((("stdout", "matches", "(?m)^b$"),), result(0, "a\nb\nc"), None),
        ((("stderr", "contains", "b"),), result(0, "b"), 'stderr does not contain "b"; it is empty'),
        ((("stderr", "contains", "b"),), result(0, "", "abc"), None),
        (
            (("exit", "1"), ("stdout", "contains", "b")),
            result(1, "x"),
            'stdout does not contain "b"; it is "x"',
        ),
        ((("stdout", "is", "b"),), result(0, "b"), "`expect stdout is` is not understood"),
        (
            (("stdout", "matches", "("),),
            result(0, "b"),
            "the pattern `(` is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
    ],
)
def test_judgement(
    smoke: MakeTest, expect: tuple[tuple[str, ...], ...], given: CommandResult, reason: str | None
) -> None:
    assert judge(smoke("true", *expect), given) == reason


def test_a_truncated_output_never_equals(smoke: MakeTest) -> None:
    reason = judge(smoke("true", ("stdout", "equals", "abc")), result(0, "abc", truncated=True))
    assert reason == 'stdout does not equal "abc"; it is 13 bytes long, of which the first 3 were looked at'


def test_a_pattern_that_backtracks_without_end_is_stopped(smoke: MakeTest) -> None:
    began = time.monotonic()
    reason = judge(smoke("true", ("stdout", "matches", r"^(a+)+$")), result(0, "a" * 60 + "b"))
    assert reason == r"the pattern `^(a+)+$` takes more than 5 s to search for: it backtracks without end"
    assert time.monotonic() - began < 10
