"""Whether two images are the same, how far, and what differs: those of two engines, or of two builds in one."""

from __future__ import annotations

import re
from pathlib import Path

from reproc.diagnostics import Diagnostic
from reproc.record import record, replace
from reproc.verify.engines.base import Built, Engine
from reproc.verify.report import DifferenceReport, RebuildReport
from reproc.verify.suspects import suspect
from reproc.verify.tree import Comparison, Difference, Tree, compare
from reproc.verify.workspace import remove_tree

SHOWN = 50
"""How many differences a report lists; the number of all is told."""
_LOOKED_INTO = 20
"""How many differing files are looked into for the cause."""
_DPKG = "/var/lib/dpkg/status"
_DISTRIBUTION = re.compile(r"(?:^|/)([^/]+)\.dist-info/METADATA$")


@record
class Side:
    """An image in the engine that built it."""

    engine: Engine
    image: str
    name: str
    """What it is called where the two are told apart."""


class Unseen(Exception):
    """An engine does not show what it has built."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def tree_of(engine: Engine, image: str) -> Tree:
    """The files of an image; raises `Unseen`."""
    found = engine.tree(image)
    if isinstance(found, Diagnostic):
        raise Unseen(found)
    return found


def explained(
    comparison: Comparison, first: Side, second: Side, folder: Path
) -> tuple[DifferenceReport, ...]:
    """What differs, as a report lists it, with the likely cause; copies of the files go into a folder of its own."""
    shown = comparison.differences[:SHOWN]
    unlike = [each for each in shown if each.aspect == "content"][:_LOOKED_INTO]
    copies = _copies(unlike, first, second, folder)
    return tuple(_reported(each, first, second, copies) for each in shown)


def _copies(
    differences: list[Difference], first: Side, second: Side, folder: Path
) -> dict[str, tuple[bytes, bytes]]:
    """Both contents by path, of the files that could be had."""
    if not differences:
        return {}
    folder.mkdir(parents=True)
    try:
        places = []
        for number, side in enumerate((first, second)):
            place = folder / str(number)
            place.mkdir()
            side.engine.copy_out(side.image, [f"/{each.path}" for each in differences], place)
            places.append(place)
        files = {each.path: tuple(place / each.path for place in places) for each in differences}
        return {
            path: (ours.read_bytes(), theirs.read_bytes())
            for path, (ours, theirs) in files.items()
            if all(each.is_file() and not each.is_symlink() for each in (ours, theirs))
        }
    finally:
        remove_tree(folder)


def _reported(
    difference: Difference, first: Side, second: Side, copies: dict[str, tuple[bytes, bytes]]
) -> DifferenceReport:
    if difference.path not in copies:
        said = difference.words(first.name, second.name).removeprefix(f"/{difference.path}").lstrip(": ")
        return DifferenceReport(f"/{difference.path}", said)
    found = suspect(difference.path, *copies[difference.path])
    if found is None:
        return DifferenceReport(f"/{difference.path}", "other content")
    return DifferenceReport(f"/{difference.path}", f"other content: it holds {found.cause}", found.remedy)


# ------------------------------------------------------------------------------------------- two builds


def rebuilt(engine: Engine, first: Built, second: Built, folder: Path) -> RebuildReport:
    """How far the second build gives what the first one gave; raises `Unseen`."""
    found = RebuildReport("R3", second.digest, second.seconds, varied=second.varied)
    if first.digest is not None and first.digest == second.digest:
        return found
    trees = [tree_of(engine, each.image) for each in (first, second)]
    comparison = compare(*trees)
    if comparison.same:
        return replace(found, level="R2")
    sides = Side(engine, first.image, "the first build"), Side(engine, second.image, "the second")
    differences = explained(comparison, *sides, folder / "contents")
    ours, theirs = (
        _packages(engine, each.image, tree, folder / "packages")
        for each, tree in zip((first, second), trees, strict=True)
    )
    level = "R1" if ours == theirs else "R0"
    return replace(found, level=level, count=len(comparison.differences), differences=differences)


def _packages(engine: Engine, image: str, tree: Tree, folder: Path) -> frozenset[str]:
    """Names and versions of the packages of the distribution and of Python that an image holds."""
    found = {match[1] for path in tree if (match := _DISTRIBUTION.search(path))}
    folder.mkdir(parents=True)
    try:
        engine.copy_out(image, [_DPKG], folder)
        status = folder / _DPKG.lstrip("/")
        text = status.read_text(encoding="utf-8", errors="replace") if status.is_file() else ""
    finally:
        remove_tree(folder)
    for stanza in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if re.match(r"(Package|Version): ", line)
        )
        found.add(" ".join(fields.values()))
    return frozenset(found)
