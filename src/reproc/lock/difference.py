"""What changes from one lock to another: packages up and down, commits, digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from reproc.compare import Change, Difference, Kind, TargetDifference, Where
from reproc.lock.model import (
    Archive,
    ArchiveBase,
    BootstrapBase,
    CondaTree,
    GitTree,
    ImageBase,
    ImageTree,
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
from reproc.lock.update import debs_of
from reproc.record import record

Compare: TypeAlias = Callable[[str, str], Kind]


@record
class _Fact:
    """What holds of one thing."""

    text: str
    """What people know it by: a version, a commit."""
    digest: str = ""
    """What tells it from others of the same version."""
    compare: Compare | None = None


_Facts: TypeAlias = Mapping[Where, _Fact]


def difference(before: Lock, after: Lock) -> Difference:
    """What changes, target by target; what is beside the targets first."""
    shared = _changes(dict(_shared(before)), dict(_shared(after)))
    old, new = ({each.name: each for each in lock.targets} for lock in (before, after))
    targets: list[TargetDifference] = []
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            targets.append(TargetDifference(name, "removed"))
        elif name not in old:
            targets.append(TargetDifference(name, "added"))
        elif old[name] != new[name]:
            changes = _changes(dict(_target(old[name])), dict(_target(new[name])))
            targets.append(TargetDifference(name, "changed", changes or (_layers(old[name], new[name]),)))
    return Difference(shared, tuple(targets))


def _changes(before: _Facts, after: _Facts) -> tuple[Change, ...]:
    found: list[Change] = []
    order = {where[0]: None for where in (*before, *after)}
    for head in order:
        inside = {where: None for where in (*before, *after) if where[0] == head}
        for where in sorted(inside):
            old, new = before.get(where), after.get(where)
            if old is None and new is not None:
                found.append(Change("added", where, after=new.text))
            elif new is None and old is not None:
                found.append(Change("removed", where, before=old.text))
            elif old is not None and new is not None and (old.text, old.digest) != (new.text, new.digest):
                found.append(_change(where, old, new))
    return tuple(found)


def _change(where: Where, old: _Fact, new: _Fact) -> Change:
    if old.text == new.text:
        return Change(
            "changed", where, f"{old.text} {old.digest}".strip(), f"{new.text} {new.digest}".strip()
        )
    return Change(new.compare(old.text, new.text) if new.compare else "changed", where, old.text, new.text)


def _layers(before: LockedTarget, after: LockedTarget) -> Change:
    """That the same packages are put together in another way."""
    old, new = (
        ", ".join(f"{layer.name} {len(layer.debs)}" for layer in target.apt) for target in (before, after)
    )
    return Change("changed", ("layers",), old, new)


def _shared(lock: Lock) -> Iterator[tuple[Where, _Fact]]:
    yield ("time",), _Fact(f"{datetime.fromtimestamp(lock.time, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if lock.as_of is not None:
        yield ("as-of",), _Fact(f"{datetime.fromtimestamp(lock.as_of, UTC):%Y-%m-%d %H:%M:%S} UTC")
    for archive in lock.archives:
        yield (f"archive {archive.name}",), _Fact(archive.snapshot, _state(archive))


def _state(archive: Archive) -> str:
    return " ".join(f"{suite} sha256:{sha256}" for suite, sha256 in archive.suites)


def _target(target: LockedTarget) -> Iterator[tuple[Where, _Fact]]:
    yield ("platform",), _Fact(target.platform)
    yield from _base(target.base)
    for other in target.further:
        yield from (((other.name, *where), fact) for where, fact in _base(other.base))
    versions: dict[str, dict[str, str]] = {}
    for deb in debs_of(target):
        versions.setdefault(deb.name, {})[deb.version] = deb.sha256
    for name, each in versions.items():
        digests = " ".join(f"sha256:{sha256}" for sha256 in each.values())
        yield ("package", name), _Fact(", ".join(each), digests, _debian)
    for environment in target.python:
        yield from _python(environment)
    for name, tree in target.trees:
        yield from _tree(name, tree)


def _base(base: LockedBase) -> Iterator[tuple[Where, _Fact]]:
    match base:
        case BootstrapBase():
            yield ("base",), _Fact(f"{base.distribution} {base.release}, made by {base.tool}")
            digest = f"sha256:{base.sha256}" if base.sha256 else "made anew when it is locked"
            yield ("base", "root file system"), _Fact(digest)
        case ImageBase():
            yield ("base",), _Fact(f"{base.reference.partition('@')[0]} {base.digest}")
            yield from _variables(base.environment)
        case ArchiveBase():
            yield ("base",), _Fact(f"{base.path} sha256:{base.sha256}")
            yield from _variables(base.environment)


def _variables(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[Where, _Fact]]:
    for name, value in pairs:
        yield ("base", f"environment {name}"), _Fact(value)


def _python(environment: PythonEnvironment) -> Iterator[tuple[Where, _Fact]]:
    place = f"python {environment.name}"
    index = f", from {environment.index}" if environment.index else ""
    yield (place,), _Fact(f"{environment.interpreter} in {environment.prefix}{index}")
    yield from _wheels((place,), environment.wheels)
    for each in environment.tools:
        yield from _wheels((place, f"to build {each.project}"), each.wheels)


def _wheels(place: Where, wheels: Iterable[Wheel]) -> Iterator[tuple[Where, _Fact]]:
    for wheel in wheels:
        yield (*place, wheel.name), _Fact(wheel.version, f"{wheel.filename} sha256:{wheel.sha256}", _pep440)


def _tree(name: str, tree: SourceTree) -> Iterator[tuple[Where, _Fact]]:
    match tree:
        case GitTree():
            yield (name,), _Fact(f"commit {tree.commit}", f"of {tree.url} sha256:{tree.sha256}")
            for module in tree.submodules:
                yield (name, f"submodule {module.path}"), _Fact(f"commit {module.commit}", module.url)
            for file in tree.large:
                yield (name, file.path), _Fact(f"sha256:{file.sha256}")
        case LocalTree():
            yield (name,), _Fact(tree.source)
            for entry in tree.entries:
                yield (name, entry.path or tree.source), _entry(entry)
        case WebTree():
            yield (name,), _Fact(tree.source)
            for each in tree.downloads:
                yield (name, each.path or each.name or tree.source), _Fact(f"sha256:{each.sha256}")
        case SwhTree():
            yield (name,), _Fact(tree.swhid)
        case ImageTree():
            yield (name,), _Fact(tree.reference, f"{tree.folder} {tree.digest}")
        case CondaTree():
            yield (name,), _Fact(tree.channel, f"in {tree.prefix} sha256:{tree.sha256}")
            for package in tree.packages:
                of = f"{package.path} sha256:{package.sha256}"
                yield (name, package.name), _Fact(package.version, of, _pep440)


def _entry(entry: TreeEntry) -> _Fact:
    if entry.link is not None:
        return _Fact(f"a link to {entry.link}")
    return _Fact(f"sha256:{entry.sha256}", "executable" if entry.executable else "")


def _debian(before: str, after: str) -> Kind:
    from reproc.lock.debian import version

    old, new = version.key(before.partition(",")[0]), version.key(after.partition(",")[0])
    return "up" if new > old else "down" if new < old else "changed"


def _pep440(before: str, after: str) -> Kind:
    from packaging.version import InvalidVersion, Version

    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return "changed"
    return "up" if new > old else "down" if new < old else "changed"
