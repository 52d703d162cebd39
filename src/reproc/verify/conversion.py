"""The other way to a SIF: Apptainer makes it out of Docker's image, as many sites do; its files must be the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from reproc.diagnostics import Diagnostic
from reproc.progress import Progress
from reproc.verify.engines.base import Engine
from reproc.verify.report import ConversionReport, DifferenceReport, Status
from reproc.verify.sameness import SHOWN, Unseen
from reproc.verify.tree import Tree, compare

WAYS = ("docker-archive", "oci-archive", "docker-daemon")
"""How the image reaches Apptainer, in its own words; any other way is a registry, such as `localhost:5000`."""


@runtime_checkable
class Giver(Engine, Protocol):
    """An engine whose images others can take."""

    def save(self, image: str, archive: Path) -> Diagnostic | None:
        """Writes an image as `docker save` does; says what went wrong."""
        ...

    def push(self, image: str, reference: str) -> Diagnostic | None:
        """Puts an image into a registry under a reference; says what went wrong."""
        ...


@runtime_checkable
class Taker(Engine, Protocol):
    """An engine that makes images of its own kind out of others'."""

    def taken(
        self, source: str, archive: Path | None, network: bool, progress: Progress, log: Path
    ) -> Tree | Diagnostic:
        """The files of what it makes out of a source, `%s` in it being the archive; nothing else is kept."""
        ...


def convert(
    way: str, giver: Giver, image: str, tag: str, taker: Taker, folder: Path, progress: Progress, log: Path
) -> Tree:
    """The files of the SIF that comes out of an image on one way; raises Unseen. The folder gets an archive."""
    failure, source, archive = None, f"{way}:{tag}", None
    if way.endswith("-archive"):
        source, archive = f"{way}:%s", folder / "image.tar"
        failure = giver.save(tag, archive)
    elif way not in WAYS:
        source = f"docker://{way}/{tag}"
        failure = giver.push(image, f"{way}/{tag}")
    if failure is not None:
        raise Unseen(failure)
    found = taker.taken(source, archive, way not in WAYS, progress, log)
    if isinstance(found, Diagnostic):
        raise Unseen(found)
    return found


def judged(way: str, trees: Sequence[Tree], names: Sequence[str]) -> ConversionReport:
    """The first of the trees, a SIF's that was converted, held against those of the engines."""
    converted, *others = trees
    comparisons = [compare(converted, other) for other in others]
    found = tuple(
        DifferenceReport(f"/{each.path}", each.words("the converted SIF", name))
        for comparison, name in zip(comparisons, names, strict=True)
        for each in comparison.differences[:SHOWN]
    )
    return ConversionReport(
        way,
        Status.FAILED if found else Status.PASSED,
        sum(len(each.differences) for each in comparisons),
        found,
        any(each.flattened for each in comparisons),
    )
