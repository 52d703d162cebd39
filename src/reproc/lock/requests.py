"""What a checked spec asks the outside world for, target by target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import TypeAlias

from reproc import catalog
from reproc.catalog import Toolchain, elsewhere, processors
from reproc.catalog.elsewhere import CondaPackages, ImageFolder, Recipe
from reproc.check import CheckedSpec, Target, place_of_python
from reproc.check.pythons import archive_of, provider_of
from reproc.check.tools import (
    Outside,
    outside,
    runtime_packages,
    runtime_releases,
    tools_in_image,
    tools_of,
)
from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder, OutsideFolder
from reproc.model import Build, Code, Data, Item, Python
from reproc.model.literals import project_name
from reproc.record import record, replace
from reproc.source import Span


@record
class BootstrapRequest:
    """A root file system made from a release's packages."""

    distribution: str
    release: str
    """The code name: `bookworm`."""
    origin: Span = field(compare=False, repr=False)


@record
class ImageRequest:
    """A registry's image; with `distribution` and `release` where packages will be installed on it."""

    reference: str
    distribution: str | None
    release: str | None
    origin: Span = field(compare=False, repr=False)


@record
class ArchiveRequest:
    """An image or a root file system that lies beside the spec as an archive."""

    path: str
    sha256: Item | None
    distribution: str | None
    release: str | None
    origin: Span = field(compare=False, repr=False)


BaseRequest: TypeAlias = BootstrapRequest | ImageRequest | ArchiveRequest


@record
class AptRequest:
    """Packages that are installed together on top of another layer."""

    name: str
    after: str | None
    packages: tuple[Item, ...]
    recommends: bool = False
    beside: tuple[str, ...] = ()
    """Code names of the releases from which packages are taken that the base's own does not have."""
    tools: tuple[tuple[str, str], ...] = ()
    """Name and version of the tool chains that they are."""
    alone: bool = False
    """Whether only a standalone recipe installs them: a vendored one has what is made with them."""


@record
class SourceRequest:
    """A third-party archive of distribution packages."""

    address: str
    key: bytes
    """The file with its public key, armored or not."""
    suite: str
    components: tuple[str, ...]
    origin: Span = field(compare=False, repr=False)


@record
class RequirementsFile:
    """The text of a requirements file."""

    path: str
    text: str
    origin: Span = field(compare=False, repr=False)


@record
class InstallRequest:
    """Code that is itself a Python project, and is installed into an environment."""

    name: str
    tree: TreeRequest
    project: str | None
    """The text of its `pyproject.toml`, where the code lies beside the spec."""
    origin: Span = field(compare=False, repr=False)


@record
class PythonRequest:
    """A virtual environment."""

    name: str
    version: str
    """The interpreter's minor version, `3.11`."""
    interpreter: str
    """The program: its name, or of an archive's its whole path."""
    prefix: str
    requirements: tuple[Item, ...]
    files: tuple[RequirementsFile, ...]
    libc: tuple[int, int]
    """The base's glibc version: the newest manylinux tag that its wheels may have."""
    projects: tuple[RequirementsFile, ...] = ()
    """Texts of `pyproject.toml` files whose dependencies are wanted."""
    locks: tuple[RequirementsFile, ...] = ()
    """Locks that other tools made."""
    installs: tuple[InstallRequest, ...] = ()
    index: str | None = None
    built: tuple[str, ...] = ()
    """Packages that are built from source, as PyPI normalises their names; `:all:` is every one."""
    as_of: int | None = None
    """Nothing that was published later; seconds since 1970-01-01 UTC."""


@record
class LocalRequest:
    """A folder or a file beside the spec."""

    source: str
    exclude: tuple[str, ...]
    sha256: Item | None
    """What a single file must have."""
    size: int | None
    origin: Span = field(compare=False, repr=False)


@record
class GitRequest:
    """A commit, or what a tag or a branch points at."""

    url: str
    kind: str
    """`commit`, `tag` or `branch`."""
    ref: str
    origin: Span = field(compare=False, repr=False)
    submodules: bool = False
    """With the repositories that it holds at some of its folders."""
    lfs: bool = False
    """With the files that Git LFS keeps beside it."""


@record
class WebRequest:
    """A file or an archive at an address; several addresses mirror each other."""

    urls: tuple[str, ...]
    sha256: Item | None
    size: int | None
    unpack: bool
    strip: int | None
    """How many top folders are left out; None leaves out a single one."""
    origin: Span = field(compare=False, repr=False)
    inside: str | None = None
    """The archive in the archive that is meant."""


@record
class FileRequest:
    """A file of a DOI's record."""

    name: str
    sha256: Item | None
    size: int | None
    origin: Span = field(compare=False, repr=False)


