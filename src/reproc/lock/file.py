"""The lock file: a lock as JSON text that git diffs read well, and back, trusting nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, Outcome, error
from reproc.lock import decode
from reproc.lock.model import (
    FORMAT,
    AptLayer,
    ArchiveBase,
    BootstrapBase,
    CondaPackage,
    CondaTree,
    Deb,
    Download,
    GitTree,
    ImageBase,
    ImageTree,
    LargeFile,
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
from reproc.lock.place import place
from reproc.lock.requests import TargetRequest
from reproc.lock.sections import SCHEME, Inputs, LockFile, inputs
from reproc.source import SourceFile, Span


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
        return _refused(source, codes.LOCK_UNREADABLE, trouble.pos, reason=_not_json(source.text, trouble))
    except (ValueError, RecursionError):
        return _refused(source, codes.LOCK_UNREADABLE, 0, reason="it is not JSON")
    if not isinstance(content, dict) or not isinstance(content.get("version"), int):
        return _refused(source, codes.LOCK_UNREADABLE, 0, reason="it is not a lock of reproc")
    if content["version"] != FORMAT:
        facts = {"found": ascii(content["version"])[:20], "known": str(FORMAT)}
        return _refused(source, codes.LOCK_VERSION, place(source.text, ("version",)), **facts)
    stated = content.pop("sha256", None)
    if stated != _own_digest(content):
        return _refused(source, codes.LOCK_TAMPERED, place(source.text, ("sha256",)))
    try:
        found = LockFile(decode.lock(content), decode.inputs(content), decode.scheme(content), stated)
    except decode.Malformed as trouble:
        at = place(source.text, trouble.path)
        return _refused(source, codes.LOCK_UNREADABLE, at, reason=str(trouble))
    return Outcome(found)


def _not_json(text: str, trouble: json.JSONDecodeError) -> str:
    line = text.split("\n")[trouble.lineno - 1 : trouble.lineno]
    if any(line and line[0].startswith(sign) for sign in ("<<<<<<<", "=======", ">>>>>>>")):
        return "it holds what a merge left behind"
    return "it is not JSON"


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _own_digest(content: Mapping[str, Any]) -> str:
    return _digest({key: value for key, value in content.items() if key != "sha256"})


def _refused(source: SourceFile, code: Code, at: int | tuple[int, int], **facts: str) -> Outcome[LockFile]:
    start, end = at if isinstance(at, tuple) else (at, at + 1)
    size = len(source.text)
    told: Diagnostic = error(code, Span(source, min(start, size), min(end, size)), **facts)
    return Outcome(None, (told,))


def _encode(lock: Lock, found: Inputs) -> dict[str, Any]:
    debs: dict[str, Deb] = {}
    trees: dict[str, SourceTree] = {}
    targets = [_target(target, debs, trees) for target in lock.targets]
    return {
        "version": FORMAT,
        "time": lock.time,
        **({"as-of": lock.as_of} if lock.as_of is not None else {}),
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
        **({"further": [_target(each, debs, trees) for each in target.further]} if target.further else {}),
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
        case ImageTree():
            return f"{tree.reference}@{tree.digest}"
        case CondaTree():
            return f"{tree.channel}:{tree.prefix}"


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
                **({"swhid": tree.swhid} if tree.swhid else {}),
                "sha256": tree.sha256,
                **({"submodules": modules} if modules else {}),
                **({"left-out": list(tree.left_out)} if tree.left_out else {}),
                **({"large": [_large(each) for each in tree.large]} if tree.large else {}),
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
        case ImageTree():
            return {
                "kind": "image",
                "reference": tree.reference,
                "digest": tree.digest,
                "folder": tree.folder,
                "sha256": tree.sha256,
            }
        case CondaTree():
            return {
                "kind": "conda",
                "channel": tree.channel,
                "address": tree.address,
                "prefix": tree.prefix,
                "sha256": tree.sha256,
                "packages": [_conda(each) for each in tree.packages],
            }


def _conda(package: CondaPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "path": package.path,
        "size": package.size,
        "sha256": package.sha256,
    }


def _large(file: LargeFile) -> dict[str, Any]:
    return {"path": file.path, "sha256": file.sha256, "size": file.size}


def _download(download: Download) -> dict[str, Any]:
    return {
        "path": download.path,
        "name": download.name,
        "urls": list(download.urls),
        "sha256": download.sha256,
        "size": download.size,
        "form": download.form,
        "strip": download.strip,
        **({"inside": download.inside} if download.inside else {}),
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
