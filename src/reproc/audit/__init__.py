"""What the ELF files of an image need of the hardware, read out of the files: nothing is run.

`scan` is the door: files and a promise in, findings out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reproc.audit.judge import Finding, Kind, Promise, judge
from reproc.audit.reading import Cache, File, facts_of

__all__ = ["File", "Finding", "Kind", "Promise", "scan"]


def scan(
    files: Iterable[File], promise: Promise, cache: Path | None = None, workers: int | None = None
) -> tuple[Finding, ...]:
    """What is to be said of the ELF files among some files; what does not hold comes first, then by path.

    `cache` is a folder for what was found in a file, by its digest; `workers` are processes, as many as the
    machine has processors if nobody says.
    """
    found = facts_of(files, Cache(cache) if cache else None, workers)
    findings = judge([(file.path, facts) for file, facts in found], promise)
    return tuple(sorted(findings, key=lambda each: (each.holds, each.path, each.kind.value)))