@record
class DoiRequest:
    """The files of a DOI's record; all of them if none is named."""

    doi: str
    files: tuple[FileRequest, ...]
    sha256: Item | None
    """What its one file must have."""
    size: int | None
    unpack: bool
    origin: Span = field(compare=False, repr=False)


@record
class SwhRequest:
    """What Software Heritage keeps under an identifier."""

    swhid: str
    origin: Span = field(compare=False, repr=False)


@record
class FolderRequest:
    """A folder of a registry's image."""

    reference: str
    folder: str
    platform: str
    libc: tuple[int, int] | None
    """What its programs are to run with, where that is known."""
    origin: Span = field(compare=False, repr=False)


@record
class CondaRequest:
    """Packages of a channel, all of one version, with what they need."""

    channel: str
    packages: tuple[str, ...]
    version: str
    prefix: str
    """The place at which they are to lie, without a slash at its end."""
    platform: str
    libc: tuple[int, int]
    """The base's glibc version."""
    cpu: str | None
    """The least processor that the target is for, by archspec's name; None for any of its platform."""
    as_of: int | None
    """Nothing that was made later; seconds since 1970-01-01 UTC."""
    origin: Span = field(compare=False, repr=False)


TreeRequest: TypeAlias = (
    LocalRequest | GitRequest | WebRequest | DoiRequest | SwhRequest | FolderRequest | CondaRequest
)


@record
class TargetRequest:
    """Everything one target takes from outside."""

    name: str
    platform: str
    base: BaseRequest
    apt: tuple[AptRequest, ...]
    """A layer comes after the one it stands on; the names are unique."""
    python: tuple[PythonRequest, ...]
    trees: tuple[tuple[str, TreeRequest], ...]
    sources: tuple[SourceRequest, ...] = ()
    as_of: int | None = None
    """The moment at which what is not pinned resolves; None is the moment of locking."""
    at_run: frozenset[str] = frozenset()
    """Those of the trees that are mounted when the image runs, and that no build needs."""
    further: tuple[TargetRequest, ...] = ()
    """The other bases that builds stand on, each with its packages and nothing else, by the names of their stages."""

    @property
    def alone(self) -> frozenset[str]:
        """The names of the layers that only a standalone recipe installs."""
        return frozenset(layer.name for each in (self, *self.further) for layer in each.apt if layer.alone)


SYSTEM = "system"
TOOLS = "tools"
PYTHON = "python"
PROJECT = "pyproject.toml"
EVERY = ":all:"


TOOLCHAINS = "/opt/reproc/toolchains"
"""Where tool chains lie that do not come as packages of the base."""
CONDA_PACKAGES = ("bzip2", "python3", "zstd")
"""Packages of the base with which a standalone recipe installs those of a channel."""


def source_layer(ground: str | None, tool: Toolchain) -> str:
    """The layer (and stage) of what makes a tool chain, `source-make-4-3`; of conda's, `toolchain-gcc-…`."""
    kind = "toolchain" if tool.provider == "conda" else "source"
    return layer_on(ground, f"{kind}-{tool.key}".replace(".", "-"))


def toolset_name(tools: tuple[Toolchain, ...]) -> str:
    """The layer (and stage) of a set of tools: `tools-gcc-12`."""
    return "-".join((TOOLS, *(tool.key for tool in tools))).replace(".", "-")


def requests(spec: CheckedSpec, folder: Folder) -> Outcome[tuple[TargetRequest, ...]]:
    """What every target takes from outside, in the spec's order."""
    found: list[Diagnostic] = []
    asked = tuple(_target(target, spec.as_of, folder, found.append) for target in spec.targets)
    return Outcome(None if found else asked, tuple(found))


def _target(
    target: Target, as_of: int | None, folder: Folder, report: Callable[[Diagnostic], None]
) -> TargetRequest:
    trees: list[tuple[str, TreeRequest]] = [(f"code {code.name}", _code(code)) for code in target.code]
    trees += [(f"data {data.name}", _data(data)) for data in target.data]
    trees += _files(target)
    trees += _outside(target, as_of)
    trees += _interpreters(target)
    return TargetRequest(
        name=target.name,
        platform=target.platform,
        base=_base(target),
        apt=_apt(target),
        python=_python(target, as_of, dict(trees), folder, report),
        trees=tuple(sorted(trees, key=lambda pair: pair[0])),
        sources=_sources(target, folder, report),
        as_of=as_of,
        further=_further(target, as_of, folder, report),
        at_run=frozenset(f"data {data.name}" for data in target.data if data.at == "run"),
    )


