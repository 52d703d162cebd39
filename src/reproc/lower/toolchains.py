"""Tool chains in a stage: how each gets there, and its commands under plain names."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from reproc import catalog
from reproc.catalog import elsewhere
from reproc.catalog.elsewhere import CondaPackages, ImageFolder, Recipe
from reproc.check.tools import Outside, outside
from reproc.graph import CopyKept, FromStage, Image, Run, Stage, Step
from reproc.lock.model import CondaTree, ImageTree
from reproc.lock.requests import TOOLCHAINS, source_layer
from reproc.lower.conda import installed
from reproc.lower.environment import TOOLS as TOOLS_DIRECTORY
from reproc.lower.plan import Shape
from reproc.lower.work import Work
from reproc.source import Span
from reproc.target import quote
from reproc.target.quoting import words

LIBRARIES = "/opt/reproc/lib"
"""Where the shared libraries lie that their programs need instead of the base's."""
_SOURCES = "/opt/reproc/source"
_PLATFORMS = {
    "linux/amd64": ("amd64", "x86_64-linux-gnu"),
    "linux/arm64": ("arm64", "aarch64-linux-gnu"),
}
"""Debian's names for a platform's architecture, and for its folders (wiki.debian.org/Multiarch/Tuples)."""
_ALIASES = {
    "gcc": ("cc", "{triplet}-gcc"),
    "g++": ("c++", "{triplet}-g++"),
    "gfortran": ("f77", "f95", "{triplet}-gfortran"),
    "clang": ("cc",),
    "clang++": ("c++",),
}
"""Further names of an archive's compilers, under which a base may have its own."""
_COMPILERS = "cc | c++ | cpp | gcc | g++ | gfortran"
_CLANGS = "clang | clang++"


def tool_steps(work: Work, layer: str, tools: tuple[catalog.Toolchain, ...], origin: Span) -> list[Step]:
    """What brings tool chains, and the private directories with their commands under plain names."""
    names = ", ".join(tool.key for tool in tools)
    steps = work.apt(layer, f"tool chain {names}", origin)
    lines: list[str] = []
    for tool in tools:
        if tool.archive is not None:
            steps.append(_brought(work, tool, origin))
            lines += _linked_programs(tool, tool.archive, work.target.platform)
        else:
            lines += _linked_commands(tool, work.target.platform)
    lines += (line for tool in tools for line in _asked(tool))
    return [*steps, Run(f"commands of {names}", tuple(lines), origin=origin)]


def _brought(work: Work, tool: catalog.Toolchain, origin: Span) -> Step:
    """The step that puts a tool chain at its place."""
    place = f"{TOOLCHAINS}/{tool.key}"
    apart = tool.provider in ("image", "conda") and work.shape is Shape.STANDALONE
    if tool.provider == "source" or apart:
        stage = _stage_of(work, tool)
        return CopyKept(f"tool chain {tool.key}", stage, (place,), origin)
    return work.unpacked(f"toolchain {tool.key}", place, origin)


def made_stages(work: Work) -> list[Stage]:
    """The stages in which tool chains are compiled, taken out of an image, or installed from a channel."""
    return [stage for each in outside(work.target) if (stage := _made(work, each)) is not None]


def _made(work: Work, found: Outside) -> Stage | None:
    match found.origin:
        case ImageFolder() if work.shape is Shape.STANDALONE:
            return _of_image(work, found, found.origin)
        case CondaPackages() if work.shape is Shape.STANDALONE:
            return _of_channel(work, found)
        case Recipe():
            return _compiled(work, found, found.origin)
        case _:
            return None


def _stage_of(work: Work, tool: catalog.Toolchain) -> str:
    if tool.provider == "image":  # the same on every base
        return f"toolchain-{tool.key}".replace(".", "-")
    return source_layer(work.ground, tool)


def _of_image(work: Work, found: Outside, folder: ImageFolder) -> Stage:
    """A stage of the image itself, in which its folder gets the form that the vendored one has."""
    tree = dict(work.plan.locked.trees)[found.key] if work.plan.locked else None
    digest = tree.digest if isinstance(tree, ImageTree) else None
    top, place = folder.on(work.target.platform), f"{TOOLCHAINS}/{found.made.key}"
    lines = (
        f"mkdir -p {TOOLCHAINS}",
        f"cp -a {quote(top)} {quote(place)}",
        f"find {quote(place)} -type l | while read -r link; do",
        '    target=$(readlink "$link")',
        '    case "$target" in',
        f'        {quote(top)}/*) full={quote(place)}"${{target#{quote(top)}}}" ;;',
        '        /*) rm "$link"; continue ;;',
        '        *) full="${link%/*}/$target" ;;',
        "    esac",
        '    full=$(realpath -ms "$full")',
        '    case "$full" in',
        f"        {quote(place)}/*) ;;",
        '        *) rm "$link"; continue ;;',
        "    esac",
        '    case "$target" in',
        '        /*) ln -sfn "$(realpath -ms --relative-to="${link%/*}" "$full")" "$link" ;;',
        "    esac",
        "done",
        f"chown -hR 0:0 {quote(place)}",
        f"chmod -R u=rwX,go=rX,a-st {quote(place)}",
    )
    run = Run(f"tool chain {found.made.key}", lines, origin=found.tool.origin)
    return Stage(_stage_of(work, found.made), Image(folder.reference, digest), (run,), found.tool.origin)


