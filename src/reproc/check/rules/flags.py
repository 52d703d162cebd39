"""What a build's `flags` tell compilers is known: of the processor to its GCC, of the GPUs by their names."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.catalog import flags, processors
from reproc.check.checked import Target
from reproc.check.tools import flags_of, tools_of
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Build, Item


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    for build in target.builds:
        for item in build.flags:
            if item.text == "cpu" and target.cpu:
                yield from _processor(target, target.cpu, build, item)
            elif item.text == "gpu" and target.cuda and not target.cuda.arch:
                cuda = Label(target.cuda.origin, "no `arch`")
                yield error(codes.FLAGS_WITHOUT_GPU, item.origin, cuda, version=target.cuda.version)


def _processor(target: Target, cpu: Item, build: Build, item: Item) -> Iterator[Diagnostic]:
    level = processors.level(cpu.text)
    if level is None or flags_of(target, build) is not None:
        return
    compilers = [f"{tool.name} {tool.version}" for tool in tools_of(target, build)]
    without = " ".join(each.text for each in target.without)
    since = flags.known_since(level)
    known = flags.flags(level, frozenset(processors.feature(each.text) for each in target.without), None)
    yield error(
        codes.FLAGS_UNKNOWN,
        item.origin,
        Label(cpu.origin, "what they should say"),
        compilers=f" of {' and '.join(compilers)}" if compilers else "",
        level=f"{cpu.text} without {without}" if without else cpu.text,
        since=since if known else None,
    )
