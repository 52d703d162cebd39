"""Whether a lock fits its spec and the files beside it, without a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error, in_source_order
from reproc.lock.model import ArchiveBase, LocalTree, TreeEntry
from reproc.lock.problem import attempt
from reproc.lock.providers import local
from reproc.lock.requests import LocalRequest, TargetRequest
from reproc.lock.sections import SYSTEM, LockFile, Stale, stale
from reproc.lock.store import sha256_of


def unfit(found: LockFile, requests: Sequence[TargetRequest], folder: Path) -> Outcome[tuple[Stale, ...]]:
    """What has to be locked again; the files beside the spec are read, too."""
    told = stale(found, requests)
    return attempt(lambda: Outcome((*told, *_changed(found, requests, folder, frozenset(map(str, told))))))


def diagnostics(told: Iterable[Stale]) -> tuple[Diagnostic, ...]:
    """One for each section and reason, whatever the number of targets."""
    together: dict[tuple[str, str], list[Stale]] = {}
    for each in told:
        together.setdefault((each.section or f"target {each.target}", each.reason), []).append(each)
    found = []
    for (what, reason), group in together.items():
        targets = ", ".join(f"`{each.target}`" for each in group)
        words = f"`{what}` of {targets}" if group[0].section else f"`{what}`"
        found.append(error(codes.STALE_SECTION, group[0].origin, what=words, reason=reason))
    return in_source_order(found)


def _changed(
    found: LockFile, requests: Sequence[TargetRequest], folder: Path, told: frozenset[str]
) -> Iterator[Stale]:
    """The sections whose files beside the spec have changed, but for those that are told already."""
    seen: dict[LocalRequest, tuple[TreeEntry, ...]] = {}
    for request in requests:
        locked = found.target(request.name)
        if locked is None:
            continue
        trees = dict(locked.trees)
        for name, tree in request.trees:
            old = trees.get(name)
            if not isinstance(tree, LocalRequest) or not isinstance(old, LocalTree):
                continue
            if tree not in seen:
                seen[tree] = tuple(member.entry for member in local.scan(tree, folder))
            if (reason := _difference(old.entries, seen[tree])) is not None:
                yield from _unless(told, Stale(request.name, name, reason, tree.origin))
        for base in (each.base for each in locked.systems if isinstance(each.base, ArchiveBase)):
            path = folder / base.path
            if not path.is_file() or sha256_of(path) != base.sha256:
                reason = f"`{base.path}` is another file"
                yield from _unless(told, Stale(request.name, SYSTEM, reason, request.base.origin))


def _unless(told: frozenset[str], found: Stale) -> Iterator[Stale]:
    if str(found) not in told:
        yield found


def _difference(before: Iterable[TreeEntry], after: Iterable[TreeEntry]) -> str | None:
    """What changed in a tree, in a few words."""
    old, new = ({each.path: each for each in entries} for entries in (before, after))
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    if not paths:
        return None
    first = paths[0]
    if not first:
        return "the file has changed"
    word = "has changed" if first in old and first in new else "is new" if first in new else "is gone"
    return f"`{first}` {word}" + (f", and {len(paths) - 1} more" if len(paths) > 1 else "")