def _of_channel(work: Work, found: Outside) -> Stage:
    """A stage of the base in which packages of a channel are installed as the vendored tree has them."""
    made, origin = found.made, found.tool.origin
    tree = dict(work.plan.locked.trees)[found.key] if work.plan.locked else None
    assert isinstance(tree, CondaTree), "`refusals` asks for a lock"
    name = _stage_of(work, made)
    steps = work.apt(name, f"what installs {made.key}", origin)
    return Stage(name, FromStage(work.base), (*steps, *installed(made.key, tree, origin)), origin)


def _compiled(work: Work, found: Outside, recipe: Recipe) -> Stage:
    """A stage of the base in which the release is compiled."""
    made, origin = found.made, found.tool.origin
    name = _stage_of(work, made)
    source = f"{_SOURCES}/{made.key}"
    options = shlex.split(found.tool.configure.text) if found.tool.configure else []
    languages = dict.fromkeys(("c", *found.tool.parts))
    facts = {
        "prefix": f"{TOOLCHAINS}/{made.key}",
        "options": words(*options),
        "languages": ",".join(languages),
        "jobs": '"$(nproc)"',
    }
    steps = work.apt(name, f"what compiles {made.key}", origin)
    steps.append(work.unpacked(found.key, source, origin))
    commands = tuple(_filled(each, facts).rstrip() for each in recipe.commands)
    steps.append(Run(f"compile {made.key}", (f"cd {source}", *commands), origin=origin))
    return Stage(name, FromStage(work.base), tuple(steps), origin)


def _filled(command: str, facts: dict[str, str]) -> str:
    for name, value in facts.items():
        command = command.replace(f"{{{name}}}", value)
    return command


def carried(work: Work, tools: Iterator[tuple[catalog.Toolchain, str]]) -> list[CopyKept]:
    """What programs need of the tool chains that made them, each with the stage that it was in."""
    steps: dict[str, CopyKept] = {}
    for tool, stage in tools:
        if tool.archive is not None and tool.archive.libraries is not None:
            place = TOOLCHAINS if tool.archive.libraries == elsewhere.ALL else LIBRARIES
            title = f"libraries of {tool.key}"
            steps[tool.key] = CopyKept(title, stage, (f"{place}/{tool.key}",), work.target.origin)
    return [steps[key] for key in sorted(steps)]


def _linked_commands(tool: catalog.Toolchain, platform: str) -> list[str]:
    directory = f"{TOOLS_DIRECTORY}/{tool.key}"
    commands = sorted((_on(name, platform), _on(path, platform)) for name, path in tool.commands)
    links = [f"ln -s {quote(path)} {quote(f'{directory}/{name}')}" for name, path in commands]
    # so that `$GCC_HOME/bin/gcc` is there, wherever the distribution has put it
    beside = [] if tool.home else [f"ln -s . {directory}/bin"]
    return [f"mkdir -p {directory}", *links, *beside]


def _on(path: str, platform: str) -> str:
    """A path of the catalogue on a platform."""
    name, triplet = _PLATFORMS[platform]
    return path.replace("{architecture}", name).replace("{triplet}", triplet)


def home(tool: catalog.Toolchain, platform: str) -> str:
    """What `NAME_HOME` says."""
    if tool.archive is not None:
        return f"{TOOLCHAINS}/{tool.key}/{tool.archive.home}".rstrip("/")
    return _on(tool.home, platform) if tool.home else f"{TOOLS_DIRECTORY}/{tool.key}"


