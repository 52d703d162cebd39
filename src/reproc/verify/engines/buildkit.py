"""Reads what `docker buildx build --progress=rawjson` writes: steps, their output, and the failing line."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reproc.verify.engines.failures import TAIL
from reproc.verify.process import Lines

_PLACE = re.compile(r"(?:\S*Dockerfile):(\d+)")
_SHOWN = re.compile(r"\s*(\d+) \| (>>>)? ?")
_EXIT = re.compile(r"exit code: (\d+)")
_PARSE = re.compile(r"dockerfile parse error on line (\d+): (.*)")


def _fresh_tail() -> deque[str]:
    return deque(maxlen=TAIL)


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
    _tails: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(_fresh_tail))
    _lines: dict[str, Lines] = field(default_factory=dict)
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
            key = str(log.get("vertex"))
            self._output(key).feed(base64.b64decode(log.get("data") or ""))
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
        if vertex.get("completed") and key in self._lines:
            self._lines[key].end()
        if vertex.get("error") and "context canceled" not in vertex["error"]:
            self.failed, self._error = key, str(vertex["error"])

    def _output(self, key: str) -> Lines:
        if key not in self._lines:
            tail = self._tails[key]

            def say(text: str) -> None:
                tail.append(text)
                self.write(text)
                if text.strip():
                    self.tell(text)

            self._lines[key] = Lines(say)
        return self._lines[key]

    def _place(self, line: str) -> None:
        """Reads the client's excerpt: `Dockerfile:5`, then numbered lines, the failing ones marked `>>>`."""
        if (match := _PARSE.search(line)) or self.first is None and (match := _PLACE.fullmatch(line.strip())):
            self.first = self.last = int(match[1])
        elif self.first is not None and (match := _SHOWN.match(line)) and match[2]:
            self.last = max(self.last or 0, int(match[1]))

    @property
    def tail(self) -> list[str]:
        """The last lines of the failing step's output; if it wrote none, of the client's complaint."""
        if self.failed is not None and self.failed in self._lines:
            self._lines[self.failed].end()
            return list(self._tails[self.failed])
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
