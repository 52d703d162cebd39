"""Steps as lines of POSIX shell, for where several stand in one script."""

from __future__ import annotations

from posixpath import dirname

from reproc.graph import Script, WriteFile
from reproc.target.quoting import export, quote, words, writes

LONGEST_ARGUMENT = 100_000
"""Bytes; Linux takes 131,072 for one argument of a program (execve(2), MAX_ARG_STRLEN)."""


def surroundings(step: Script) -> list[str]:
    """Lines that bring a shell to where the author's text is to run."""
    return [f"cd {quote(step.workdir)}", *(export(each.name, each.value) for each in step.environment)]


def shell_holds(step: Script) -> bool:
    """Whether the author's text can be one argument of a shell."""
    return len(step.text.encode()) < LONGEST_ARGUMENT


def isolated(step: Script) -> list[str]:
    """Lines that run the author's text in a shell of its own, from within another script."""
    return ["(", *surroundings(step), f"exec {words(step.shell, '-eu', '-c', step.text)} < /dev/null", ")"]


def write_file(step: WriteFile, *, in_def: bool) -> list[str]:
    """Lines that make the file, its missing parents and its mode."""
    lines = [f"mkdir -p {quote(dirname(step.path))}"] if dirname(step.path) != "/" else []
    lines += writes(step.path, step.content, in_def=in_def)
    return [*lines, f"chmod {step.mode:04o} {quote(step.path)}"]
