"""How a helper deep inside a piece of work gives up with something to tell the user.

A `Problem` never leaves this floor: `attempt` turns it into the `Outcome` of the piece of work, together with
what the operating system has to say (no space, no permission).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import TypeVar

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, Label, Outcome, error
from reproc.source import Span

T = TypeVar("T")
P = TypeVar("P")
_WRONG = (codes.DIGEST_MISMATCH, codes.BAD_SIGNATURE)


class Problem(Exception):
    """Diagnostics on their way to the piece of work that they end."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics


def problem(code: Code, span: Span | None, *labels: Label, output: str = "", **facts: object) -> Problem:
    """A problem of one diagnostic."""
    return Problem(error(code, span, *labels, output=output, **facts))


def of_system(trouble: OSError, path: object = None) -> Diagnostic:
    """What an error of the operating system means to the user."""
    place = trouble.filename if trouble.filename is not None else path
    if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
        return error(codes.NO_SPACE, None, path=place if place is not None else "the store")
    return error(
        codes.FILE_TROUBLE,
        None,
        path=place if place is not None else "a file",
        reason=(trouble.strerror or str(trouble)).lower(),
    )


def first_of(
    places: Iterable[P], work: Callable[[P], T], lied: Callable[[P, Diagnostic], object] = lambda *_: None
) -> T:
    """What `work` makes of the first place that gives something; `lied` hears of those before it whose bytes are wrong.

    If none does, the worst problem is raised: wrong bytes, else what the last one said that answered at all.
    """
    troubles: list[tuple[P, Problem]] = []
    for place in places:
        try:
            found = work(place)
        except Problem as trouble:
            troubles.append((place, trouble))
        else:
            for passed, why in troubles:
                if why.diagnostics[0].code in _WRONG:
                    lied(passed, why.diagnostics[0])
            return found
    raise min((trouble for _, trouble in reversed(troubles)), key=_rank)


def _rank(trouble: Problem) -> int:
    code = trouble.diagnostics[0].code
    return 0 if code in _WRONG else 2 if code in codes.UNREACHABLE else 1


def attempt(work: Callable[[], Outcome[T]]) -> Outcome[T]:
    """The outcome of `work`, also where a problem or the operating system ended it."""
    try:
        return work()
    except Problem as trouble:
        return Outcome(None, trouble.diagnostics)
    except OSError as trouble:
        return Outcome(None, (of_system(trouble),))
