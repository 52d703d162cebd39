"""The stages of kept builds, and the author's commands."""

from __future__ import annotations

from reproc import catalog, model
from reproc.check.tools import tools_of
from reproc.graph import CopyKept, FromStage, Run, Script, SetEnv, Stage, Step
from reproc.lower.apps import shell_text
from reproc.lower.environment import TOOLS as TOOLS_DIRECTORY
from reproc.lower.environment import apply, changed, environment_origin
from reproc.lower.flags import with_flags
from reproc.lower.stages import BuildStage, build_stages, inputs_of
from reproc.lower.work import Work
from reproc.source import Span
from reproc.target import quote
from reproc.target.quoting import words

ARCHIVES = "/opt/reproc/toolchains"
"""Where tool chains lie that come as archives."""
_PLATFORMS = {
    "linux/amd64": ("amd64", "x86_64-linux-gnu"),
    "linux/arm64": ("arm64", "aarch64-linux-gnu"),
}
"""Debian's names for a platform's architecture, and for its folders (wiki.debian.org/Multiarch/Tuples)."""


def build_stage(work: Work, stage: BuildStage, earlier: list[Stage]) -> Stage:
    """Tools, then each build with what it sees."""
    work = work.on(stage.ground)
    first = stage.builds[0]
    tools = tools_of(work.target, first)
    origin = first.using[0].origin if first.using else first.origin
    steps: list[Step] = []
    if stage.toolset:
        steps += tool_steps(work, stage.toolset, tools, origin)
    common = apply(work.target.environment, ("both",), work.environment)
    if variables := changed(common, work.environment):
        steps.append(SetEnv("environment", variables, environment_origin(work.target)))
    placed: set[str] = set()
    here = {build.name for build in stage.builds}
    for build in stage.builds:
        for item in build.after:
            if item.text not in here and item.text not in placed:
                steps.append(kept(work, item.text, earlier))
                placed.add(item.text)
        for key in inputs_of(work.target, build):
            if key not in placed:
                steps += work.placed(key)
                placed.add(key)
        steps += scripts(work, build, common)
    return Stage(stage.name, FromStage(work.base), tuple(steps), first.origin)


def kept(work: Work, name: str, stages: list[Stage]) -> CopyKept:
    """The step that brings what a build has kept."""
    build = next(each for each in work.target.builds if each.name == name)
    stage = next(each.name for each in build_stages(work.target) if build in each.builds)
    assert stage in {each.name for each in stages}, "stages come before the ones that use them"
    origin = build.keep[0].origin
    return CopyKept(f"kept by build {name}", stage, tuple(path.text for path in build.keep), origin)


def tool_steps(work: Work, layer: str, tools: tuple[catalog.Toolchain, ...], origin: Span) -> list[Step]:
    """What brings tool chains, and the private directories with their commands under plain names."""
    names = ", ".join(tool.key for tool in tools)
    steps = work.apt(layer, f"tool chain {names}", origin)
    lines: list[str] = []
    for tool in tools:
        if tool.archive is not None:
            steps.append(work.unpacked(f"toolchain {tool.key}", f"{ARCHIVES}/{tool.key}", origin))
            lines += _linked_programs(tool, tool.archive)
        else:
            lines += _linked_commands(tool, work.target.platform)
    lines += (line for tool in tools for line in _asked(tool))
    return [*steps, Run(f"commands of {names}", tuple(lines), origin=origin)]


def _linked_commands(tool: catalog.Toolchain, platform: str) -> list[str]:
    directory = f"{TOOLS_DIRECTORY}/{tool.key}"
    commands = [(name, _on(path, platform)) for name, path in tool.commands]
    links = [f"ln -s {quote(path)} {quote(f'{directory}/{name}')}" for name, path in commands]
    # so that `$GCC_HOME/bin/gcc` is there, wherever the distribution has put it
    beside = [] if tool.home else [f"ln -s . {directory}/bin"]
    return [f"mkdir -p {directory}", *links, *beside]


def _on(path: str, platform: str) -> str:
    """A path of the catalogue on a platform."""
    name, triplet = _PLATFORMS[platform]
    return path.replace("{architecture}", name).replace("{triplet}", triplet)


