"""Reads what `docker buildx build --progress=rawjson` writes: steps, their output, and the failing line."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from reproc.verify.engines.base import Step
from reproc.verify.engines.failures import TAIL
from reproc.verify.engines.steps import places_of, step_at
from reproc.verify.plan import Recipe
from reproc.verify.process import Lines

_PLACE = re.compile(r"(?:\S*Dockerfile):(\d+)")
_SHOWN = re.compile(r"\s*(\d+) \| (>>>)? ?")
_EXIT = re.compile(r"exit code: (\d+)")
_PARSE = re.compile(r"dockerfile parse error on line (\d+): (.*)")
_STEP = re.compile(r"\[(?:(\S+) +)? *(\d+)/(\d+)\] ")
_OWN = {
    "[internal] load build context": (0, "copying the inputs"),
    "exporting to docker image format": (inf, "writing the image"),
    "exporting to image": (inf, "writing the image"),
}
"""What BuildKit does before or after the steps of a recipe, and takes time for."""

_ERROR_STREAM = 2


@dataclass
class _Tail:
    """The last lines of a step.

    Its two streams arrive by different ways: what it complains of may come before a thousand lines that it
    wrote earlier. So half of what is kept is for the error stream, and lines are in the order of arrival.
    """

    rows: dict[int, deque[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=TAIL))
    )
    count: int = 0

    def add(self, stream: int, text: str) -> None:
        self.count += 1
        self.rows[stream].append((self.count, text))

    def lines(self) -> list[str]:
        complaints = list(self.rows[_ERROR_STREAM])
        others = sorted(row for stream, rows in self.rows.items() if stream != _ERROR_STREAM for row in rows)
        room = max(TAIL // 2, TAIL - len(others))
        kept = complaints[-room:]
        rest = others[-(TAIL - len(kept)) :] if len(kept) < TAIL else []
        return [text for _, text in sorted(rest + kept)]


@dataclass
class BuildKitWatch:
    """Takes the lines one by one; afterwards holds what went wrong, if something did."""

    tell: Callable[[str], None]
    """Told what begins and what steps write."""
    write: Callable[[str], None]
    """Given everything in plain text, for the log."""
    failed: str | None = None
    """The digest of the step that failed."""
    first: int | None = None
    last: int | None = None
    """The failing lines of the recipe, counted from 1."""
    rest: list[str] = field(default_factory=list)
    """Lines that are not progress: complaints of the client."""
    _tails: dict[str, _Tail] = field(default_factory=lambda: defaultdict(_Tail))
    _lines: dict[str, dict[int, Lines]] = field(default_factory=lambda: defaultdict(dict))
    """By step and stream: pieces of the two come in any order, and must not be joined into one line."""
    times: dict[str, tuple[str, float, bool]] = field(default_factory=dict)
    """By step, those that came to an end: its name, seconds, and whether it was taken from an earlier build."""
    _begun: set[str] = field(default_factory=set)
    _error: str = ""

    def read(self, line: str) -> None:
        """One line of the client's output."""
        if line.startswith("{"):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict):
                self._event(event)
                return
        self.write(line)
        self.rest.append(line)
        del self.rest[:-200]
        self._place(line)

    def _event(self, event: dict[str, Any]) -> None:
        for vertex in event.get("vertexes") or ():
            self._vertex(vertex)
        for log in event.get("logs") or ():
            lines = self._output(str(log.get("vertex")), int(log.get("stream") or 0))
            lines.feed(base64.b64decode(log.get("data") or ""))
        for warning in event.get("warnings") or ():
            text = base64.b64decode(warning.get("short") or "").decode("utf-8", "replace")
            self.write(f"warning: {text}")

    def _vertex(self, vertex: dict[str, Any]) -> None:
        key, name = str(vertex.get("digest")), str(vertex.get("name", ""))
        if vertex.get("started") and key not in self._begun:
            self._begun.add(key)
            self.write(f"==> {name}")
            if not name.startswith("[internal]"):
                self.tell(name)
        if vertex.get("completed"):
            self._end(key)
            self._time(key, name, vertex)
        if vertex.get("error") and "context canceled" not in vertex["error"]:
            self.failed, self._error = key, str(vertex["error"])

    def _time(self, key: str, name: str, vertex: dict[str, Any]) -> None:
        """Adds up a step's time: BuildKit may take a step up several times."""
        with suppress(KeyError, TypeError, ValueError):  # it says no time, or none that is understood
            began, ended = (datetime.fromisoformat(vertex[each]) for each in ("started", "completed"))
            seconds = (ended - began).total_seconds()
            _, before, _ = self.times.get(key, (name, 0.0, False))
            self.times[key] = (name, before + seconds, bool(vertex.get("cached")))

    def steps(self, recipe: Recipe) -> tuple[Step, ...]:
        """The steps that ran, in the order of the recipe, between what the engine does before and after them."""
        places = places_of(recipe.file.read_text(encoding="utf-8"))
        found: list[tuple[float, Step]] = []
        for name, seconds, cached in self.times.values():
            if match := _STEP.match(name):
                line = places.get((match[1] or "", int(match[2]), int(match[3])))
                if line is not None:
                    found.append((line, step_at(recipe, line, seconds, cached)))
            elif name in _OWN:
                at, title = _OWN[name]
                found.append((at, Step(title, seconds, cached)))
        return tuple(step for _, step in sorted(found, key=lambda row: row[0]))

    def _output(self, key: str, stream: int) -> Lines:
        streams = self._lines[key]
        if stream not in streams:
            tail = self._tails[key]

            def say(text: str) -> None:
                tail.add(stream, text)
                self.write(text)
                if text.strip():
                    self.tell(text)

            streams[stream] = Lines(say)
        return streams[stream]

    def _end(self, key: str) -> None:
        for lines in self._lines[key].values():
            lines.end()

    def _place(self, line: str) -> None:
        """Reads the client's excerpt: `Dockerfile:5`, then numbered lines, the failing ones marked `>>>`."""
        if (match := _PARSE.search(line)) or self.first is None and (match := _PLACE.fullmatch(line.strip())):
            self.first = self.last = int(match[1])
        elif self.first is not None and (match := _SHOWN.match(line)) and match[2]:
            self.last = max(self.last or 0, int(match[1]))

    @property
    def tail(self) -> list[str]:
        """The last lines of the failing step's output; if it wrote none, of the client's complaint."""
        if self.failed is not None and self._lines[self.failed]:
            self._end(self.failed)
            return self._tails[self.failed].lines()
        return self.rest[-TAIL:]

    @property
    def failure(self) -> str:
        """What went wrong, in a few words."""
        if match := _EXIT.search(self._error):
            return f"a step ends with exit status {match[1]}"
        if match := _PARSE.search("\n".join(self.rest)):
            return f"line {match[1]} of the recipe is not understood: {match[2]}"
        complaint = next((line for line in reversed(self.rest) if line.startswith("ERROR: ")), "")
        text = (
            complaint.removeprefix("ERROR: ")
            .removeprefix("failed to build: ")
            .removeprefix("failed to solve: ")
        )
        return text[:300] or "it ends without a reason"