def grounds(target: Target) -> tuple[tuple[str, Target], ...]:
    """The other bases that builds stand on: the name of the stage, and the target as it is there."""
    found: dict[str, Target] = {}
    for build in target.builds:
        base = build.on
        if base is None or not build.keep or any(base == each.base for each in found.values()):
            continue
        plain = re.sub(r"[^a-z0-9]+", "-", f"on-{base.kind}-{base.name}".lower()).strip("-")
        names = (plain, *(f"{plain}-{number}" for number in range(2, len(found) + 3)))
        found[next(name for name in names if name not in found)] = target.under(build)
    return tuple(found.items())


def ground_of(target: Target, build: Build) -> str | None:
    """The name of the stage of the base that a build names; None for the target's own."""
    return next((name for name, each in grounds(target) if each.base == build.on), None)


def layer_on(ground: str | None, layer: str) -> str:
    """What a layer of packages is called on one of the other bases."""
    return layer if ground is None else f"{ground}-{layer}"


def _further(
    target: Target, as_of: int | None, folder: Folder, report: Callable[[Diagnostic], None]
) -> tuple[TargetRequest, ...]:
    return tuple(
        TargetRequest(
            name,
            target.platform,
            _base(there),
            _apt_on(name, there),
            (),
            (),
            _sources(there, folder, report) if there.release else (),
            as_of,
        )
        for name, there in grounds(target)
    )


def _apt_on(ground: str, target: Target) -> tuple[AptRequest, ...]:
    """The system's packages and the builds' tools on another base, where that says which distribution it is."""
    if target.release is None:
        return ()
    layers: dict[str, AptRequest] = {}
    below: str | None = None
    if target.packages:
        below = layer_on(ground, SYSTEM)
        layers[below] = AptRequest(below, None, target.packages, target.recommends)
    for build in target.builds:
        tools = tools_of(target, build)
        if build.keep and tools and build.on == target.base:
            name = layer_on(ground, toolset_name(tools))
            origin = build.using[0].origin if build.using else build.origin
            layers.setdefault(name, _tools_layer(name, below, tools, origin))
    there = [build for build in target.builds if build.keep and build.on == target.base]
    used = [tool for build in there for tool in tools_of(target, build)]
    layers |= {each.name: each for each in _compiling(ground, target, below, used)}
    return tuple(layers[name] for name in sorted(layers, key=lambda name: (name != below, name)))


def _compiling(
    ground: str | None, target: Target, below: str | None, used: Iterable[Toolchain]
) -> Iterator[AptRequest]:
    """What it takes to compile, or to install, those of the tool chains in use that are not just copied."""
    keys = {tool.key for tool in used}
    for each in outside(target):
        match each.origin:
            case Recipe():
                needed = each.origin.packages
            case CondaPackages():
                needed = CONDA_PACKAGES
            case _:
                needed = ()
        if needed and each.made.key in keys:
            packages = _items(needed, each.tool.origin)
            alone = isinstance(each.origin, CondaPackages)
            yield AptRequest(source_layer(ground, each.made), below, packages, alone=alone)


def _base(target: Target) -> BaseRequest:
    base, release = target.base, target.release
    if base.from_ == "bootstrap" and release is not None:
        return BootstrapRequest(release.distribution, release.codename, base.origin)
    if base.kind not in ("image", "archive") and release is not None:
        return ImageRequest(release.image, release.distribution, release.codename, base.origin)
    distribution, codename = (release.distribution, release.codename) if release else (None, None)
    if base.kind == "archive":
        return ArchiveRequest(base.name.text, base.sha256, distribution, codename, base.origin)
    return ImageRequest(base.name.text, distribution, codename, base.origin)


def _apt(target: Target) -> tuple[AptRequest, ...]:
    """The system's packages; on top of them each set of build tools, and what only the image has."""
    layers: list[AptRequest] = []
    below: str | None = None
    runtime = _items(runtime_packages(target), target.origin)
    if target.packages or runtime:
        asked = (*target.packages, *runtime)
        layers.append(AptRequest(SYSTEM, None, asked, target.recommends, runtime_releases(target)))
        below = SYSTEM
    toolsets: dict[str, AptRequest] = {}
    for build in target.builds:
        tools = tools_of(target, build)
        if build.keep and tools and build.on is None:
            origin = build.using[0].origin if build.using else build.origin
            layer = _tools_layer(toolset_name(tools), below, tools, origin)
            toolsets.setdefault(layer.name, layer)
    layers += (toolsets[name] for name in sorted(toolsets))
    inside = tools_in_image(target)
    own = [build for build in target.builds if build.on is None]
    layers += _compiling(None, target, below, [*inside, *(t for b in own for t in tools_of(target, b))])
    if (pythons := _packaged_pythons(target, below)) is not None:
        layers.append(pythons)
        below = PYTHON
    if inside:
        layers.append(_tools_layer(TOOLS, below, inside, target.toolchains[0].origin))
    return tuple(layer for layer in layers if layer.packages)