def _home(tool: catalog.Toolchain, platform: str) -> str:
    """What `NAME_HOME` says."""
    if tool.archive is not None:
        return f"{ARCHIVES}/{tool.key}"
    return _on(tool.home, platform) if tool.home else f"{TOOLS_DIRECTORY}/{tool.key}"


def _linked_programs(tool: catalog.Toolchain, parts: catalog.Archived) -> list[str]:
    """Lines that link an archive's programs without the prefix that names a platform (`x86_64-linux-gnu-gcc`).

    A compiler gets a script that tells it where the libc is: its own, or the base's, of whose folders one for a
    single architecture a compiler from elsewhere knows nothing (wiki.debian.org/Multiarch).
    """
    directory, top = f"{TOOLS_DIRECTORY}/{tool.key}", f"{ARCHIVES}/{tool.key}"
    said = quote(f"reproc: there are no programs in `{parts.bin}` of the archive of {tool.key}")
    if parts.sysroot is not None:
        where = [f"options={quote(f'--sysroot={top}/{parts.sysroot}')}"]
    else:
        where = [
            "libc=$(dirname /usr/lib/*-linux-gnu*/crt1.o)",
            'options="-B$libc -idirafter /usr/include/${libc##*/}"',
        ]
    return [
        f'if [ -z "$(find {quote(f"{top}/{parts.bin}")} -type f -perm -u=x)" ]; then',
        f"    echo {said} >&2; exit 1",
        "fi",
        f"mkdir -p {directory}",
        *where,
        f"for program in {quote(f'{top}/{parts.bin}')}/*; do",
        "    name=${program##*/}",
        "    name=${name#*-linux-*-}",
        f'    rm -f "{directory}/$name"',
        '    case "$name" in',
        "        cc | c++ | cpp | gcc | g++ | gfortran)",
        f'            printf \'#!/bin/sh\\nexec %s %s "$@"\\n\' "$program" "$options" > "{directory}/$name"',
        f'            chmod 755 "{directory}/$name" ;;',
        f'        *) ln -s "$program" "{directory}/$name" ;;',
        "    esac",
        "done",
        *(
            f"if [ ! -e {directory}/{plain} ] && [ -e {directory}/{name} ]; then "
            f"ln -s {name} {directory}/{plain}; fi"
            for plain, name in (("cc", "gcc"), ("c++", "g++"))
        ),
    ]


def _asked(tool: catalog.Toolchain) -> tuple[str, ...]:
    """Lines that end the build unless the tool says itself that it has the version it should have."""
    if not tool.asks:
        return ()
    program, *options = tool.asks
    said = quote(f"reproc: {tool.name} should be {tool.version}, and says that it is")
    wanted = f"*{quote(f'{tool.says}{tool.version}')}[!0-9]*" if tool.says else f"{tool.version}.*"
    return (
        f"found=$({quote(f'{TOOLS_DIRECTORY}/{tool.key}/{program}')} {words(*options)})",
        f'case "$found." in {wanted}) ;; *) echo {said} "$found" >&2; exit 1 ;; esac',
    )


def scripts(work: Work, build: model.Build, seen: dict[str, str]) -> list[Step]:
    """The author's commands; `seen` is what the stage's environment sets already."""
    target = work.target
    tools = tools_of(target, build)
    directories = [f"{TOOLS_DIRECTORY}/{tool.key}" for tool in tools]
    own = {**seen, "PATH": ":".join((*directories, seen["PATH"]))}
    for tool in tools:
        own |= {name: f"{TOOLS_DIRECTORY}/{tool.key}/{command}" for name, command in tool.variables}
        own[f"{tool.name.upper()}_HOME"] = _home(tool, target.platform)
    own = apply(target.environment, ("build",), own)
    own = apply(build.env.entries if build.env else (), ("both", "build"), own)
    own = with_flags(target, build, tools, own)
    return [
        Script(
            title=f"build {build.name}",
            text=shell_text(command.text),
            shell=f"/bin/{build.shell}",
            workdir=target.place(build) or "/",
            environment=changed(own, seen),
            network=bool(build.network),
            origin=command.origin,
        )
        for command in build.commands
    ]
