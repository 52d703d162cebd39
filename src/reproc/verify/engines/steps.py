"""How long the steps of a build took, and what each of them does, in the recipe's own words."""

from __future__ import annotations

import re
import time
from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reproc.record import replace
from reproc.verify.engines.base import Step
from reproc.verify.engines.failures import origin
from reproc.verify.plan import Recipe

_FROM = re.compile(r"FROM\s+(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COUNTED = re.compile(r"(?:RUN|COPY|ADD|WORKDIR)\s", re.IGNORECASE)
"""The instructions that BuildKit counts within a stage; of `FROM` only one that is not `scratch` or a stage."""
_HEREDOC = re.compile(r"<<-?(['\"]?)(\w+)\1")


def step_at(recipe: Recipe, line: int, seconds: float, cached: bool = False) -> Step:
    """The step that stands at a line of the recipe, counted from 1."""
    at = bisect(recipe.titles, line, key=lambda row: row[0])
    title = recipe.titles[at - 1][1] if at else ""
    place = origin(recipe, line)
    return Step(title or f"line {line}", seconds, cached, None if place is None else str(place))


def places_of(dockerfile: str) -> Mapping[tuple[str, int, int], int]:
    """The line of each instruction, by its stage, number and their count, as in BuildKit's `[stage 2/7]`.

    A last stage without a name is `stage-N`, N being its number from 0; the only stage of all may have none at all.
    """
    stages: list[tuple[str, list[int]]] = []
    names: set[str] = set()
    mark, continued = "", False
    for number, line in enumerate(dockerfile.split("\n"), 1):
        if mark:
            mark = "" if line == mark else mark
            continue
        begins = not continued and not line.startswith("#")
        if begins and (found := _FROM.match(line)):
            stages.append((found[2] or f"stage-{len(stages)}", []))
            if found[1] != "scratch" and found[1] not in names:
                stages[-1][1].append(number)
            names.add(found[2] or "")
        elif begins and stages and _COUNTED.match(line):
            stages[-1][1].append(number)
        if heredoc := _HEREDOC.search(line):
            mark = heredoc[2]
        continued = line.endswith("\\") and not mark
    if len(stages) == 1:
        stages.append(("", stages[0][1]))
    return {
        (name, at, len(lines)): line for name, lines in stages for at, line in enumerate(lines, 1) if lines
    }


@dataclass
class Stopwatch:
    """Times steps that come one after the other."""

    now: Callable[[], float] = time.monotonic
    steps: list[Step] = field(default_factory=list)
    _began: float | None = None

    def begin(self, step: Step) -> None:
        """A step begins, and what came before has ended."""
        self.end()
        self.steps.append(step)
        self._began = self.now()

    def end(self) -> None:
        """The step that is going on, if one is, has ended."""
        if self._began is not None:
            self.steps[-1] = replace(self.steps[-1], seconds=self.now() - self._began)
            self._began = None
