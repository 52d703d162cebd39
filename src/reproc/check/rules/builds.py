"""Builds name what exists, keep what is theirs, and can be put in an order."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.check.names import nearest, unknown
from reproc.check.rules.places import BASE, reserved
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Build
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    named = {build.name: build for build in target.builds}
    declared = {(tool.name.text, tool.version) for tool in target.toolchains}
    inputs = dict.fromkeys((*(code.name for code in target.code), *(data.name for data in target.data)))
    mounted = {data.name: data.origin for data in target.data if data.at == "run"}
    placed = {code.name for code in target.code}
    for build in target.builds:
        yield from _tools(build, declared)
        yield from unknown(codes.UNKNOWN_INPUT, build.inputs, inputs)
        for item in build.inputs:
            if item.text in mounted and item.text not in placed:
                yield error(
                    codes.MOUNTED_INPUT, item.origin, Label(mounted[item.text], "said here"), name=item.text
                )
        yield from _after(build, named)
        if build.on is not None and not build.keep:
            yield error(codes.ON_WITHOUT_KEEP, build.on.origin, name=build.name)
        if not build.commands:
            yield error(codes.NO_COMMANDS, build.origin, name=build.name)
        if target.place(build) is None:
            yield error(codes.NO_PLACE, build.origin, name=build.name)
        for path in build.keep:
            if path.text in BASE or reserved(path.text):
                yield error(codes.KEEP_TOO_MUCH, path.origin, path=path.text, name=build.name)
    yield from _cycles(target.builds, named)


def _tools(build: Build, declared: set[tuple[str, str]]) -> Iterator[Diagnostic]:
    seen: dict[str, Span] = {}
    for using in build.using:
        name = using.name.text
        if (name, using.version) not in declared:
            near = nearest(
                f"using {name} {using.version}", tuple(f"using {' '.join(each)}" for each in sorted(declared))
            )
            yield error(codes.NOT_DECLARED, using.origin, name=name, version=using.version, suggestion=near)
        if name in seen:
            yield error(codes.SAME_TOOL_TWICE, using.origin, Label(seen[name], "the first one"), name=name)
        seen.setdefault(name, using.origin)


def _after(build: Build, named: dict[str, Build]) -> Iterator[Diagnostic]:
    for item in build.after:
        other = named.get(item.text)
        if other is None:
            yield from unknown(codes.UNKNOWN_BUILD, (item,), named)
        elif build.keep and not other.keep:
            yield error(
                codes.AFTER_KEEPS_NOTHING, item.origin, Label(other.origin, "this build"), name=item.text
            )


def _cycles(builds: tuple[Build, ...], named: dict[str, Build]) -> Iterator[Diagnostic]:
    """Each circle once, at the `after` that closes it."""
    done: set[str] = set()
    for start in builds:
        if start.name in done:
            continue
        path = [start.name]
        waiting = [iter(start.after)]
        while waiting:
            item = next(waiting[-1], None)
            if item is None:
                waiting.pop()
                done.add(path.pop())
            elif item.text in path:
                chain = " → ".join((*path[path.index(item.text) :], item.text))
                yield error(codes.BUILD_CYCLE, item.origin, chain=chain)
            elif item.text in named and item.text not in done:
                waiting.append(iter(named[item.text].after))
                path.append(item.text)


def in_order(builds: tuple[Build, ...]) -> tuple[Build, ...]:
    """The builds, each behind the ones that it waits for; there must be no circle."""
    named = {build.name: build for build in builds}
    ordered: dict[str, Build] = {}
    waiting = list(reversed(builds))
    while waiting:
        build = waiting[-1]
        missing = [named[item.text] for item in build.after if item.text not in ordered]
        if build.name in ordered or not missing:
            ordered.setdefault(build.name, build)
            waiting.pop()
        else:
            waiting.extend(reversed(missing))
    return tuple(ordered.values())
