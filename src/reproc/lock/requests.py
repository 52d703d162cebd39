"""What a checked spec asks the outside world for, target by target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TypeAlias

from reproc.catalog import Toolchain
from reproc.check import CheckedSpec, Target
from reproc.check.tools import runtime_packages, tools_in_image, tools_of
from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder, OutsideFolder
from reproc.model import Code, Data, Item
from reproc.record import record
from reproc.source import Span

PLATFORM = "linux/amd64"


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
class AptRequest:
    """Packages that are installed together on top of another layer."""

    name: str
    after: str | None
    packages: tuple[Item, ...]


@record
class RequirementsFile:
    """The text of a requirements file."""

    path: str
    text: str
    origin: Span = field(compare=False, repr=False)


@record
class PythonRequest:
    """A virtual environment."""

    name: str
    version: str
    """The interpreter's minor version, `3.11`."""
    interpreter: str
    prefix: str
    requirements: tuple[Item, ...]
    files: tuple[RequirementsFile, ...]
    libc: tuple[int, int]
    """The base's glibc version: the newest manylinux tag that its wheels may have."""


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


TreeRequest: TypeAlias = LocalRequest | GitRequest


@record
class TargetRequest:
    """Everything one target takes from outside."""

    name: str
    platform: str
    base: BootstrapRequest | ImageRequest
    apt: tuple[AptRequest, ...]
    """A layer comes after the one it stands on; the names are unique."""
    python: tuple[PythonRequest, ...]
    trees: tuple[tuple[str, TreeRequest], ...]


SYSTEM = "system"
TOOLS = "tools"
PYTHON = "python"


def toolset_name(tools: tuple[Toolchain, ...]) -> str:
    """The layer (and stage) of a set of tools: `tools-gcc-12`."""
    return "-".join((TOOLS, *(tool.key for tool in tools)))


def requests(spec: CheckedSpec, folder: Folder) -> Outcome[tuple[TargetRequest, ...]]:
    """What every target takes from outside, in the spec's order."""
    found: list[Diagnostic] = []
    asked = tuple(_target(target, folder, found.append) for target in spec.targets)
    return Outcome(None if found else asked, tuple(found))


def _target(target: Target, folder: Folder, report: Callable[[Diagnostic], None]) -> TargetRequest:
    trees: list[tuple[str, TreeRequest]] = [(f"code {code.name}", _code(code)) for code in target.code]
    trees += [(f"data {data.name}", _data(data)) for data in target.data]
    return TargetRequest(
        name=target.name,
        platform=PLATFORM,
        base=_base(target),
        apt=_apt(target),
        python=_python(target, folder, report),
        trees=tuple(sorted(trees, key=lambda pair: pair[0])),
    )


def _base(target: Target) -> BootstrapRequest | ImageRequest:
    base, release = target.base, target.release
    if base.from_ == "bootstrap" and release is not None:
        return BootstrapRequest(release.distribution, release.codename, base.origin)
    if base.kind != "image" and release is not None:
        return ImageRequest(release.image, release.distribution, release.codename, base.origin)
    distribution, codename = (release.distribution, release.codename) if release else (None, None)
    return ImageRequest(base.name.text, distribution, codename, base.origin)


def _apt(target: Target) -> tuple[AptRequest, ...]:
    """The system's packages; on top of them each set of build tools, and what only the image has."""
    layers: list[AptRequest] = []
    below: str | None = None
    runtime = _items(runtime_packages(target), target.origin)
    if target.packages or runtime:
        layers.append(AptRequest(SYSTEM, None, (*target.packages, *runtime)))
        below = SYSTEM
    for build in target.builds:
        tools = tools_of(target, build)
        if build.keep and tools and toolset_name(tools) not in {layer.name for layer in layers}:
            origin = build.using[0].origin if build.using else build.origin
            packages = tuple(sorted({package for tool in tools for package in tool.packages}))
            layers.append(AptRequest(toolset_name(tools), below, _items(packages, origin)))
    inside = [package for tool in tools_in_image(target) for package in tool.packages]
    if target.python and target.release:
        interpreter = f"python{target.release.python}-venv"
        layers.append(AptRequest(PYTHON, below, _items((interpreter,), target.python.origin)))
        below = PYTHON
    if inside:
        layers.append(
            AptRequest(TOOLS, below, _items(tuple(sorted(set(inside))), target.toolchains[0].origin))
        )
    return tuple(layers)


def _items(names: tuple[str, ...], origin: Span) -> tuple[Item, ...]:
    return tuple(Item(name, origin) for name in names)


def _python(
    target: Target, folder: Folder, report: Callable[[Diagnostic], None]
) -> tuple[PythonRequest, ...]:
    python, release = target.python, target.release
    if python is None or release is None:
        return ()
    files: list[RequirementsFile] = []
    for item in python.requirements:
        try:
            text = folder.read(item.text).decode("utf-8")
        except (OSError, OutsideFolder, UnicodeDecodeError) as problem:
            reason = (
                "is not UTF-8" if isinstance(problem, UnicodeDecodeError) else f"cannot be read: {problem}"
            )
            report(error(codes.UNREADABLE_FILE, item.origin, path=item.text, problem=reason))
            continue
        files.append(RequirementsFile(item.text, text, item.origin))
    return (
        PythonRequest(
            name="main",
            version=release.python,
            interpreter=f"python{release.python}",
            prefix="/opt/venv",
            requirements=python.packages,
            files=tuple(files),
            libc=release.libc,
        ),
    )


def _code(code: Code) -> TreeRequest:
    if code.local:
        return LocalRequest(code.local.text, code.exclude, None, None, code.local.origin)
    assert code.git is not None, "the rules ask for one source"
    kind, ref = next((kind, item) for kind in ("commit", "tag", "branch") if (item := getattr(code, kind)))
    return GitRequest(code.git.text, kind, ref.text, code.git.origin)


def _data(data: Data) -> TreeRequest:
    assert data.local is not None, "the rules ask for a source"
    return LocalRequest(data.local.text, (), data.sha256, data.size, data.local.origin)
