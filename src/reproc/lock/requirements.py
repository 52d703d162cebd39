"""Python requirements as a spec and its requirements files give them, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Label, error
from reproc.lock.requests import PythonRequest, RequirementsFile
from reproc.record import record
from reproc.source import SourceFile, Span

_HASH = re.compile(r"\s--hash[= ]sha256:([0-9a-fA-F]{64})")
_ADVICE = (
    (
        ("-r", "--requirement", "-c", "--constraint"),
        "name that file in a `requirements` statement of its own",
    ),
    (("-e", "--editable"), "declare it as `code`, and install it in a `build`"),
    (
        ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host"),
        "where packages come from is up to the machine: set `REPROC_MIRROR_PYPI`, or configure pip or uv",
    ),
    (("--no-binary", "--only-binary", "--prefer-binary"), "only wheels are used in any case: leave it out"),
)


@record
class Wanted:
    """One requirement."""

    name: str
    """As PyPI normalises it."""
    text: str
    """As uv reads it, without digests."""
    hashes: frozenset[str]
    """The sha256 values that the file allows; empty if it says nothing."""
    origin: Span
    labels: tuple[Label, ...] = ()


def wanted(
    request: PythonRequest, environment: Mapping[str, str] = MappingProxyType({})
) -> tuple[tuple[Wanted, ...], tuple[Diagnostic, ...]]:
    """Every requirement of an environment, and what is wrong with the others.

    `environment` is what markers in a lock of another tool see.
    """
    from reproc.lock import foreign, projects

    found: list[Wanted] = []
    mistakes: list[Diagnostic] = []
    for item in request.requirements:
        _add(_read(item.text, item.origin, ()), found, mistakes)
    for file in request.files:
        for text, span in _lines(file):
            _add(_read(text, span, (Label(file.origin, "named here"),)), found, mistakes)
    for file in request.projects:
        project = projects.read(file.path, file.text, file.origin, request.version)
        if isinstance(project, Diagnostic):
            mistakes.append(project)
        elif project.dependencies is None:
            mistakes.append(error(codes.HIDDEN_DEPENDENCIES, file.origin, path=file.path))
        else:
            for text in project.dependencies:
                _add(_read(text, file.origin, ()), found, mistakes)
    for file in request.locks:
        pins, wrong = foreign.read(file, request.version, environment)
        found += pins
        mistakes += wrong
    return tuple(found), tuple(mistakes)


def each_of(texts: Iterable[str], origin: Span) -> tuple[tuple[Wanted, ...], tuple[Diagnostic, ...]]:
    """Requirements that all stand at one place, and what is wrong with the others."""
    found: list[Wanted] = []
    mistakes: list[Diagnostic] = []
    for text in texts:
        _add(_read(text, origin, ()), found, mistakes)
    return tuple(found), tuple(mistakes)


def _add(read: Wanted | Diagnostic, found: list[Wanted], mistakes: list[Diagnostic]) -> None:
    if isinstance(read, Wanted):
        found.append(read)
    else:
        mistakes.append(read)


def _lines(file: RequirementsFile) -> Iterator[tuple[str, Span]]:
    """The logical lines of a requirements file: continued lines joined, comments and blanks removed."""
    source = SourceFile(file.path, file.text.removeprefix("\ufeff"))
    text, start, offset = "", 0, 0
    for line in source.text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if not text:
            start = offset
        offset += len(line)
        continued = bare.endswith("\\") and not bare.lstrip().startswith("#")
        text += re.sub(r"(^|\s)#.*$", "", bare[:-1] if continued else bare) + (" " if continued else "")
        if not continued:
            if text.strip():
                yield text.strip(), Span(source, start, offset - len(line) + len(bare))
            text = ""
    if text.strip():
        yield text.strip(), Span(source, start, offset)


def _read(text: str, origin: Span, labels: tuple[Label, ...]) -> Wanted | Diagnostic:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    if text.startswith("-"):
        option = re.split(r"[\s=]", text, maxsplit=1)[0]
        advice = next((words for options, words in _ADVICE if option in options), None)
        return error(codes.REQUIREMENT_OPTION, origin, *labels, option=option, advice=advice)
    hashes = frozenset(digest.lower() for digest in _HASH.findall(text))
    bare = _HASH.sub("", text).strip()
    if re.match(r"(git|hg|svn|bzr)\+|https?://|file:|\.{0,2}/", bare):
        return error(codes.DIRECT_REQUIREMENT, origin, *labels, name=_guess(bare))
    try:
        requirement = Requirement(bare)
    except InvalidRequirement as trouble:
        reason = str(trouble).split("\n", 1)[0].lower()
        return error(codes.BAD_REQUIREMENT, origin, *labels, text=bare, reason=reason)
    name = canonicalize_name(requirement.name)
    if requirement.url is not None:
        return error(codes.DIRECT_REQUIREMENT, origin, *labels, name=name)
    return Wanted(name, bare, hashes, origin, labels)


def _guess(address: str) -> str:
    """What a package that is given by an address alone is probably called."""
    egg = re.search(r"[#&]egg=([\w.-]+)", address)
    if egg:
        return egg[1]
    last = re.split(r"[@#?]", address.partition("://")[2] or address)[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"\.git$", "", last) or "package"
