"""What goes wrong at an address, and what that means to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.lock.problem import Problem, problem
from reproc.lock.store import Mismatch
from reproc.source import Span

T = TypeVar("T")


class Unreachable(Exception):
    """No connection to a host."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


class NotServed(Exception):
    """The host answers, but not with the file."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.host = host_of(url)
        self.reason = reason


Failure: TypeAlias = Unreachable | NotServed | Mismatch


def host_of(url: str) -> str:
    """The host of an address, as a user knows it; no user name, password or path."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "this machine"
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or url


def plain(failure: Exception) -> str:
    """Why a connection failed, in plain words."""
    text = str(failure)
    for sign, words in (
        ("NameResolutionError", "its name cannot be resolved"),
        ("Name or service not known", "its name cannot be resolved"),
        ("ProxyError", "the proxy does not let it through"),
        ("Connection refused", "it refuses connections"),
        ("timed out", "it does not answer in time"),
        ("unreachable", "there is no way to it"),
    ):
        if sign in text:
            return words
    return "the connection fails"


def shown(url: str) -> str:
    """An address without what is nobody's business: user name, password, query."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "file" else f"{parts.scheme}://{host_of(url)}{parts.path}"


def passed_over(failures: Iterable[tuple[str, Failure]]) -> Iterable[Diagnostic]:
    """A warning for each address that gave other bytes; that one lacks a file is nothing to tell of."""
    wrong = ((url, failure) for url, failure in failures if isinstance(failure, Mismatch))
    return (
        lied(url, f"it gives the sha256 `{each.found}`, and `{each.expected}` was expected")
        for url, each in wrong
    )


def lied(url: str, reason: str, origin: Span | None = None) -> Diagnostic:
    """The warning that an address was passed over."""
    return error(codes.MIRROR_PASSED_OVER, origin, url=shown(url), reason=reason)


def told(failures: Sequence[tuple[str, Failure]], what: str) -> Problem:
    """The worst of what was met while trying one address after the other."""
    for url, failure in failures:
        if isinstance(failure, Mismatch):
            facts = {"found": failure.found, "expected": failure.expected, "source": f"`{host_of(url)}`"}
            return problem(codes.DIGEST_MISMATCH, None, what=what, **facts)
    for _, failure in failures:
        if isinstance(failure, NotServed):
            return problem(
                codes.NOT_SERVED, None, what=what, source=f"`{failure.host}`", reason=failure.reason
            )
    for _, failure in failures:
        if isinstance(failure, Unreachable):
            return problem(codes.NETWORK, None, host=failure.host, reason=failure.reason)
    return problem(
        codes.NOT_SERVED, None, what=what, source="any known place", reason="there is no address for it"
    )


def first(places: Sequence[str], work: Callable[[str], T]) -> T:
    """What `work` makes of the first place that gives something; else raises what the last said that answers."""
    failures: list[Unreachable | NotServed] = []
    for place in places:
        try:
            return work(place)
        except (Unreachable, NotServed) as failure:
            failures.append(failure)
    raise next((each for each in reversed(failures) if isinstance(each, NotServed)), failures[-1])
