"""Steps as lines of POSIX shell, for where several stand in one script."""

from __future__ import annotations

from posixpath import dirname

from reproc.graph import ACTIVATION, Activation, Script, WriteFile
from reproc.target.quoting import export, quote, writes


def surroundings(step: Script) -> list[str]:
    """Lines that bring a shell to where the author's text is to run."""
    return [f"cd {quote(step.workdir)}", *(export(each.name, each.value) for each in step.environment)]


def isolated(step: Script, file: str, *, in_def: bool, by: str = "exec") -> list[str]:
    """Lines that run the author's text in a shell of its own, from `file`, which they write.

    It reads nothing from whoever builds, as in a RUN of Docker. `by` is the command that starts the shell.
    """
    text = step.text if step.text.endswith("\n") else f"{step.text}\n"
    start = f"{by} {step.shell} -eu {file} < /dev/null"
    return [*writes(file, text, in_def=in_def), "(", *surroundings(step), start, ")"]


def write_file(step: WriteFile, *, in_def: bool) -> list[str]:
    """Lines that make the file, its missing parents and its mode."""
    lines = [f"mkdir -p {quote(dirname(step.path))}"] if dirname(step.path) != "/" else []
    lines += writes(step.path, step.content, in_def=in_def)
    return [*lines, f"chmod {step.mode:04o} {quote(step.path)}"]


def activate(made: Activation, leave: str) -> list[str]:
    """Lines that activate an environment, unless that was done; `leave` is what they do where it fails."""
    return [
        f'if [ "${{{made.variable}:-}}" != {made.mark} ]; then',
        f"    _reproc_made=$({ACTIVATION}) || {leave}",
        '    eval "$_reproc_made"',
        "    unset _reproc_made",
        f"    export {made.variable}={made.mark}",
        "fi",
    ]
