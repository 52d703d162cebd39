"""The lines of each kind of step: on the host in `%setup`, in the image in `%post`."""

from __future__ import annotations

from dataclasses import field
from posixpath import dirname
from typing import assert_never

from reproc.graph import (
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
    WriteFile,
)
from reproc.record import record
from reproc.target.quoting import def_holds, export, quote, writes
from reproc.target.shell import isolated, write_file
from reproc_backends.singularity.setup import PLACE, fetch_git, pack_file, pack_files

__all__ = ["PLACE", "Kept", "Parts", "StepEmitter"]

_SCRIPT = f"{PLACE}/script"
CLOSED = "_reproc_closed"
"""The shell function that runs a command without a network."""
_LOOPBACK = "socket(S,2,1,0); \\$r=pack(q(a16sx14),q(lo),1); ioctl(S,0x8914,\\$r)"
"""Perl that brings the loopback device up (netdevice(7), SIOCSIFFLAGS), as engines do that cut a network off."""


def closing() -> list[str]:
    """Lines that define `CLOSED`: a def says nothing of networks, so that its steps must do so themselves."""
    return [
        f"{CLOSED}() {{",
        f'    unshare --net /bin/sh -c \'perl -e "{_LOOPBACK}" || :; exec "$@"\' sh "$@"',
        "}",
    ]


@record
class Parts:
    """A step's lines."""

    post: list[str]
    setup: list[str] = field(default_factory=list)
    files: tuple[str, ...] = ()
    """Our own files that lie about in `PLACE` afterwards."""
    marked: bool = True

    @property
    def uses_place(self) -> bool:
        return bool(self.files)


class Kept:
    """The tars in which kept paths cross from stage to stage."""

    def __init__(self, graph: BuildGraph) -> None:
        self._tars: list[tuple[str, CopyKept, str]] = []
        for stage in graph.stages:
            for step in stage.steps:
                if isinstance(step, CopyKept):
                    self._tars.append((stage.name, step, f"{PLACE}.kept-{len(self._tars) + 1}.tar"))

    def tar(self, step: CopyKept, stage: str) -> str:
        """The tar that the step of the stage unpacks."""
        return next(tar for name, each, tar in self._tars if name == stage and each is step)

    def arriving(self, stage: Stage) -> list[tuple[str, list[str]]]:
        """The tars that a stage gets, by the stage they come from."""
        sources: dict[str, list[str]] = {}
        for name, step, tar in self._tars:
            if name == stage.name:
                sources.setdefault(step.stage, []).append(tar)
        return list(sources.items())

    def leaving(self, stage: str) -> list[tuple[CopyKept, str]]:
        """What a stage puts aside for others."""
        return [(step, tar) for _, step, tar in self._tars if step.stage == stage]


class StepEmitter:
    """Turns steps into lines."""

    def __init__(self, kept: Kept, *, some_open: bool = False) -> None:
        """With `some_open`, steps without a network are cut off one by one, since the whole build has one."""
        self._kept = kept
        self._some_open = some_open
        self._number = 0
        self._files: dict[str, dict[str, None]] = {}

    def parts(self, step: Step, stage: str) -> Parts:
        """The step's lines in a stage."""
        parts = self._parts(step, stage)
        self._files.setdefault(stage, {}).update(dict.fromkeys(parts.files))
        return parts

    def removal(self, stage: Stage) -> list[str]:
        """Lines that remove what the steps of a stage left in `PLACE`, each by its name."""
        files = self._files.get(stage.name)
        return [f"rm -f {' '.join(files)}", f"rmdir {PLACE}"] if files else []

    def _parts(self, step: Step, stage: str) -> Parts:
        match step:
            case Run():
                return self._run(step)
            case Script():
                by = CLOSED if self._some_open and not step.network else "exec"
                return Parts(isolated(step, _SCRIPT, in_def=True, by=by), files=(_SCRIPT,))
            case WriteFile():
                return Parts(write_file(step, in_def=True))
            case CopyIn() | FetchGit():
                return self._unpacked(step)
            case CopyFile():
                copy = self._new("file")
                path, mode = quote(step.path), "0755" if step.executable else "0644"
                post = [*_parents(step.path), f"cat {copy} > {path}", f"chmod {mode} {path}", f"rm {copy}"]
                return Parts(post, pack_file(step, copy), (copy,))
            case CopyKept():
                tar = self._kept.tar(step, stage)
                return Parts([f"tar -C / --numeric-owner -xpf {tar}", f"rm {tar}"])
            case SetEnv():
                return Parts([export(each.name, each.value) for each in step.variables], marked=False)
            case _:
                assert_never(step)

    def _run(self, step: Run) -> Parts:
        text = "".join(f"{line}\n" for line in step.lines)
        closed = self._some_open and not step.network
        if def_holds(text) and not closed:
            return Parts(["(", *step.lines, ") < /dev/null"])
        start = f"{CLOSED} /bin/sh" if closed else "/bin/sh"
        lines = [*writes(_SCRIPT, text, in_def=True), f"{start} -eu {_SCRIPT} < /dev/null"]
        return Parts(lines, files=(_SCRIPT,))

    def _unpacked(self, step: CopyIn | FetchGit) -> Parts:
        into = quote(step.into)
        if isinstance(step, CopyIn):
            if not step.files:
                return Parts([f"mkdir -p {into}"])
            tar = self._new("copy")
            setup = pack_files(step, tar)
        else:
            tar = self._new("git")
            setup = fetch_git(step, tar)
        post = [f"mkdir -p {into}", f"tar -C {into} --numeric-owner -xpf {tar}", f"rm {tar}"]
        return Parts(post, setup, (tar,))

    def _new(self, kind: str) -> str:
        self._number += 1
        return f"{PLACE}/{kind}-{self._number}{'' if kind == 'file' else '.tar'}"


def _parents(path: str) -> list[str]:
    parent = dirname(path)
    return [] if parent == "/" else [f"mkdir -p {quote(parent)}"]
