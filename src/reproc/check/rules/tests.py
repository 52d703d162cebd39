"""A test runs one thing that exists, and expects what can be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.check.names import unknown
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Expectation, Experiment, Test


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    apps = tuple(app.name for app in target.apps)
    for test in target.tests:
        yield from one_command(test, "test")
        yield from unknown(codes.UNKNOWN_APP, (test.app.name,) if test.app else (), apps)
        for needs in test.needs:
            if needs.what == "data" and needs.name is None:
                yield error(codes.NEEDS_DATA_NAME, needs.origin)
            elif needs.name is not None and needs.what == "data" and _runs_in(test, target):
                yield from unknown(codes.UNKNOWN_INPUT, (needs.name,), tuple(d.name for d in target.data))
        yield from _expectations(test)


def _runs_in(test: Test, target: Target) -> bool:
    return not test.on or target.name in {item.text for item in test.on}


def one_command(block: Test | Experiment, what: str) -> Iterator[Diagnostic]:
    """Says so unless it runs exactly one thing."""
    commands = [each for each in (block.run, block.script, block.app) if each]
    if not commands:
        yield error(codes.NO_TEST_COMMAND, block.origin, what=what)
    elif len(commands) > 1:
        first, second = sorted((each.origin for each in commands), key=lambda span: span.start)[:2]
        yield error(codes.TWO_TEST_COMMANDS, second, Label(first, "the first one"), what=what)


def _expectations(test: Test) -> Iterator[Diagnostic]:
    for expectation in test.expect:
        if problem := _problem(expectation):
            text = " ".join((expectation.subject, *expectation.words))
            yield error(codes.BAD_EXPECTATION, expectation.origin, text=text, problem=problem)


def _problem(expectation: Expectation) -> str | None:
    words = expectation.words
    if expectation.subject == "exit":
        fits = len(words) == 1 and re.fullmatch(r"[0-9]{1,3}", words[0]) and int(words[0]) < 256
        return None if fits else "does not name one exit code from 0 to 255"
    if expectation.subject == "file":
        return _file_problem(words)
    if len(words) != 2 or words[0] not in ("contains", "equals", "matches"):
        return "is not `contains`, `equals` or `matches` and one string"
    if words[0] == "matches":
        try:
            re.compile(words[1])
        except re.error as problem:
            return f"is not a regular expression: {problem}"
    return None


def _file_problem(words: tuple[str, ...]) -> str | None:
    path, relation, *values = (*words, "", "")[: max(2, len(words))]
    if not path or any(ord(each) < 32 for each in path):
        return "names no file"
    match relation:
        case "exists" | "absent":
            return None if not values else f"has something behind `{relation}`"
        case "contains":
            fits = len(values) == 1 and values[0] and "\n" not in values[0]
            return None if fits else "is not `contains` and one string of one line"
        case "sha256":
            digest = len(values) == 1 and re.fullmatch(r"(sha256:)?[0-9a-f]{64}", values[0])
            return None if digest else "is not `sha256` and 64 hexadecimal digits"
        case _:
            return "is not a file and `exists`, `absent`, `contains …` or `sha256 …`"
