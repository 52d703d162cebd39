"""The instructions of each kind of step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reproc.graph import (
    BuildGraph,
    FetchGit,
    Run,
    Script,
    SetEnv,
    Stage,
    Step,
    Variable,
)
from reproc.record import record
from reproc.target.layers import Plan
from reproc.target.quoting import docker_paths, docker_value, end_mark, export
from reproc_backends.docker.shared import Shared

_FOREIGN = ("/dev", "/proc", "/sys", "/etc/hosts", "/etc/resolv.conf")
"""What an engine mounts into a step, beside the step's own mounts."""
_ENDS_THE_SHELL = re.compile(r"\b(exec|trap)\b")


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
                        yield Emitted((step,), [self._together((step,), passing)])
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
            if len(steps) == 1 and not _ENDS_THE_SHELL.search(_written(step)):
                shared.add_alone(step)
            else:
                shared.add(step)
        return _run(shared)


def fetched(step: FetchGit) -> str:
    """The instruction that fetches a commit.

    BuildKit takes submodules along, each with a file that only git needs, unless it is told otherwise, which it
    understands from 0.24 on (release notes of Dockerfile 1.18).
    """
    query = f"?commit={step.commit}&submodules=false" if step.alone else f"#{step.commit}"
    return f"ADD {docker_paths(f'{step.url}{query}', '/')}"


def _git_stages(plan: Plan, taken: set[str]) -> dict[FetchGit, str]:
    """A stage of its own for every commit: an ADD would be an instruction, and a layer, of its own."""
    groups = (group for groups in plan.values() for group in groups)
    fetched = dict.fromkeys(step for group in groups for step in group.steps if isinstance(step, FetchGit))
    free = (f"git-{n}" for n in range(1, len(fetched) + len(taken) + 1) if f"git-{n}" not in taken)
    return dict(zip(fetched, free, strict=False))


def block(instruction: str, pairs: list[str]) -> list[str]:
    """One instruction over several lines, a pair on each."""
    indent = " " * (len(instruction) + 1)
    first, *rest = pairs
    lines = [f"{instruction} {first}", *(f"{indent}{pair}" for pair in rest)]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _written(step: Step) -> str:
    """The author's commands, or ours, of which a step consists."""
    return step.text if isinstance(step, Script) else "\n".join(step.lines) if isinstance(step, Run) else ""


def _run(shared: Shared) -> list[str]:
    """A RUN whose script is a file of its own: no instruction's shell, no limit of an argument's length."""
    mounts, network = shared.mounts, shared.network
    script = ["#!/bin/sh", "set -eu", "umask 022", settled(mounts.values()), *shared.lines]
    mark = end_mark("\n".join(script))
    flags = [*([] if network else ["--network=none"]), *mounts]
    if len(flags) <= 1:
        return [" ".join(["RUN", *flags, f"<<'{mark}'"]), *script, mark]
    *heads, last = flags
    opening = [f"RUN {heads[0]} \\", *(f"    {flag} \\" for flag in heads[1:]), f"    {last} <<'{mark}'"]
    return [*opening, *script, mark]


def settled(mounts: Iterable[str]) -> str:
    """A line that has the step end with no file of the image's own being newer than the lock.

    So the layer is the same each time, without a builder that writes it anew (`rewrite-timestamp`), and is packed once.
    """
    foreign = " -o ".join(f"-path {each}" for each in (*_FOREIGN, *mounts))
    when = '"@$SOURCE_DATE_EPOCH"'
    return (
        f"trap 'find / -xdev \\( {foreign} \\) -prune -o -newermt {when} -exec touch -hd {when} {{}} +' EXIT"
    )
