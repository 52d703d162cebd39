"""Which tool chains a build works with, and which of them the image holds."""

from __future__ import annotations

from reproc import catalog
from reproc.catalog import flags, marches, processors
from reproc.check.checked import Target
from reproc.model import Build, Toolchain

_GNU = ("gcc", "gfortran")


def tools_of(target: Target, build: Build) -> tuple[catalog.Toolchain, ...]:
    """What a build works with: its own `using`, else the defaults; sorted by name."""
    if build.using:
        wanted = {(using.name.text, using.version) for using in build.using}
        chosen = [tool for tool in target.toolchains if (tool.name.text, tool.version) in wanted]
    else:
        chosen = [tool for tool in target.toolchains if tool.default]
    return _known(target.under(build), chosen)


def tools_in_image(target: Target) -> tuple[catalog.Toolchain, ...]:
    """What the image holds as a whole: said so, used by a build that runs there, or used by no build."""
    kept = {tool.key for build in target.builds if build.keep for tool in tools_of(target, build)}
    inside = {tool.key for build in target.builds if not build.keep for tool in tools_of(target, build)}

    def stays(tool: Toolchain) -> bool:
        key = {each.key for each in _known(target, [tool])}
        return tool.at == "run" or bool(key & inside) or (tool.at is None and not key & kept)

    return _known(target, [tool for tool in target.toolchains if stays(tool)])


def default_tools(target: Target) -> tuple[catalog.Toolchain, ...]:
    """The tool chains in the image that `cc` and its like mean there."""
    inside = {tool.key for tool in tools_in_image(target)}
    return tuple(
        tool for tool in _known(target, [t for t in target.toolchains if t.default]) if tool.key in inside
    )


def runtime_packages(target: Target) -> tuple[str, ...]:
    """The shared libraries that kept programs may need, of tool chains that do not stay in the image."""
    kept = [tool for build in target.builds if build.keep for tool in tools_of(target, build)]
    return tuple(sorted({package for tool in kept for package in (*tool.runtime, *tool.brought)}))


def runtime_releases(target: Target) -> tuple[str, ...]:
    """The releases that alone have some of these libraries."""
    kept = [tool for build in target.builds if build.keep for tool in tools_of(target, build)]
    return tuple(sorted({tool.release for tool in kept if tool.brought and tool.release}))


def _known(target: Target, tools: list[Toolchain]) -> tuple[catalog.Toolchain, ...]:
    release = target.release
    if release is None:
        return ()
    found = [_found(tool, release) for tool in tools]
    return tuple(sorted((each for each in found if each is not None), key=lambda tool: tool.key))


def _found(tool: Toolchain, release: catalog.Release) -> catalog.Toolchain | None:
    if tool.archive is None or tool.name.text not in catalog.toolchain_names():
        return catalog.toolchain(tool.name.text, tool.version, tool.parts, release)
    parts = catalog.Archived(tool.bin.text if tool.bin else ".", tool.sysroot.text if tool.sysroot else None)
    return catalog.archived_toolchain(tool.name.text, tool.version, tool.parts, parts)


def archived(target: Target) -> tuple[tuple[str, Toolchain], ...]:
    """The tool chains that come as archives, each with the key of what the lock holds of it."""
    return tuple(
        (f"toolchain {tool.name.text}-{tool.version}", tool) for tool in target.toolchains if tool.archive
    )


def flags_of(target: Target, build: Build) -> str | None:
    """The flags that tell a build's compilers of the target's processor; None if none are known."""
    level = processors.level(target.cpu.text) if target.cpu else None
    if level is None:
        return None
    without = frozenset(processors.feature(item.text) for item in target.without)
    versions = [tool.version for tool in tools_of(target, build) if tool.name in _GNU]
    oldest = min(versions, key=marches.numbers, default=None)
    return flags.flags(level, without, oldest)
