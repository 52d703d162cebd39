"""A test runs one thing that exists, and expects what can be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Expectation, Test


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    apps = tuple(app.name for app in target.apps)
    for test in target.tests:
        commands = [each for each in (test.run, test.script, test.app) if each]
        if not commands:
            yield error(codes.NO_TEST_COMMAND, test.origin)
        elif len(commands) > 1:
            first, second = sorted((each.origin for each in commands), key=lambda span: span.start)[:2]
            yield error(codes.TWO_TEST_COMMANDS, second, Label(first, "the first one"))
        if test.app and test.app.name.text not in apps:
            name = test.app.name
            known = ", ".join(f"`{each}`" for each in apps) or None
            yield error(
                codes.UNKNOWN_APP,
                name.origin,
                name=name.text,
                suggestion=nearest(name.text, apps),
                known=known,
            )
        for needs in test.needs:
            if needs.what == "data" and needs.name is None:
                yield error(codes.NEEDS_DATA_NAME, needs.origin)
        yield from _expectations(test)


def _expectations(test: Test) -> Iterator[Diagnostic]:
    for expectation in test.expect:
        if expectation.subject == "file":
            yield error(codes.EXPECT_FILE, expectation.origin)
        elif problem := _problem(expectation):
            text = " ".join((expectation.subject, *expectation.words))
            yield error(codes.BAD_EXPECTATION, expectation.origin, text=text, problem=problem)


def _problem(expectation: Expectation) -> str | None:
    words = expectation.words
    if expectation.subject == "exit":
        fits = len(words) == 1 and re.fullmatch(r"[0-9]{1,3}", words[0]) and int(words[0]) < 256
        return None if fits else "does not name one exit code from 0 to 255"
    if len(words) != 2 or words[0] not in ("contains", "equals", "matches"):
        return "is not `contains`, `equals` or `matches` and one string"
    if words[0] == "matches":
        try:
            re.compile(words[1])
        except re.error as problem:
            return f"is not a regular expression: {problem}"
    return None
