"""What the emitters share: templates, and the way from a rendered text to its lines' places in the spec.

A template lays out and does not decide. Lines that begin with NUL, which no text of a spec can hold, say
where a step begins and do not reach the result; `NUMBER` in a line becomes that line's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from reproc.source import Span

if TYPE_CHECKING:
    from jinja2 import Template

NUL = "\0"
NUMBER = "\0n"
"""Stands for the number of the line it is in."""


@cache
def _template(package: str, name: str) -> Template:
    import pkgutil
    from importlib import import_module

    from jinja2 import Environment, StrictUndefined, Template

    data = pkgutil.get_data(package, name)
    assert data is not None, "templates are part of the package"
    text = data.decode()
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        cache_size=0,
    )
    try:
        code = import_module(f"{package}._{name.replace('.', '_')}")
    except ModuleNotFoundError:
        return environment.from_string(text)
    if text != code.TEMPLATE:  # a checkout whose template has changed since the code was made
        return environment.from_string(text)
    return Template.from_module_dict(environment, vars(code), {})


def render(package: str, name: str, values: Mapping[str, Any]) -> str:
    """A template of a back end's folder, filled in."""
    return _template(package, name).render(values)


class Places:
    """Hands out the lines that say in a rendered text where a step begins, and reads them back."""

    def __init__(self) -> None:
        self._marks: list[tuple[Span | None, str]] = []

    def mark(self, origin: Span | None, title: str = "") -> str:
        """A line that says: what follows was asked for at `origin`, and is called so."""
        self._marks.append((origin, title))
        return f"{NUL}{len(self._marks) - 1}"

    def settle(
        self, lines: Iterable[str]
    ) -> tuple[str, tuple[Span | None, ...], tuple[tuple[int, str], ...]]:
        """The text without marks, for each of its lines the place that asked for it, and titles by line."""
        origin: Span | None = None
        kept: list[str] = []
        origins: list[Span | None] = []
        titles: list[tuple[int, str]] = []
        for line in lines:
            if line.startswith(NUL):
                origin, title = self._marks[int(line[1:])]
                titles.append((len(kept) + 1, title))
                continue
            kept.append(line.replace(NUMBER, str(len(kept) + 1)))
            origins.append(origin if line else None)
        return "\n".join(kept) + "\n", tuple(origins), tuple(titles)


def place_of(origin: Span | None) -> str:
    """Where the spec asks for something, as a comment says it: ` (repro.spec:31)`, or nothing."""
    return f" ({origin.source.name}:{origin.position.line})" if origin else ""
