"""What no recipe can say, found before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from reproc.diagnostics.codes.build import (
    BAD_COMMIT,
    BAD_CONTEXT_PATH,
    BAD_IMAGE_PATH,
    BAD_IMAGE_REFERENCE,
    BAD_SHELL,
    GIT_ADDRESS,
    UNSAYABLE_FILE,
    UNSAYABLE_NAME,
    UNSAYABLE_TEXT,
)
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.graph import (
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Image,
    Rootfs,
    Run,
    Runtime,
    Script,
    SetEnv,
    Stage,
    Step,
    Variable,
    WriteFile,
)
from reproc.source import Span
from reproc.target.quoting import LONGEST_LINE

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*\Z")
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_STAGE = re.compile(r"[a-z0-9_-]+\Z")
_MOUNT = re.compile(r"[A-Za-z0-9._+@~/-]+\Z")
_SHELL = re.compile(r"/[A-Za-z0-9._+/-]+\Z")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\Z")
_GIT = re.compile(r"(https?|git)://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~/+%-]+\.git\Z")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def unsayable(graph: BuildGraph) -> Iterator[Diagnostic]:
    """Everything in the graph that a recipe format cannot hold, in the graph's order.

    Raises ValueError for a graph that is broken in itself, which no spec can cause.
    """
    known: set[str] = set()
    for stage in graph.stages:
        _whole(stage, known)
        yield from _base(stage)
        for step in stage.steps:
            yield from _text(f"the title `{_shown(step.title)}`", step.title, step.origin)
            yield from _step(step)
    if not graph.stages:
        raise ValueError("a graph has at least one stage")
    yield from _runtime(graph.runtime)
    for note in (graph.target, graph.platform, graph.spec_path, *graph.notes):
        yield from _text("the head of the recipe", note, None)


def _whole(stage: Stage, known: set[str]) -> None:
    """Notes the stage; it is new, has a name that can be written, and needs earlier ones only."""
    needed = {step.stage for step in stage.steps if isinstance(step, CopyKept)}
    if isinstance(stage.base, FromStage):
        needed.add(stage.base.stage)
    if not needed <= known or stage.name in known or not _STAGE.match(stage.name):
        raise ValueError(f"stage {stage.name!r} has a bad name or needs stages that are not before it")
    known.add(stage.name)


def _base(stage: Stage) -> Iterator[Diagnostic]:
    match stage.base:
        case Rootfs(path=path):
            yield from _context(path, stage.origin)
        case Image(reference=reference, digest=digest):
            if not _REFERENCE.match(reference):
                yield error(BAD_IMAGE_REFERENCE, stage.origin, reference=_shown(reference))
            if digest is not None and not _DIGEST.match(digest):
                yield error(BAD_IMAGE_REFERENCE, stage.origin, reference=_shown(f"{reference}@{digest}"))
        case FromStage():
            pass
        case _:
            assert_never(stage.base)


def _step(step: Step) -> Iterator[Diagnostic]:
    match step:
        case Run():
            for line in step.lines:
                yield from _text("a command", line, step.origin, lines=True)
            for mount in step.mounts:
                yield from _context(mount, step.origin, allowed=_MOUNT)
        case Script():
            yield from _text("the script", step.text, step.origin, lines=True)
            yield from _place(step.workdir, "a working directory", step.origin, root=True)
            yield from _variables(step.environment, step.origin)
            if not _SHELL.match(step.shell):
                yield error(BAD_SHELL, step.origin, shell=_shown(step.shell))
        case WriteFile():
            yield from _place(step.path, "a file", step.origin)
            yield from _text(f"the file `{_shown(step.path)}`", step.content, step.origin)
        case CopyIn():
            yield from _place(step.into, "files", step.origin, root=True)
            if step.source != ".":
                yield from _context(step.source, step.origin)
            for name in step.files:
                yield from _file(name, step.origin)
        case CopyFile():
            yield from _place(step.path, "a file", step.origin)
            yield from _file(step.source, step.origin)
        case FetchGit():
            yield from _place(step.into, "files", step.origin, root=True)
            if not _COMMIT.match(step.commit):
                yield error(BAD_COMMIT, step.origin, commit=_shown(step.commit))
            if not _GIT.match(step.url):
                yield error(GIT_ADDRESS, step.origin, url=_shown(step.url), commit=_shown(step.commit))
        case CopyKept():
            for path in step.paths:
                yield from _place(path, "something that is kept", step.origin)
        case SetEnv():
            yield from _variables(step.variables, step.origin)
        case _:
            assert_never(step)


def _runtime(runtime: Runtime) -> Iterator[Diagnostic]:
    yield from _variables(runtime.environment, None)
    yield from _place(runtime.workdir, "a working directory", None, root=True)
    for name, value in runtime.labels:
        if not _LABEL.match(name):
            allowed = "a label's name is made of letters, digits, `.`, `_`, `/` and `-`"
            yield error(UNSAYABLE_NAME, None, name=_shown(name), what="a label", allowed=allowed)
        yield from _text(f"the label `{_shown(name)}`", value, None, one_line=True)
    for app in runtime.apps:
        if not _APP.match(app.name):
            allowed = "an app's name is made of letters, digits, `.`, `_` and `-`"
            yield error(UNSAYABLE_NAME, app.origin, name=_shown(app.name), what="an app", allowed=allowed)
        yield from _text(f"the help of `{_shown(app.name)}`", app.help or "", app.origin, lines=True)


def _variables(variables: tuple[Variable, ...], origin: Span | None) -> Iterator[Diagnostic]:
    for variable in variables:
        if not _VARIABLE.match(variable.name):
            allowed = "a variable's name is made of letters, digits and `_`, and starts with no digit"
            name = _shown(variable.name)
            yield error(UNSAYABLE_NAME, origin, name=name, what="a variable", allowed=allowed)
        yield from _text(f"the variable `{_shown(variable.name)}`", variable.value, origin, one_line=True)


def _text(
    what: str, text: str, origin: Span | None, *, one_line: bool = False, lines: bool = False
) -> Iterator[Diagnostic]:
    """What keeps a text out of a recipe; `lines` if it must stand there line by line as it is."""
    found = None
    if "\0" in text:
        found = "a NUL character"
    elif _SURROGATE.search(text):
        found = "bytes that are no UTF-8"
    elif one_line and (control := _CONTROL.search(text.replace("\t", ""))):
        found = "a newline" if control.group() == "\n" else "a control character"
    elif (one_line or lines) and any(len(line.encode()) >= LONGEST_LINE for line in text.split("\n")):
        found = f"a line of {LONGEST_LINE:,} bytes or more"
    if found:
        yield error(UNSAYABLE_TEXT, origin, what=what, found=found)


def _file(name: str, origin: Span | None) -> Iterator[Diagnostic]:
    """What keeps a file's name out of a list of names, one a line."""
    found = "a control character" if _CONTROL.search(name) else None
    if _SURROGATE.search(name):
        found = "bytes that are no UTF-8"
    if found:
        yield error(UNSAYABLE_FILE, origin, name=repr(name), found=found)
    yield from _context(name, origin)


def _place(path: str, what: str, origin: Span | None, *, root: bool = False) -> Iterator[Diagnostic]:
    parts = path.split("/")
    if (
        not path.startswith("/")
        or ".." in parts
        or "." in parts
        or _CONTROL.search(path)
        or _SURROGATE.search(path)
        or (not root and not path.strip("/"))
        or len(path.encode(errors="replace")) > 4096
    ):
        yield error(BAD_IMAGE_PATH, origin, path=_shown(path), what=what)


def _context(path: str, origin: Span | None, allowed: re.Pattern[str] | None = None) -> Iterator[Diagnostic]:
    bad = not path or path.startswith("/") or ".." in path.split("/") or bool(_CONTROL.search(path))
    if bad or _SURROGATE.search(path) or (allowed and not allowed.match(path)):
        yield error(BAD_CONTEXT_PATH, origin, path=_shown(path))


def _shown(text: str) -> str:
    """The text as a message can show it."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= 80 else shown[:77] + "…"
