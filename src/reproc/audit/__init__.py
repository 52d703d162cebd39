"""What the ELF files of an image need of the hardware, read out of the files: nothing is run.

`scan` is the door: files and a promise in, findings out. `facts_of` and `judge` are its two halves.
"""

from __future__ import annotations

from collections.abc import Iterable

from reproc.audit.facts import Facts
from reproc.audit.judge import Finding, Kind, Promise, judge
from reproc.audit.reading import Cache, File, Notes, facts_of

__all__ = ["Cache", "Facts", "File", "Finding", "Kind", "Notes", "Promise", "facts_of", "judge", "scan"]


def scan(
    files: Iterable[File], promise: Promise, cache: Cache | None = None, workers: int | None = None
) -> tuple[Finding, ...]:
    """What is to be said of the ELF files among some files; what does not hold comes first, then by path.

    `workers` are processes, as many as the machine has processors if nobody says.
    """
    found = facts_of(files, cache, workers)
    return tuple(judge([(file.path, facts) for file, facts in found], promise))
