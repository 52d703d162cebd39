"""The simple commands of a shell text, as far as they can be told without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reproc.record import record

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+|\\\r?\n)
  | (?P<newline>\n)
  | (?P<comment>\#[^\n]*)
  | <<(?P<dash>-?)[ \t]*(?P<quote>['"\\]?)(?P<here>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<redirect>[0-9]*(?:<<<|[<>]+)[&|]?)
  | (?P<word>(?:[^\s;&|()<>"'`\\]|'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\[\s\S])+)
  | (?P<end>[\s\S])
    """,
    re.VERBOSE,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_QUOTES = re.compile(r"""\\([\s\S])|["']""")
_RESERVED = frozenset("if then else elif fi do done while until ! { } time".split())
_RUNNERS = frozenset("env exec command nice nohup xargs sudo".split())
"""Commands whose arguments are a command again."""


@record
class Command:
    """A command with its words unquoted, and where it stands in the text."""

    words: tuple[str, ...]
    start: int
    end: int
    assignments: int = 0
    """How many variables are set before it."""
    sudo: bool = False

    @property
    def name(self) -> str:
        """The program without its folder; empty where variables are all there is."""
        return self.words[0].rpartition("/")[2] if self.words else ""


@dataclass
class _Line:
    """A command in the making."""

    words: list[tuple[str, int, int]] = field(default_factory=list)
    after_redirect: bool = False

    def take(self, word: str, start: int, end: int) -> None:
        if not self.after_redirect:
            self.words.append((word, start, end))
        self.after_redirect = False

    def done(self) -> Iterator[Command]:
        words, self.words, self.after_redirect = self.words, [], False
        at, assignments, sudo = 0, 0, False
        while at < len(words):
            word = words[at][0]
            if _ASSIGNMENT.match(word):
                assignments += 1
            elif word in _RUNNERS:
                sudo = sudo or word == "sudo"
                while at + 1 < len(words) and words[at + 1][0].startswith("-"):
                    at += 1
            elif word not in _RESERVED:
                break
            at += 1
        if words and (at < len(words) or assignments or sudo):
            rest = words[at:]
            start = words[0][1] if sudo or not rest else rest[0][1]
            yield Command(
                tuple(_QUOTES.sub(lambda m: m[1] or "", each) for each, _, _ in rest),
                start,
                words[-1][2],
                assignments,
                sudo,
            )


def commands(text: str) -> Iterator[Command]:
    """The commands in order, those inside `$(…)` and of `sh -c "…"` among them; linear in the text."""
    line = _Line()
    heredocs: list[tuple[str, bool]] = []
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        if match["here"]:
            heredocs.append((match["here"], bool(match["dash"])))
            at += match["quote"] in ("'", '"')
            continue
        match match.lastgroup:
            case "word":
                line.take(match.group(), match.start(), at)
            case "redirect":
                line.after_redirect = True
            case "newline" | "end":
                yield from _with_inner(line.done())
                while heredocs and match.lastgroup == "newline":
                    at = _behind(text, at, *heredocs.pop(0))
            case _:
                pass
    yield from _with_inner(line.done())


def _with_inner(found: Iterator[Command]) -> Iterator[Command]:
    """The commands, and behind each `sh -c "…"` those that it runs, at the place of the whole."""
    for command in found:
        yield command
        words = command.words
        if command.name in ("sh", "bash", "dash") and "-c" in words[1:-1] and len(words[-1]) < 10_000:
            for inner in commands(words[words.index("-c") + 1]):
                yield Command(inner.words, command.start, command.end, inner.assignments, inner.sudo)


def _behind(text: str, start: int, delimiter: str, dash: bool) -> int:
    """Where the text goes on behind a here-document."""
    at = start
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip("\r")
        at = end + 1
        if (line.lstrip("\t") if dash else line) == delimiter:
            break
    return min(at, len(text))