def _linked_programs(tool: catalog.Toolchain, parts: catalog.Archived, platform: str) -> list[str]:
    """Lines that link an archive's programs without the prefix that names a platform (`x86_64-linux-gnu-gcc`).

    A compiler gets a script that tells it where the libc is: its own, or the base's, of whose folders one for a
    single architecture a compiler from elsewhere knows nothing (wiki.debian.org/Multiarch).
    """
    directory, top = f"{TOOLS_DIRECTORY}/{tool.key}", f"{TOOLCHAINS}/{tool.key}"
    # the compilers of other languages that come with it are not asked for
    patterns = ("*gfortran*",) if tool.name == "gfortran" else parts.programs
    programs = " ".join(f"{quote(f'{top}/{parts.bin}')}/{each}" for each in patterns)
    said = quote(f"reproc: there are no programs in `{parts.bin}` of the archive of {tool.key}")
    rpath = f" -Wl,-rpath,{LIBRARIES}/{tool.key}" if _has_libraries(parts) else ""
    linker, own = _own_linker(tool, directory)
    clang = tool.provider == "conda" and tool.name == "clang"
    if parts.sysroot is not None:
        where = [f"options={quote(f'--sysroot={top}/{parts.sysroot}')}"]
    elif clang:
        where = [*linker, f'options="{own}{_clang_options(tool)}"']
    else:
        where = [
            *linker,
            "libc=$(dirname /usr/lib/*-linux-gnu*/crt1.o)",
            f'options="{own}-B$libc -idirafter /usr/include/${{libc##*/}}{rpath}"',
        ]
    return [
        *_own_headers(tool, top),
        *_called(parts, top),
        *_libraries(tool, parts, top),
        f'if [ -z "$(find {quote(f"{top}/{parts.bin}")} -type f -perm -u=x)" ]; then',
        f"    echo {said} >&2; exit 1",
        "fi",
        f"mkdir -p {directory}",
        *(where if {name for name, _ in tool.variables} & {"CC", "CXX", "FC"} else ['options=""']),
        f"for program in {programs}; do",
        *(['    [ -e "$program" ] || continue'] if len(patterns) > 1 else []),
        "    name=${program##*/}",
        "    name=${name#*-linux-*-}",
        f'    rm -f "{directory}/$name"',
        '    case "$name" in',
        f"        {_CLANGS if clang else _COMPILERS})",
        f'            printf \'#!/bin/sh\\nexec %s %s "$@"\\n\' "$program" "$options" > "{directory}/$name"',
        f'            chmod 755 "{directory}/$name" ;;',
        f'        *) ln -s "$program" "{directory}/$name" ;;',
        "    esac",
        "done",
        *(
            f"if [ ! -e {directory}/{plain} ] && [ -e {directory}/{name} ]; then "
            f"ln -s {name} {directory}/{plain}; fi"
            for name, others in _ALIASES.items()
            if name.startswith("clang") == (tool.name == "clang")
            for plain in (_on(each, platform) for each in others)
        ),
    ]


def _own_linker(tool: catalog.Toolchain, directory: str) -> tuple[list[str], str]:
    """For conda-forge's compilers: lines that make the base's linker theirs, and the options that say so (gcc(1)).

    They come with a libc and a linker; the base's libraries need its own libc, and that may need its own linker:
    one before binutils 2.38 reads no libc with DT_RELR (sourceware.org/glibc, NEWS for 2.36).
    """
    if tool.provider != "conda":
        return [], ""
    place = f"{directory}/linker"
    return [f"mkdir {place}", f"ln -s /usr/bin/ld {place}/ld"], f"--sysroot=/ -B{place} "


def _clang_options(tool: catalog.Toolchain) -> str:
    """The base's GCC has the libraries; the configuration files of conda-forge's name others (clang(1))."""
    return "--gcc-toolchain=/usr" + (" --no-default-config" if int(tool.series) >= 16 else "")


def _called(parts: catalog.Archived, top: str) -> list[str]:
    """Lines that let wrappers call the compilers of whoever uses them, by plain names, as those of packages do."""
    if not parts.wrappers:
        return []
    prefix = """[^ "'=]*-conda[a-z0-9_]*-linux-gnu-"""
    plain = (f"s,{prefix}g?cc\\b,gcc,g", f"s,{prefix}[cg]\\+\\+,g++,g", f"s,{prefix}gfortran\\b,gfortran,g")
    edit = " ".join(f"-e {quote(each)}" for each in plain)
    return [
        f"grep -lI -e -linux-gnu- {quote(top)}/{parts.wrappers} | xargs -r sed -E -i --follow-symlinks {edit}",
    ]


def _has_libraries(parts: catalog.Archived) -> bool:
    return parts.libraries not in (None, elsewhere.ALL)


def _libraries(tool: catalog.Toolchain, parts: catalog.Archived, top: str) -> list[str]:
    """Lines that put the shared libraries that programs need where these look for them."""
    if not _has_libraries(parts):
        return []
    into = quote(f"{LIBRARIES}/{tool.key}")
    return [
        f"mkdir -p {into}",
        f"find {quote(f'{top}/{parts.libraries}')} -maxdepth 1 {_named(parts.shared)} ! -name '*.py' "
        f"-exec cp -a -t {into} {{}} +",
    ]


def _named(libraries: tuple[str, ...]) -> str:
    """What `find` is told of the names of shared libraries; without any, of all."""
    if not libraries:
        return "-name '*.so.*'"
    return "\\( " + " -o ".join(f"-name {quote(f'{each}.so.*')}" for each in libraries) + " \\)"


def _own_headers(tool: catalog.Toolchain, top: str) -> list[str]:
    """Lines that remove what a GCC has copied of the headers of the libc that it was built with.

    They hide those of the base's (gcc.gnu.org/bugzilla/show_bug.cgi?id=118009).
    """
    if tool.provider not in ("image", "conda") or tool.name not in ("gcc", "gfortran"):
        return []
    keep = " ".join(f"! -name {name}" for name in ("limits.h", "syslimits.h", "README"))
    if tool.provider == "conda":  # whose packages may have left them out
        return [f"find {quote(top)} -path '*/lib/gcc/*/include-fixed/*' -type f {keep} -delete"]
    return [f"find {top}/lib/gcc/*/*/include-fixed -type f {keep} -delete"]


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
