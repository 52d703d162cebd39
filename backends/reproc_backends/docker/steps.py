"""The instructions of each kind of step."""

from __future__ import annotations

from collections.abc import Iterator
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
from reproc.record import record
from reproc.target.layers import Plan
from reproc.target.quoting import (
    docker_paths,
    docker_value,
    end_mark,
    export,
    heredoc_holds,
    quote,
)
from reproc.target.shell import surroundings, write_file
from reproc_backends.docker.shared import CONTEXT_MOUNT, Shared, pack_listed, secret, unpack

CANONICAL = "--chmod=u=rwX,go=rX"


@record
class Emitted:
    """Steps and their instructions, each a list of lines."""

    steps: tuple[Step, ...]
    instructions: list[list[str]]


class StepEmitter:
    """Turns steps into instructions."""

    def __init__(self, graph: BuildGraph, names: dict[str, str], plan: Plan) -> None:
        self._names = names
        self._plan = plan
        self._context = _copied_in(graph)
        self.git_stages = _git_stages(plan, set(names.values()))

    def of_stage(
        self, stage: Stage, passing: dict[str, Variable], lasting: frozenset[str] | None
    ) -> Iterator[Emitted]:
        """The stage's steps.

        `lasting` are the names that may become ENV (None: all may); other variables are exported by each step
        and kept in `passing`, which children of the stage go on with.
        """
        for group in self._plan[stage.name]:
            if group.together:
                yield Emitted(group.steps, [self._together(group.steps, passing)])
                sets = [step for step in group.steps if isinstance(step, SetEnv)]
            else:
                sets = []
                for step in group.steps:
                    if isinstance(step, SetEnv):
                        yield from self._set(step, passing, lasting)
                    else:
                        yield Emitted((step,), self._instructions(step, passing))
            for step in sets:
                yield from self._set(step, passing, lasting)

    def _set(
        self, step: SetEnv, passing: dict[str, Variable], lasting: frozenset[str] | None
    ) -> Iterator[Emitted]:
        env = [each for each in step.variables if lasting is None or each.name in lasting]
        for each in env:
            passing.pop(each.name, None)
        passing.update({each.name: each for each in step.variables if each not in env})
        if env:
            pairs = [f"{each.name}={docker_value(each.value)}" for each in env]
            yield Emitted((step,), [block("ENV", pairs)])

    def _together(self, steps: tuple[Step, ...], passing: dict[str, Variable]) -> list[str]:
        shared = Shared(self._names, self.git_stages)
        shared.lines += [export(each.name, each.value) for each in passing.values()]
        for step in steps:
            shared.add(step)
        return _run(shared.lines, mounts=list(shared.mounts), network=shared.network)

    def _instructions(self, step: Step, passing: dict[str, Variable]) -> list[list[str]]:
        exports = [export(each.name, each.value) for each in passing.values()]
        match step:
            case Run():
                mounts = [_bind(f"{INPUTS}/{mount}", f"{MOUNT}/{mount}") for mount in step.mounts]
                mounts += map(secret, step.settings)
                return [_run([*exports, *step.lines], mounts=mounts, network=step.network)]
            case Script():
                text = [*exports, *surroundings(step), *_lines(step.text)]
                return [_run(text, shell=step.shell, network=step.network)]
            case WriteFile():
                return [_write(step)]
            case CopyIn():
                return [self._copy_in(step)]
            case CopyFile():
                mode = "--chmod=0755" if step.executable else CANONICAL
                return [[f"COPY {mode} {docker_paths(step.source, step.path)}"]]
            case FetchGit():
                return [[fetched(step, f"{step.into.rstrip('/')}/")]]
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
        return _run([*pack_listed(step), *unpack(step.into, packed=True)], mounts=[CONTEXT_MOUNT])


def fetched(step: FetchGit, into: str) -> str:
    """The instruction that fetches a commit into a directory.

    BuildKit takes submodules along, each with a file that only git needs, unless it is told otherwise, which it
    understands from 0.24 on (release notes of Dockerfile 1.18).
    """
    query = f"?commit={step.commit}&submodules=false" if step.alone else f"#{step.commit}"
    return f"ADD {CANONICAL} {docker_paths(f'{step.url}{query}', into)}"


def _git_stages(plan: Plan, taken: set[str]) -> dict[FetchGit, str]:
    """A stage of its own for every commit that a shared RUN needs; an ADD is an instruction in any case."""
    groups = (group for groups in plan.values() for group in groups if group.together)
    fetched = dict.fromkeys(step for group in groups for step in group.steps if isinstance(step, FetchGit))
    free = (f"git-{n}" for n in range(1, len(fetched) + len(taken) + 1) if f"git-{n}" not in taken)
    return dict(zip(fetched, free, strict=False))


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
    # The list form of COPY takes no heredoc, and a heredoc ends in a newline. COPY gives the directories
    # that it makes the file's own mode, so that they would be as closed as the file.
    sayable = heredoc_holds(step.content) and step.content and not operand.startswith("[")
    if not sayable or step.mode not in (0o644, 0o755):
        return _run(write_file(step, in_def=False))
    mark = end_mark(step.content)
    mode = CANONICAL if step.mode == 0o644 else f"--chmod={step.mode:04o}"
    return [f"COPY {mode} <<'{mark}' {operand}", *_lines(step.content), mark]