def _packaged_pythons(target: Target, below: str | None) -> AptRequest | None:
    """The interpreters that come as packages; a Python 2 makes environments by what the lock names."""
    names: set[str] = set()
    beside: set[str] = set()
    base = target.release
    using = [python for python in target.pythons if provider_of(python, target) == "distro"]
    for python in using:
        found = catalog.packaged_python(python.version or "", base) if base else None
        if base is not None and found is not None:
            minor, release = found
            names.add(f"python{minor}" if minor.startswith("2.") else f"python{minor}-venv")
            beside |= {release.codename} - {base.codename}
    if not names:
        return None
    items = _items(tuple(sorted(names)), using[0].origin)
    return AptRequest(PYTHON, below, items, beside=tuple(sorted(beside)))


def _tools_layer(name: str, below: str | None, tools: tuple[Toolchain, ...], origin: Span) -> AptRequest:
    packages = tuple(sorted({package for tool in tools for package in tool.packages}))
    beside = tuple(sorted({tool.release for tool in tools if tool.release}))
    packaged = tuple((tool.name, tool.version) for tool in tools if tool.archive is None)
    return AptRequest(name, below, _items(packages, origin), beside=beside, tools=packaged)


def _items(names: tuple[str, ...], origin: Span) -> tuple[Item, ...]:
    return tuple(Item(name, origin) for name in names)


def _sources(
    target: Target, folder: Folder, report: Callable[[Diagnostic], None]
) -> tuple[SourceRequest, ...]:
    found: list[SourceRequest] = []
    for source in target.sources:
        key = _content(source.key, folder, report)
        suite = source.suite.text if source.suite else (target.release.codename if target.release else "")
        # a flat archive, whose suite is a folder, has no components (sources.list(5))
        named = tuple(item.text for item in source.components) or ("main",)
        components = () if suite.endswith("/") else named
        if key is not None:
            found.append(
                SourceRequest(source.address.text.rstrip("/"), key, suite, components, source.origin)
            )
    return tuple(found)


def _content(item: Item, folder: Folder, report: Callable[[Diagnostic], None]) -> bytes | None:
    """A file's content; one that cannot be read is told."""
    try:
        return folder.read(item.text)
    except (OSError, OutsideFolder) as problem:
        reason = f"cannot be read: {problem}"
        report(error(codes.UNREADABLE_FILE, item.origin, path=item.text, problem=reason))
        return None


def _texts(
    items: tuple[Item, ...], folder: Folder, report: Callable[[Diagnostic], None]
) -> tuple[RequirementsFile, ...]:
    found: list[RequirementsFile] = []
    for item in items:
        content = _content(item, folder, report)
        try:
            if content is not None:
                found.append(RequirementsFile(item.text, content.decode("utf-8"), item.origin))
        except UnicodeDecodeError:
            report(error(codes.UNREADABLE_FILE, item.origin, path=item.text, problem="is not UTF-8"))
    return tuple(found)


def _python(
    target: Target,
    as_of: int | None,
    trees: dict[str, TreeRequest],
    folder: Folder,
    report: Callable[[Diagnostic], None],
) -> tuple[PythonRequest, ...]:
    release = target.release
    if release is None:
        return ()
    return tuple(
        replace(
            _environment(python, target, release, folder, report),
            installs=tuple(_install(item, trees[f"code {item.text}"], folder) for item in python.install),
            as_of=as_of,
        )
        for python in target.pythons
    )


def _install(item: Item, tree: TreeRequest, folder: Folder) -> InstallRequest:
    text: str | None = None
    if isinstance(tree, LocalRequest):
        try:
            text = folder.read(f"{tree.source}/{PROJECT}").decode("utf-8", "replace")
        except (OSError, OutsideFolder):  # there is none, or what is there is told with the code itself
            text = ""
    return InstallRequest(item.text, tree, text, item.origin)


