"""The lock file: a lock as JSON text that git diffs read well, and back, trusting nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, Outcome, error
from reproc.lock import decode
from reproc.lock.model import (
    FORMAT,
    AptLayer,
    ArchiveBase,
    BootstrapBase,
    Deb,
    Download,
    GitTree,
    ImageBase,
    LocalTree,
    Lock,
    LockedBase,
    LockedTarget,
    PythonEnvironment,
    SourceTree,
    SwhTree,
    TreeEntry,
    WebTree,
    Wheel,
)
from reproc.lock.requests import (
    AptRequest,
    ArchiveRequest,
    BaseRequest,
    BootstrapRequest,
    DoiRequest,
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
from reproc.source import SourceFile, Span

SCHEME = 1
"""How input digests are made; another number makes every section of an older lock stale."""

Inputs: TypeAlias = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""For every target, its sections and the digest of what each was asked for."""


@record
class LockFile:
    """A lock and what it was made from."""

    lock: Lock
    inputs: Inputs
    sha256: str
    """The digest that the file states of itself."""

    def input(self, target: str, section: str) -> str | None:
        """The digest of what a section was asked for."""
        return dict(dict(self.inputs).get(target, ())).get(section)


def write(lock: Lock, requests: Sequence[TargetRequest]) -> str:
    """The text of the lock file."""
    rest = _encode(lock, inputs(requests))
    content = {"version": FORMAT, "sha256": _own_digest(rest)} | {
        k: v for k, v in rest.items() if k != "version"
    }
    return _pretty(content, 0) + "\n"


def read(source: SourceFile) -> Outcome[LockFile]:
    """The lock that a text holds, if it is sound and as it was written."""
    try:
        content = json.loads(source.text)
    except json.JSONDecodeError as trouble:
        return _refused(source, codes.LOCK_UNREADABLE, trouble.pos, reason="it is not JSON")
    except (ValueError, RecursionError):
        return _refused(source, codes.LOCK_UNREADABLE, 0, reason="it is not JSON")
    if not isinstance(content, dict) or "version" not in content:
        return _refused(source, codes.LOCK_UNREADABLE, 0, reason="it is not a lock")
    if content["version"] != FORMAT:
        return _refused(
            source, codes.LOCK_VERSION, 0, found=ascii(content["version"])[:20], known=str(FORMAT)
        )
    stated = content.pop("sha256", None)
    if stated != _own_digest(content):
        return _refused(source, codes.LOCK_TAMPERED, source.text.find('"sha256"'))
    try:
        lock, found = decode.lock(content), decode.inputs(content)
    except decode.Malformed as trouble:
        return _refused(source, codes.LOCK_UNREADABLE, 0, reason=str(trouble))
    return Outcome(LockFile(lock, found if content["inputs"].get("scheme") == SCHEME else (), stated))


def stale(lock_file: LockFile, requests: Sequence[TargetRequest]) -> tuple[str, ...]:
    """What the lock does not answer any more, such as `python main of target cpu`; empty if it fits."""
    asked = dict(inputs(requests))
    told: list[str] = []
    for target, sections in asked.items():
        if target not in {t.name for t in lock_file.lock.targets}:
            told.append(f"target {target}")
            continue
        told += (
            f"{name} of target {target}"
            for name, sha256 in sections
            if lock_file.input(target, name) != sha256
        )
        gone = {name for name, _ in dict(lock_file.inputs).get(target, ())} - {name for name, _ in sections}
        told += (f"{name} of target {target}" for name in sorted(gone))
    told += (f"target {t.name}" for t in lock_file.lock.targets if t.name not in asked)
    return tuple(told)


def inputs(requests: Sequence[TargetRequest]) -> Inputs:
    """The digests of what every section of every target asks for."""
    return tuple((request.name, tuple(sorted(sections(request).items()))) for request in requests)


