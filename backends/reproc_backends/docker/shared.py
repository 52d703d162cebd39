"""Several steps in one RUN, for graphs with more steps than an image may have layers."""

from __future__ import annotations

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
from reproc.target.shell import isolated, write_file

_SCRIPT = "/.reproc.script"
_TAR = "/.reproc.tar"
_CONTEXT = f"{MOUNT}/reproc-context"
CONTEXT_MOUNT = f"--mount=type=bind,target={_CONTEXT}"
CANONICAL_TAR = "--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX"


@dataclass
class Shared:
    """What one RUN needs to do the work of several steps, each in a shell of its own."""

    names: dict[str, str]
    git_stages: dict[FetchGit, str]
    lines: list[str] = field(default_factory=list)
    mounts: dict[str, None] = field(default_factory=dict)
    network: bool = False

    def add(self, step: Step) -> None:
        """Adds a step's commands after those of the earlier ones."""
        match step:
            case Run():
                for mount in step.mounts:
                    self._mount(f"source={INPUTS}/{mount}", f"{MOUNT}/{mount}")
                self.mounts.update(dict.fromkeys(map(secret, step.settings)))
                self.network |= step.network
                self.lines += ["(", *step.lines, ") < /dev/null"]
            case Script():
                self.network |= step.network
                self.lines += [*isolated(step, _SCRIPT, in_def=False), f"rm {_SCRIPT}"]
            case WriteFile():
                self.lines += write_file(step, in_def=False)
            case CopyIn():
                self.lines += pack_listed(step) if step.files else []
                self.lines += unpack(step.into, packed=bool(step.files))
                self.mounts[CONTEXT_MOUNT] = None
            case CopyFile():
                self._copy_file(step)
                self.mounts[CONTEXT_MOUNT] = None
            case FetchGit():
                place = self._place(f"from={self.git_stages[step]}")
                self.lines.append(f"tar -C {place} {CANONICAL_TAR} -cf {_TAR} .")
                self.lines += unpack(step.into, packed=True)
            case CopyKept():
                place = self._place(f"from={self.names[step.stage]}")
                members = " ".join(quote(f".{path.rstrip('/')}") for path in step.paths)
                self.lines.append(f"tar -C {place} --numeric-owner -cpf {_TAR} {members}")
                self.lines += unpack("/", packed=True)
            case SetEnv():
                self.lines += [export(each.name, each.value) for each in step.variables]
            case _:
                assert_never(step)

    def _copy_file(self, step: CopyFile) -> None:
        path, source = quote(step.path), quote(normpath(f"{_CONTEXT}/{step.source}"))
        self.lines += [f"mkdir -p {quote(dirname(step.path))}"] if dirname(step.path) != "/" else []
        self.lines += [f"cat {source} > {path}", f"chmod {'0755' if step.executable else '0644'} {path}"]

    def _place(self, source: str) -> str:
        """Mounts something at a place of its own."""
        target = f"{MOUNT}/reproc-{len(self.mounts) + 1}"
        self._mount(source, target)
        return target

    def _mount(self, source: str, target: str) -> None:
        self.mounts[f"--mount=type=bind,{source},target={target}"] = None


def secret(name: str) -> str:
    """The option that shows a step a setting, which `--secret id=NAME,src=FILE` gives and no layer keeps."""
    return f"--mount=type=secret,id={name},target={MOUNT}/{name}"


def pack_listed(step: CopyIn) -> list[str]:
    """Lines that put the listed files of the mounted context into a tar, with canonical modes and owners."""
    place = quote(normpath(f"{_CONTEXT}/{step.source}"))
    names = "".join(f"./{normpath(name)}\n" for name in step.files)
    command = f"tar -C {place} --no-recursion --verbatim-files-from --no-unquote"
    return feeds(f"{command} {CANONICAL_TAR} -cf {_TAR} -T -", names, in_def=False)


def unpack(into: str, *, packed: bool) -> list[str]:
    """Lines that make the directory and unpack the tar there, if there is one."""
    lines = [] if into == "/" else [f"mkdir -p {quote(into)}"]
    if packed:
        lines += [f"tar -C {quote(into)} --numeric-owner -xpf {_TAR}", f"rm {_TAR}"]
    return lines or [":"]
