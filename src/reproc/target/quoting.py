"""The one place where text becomes a shell word, a heredoc, an `ENV` or label value, a pattern, a def's line.

Every function takes any text that `legalize` lets through (no NUL, no lone surrogates; further limits are
named where they hold) and returns a form from which the reader gets exactly that text back.
"""

from __future__ import annotations

import json
import re

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@+=:,./-]+\Z")
_SECTION = re.compile(r"(?m)^\s*%")
_STAGE = re.compile(r"(?mi)^bootstrap:")
_BRACES = re.compile(r"\{(?=\{)")
_GLOB = re.compile(r"([*?\[\]\\])")

LONGEST_LINE = 60_000
"""Bytes; BuildKit and Apptainer read lines and sections through buffers of 65,536 bytes."""
_PIECE = 4_000


def quote(text: str) -> str:
    """A POSIX shell word that means exactly `text`; it never holds `{{`, which a def's reader looks for."""
    if _PLAIN_WORD.match(text):
        return text
    quoted = "'" + text.replace("'", "'\"'\"'") + "'"
    return _BRACES.sub("{''", quoted) if "{{" in quoted else quoted


def words(*texts: str) -> str:
    """Shell words, a blank between two."""
    return " ".join(map(quote, texts))


def export(name: str, value: str) -> str:
    """A shell line that sets and exports a variable."""
    return f"export {name}={quote(value)}"


def byte_string(text: str) -> str:
    """A shell word for `printf %b`, on one line, without `%`, `{` or a carriage return.

    Only escapes that POSIX gives to `%b` are used; in the *format* of printf an escaped `%` would still
    begin a conversion in dash.
    """
    escaped = []
    for character in text:
        if character == "\\":
            escaped.append("\\\\")
        elif character == "\n":
            escaped.append("\\n")
        elif character in "'%{" or ord(character) < 32 or ord(character) == 127:
            escaped.append(f"\\0{ord(character):03o}")
        else:
            escaped.append(character)
    return "'" + "".join(escaped) + "'"


def printed(text: str) -> list[str]:
    """Shell commands that print `text`, one for each of its lines, or for each piece of a very long one."""
    pieces = [
        line[start : start + _PIECE]
        for line in text.splitlines(keepends=True)
        for start in range(0, len(line), _PIECE)
    ]
    return [f"printf %b {byte_string(piece)}" for piece in pieces] or [":"]


def end_mark(text: str) -> str:
    """The end mark of a heredoc that holds `text`: a word that is none of its lines."""
    lines = {line.rstrip("\r") for line in text.split("\n")}
    mark, number = "EOF", 1
    while mark in lines:
        number += 1
        mark = f"EOF_{number}"
    return mark


def feeds(command: str, text: str, *, in_def: bool) -> list[str]:
    """Shell lines that run `command` with `text` as its input; a readable heredoc where the format allows it.

    With `in_def`, no line of the result is one that a def file's reader would take for something of its own.
    """
    if not readable(text, in_def=in_def):
        return ["{", *(f"    {line}" for line in printed(text)), f"}} | {command}"]
    mark = end_mark(text)
    return [f"{command} <<'{mark}'", *text.split("\n")[:-1], mark]


def writes(path: str, text: str, *, in_def: bool) -> list[str]:
    """Shell lines that write `text` to the file `path`, like `feeds`."""
    if not text:
        return [f": > {quote(path)}"]
    if not readable(text, in_def=in_def):
        return ["{", *(f"    {line}" for line in printed(text)), f"}} > {quote(path)}"]
    return feeds(f"cat > {quote(path)}", text, in_def=in_def)


def readable(text: str, *, in_def: bool) -> bool:
    """Whether the text may stand in a recipe as it is, in a heredoc."""
    return _heredoc_holds(text) and (not in_def or def_holds(text))


def _heredoc_holds(text: str) -> bool:
    """Whether a heredoc can hold the text: it ends in a newline, or is empty, and has no overlong line."""
    if text and not text.endswith("\n"):
        return False
    return len(text) < LONGEST_LINE // 4 or all(
        len(line.encode()) < LONGEST_LINE for line in text.split("\n")
    )


def def_holds(text: str) -> bool:
    """Whether a def file's reader leaves the text alone.

    It takes a line whose first word starts with `%` for a section, `Bootstrap:` at the start of a line for a
    stage, `{{ name }}` for an argument, and drops a carriage return at the end of a line (Apptainer,
    pkg/build/types/parser/deffile.go and internal/pkg/build/args/reader.go).
    """
    return not ("\r" in text or "{{" in text or _SECTION.search(text) or _STAGE.search(text))


def docker_value(text: str) -> str:
    """A quoted value of `ENV` or `LABEL` that means exactly `text`, which holds no newline."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def docker_paths(*paths: str) -> str:
    """The operands of `COPY` and `ADD`: names without wildcards and variables, the last the destination."""
    # an address is none of the context's names
    plain = [_docker_expanded(p if "://" in p else _GLOB.sub(r"\\\1", p)) for p in paths[:-1]]
    plain.append(_docker_expanded(paths[-1]))
    if any(re.search(r"[\s\[\"]", path) for path in plain):
        return docker_list(*plain)
    return " ".join(plain)


def docker_directory(path: str) -> str:
    """The operand of `WORKDIR`."""
    return path if _PLAIN_WORD.match(path) else docker_value(path)


def _docker_expanded(text: str) -> str:
    """What BuildKit's expansion of variables, quotes and backslashes turns into `text`."""
    return re.sub(r"([\\$'\"])", r"\\\1", text)


def docker_list(*texts: str) -> str:
    """The JSON form of an instruction's operands."""
    return json.dumps(texts, ensure_ascii=False)


def ignore_pattern(path: str) -> str:
    """A line of a `.dockerignore` that names one path, which holds no newline, and what is below it."""
    escaped = re.sub(r"([*?\[\]\\!])", r"\\\1", path)
    if escaped != escaped.strip():
        escaped = re.sub(r"\A\s|\s\Z", lambda blank: f"[{blank.group()}]", escaped)
    return escaped


def comment(text: str) -> str:
    """Text as a comment of a recipe can hold it: one line, nothing in it that a def's reader looks for."""
    return without_arguments(" ".join(text.split()))


def without_arguments(text: str) -> str:
    """Prose in which a def's reader finds no `{{`: a blank stands between two braces."""
    return _BRACES.sub("{ ", text)