def sections(request: TargetRequest) -> dict[str, str]:
    """The sections of a target: `system`, `python NAME`, `code NAME`, `data NAME`, with their digests."""
    found: dict[str, Any] = {
        "system": [
            request.platform,
            _asked_base(request.base),
            [_asked_layer(layer) for layer in request.apt],
            *_given(as_of=request.as_of, sources=[_asked_source(source) for source in request.sources]),
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
    return [layer.name, layer.after, packages, *_given(recommends=layer.recommends)]


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
            return ["git", tree.url, tree.kind, tree.ref, *_given(submodules=tree.submodules)]
        case WebRequest():
            sha256 = tree.sha256 and tree.sha256.text
            return ["web", list(tree.urls), sha256, tree.size, tree.unpack, tree.strip]
        case DoiRequest():
            files = [[each.name, each.sha256 and each.sha256.text, each.size] for each in tree.files]
            return ["doi", tree.doi, files, tree.sha256 and tree.sha256.text, tree.size, tree.unpack]
        case SwhRequest():
            return ["swh", tree.swhid]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _own_digest(content: Mapping[str, Any]) -> str:
    return _digest({key: value for key, value in content.items() if key != "sha256"})


def _refused(source: SourceFile, code: Code, offset: int, **facts: str) -> Outcome[LockFile]:
    start = max(0, min(offset, len(source.text)))
    told: Diagnostic = error(code, Span(source, start, min(start + 1, len(source.text))), **facts)
    return Outcome(None, (told,))


def _encode(lock: Lock, found: Inputs) -> dict[str, Any]:
    debs: dict[str, Deb] = {}
    trees: dict[str, SourceTree] = {}
    targets = [_target(target, debs, trees) for target in lock.targets]
    return {
        "version": FORMAT,
        "time": lock.time,
        "inputs": {"scheme": SCHEME, "targets": {target: dict(each) for target, each in found}},
        "archives": [
            {"name": a.name, "snapshot": a.snapshot, "confirmed": a.confirmed, "suites": dict(a.suites)}
            | ({"address": a.address} if a.address else {})
            for a in lock.archives
        ],
        "targets": targets,
        "debs": {
            key: {"path": d.path, "size": d.size, "sha256": d.sha256} for key, d in sorted(debs.items())
        },
        "trees": {key: _tree(tree) for key, tree in sorted(trees.items())},
    }


def _target(target: LockedTarget, debs: dict[str, Deb], trees: dict[str, SourceTree]) -> dict[str, Any]:
    return {
        "name": target.name,
        "platform": target.platform,
        "base": _base(target.base, debs),
        "apt": [_layer(layer, debs) for layer in target.apt],
        "python": [_python(environment) for environment in target.python],
        "trees": {name: _kept(tree, trees) for name, tree in target.trees},
    }


def _base(base: LockedBase, debs: dict[str, Deb]) -> dict[str, Any]:
    match base:
        case BootstrapBase():
            return {
                "kind": "bootstrap",
                "distribution": base.distribution,
                "release": base.release,
                "tool": base.tool,
                "sha256": base.sha256,
                "size": base.size,
                "debs": [_reference(deb, debs) for deb in base.debs],
            }
        case ImageBase():
            return {
                "kind": "image",
                "reference": base.reference,
                "digest": base.digest,
                "rootfs": base.rootfs,
                "size": base.size,
                "environment": dict(base.environment),
            }
        case ArchiveBase():
            return {
                "kind": "archive",
                "path": base.path,
                "plain": base.plain,
                "sha256": base.sha256,
                "rootfs": base.rootfs,
                "size": base.size,
                "environment": dict(base.environment),
            }


def _layer(layer: AptLayer, debs: dict[str, Deb]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "after": layer.after,
        "requested": list(layer.requested),
        "debs": [_reference(deb, debs) for deb in layer.debs],
    }


def _reference(deb: Deb, debs: dict[str, Deb]) -> str:
    """The key under which a package stands in the lock; equal packages share it."""
    key = f"{deb.name}_{deb.version}_{deb.architecture}@{deb.archive}"
    if debs.setdefault(key, deb) != deb:
        key = f"{key}#{deb.sha256}"
        debs[key] = deb
    return key


def _python(environment: PythonEnvironment) -> dict[str, Any]:
    tools = [
        {"project": each.project, "wheels": [_wheel(wheel) for wheel in each.wheels]}
        for each in environment.tools
    ]
    return {
        "name": environment.name,
        "interpreter": environment.interpreter,
        "prefix": environment.prefix,
        **({"index": environment.index} if environment.index else {}),
        "wheels": [_wheel(wheel) for wheel in environment.wheels],
        **({"tools": tools} if tools else {}),
    }


def _wheel(wheel: Wheel) -> dict[str, Any]:
    return {
        "name": wheel.name,
        "version": wheel.version,
        "filename": wheel.filename,
        "size": wheel.size,
        "sha256": wheel.sha256,
    }


def _kept(tree: SourceTree, trees: dict[str, SourceTree]) -> str:
    key = f"{_source(tree)}#{tree.sha256}"
    trees[key] = tree
    return key


def _source(tree: SourceTree) -> str:
    match tree:
        case LocalTree() | WebTree():
            return tree.source
        case GitTree():
            return f"{tree.url}@{tree.commit}"
        case SwhTree():
            return tree.swhid


def _tree(tree: SourceTree) -> dict[str, Any]:
    match tree:
        case LocalTree():
            entries = [_entry(entry) for entry in tree.entries]
            return {"kind": "local", "source": tree.source, "sha256": tree.sha256, "entries": entries}
        case GitTree():
            modules = [
                {"path": each.path, "url": each.url, "commit": each.commit} for each in tree.submodules
            ]
            return {
                "kind": "git",
                "url": tree.url,
                "commit": tree.commit,
                "tree": tree.tree,
                "sha256": tree.sha256,
                **({"submodules": modules} if modules else {}),
            }
        case WebTree():
            downloads = [_download(each) for each in tree.downloads]
            return {"kind": "web", "source": tree.source, "sha256": tree.sha256, "downloads": downloads}
        case SwhTree():
            return {
                "kind": "swh",
                "swhid": tree.swhid,
                "tree": tree.tree,
                "single": tree.single,
                "sha256": tree.sha256,
            }


def _download(download: Download) -> dict[str, Any]:
    return {
        "path": download.path,
        "name": download.name,
        "urls": list(download.urls),
        "sha256": download.sha256,
        "size": download.size,
        "form": download.form,
        "strip": download.strip,
    }


def _entry(entry: TreeEntry) -> dict[str, Any]:
    if entry.link is not None:
        return {"path": entry.path, "link": entry.link}
    return {"path": entry.path, "sha256": entry.sha256} | ({"executable": True} if entry.executable else {})


def _pretty(value: Any, depth: int) -> str:
    """JSON with one item a line; an object of plain values inside a collection is one line."""
    if not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    plain = isinstance(value, dict) and not any(isinstance(v, dict | list) for v in value.values())
    if plain and depth > 1:
        return json.dumps(value, ensure_ascii=False)
    pad, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, list):
        return "[\n" + ",\n".join(pad + _pretty(v, depth + 1) for v in value) + f"\n{end}]"
    lines = (f"{pad}{json.dumps(k, ensure_ascii=False)}: {_pretty(v, depth + 1)}" for k, v in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{end}}}"
