"""The protocol of a back end and the values on both sides of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from reproc.graph import BuildGraph
from reproc.record import record
from reproc.source import Span


class Feature(Enum):
    """What a recipe format can say by itself; `legalize` works away what it cannot."""

    STAGE_FROM_STAGE = auto()
    """A stage can stand on an earlier one (a Dockerfile's `FROM stage`; a def file has no such thing)."""
    LIMITED_LAYERS = auto()
    """Each step is a layer of the image and their number is limited."""


@record
class LegalGraph:
    """A graph that needs nothing that the back end lacks; made only by `legalize`."""

    graph: BuildGraph
    features: frozenset[Feature]


@record
class Artifact:
    """A file of a recipe.

    `line_origins[n]` is the place in the spec that asked for line `n + 1`, if one did; `titles` are lines, counted
    from 1, from which on the recipe does what the text beside them says.
    """

    filename: str
    text: str
    line_origins: tuple[Span | None, ...] = ()
    titles: tuple[tuple[int, str], ...] = ()


class Backend(Protocol):
    """A recipe format."""

    name: str
    """As it stands in `-b` and in `backends …`."""
    features: frozenset[Feature]

    def render(self, graph: LegalGraph, *, comments: bool) -> tuple[Artifact, ...]:
        """The files of the recipe; the first is the recipe itself.

        With `comments`, for people: every step says what it does and where the spec asks for it. Without, for
        machines: the bytes do not depend on the spec's layout.
        """
        ...
