"""One RUN for one step, or for several where a graph has more steps than an image may have layers.

Nothing is a COPY: that gives the directories that it makes or changes the time at which it does so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from posixpath import dirname, normpath
from typing import assert_never

from reproc.graph import (
    INPUTS,
    MOUNT,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    Run,
    Script,
    SetEnv,
    Step,
    WriteFile,
)
from reproc.target.quoting import export, feeds, quote
from reproc.target.shell import isolated, surroundings, write_file

_SCRIPT = "/.reproc.script"
_TAR = "/.reproc.tar"
_CONTEXT = f"{MOUNT}/reproc-context"
_PLAIN = re.compile(r"[A-Za-z0-9._/+@%-]+")
"""Paths that an option of RUN takes as they are."""
_CANONICAL = "--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX"


@dataclass
class Shared:
    """What one RUN needs to do the work of its steps."""

    names: dict[str, str]
    git_stages: dict[FetchGit, str]
    lines: list[str] = field(default_factory=list)
    mounts: dict[str, str] = field(default_factory=dict)
    """The places of what is mounted, by the options that do that."""
    network: bool = False

    def add_alone(self, step: Step) -> None:
        """Adds the only step's commands, which need no shell of their own."""
        match step:
            case Run():
                self._add_inputs(step)
                self.lines += step.lines
            case Script() if step.shell == "/bin/sh":
                self.network |= step.network
                self.lines += [*surroundings(step), *step.text.removesuffix("\n").split("\n")]
            case _:
                self.add(step)

    def add(self, step: Step) -> None:
        """Adds a step's commands after those of the earlier ones, in a shell of their own."""
        match step:
            case Run():
                self._add_inputs(step)
                self.lines += ["(", *step.lines, ") < /dev/null"]
            case Script():
                self.network |= step.network
                self.lines += [*isolated(step, _SCRIPT, in_def=False), f"rm {_SCRIPT}"]
            case WriteFile():
                self.lines += write_file(step, in_def=False)
            case CopyIn():
                self.lines += _pack_listed(step, self._from_context(step.source)) if step.files else []
                self.lines += _unpack(step.into, packed=bool(step.files))
            case CopyFile():
                self._copy_file(step)
            case FetchGit():
                place = self._place(f"from={self.git_stages[step]}")
                self.lines.append(f"tar -C {place} {_CANONICAL} -cf {_TAR} .")
                self.lines += _unpack(step.into, packed=True)
            case CopyKept():
                place = self._place(f"from={self.names[step.stage]}")
                members = " ".join(quote(f".{path.rstrip('/')}") for path in step.paths)
                self.lines.append(f"tar -C {place} --numeric-owner -cpf {_TAR} {members}")
                self.lines += _unpack("/", packed=True)
            case SetEnv():
                self.lines += [export(each.name, each.value) for each in step.variables]
            case _:
                assert_never(step)

    def _add_inputs(self, step: Run) -> None:
        for mount in step.mounts:
            self._mount(f"source={INPUTS}/{mount}", f"{MOUNT}/{mount}")
        for name in step.settings:
            # `--secret id=NAME,src=FILE` gives it, and no layer keeps it
            self.mounts[f"--mount=type=secret,id={name},target={MOUNT}/{name}"] = f"{MOUNT}/{name}"
        self.network |= step.network

    def _copy_file(self, step: CopyFile) -> None:
        path, source = quote(step.path), quote(self._from_context(step.source))
        self.lines += [f"mkdir -p {quote(dirname(step.path))}"] if dirname(step.path) != "/" else []
        self.lines += [f"cat {source} > {path}", f"chmod {'0755' if step.executable else '0644'} {path}"]

    def _place(self, source: str) -> str:
        """Mounts something at a place of its own."""
        target = f"{MOUNT}/reproc-{len(self.mounts) + 1}"
        self._mount(source, target)
        return target

    def _from_context(self, source: str) -> str:
        """Mounts a file or a folder of the context; all of the context if an option cannot name it."""
        source = normpath(source)
        if source != "." and _PLAIN.fullmatch(source):
            return self._place(f"source={source}")
        self.mounts[f"--mount=type=bind,target={_CONTEXT}"] = _CONTEXT
        return normpath(f"{_CONTEXT}/{source}")

    def _mount(self, source: str, target: str) -> None:
        self.mounts[f"--mount=type=bind,{source},target={target}"] = target


def _pack_listed(step: CopyIn, place: str) -> list[str]:
    """Lines that put the listed files of a mounted folder into a tar, with canonical modes and owners."""
    names = "".join(f"./{normpath(name)}\n" for name in step.files)
    command = f"tar -C {quote(place)} --no-recursion --verbatim-files-from --no-unquote"
    return feeds(f"{command} {_CANONICAL} -cf {_TAR} -T -", names, in_def=False)


def _unpack(into: str, *, packed: bool) -> list[str]:
    """Lines that make the directory and unpack the tar there, if there is one."""
    lines = [] if into == "/" else [f"mkdir -p {quote(into)}"]
    if packed:
        lines += [f"tar -C {quote(into)} --numeric-owner -xpf {_TAR}", f"rm {_TAR}"]
    return lines or [":"]
