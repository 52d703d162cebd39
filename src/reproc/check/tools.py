"""Which tool chains a build works with, and which of them the image holds."""

from __future__ import annotations

from typing import TypeAlias

from reproc import catalog
from reproc.catalog import Release, elsewhere, flags, marches, processors
from reproc.catalog.elsewhere import CondaPackages, ImageFolder, Recipe
from reproc.check.checked import Target
from reproc.model import Build, Toolchain
from reproc.record import record

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
    packaged = {package for tool in kept if tool.archive is None for package in tool.brought}
    return tuple(sorted({package for tool in kept for package in tool.runtime} | packaged))


def runtime_releases(target: Target) -> tuple[str, ...]:
    """The releases that alone have some of these libraries."""
    kept = [tool for build in target.builds if build.keep for tool in tools_of(target, build)]
    return tuple(sorted({tool.release for tool in kept if tool.brought and tool.release}))


def _known(target: Target, tools: list[Toolchain]) -> tuple[catalog.Toolchain, ...]:
    release = target.release
    if release is None:
        return ()
    found = [found_on(tool, release) for tool in tools]
    return tuple(sorted((each for each in found if each is not None), key=lambda tool: tool.key))


def found_on(tool: Toolchain, release: Release) -> catalog.Toolchain | None:
    """The tool chain as it is there for a release; None if it cannot be."""
    name, version, parts = tool.name.text, tool.version, tool.parts
    if name not in catalog.toolchain_names():
        return None
    match provider_of(tool, release):
        case "archive":
            places = catalog.Archived(
                tool.bin.text if tool.bin else ".", tool.sysroot.text if tool.sysroot else None
            )
            return catalog.archived_toolchain(name, version, parts, places)
        case "image":
            folder = elsewhere.folder(name, version, release)
            return elsewhere.from_image(name, folder, parts, release) if folder else None
        case "source":
            recipe = recipe_of(tool)
            return elsewhere.from_source(name, recipe, parts, release) if recipe else None
        case "conda":
            packages = elsewhere.conda_package(name, version)
            return elsewhere.from_conda(name, packages, parts, release) if packages else None
        case _:
            return catalog.toolchain(name, version, parts, release)


def provider_of(tool: Toolchain, release: Release) -> str:
    """Where a tool chain comes from: as the spec says, else the best for the release."""
    if tool.provider is not None:
        return tool.provider.text
    if tool.archive is not None:
        return "archive"
    return elsewhere.provider(tool.name.text, tool.version, tool.parts, release) or "distro"


def recipe_of(tool: Toolchain) -> Recipe | None:
    """How it is compiled: the author's release archive, or one of the catalogue's."""
    if tool.archive is not None:
        return elsewhere.own_recipe(tool.name.text, tool.version, tool.archive.text)
    return elsewhere.recipe(tool.name.text, tool.version)


Origin: TypeAlias = ImageFolder | Recipe | CondaPackages


@record
class Outside:
    """A tool chain that does not come as packages, and what it is made of."""

    tool: Toolchain
    made: catalog.Toolchain
    origin: Origin | None
    """None for an archive of programs, which the spec itself names."""
    release: Release
    """Of the base that it is for."""

    @property
    def key(self) -> str:
        """What the lock calls that which it is made of."""
        return f"toolchain {self.made.key}"


def outside(target: Target) -> tuple[Outside, ...]:
    """The tool chains that do not come as packages: those of the target, and of the bases that builds name."""
    found: dict[str, Outside] = {}
    for each in (target, *(target.under(build) for build in target.builds if build.on is not None)):
        for tool in target.toolchains if each.release is not None else ():
            assert each.release is not None, "it was looked at just now"
            made = found_on(tool, each.release)
            if made is not None and made.archive is not None:
                origin = _origin(tool, made, each.release)
                found.setdefault(made.key, Outside(tool, made, origin, each.release))
    return tuple(found.values())


def _origin(tool: Toolchain, made: catalog.Toolchain, release: Release) -> Origin | None:
    match made.provider:
        case "image":
            return elsewhere.folder(tool.name.text, tool.version, release)
        case "source":
            return recipe_of(tool)
        case "conda":
            return elsewhere.conda_package(tool.name.text, tool.version)
        case _:
            return None


def flags_of(target: Target, build: Build) -> str | None:
    """The flags that tell a build's compilers of the target's processor; None if none are known."""
    level = processors.level(target.cpu.text) if target.cpu else None
    if level is None:
        return None
    without = frozenset(processors.feature(item.text) for item in target.without)
    versions = [tool.version for tool in tools_of(target, build) if tool.name in _GNU]
    oldest = min(versions, key=marches.numbers, default=None)
    return flags.flags(level, without, oldest)
