"""What a failed build or command becomes: the engine's last lines read, its words left behind."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import build
from reproc.diagnostics.codes import verify as codes
from reproc.source import Span
from reproc.verify.hints import hint
from reproc.verify.plan import Recipe

TAIL = 40
"""How many lines of a failing step's output are shown."""

_MARKER = re.compile(r"==> reproc step ([0-9]{1,7}): (.*)")
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)

_OWN = (
    (build.NOTHING_KEPT, re.compile(r"reproc: (?P<path>/.*) is to be kept, but nothing made it$")),
    (
        build.LINK_KEPT,
        re.compile(r"reproc: (?P<path>/.*) is to be kept, but is a symbolic link to (?P<aim>.*)$"),
    ),
    (
        build.NOTHING_REWRITTEN,
        re.compile(r'reproc: nothing to rewrite: no text file of (?P<root>/.*?) holds "(?P<old>.*)"$'),
    ),
    (
        build.OTHER_VERSION,
        re.compile(r"reproc: (?P<tool>\S+) should be (?P<wanted>\S+), and says that it is (?P<said>.*)$"),
    ),
)
"""What steps that are not the author's print before they fail."""


@dataclass
class StepWatch:
    """Reads a build's output and knows which step it belongs to.

    Recipes print `==> reproc step N: TITLE` before each step, N being the number of the step's first line in
    the recipe, counted from 1.
    """

    line: int | None = None
    title: str | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    def read(self, text: str) -> str | None:
        """The title of the step that this line of output begins, if it begins one."""
        match = _MARKER.fullmatch(text)
        if not match:
            self.tail.append(text)
            return None
        self.line, self.title = int(match[1]), match[2]
        self.tail.clear()
        return self.title


def origin(recipe: Recipe, first: int | None, last: int | None = None) -> Span | None:
    """The place in the spec that asked for the first of these lines of the recipe for which one is known."""
    if first is None:
        return None
    for line in range(max(first, 1), min(max(last or first, first), len(recipe.line_origins)) + 1):
        if (span := recipe.line_origins[line - 1]) is not None:
            return span
    return None


def out_of_space(lines: Sequence[str]) -> bool:
    """Whether these lines of output say that a disk is full."""
    return any(_NO_SPACE.search(line) for line in lines)


def no_space(
    engine: str, doing: str, place: Path | str, span: Span | None = None, lines: Sequence[str] = ()
) -> Diagnostic:
    """A disk that is full; where a step of a build ran into it, with its place and the end of its output."""
    said = "\n".join(list(lines)[-TAIL:])
    return error(codes.NO_SPACE, span, output=said, engine=engine, doing=doing, place=place)


def by_the_spec(failure: Diagnostic) -> bool:
    """Whether it is the spec's fault that a build failed, and not the machine's."""
    return failure.code in (codes.BUILD_FAILED, *(code for code, _ in _OWN))


def build_failed(
    recipe: Recipe, engine: str, span: Span | None, failure: str, lines: Sequence[str], log: Path
) -> Diagnostic:
    """A step that failed, with the end of its output and a hint where the cause is a common one.

    Where one of our own steps says what is amiss, that is told by itself.
    """
    shown = list(lines)[-TAIL:]
    for code, sign in _OWN:
        if match := next((match for line in shown if (match := sign.search(line))), None):
            return error(code, span, **match.groupdict())
    return error(
        codes.BUILD_FAILED,
        span,
        output="\n".join(shown),
        target=recipe.target,
        engine=engine,
        failure=failure,
        hint=hint(shown),
        log=log,
    )
