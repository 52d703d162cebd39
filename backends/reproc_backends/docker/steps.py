"""The instructions of each kind of step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from typing import assert_never

from reproc.graph import (
    INPUTS,
    MOUNT,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    Run,
    Script,
    SetEnv,
    Stage,
    Step,
    Variable,
    WriteFile,
)
from reproc.target.quoting import (
    docker_paths,
    docker_value,
    end_mark,
    export,
    feeds,
    heredoc_holds,
    quote,
)
from reproc.target.shell import surroundings, write_file

CANONICAL = "--chmod=u=rwX,go=rX"


@dataclass(frozen=True)
class Emitted:
    """A step and its instructions, each a list of lines."""

    step: Step
    instructions: list[list[str]]


class StepEmitter:
    """Turns steps into instructions."""

    def __init__(self, graph: BuildGraph, names: dict[str, str]) -> None:
        self._names = names
        self._context = _copied_in(graph)

    def of_stage(
        self, stage: Stage, passing: dict[str, Variable], lasting: frozenset[str] | None
    ) -> Iterator[Emitted]:
        """The stage's steps.

        `lasting` are the names that may become ENV (None: all may); other variables are exported by each step
        and kept in `passing`, which children of the stage go on with.
        """
        for step in stage.steps:
            if not isinstance(step, SetEnv):
                yield Emitted(step, self._instructions(step, passing))
                continue
            env = [each for each in step.variables if lasting is None or each.name in lasting]
            for each in env:
                passing.pop(each.name, None)
            passing.update({each.name: each for each in step.variables if each not in env})
            if env:
                pairs = [f"{each.name}={docker_value(each.value)}" for each in env]
                yield Emitted(step, [block("ENV", pairs)])

    def _instructions(self, step: Step, passing: dict[str, Variable]) -> list[list[str]]:
        exports = [export(each.name, each.value) for each in passing.values()]
        match step:
            case Run():
                mounts = [_bind(f"{INPUTS}/{mount}", f"{MOUNT}/{mount}") for mount in step.mounts]
                return [_run([*exports, *step.lines], mounts=mounts, network=step.network)]
            case Script():
                text = [*exports, *surroundings(step), *_lines(step.text)]
                return [_run(text, shell=step.shell, network=step.network)]
            case WriteFile():
                return [_write(step)]
            case CopyIn():
                return [self._copy_in(step)]
            case CopyFile():
                mode = "0755" if step.executable else "0644"
                return [[f"COPY --chmod={mode} {docker_paths(step.source, step.path)}"]]
            case FetchGit():
                return [[f"ADD {CANONICAL} {docker_paths(f'{step.url}#{step.commit}', f'{step.into}/')}"]]
            case CopyKept():
                stage = self._names[step.stage]
                return [[f"COPY --from={stage} {docker_paths(path, path)}"] for path in step.paths]
            case SetEnv():
                raise AssertionError("settings are no instructions of their own")
            case _:
                assert_never(step)

    def _copy_in(self, step: CopyIn) -> list[str]:
        """A COPY of the folder, or, where the context holds more of it than this step copies, of a list."""
        into = quote(step.into)
        if not step.files:
            return _run([f"mkdir -p {into}"])
        prefix = "" if normpath(step.source) == "." else f"{normpath(step.source)}/"
        others = {path for path in self._context if path.startswith(prefix)}
        if others <= {joined_path(step.source, name) for name in step.files}:
            return [f"COPY {CANONICAL} {docker_paths(step.source, step.into.rstrip('/') + '/')}"]
        names = "".join(f"./{normpath(name)}\n" for name in step.files)
        pack = f"tar -C {MOUNT} --no-recursion --verbatim-files-from --no-unquote --owner=0 --group=0"
        pack += " --numeric-owner --mode=u=rwX,go=rX -cf /.reproc.tar -T -"
        unpack = [f"mkdir -p {into}", f"tar -C {into} --numeric-owner -xpf /.reproc.tar", "rm /.reproc.tar"]
        return _run([*feeds(pack, names, in_def=False), *unpack], mounts=[_bind(step.source, MOUNT)])


def block(instruction: str, pairs: list[str]) -> list[str]:
    """One instruction over several lines, a pair on each."""
    indent = " " * (len(instruction) + 1)
    first, *rest = pairs
    lines = [f"{instruction} {first}", *(f"{indent}{pair}" for pair in rest)]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def joined_path(source: str, name: str) -> str:
    """A file's path from the context's top."""
    return normpath(f"{source}/{name}")


def _copied_in(graph: BuildGraph) -> frozenset[str]:
    found: set[str] = set()
    for stage in graph.stages:
        for step in stage.steps:
            if isinstance(step, CopyIn):
                found.update(joined_path(step.source, name) for name in step.files)
            elif isinstance(step, CopyFile):
                found.add(normpath(step.source))
    return frozenset(found)


def _bind(source: str, target: str) -> str:
    return f"--mount=type=bind,source={source},target={target}"


def _lines(text: str) -> list[str]:
    """The lines of a script; a last one without its newline is a line too."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _run(
    body: list[str], *, shell: str = "/bin/sh", mounts: list[str] | None = None, network: bool = False
) -> list[str]:
    """A RUN whose script is a file of its own: no instruction's shell, no limit of an argument's length."""
    script = [f"#!{shell}", "set -eu", "umask 022", *body]
    mark = end_mark("\n".join(script))
    flags = [*([] if network else ["--network=none"]), *(mounts or [])]
    if len(flags) <= 1:
        return [" ".join(["RUN", *flags, f"<<'{mark}'"]), *script, mark]
    *heads, last = flags
    opening = [f"RUN {heads[0]} \\", *(f"    {flag} \\" for flag in heads[1:]), f"    {last} <<'{mark}'"]
    return [*opening, *script, mark]


def _write(step: WriteFile) -> list[str]:
    operand = docker_paths(step.path)
    # The list form of COPY takes no heredoc, and a heredoc ends in a newline.
    if operand.startswith("[") or not heredoc_holds(step.content) or not step.content:
        return _run(write_file(step, in_def=False))
    mark = end_mark(step.content)
    return [f"COPY --chmod={step.mode:04o} <<'{mark}' {operand}", *_lines(step.content), mark]