def _environment(
    python: Python,
    target: Target,
    release: catalog.Release,
    folder: Folder,
    report: Callable[[Diagnostic], None],
) -> PythonRequest:
    archive = archive_of(python, target)
    packaged = catalog.packaged_python(python.version or "", release)
    # an image's may have a full version; what it is called, and its wheels, go by two numbers
    own = ".".join((python.version or "").split(".")[:2])
    if python.provider != "image" and packaged is not None:
        own, _ = packaged
    return PythonRequest(
        name=python.identity[0],
        version=archive.minor if archive else own,
        interpreter=archive.interpreter if archive else f"python{own}",
        prefix=place_of_python(python),
        requirements=python.packages,
        files=_texts(python.requirements, folder, report),
        libc=release.libc,
        projects=_texts((python.project,) if python.project else (), folder, report),
        locks=_texts((python.lock,) if python.lock else (), folder, report),
        index=python.index.text.rstrip("/") if python.index else None,
        built=_built(tuple(item.text for item in python.binary)),
    )


def _built(words: tuple[str, ...]) -> tuple[str, ...]:
    """What `binary no NAME…` asks to build from source; `binary no` alone means every package."""
    names = tuple(sorted({project_name(word) for word in words if word not in ("yes", "no")}))
    return names or ((EVERY,) if "no" in words else ())


def _code(code: Code) -> TreeRequest:
    if code.local:
        return LocalRequest(code.local.text, code.exclude, None, None, code.local.origin)
    if code.archive:
        urls = (code.archive.text,)
        return WebRequest(urls, code.sha256, None, True, code.strip, code.archive.origin)
    if code.swh:
        return SwhRequest(code.swh.text, code.swh.origin)
    assert code.git is not None, "the rules ask for one source"
    kind, ref = next((kind, item) for kind in ("commit", "tag", "branch") if (item := getattr(code, kind)))
    return GitRequest(code.git.text, kind, ref.text, code.git.origin, code.submodules, code.lfs)


def _data(data: Data) -> TreeRequest:
    if data.local:
        return LocalRequest(data.local.text, (), data.sha256, data.size, data.local.origin)
    if data.urls:
        urls = tuple(item.text for item in data.urls)
        return WebRequest(urls, data.sha256, data.size, data.unpack, 0, data.urls[0].origin)
    assert data.doi is not None, "the rules ask for a source"
    files = tuple(FileRequest(each.name, each.sha256, each.size, each.origin) for each in data.files)
    return DoiRequest(data.doi.text, files, data.sha256, data.size, data.unpack, data.doi.origin)


def _outside(target: Target, as_of: int | None) -> list[tuple[str, TreeRequest]]:
    """The tool chains that do not come as packages, by what each is made of."""
    return [(each.key, _made_of(each, target, as_of)) for each in outside(target)]


def _interpreters(target: Target) -> list[tuple[str, TreeRequest]]:
    """The Pythons that come as archives."""
    found: dict[str, TreeRequest] = {}
    for python in target.pythons:
        if archive := archive_of(python, target):
            at = python.origin
            asked = WebRequest((archive.url,), Item(archive.sha256, at), None, True, None, at)
            found.setdefault(archive.key, asked)
    return list(found.items())


def _made_of(found: Outside, target: Target, as_of: int | None) -> TreeRequest:
    tool, origin = found.tool, found.origin
    if isinstance(origin, CondaPackages):
        return _of_conda(found, origin, target, as_of)
    if isinstance(origin, ImageFolder):
        libc = target.release.libc if target.release else None
        folder = origin.on(target.platform)
        return FolderRequest(origin.reference, folder, target.platform, libc, tool.origin)
    strip, inside = tool.strip, tool.inside.text if tool.inside else None
    if tool.archive is not None:
        top = strip if found.made.provider == "source" else strip or 0
        urls = (tool.archive.text,)
        return WebRequest(urls, tool.sha256, None, True, top, tool.archive.origin, inside)
    assert origin is not None and origin.sha256 is not None, "an archive of programs is named by the spec"
    return WebRequest(origin.urls, Item(origin.sha256, tool.origin), None, True, None, tool.origin)


def _of_conda(found: Outside, packages: CondaPackages, target: Target, as_of: int | None) -> CondaRequest:
    level = processors.level(target.cpu.text) if target.cpu else None
    return CondaRequest(
        elsewhere.CHANNEL,
        packages.on(target.platform, found.tool.parts),
        packages.version,
        f"{TOOLCHAINS}/{found.made.key}",
        target.platform,
        found.release.libc,
        level.name if level else None,
        as_of,
        found.tool.origin,
    )


def _files(target: Target) -> list[tuple[str, TreeRequest]]:
    """The files and patches that stand beside the spec, each once."""
    items = [("file", file.path) for file in target.files]
    items += [("patch", item) for code in target.code for item in code.patches]
    found: dict[str, TreeRequest] = {}
    for kind, item in items:
        found.setdefault(f"{kind} {item.text}", LocalRequest(item.text, (), None, None, item.origin))
    return list(found.items())
