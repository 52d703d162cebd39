"""The sections of a lock: the digest of what each was asked for, and which do not answer the spec any more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from reproc.lock.model import ArchiveBase, BootstrapBase, GitTree, ImageBase, Lock, LockedTarget, WebTree
from reproc.lock.requests import (
    AptRequest,
    ArchiveRequest,
    BaseRequest,
    BootstrapRequest,
    CondaRequest,
    DoiRequest,
    FolderRequest,
    GitRequest,
    ImageRequest,
    LocalRequest,
    PythonRequest,
    SourceRequest,
    SwhRequest,
    TargetRequest,
    TreeRequest,
    WebRequest,
)
from reproc.record import record
from reproc.source import Span

SCHEME = 1
"""How input digests are made; another number makes every section of an older lock stale."""
SYSTEM = "system"
"""The section of the base and the distribution's packages."""

Inputs: TypeAlias = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""For every target, its sections and the digest of what each was asked for."""


@record
class LockFile:
    """A lock and what it was made from."""

    lock: Lock
    inputs: Inputs
    scheme: int
    """How the digests of `inputs` were made."""
    sha256: str
    """The digest that the file states of itself."""

    def input(self, target: str, section: str) -> str | None:
        """The digest of what a section was asked for, as far as it can be compared."""
        if self.scheme != SCHEME:
            return None
        return dict(dict(self.inputs).get(target, ())).get(section)

    def target(self, name: str) -> LockedTarget | None:
        """What is locked of a target."""
        return next((each for each in self.lock.targets if each.name == name), None)


@record
class Stale:
    """A section of a target, or a whole target, that the lock does not answer any more."""

    target: str
    section: str
    """Empty for the whole target."""
    reason: str
    origin: Span | None = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.section} of target {self.target}" if self.section else f"target {self.target}"


def stale(found: LockFile, requests: Sequence[TargetRequest]) -> tuple[Stale, ...]:
    """What the lock does not answer any more; empty if it fits."""
    asked = {request.name for request in requests}
    told = [each for request in requests for each in _stale(found, request)]
    told += (
        Stale(each.name, "", "nothing asks for it any more", None)
        for each in found.lock.targets
        if each.name not in asked
    )
    return tuple(told)


def _stale(found: LockFile, request: TargetRequest) -> Iterator[Stale]:
    locked = found.target(request.name)
    if locked is None:
        yield Stale(request.name, "", "it is not in the lock", request.base.origin)
        return
    known = dict(dict(found.inputs).get(request.name, ()))
    for name, sha256 in sections(request).items():
        if found.input(request.name, name) != sha256:
            yield _changed(found, locked, request, name, name in known)
    for name in sorted(known.keys() - sections(request).keys()):
        yield Stale(request.name, name, "nothing asks for it any more", None)


def _changed(found: LockFile, locked: LockedTarget, request: TargetRequest, name: str, known: bool) -> Stale:
    """Why a section does not fit, as far as the lock lets one see."""
    kind, _, rest = name.partition(" ")
    python = next((each for each in request.python if kind == "python" and each.name == rest), None)
    tree = dict(request.trees).get(name)
    if found.scheme != SCHEME:
        reason = f"it was made by scheme {found.scheme}, and this version of reproc compares by {SCHEME}"
        return Stale(request.name, name, reason, None)
    if not known:
        reason, origin = "it is not in the lock", request.base.origin
    elif name == SYSTEM:
        reason, origin = _other_system(locked, request)
    elif python is not None:
        reason, origin = "it has other requirements", request.base.origin
    else:
        reason, origin = _other_source(dict(locked.trees).get(name), tree), request.base.origin
    if tree is not None:
        origin = tree.origin
    if python is not None:
        places = [each.origin for each in python.requirements] + [each.origin for each in python.files]
        origin = next(iter(places), origin)
    return Stale(request.name, name, reason, origin)


def _other_system(locked: LockedTarget, request: TargetRequest) -> tuple[str, Span]:
    base, origin = locked.base, request.base.origin
    if locked.platform != request.platform:
        return f"it was locked for `{locked.platform}`", origin
    match request.base, base:
        case (BootstrapRequest() as asked, BootstrapBase()) if asked.release == base.release:
            pass
        # what a reference stands for is not known here: it may be written in many ways
        case (ImageRequest(), ImageBase()) | (ArchiveRequest(), ArchiveBase()):
            pass
        case _:
            return "it has another base", origin
    asked_for = {item.text: item.origin for layer in request.apt for item in layer.packages}
    had = {text for layer in locked.apt for text in layer.requested}
    new, gone = sorted(asked_for.keys() - had), sorted(had - asked_for.keys())
    told = [f"{_listed(new)} {'is' if len(new) == 1 else 'are'} new"] if new else []
    told += [f"nothing asks for {_listed(gone)} any more"] if gone else []
    if not told:
        return "something else is asked for", origin
    return ", and ".join(told), asked_for[new[0]] if new else origin


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _other_source(locked: object, asked: TreeRequest | None) -> str:
    match locked, asked:
        case (GitTree(), GitRequest()) if locked.url == asked.url:
            return f"it asks for the {asked.kind} `{asked.ref}`"
        case (WebTree(), WebRequest()) if locked.source in asked.urls:
            return "something else is asked of it"
        case _:
            return "it comes from somewhere else"


def inputs(requests: Sequence[TargetRequest]) -> Inputs:
    """The digests of what every section of every target asks for, by name."""
    return tuple(
        (request.name, tuple(sorted(sections(request).items())))
        for request in sorted(requests, key=lambda request: request.name)
    )


def sections(request: TargetRequest) -> dict[str, str]:
    """The sections of a target: `system`, `python NAME`, `code NAME`, `data NAME`, with their digests."""
    found: dict[str, Any] = {
        SYSTEM: [
            request.platform,
            _asked_base(request.base),
            [_asked_layer(layer) for layer in request.apt],
            *_given(
                as_of=request.as_of,
                sources=sorted(map(_asked_source, request.sources), key=str),
                further=[sections(each)[SYSTEM] for each in request.further],
            ),
        ]
    }
    found |= {f"python {each.name}": [request.platform, _asked_python(each)] for each in request.python}
    found |= {name: _asked_tree(tree) for name, tree in request.trees}
    return {name: _digest([SCHEME, asked]) for name, asked in found.items()}


def _asked_base(base: BaseRequest) -> list[Any]:
    match base:
        case BootstrapRequest():
            return ["bootstrap", base.distribution, base.release]
        case ImageRequest():
            return ["image", base.reference, base.distribution, base.release]
        case ArchiveRequest():
            sha256 = base.sha256 and base.sha256.text
            return ["archive", base.path, sha256, base.distribution, base.release]


def _asked_layer(layer: AptRequest) -> list[Any]:
    packages = sorted({item.text for item in layer.packages})
    return [
        layer.name,
        layer.after,
        packages,
        *_given(recommends=layer.recommends, beside=list(layer.beside)),
    ]


def _asked_source(source: SourceRequest) -> list[Any]:
    key = hashlib.sha256(source.key).hexdigest()
    return [source.address, key, source.suite, list(source.components)]


def _given(**more: Any) -> list[Any]:
    """What is asked for beside the usual; nothing where nothing is, so that older digests hold."""
    given = {name: value for name, value in more.items() if value}
    return [given] if given else []


def _asked_python(python: PythonRequest) -> list[Any]:
    asked = sorted({item.text for item in python.requirements})
    files = [[file.path, file.text] for file in python.files]
    more = _given(
        projects=[[file.path, file.text] for file in python.projects],
        locks=[[file.path, file.text] for file in python.locks],
        installs=[[each.name, _asked_tree(each.tree), each.project] for each in python.installs],
        index=python.index,
        built=list(python.built),
        as_of=python.as_of,
    )
    return [python.version, python.interpreter, python.prefix, asked, files, list(python.libc), *more]


def _asked_tree(tree: TreeRequest) -> list[Any]:
    match tree:
        case LocalRequest():
            return ["local", tree.source, list(tree.exclude), tree.sha256 and tree.sha256.text, tree.size]
        case GitRequest():
            return ["git", tree.url, tree.kind, tree.ref, *_given(submodules=tree.submodules, lfs=tree.lfs)]
        case WebRequest():
            sha256 = tree.sha256 and tree.sha256.text
            asked = [list(tree.urls), sha256, tree.size, tree.unpack, tree.strip]
            return ["web", *asked, *_given(inside=tree.inside)]
        case DoiRequest():
            files = [[each.name, each.sha256 and each.sha256.text, each.size] for each in tree.files]
            return ["doi", tree.doi, files, tree.sha256 and tree.sha256.text, tree.size, tree.unpack]
        case SwhRequest():
            return ["swh", tree.swhid]
        case FolderRequest():
            return ["image", tree.reference, tree.folder, tree.platform, list(tree.libc or ())]
        case CondaRequest():
            wanted = [tree.channel, list(tree.packages), tree.version, tree.prefix]
            more = _given(cpu=tree.cpu, as_of=tree.as_of)
            return ["conda", *wanted, tree.platform, list(tree.libc), *more]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
