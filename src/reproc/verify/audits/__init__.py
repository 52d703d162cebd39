"""Audits: what an image must hold to beside its tests, one subject a file.

An audit is given an image as `Image` and the target that it was built for, and yields what it finds. Adding a
file here, and a row to `AUDITS`, adds an audit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from reproc.check import Target
from reproc.verify.audits import binaries, compilers, libraries
from reproc.verify.audits.image import Image, Unreadable
from reproc.verify.report import AuditReport, Finding, Status

__all__ = ["AUDITS", "Audit", "audits"]


class Audit(Protocol):
    """A module of this package."""

    NAME: str

    def idle(self, target: Target) -> str | None:
        """Why there is nothing to look at, in words that follow a colon; None if there is."""
        ...

    def check(self, target: Target, image: Image) -> Iterator[Finding]:
        """What is found; a finding that does not hold fails the audit. May raise `Unreadable`."""
        ...


# the first one reads most of the image, and the others find there what they ask for
AUDITS: tuple[Audit, ...] = (binaries, compilers, libraries)


def audits(target: Target, image: Image) -> Iterator[AuditReport]:
    """Every audit of an image, in order."""
    for audit in AUDITS:
        if reason := audit.idle(target):
            yield AuditReport(audit.NAME, Status.SKIPPED, reason)
            continue
        try:
            found = tuple(audit.check(target, image))
        except Unreadable as failure:
            yield AuditReport(audit.NAME, Status.FAILED, f"the image cannot be looked into: {failure}")
            continue
        bad = [each for each in found if not each.holds]
        status = Status.FAILED if bad else Status.PASSED
        yield AuditReport(audit.NAME, status, bad[0].message if bad else None, found)
