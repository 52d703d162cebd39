"""What earlier runs have shown of a target in an engine, so that what has not changed is not done again.

Only what held is kept, under a digest of all that it depends on, and written as soon as it is known: a run that
is interrupted has shown what it has shown. Whatever is damaged in a file of these counts as never shown.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from reproc import model
from reproc.files import write_atomically
from reproc.verify.engines.base import Built, Captured, Probe, Step
from reproc.verify.machine import Machine
from reproc.verify.plan import Recipe, TargetPlan
from reproc.verify.report import (
    AuditReport,
    Finding,
    Package,
    RebuildReport,
    RecordedReport,
    Status,
    TestReport,
)
from reproc.version import VERSION

_SCHEME = 2
"""Of the file and of what goes into its digests."""
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError)
_CHANGING = ("gpu", "mpi", "network")
"""Needs of tests that show something of the machine or of the world, and so are tested every time."""


def _digest(*words: object) -> str:
    text = json.dumps([_SCHEME, VERSION, *(str(word) for word in words)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def image_key(recipe: Recipe, probe: Probe) -> str | None:
    """A digest of all that an image is made of and by; None where not all of it is known."""
    if recipe.inputs is None:
        return None
    engine = (probe.engine, probe.version, [(each.name, each.text) for each in probe.details])
    circumstances = (recipe.platform, recipe.epoch, recipe.network, recipe.tag)
    return _digest("image", recipe.file.read_bytes(), recipe.inputs, engine, circumstances)


def recipe_key(recipe: Recipe) -> str | None:
    """A digest of all that an image is made of, whatever makes it; None where not all of it is known."""
    if recipe.inputs is None:
        return None
    return _digest("recipe", recipe.file.read_bytes(), recipe.inputs, recipe.platform, recipe.epoch)


def _image(built: Built) -> str:
    return built.digest or built.image


def test_key(
    plan: TargetPlan, test: model.Test, built: Built, probe: Probe, machine: Machine, emulated: str | None
) -> str | None:
    """A digest of all that a test's outcome depends on; None if the world outside is a part of that."""
    if any(need.what in _CHANGING for need in test.needs):
        return None
    host = machine.host
    processor = (host.family, sorted(host.features)) if host else ()
    given = (plan.workdir, plan.entry, plan.mounts, sorted(plan.data), emulated)
    here = (probe.engine, probe.version, os.uname().release, processor)
    return _digest("test", repr(test), _image(built), given, here)


def audits_key(plan: TargetPlan, built: Built) -> str:
    """A digest of all that an image's audits depend on."""
    return _digest("audits", repr(plan.target), plan.entry, sorted(plan.compilers.items()), _image(built))


def rebuild_key(key: str | None, built: Built) -> str | None:
    """A digest of all that a second build of an image depends on."""
    return None if key is None else _digest("rebuild", key, _image(built))


def packages_key(image: str, environments: Sequence[str]) -> str:
    """A digest of all that a list of an image's packages depends on."""
    return _digest("packages", image, *environments)


def same_key(images: Sequence[str]) -> str:
    """A digest of images, by their own digests, that were held against each other."""
    return _digest("same", *images)


class Proofs:
    """What was shown of a target in one engine, or of its images side by side."""

    def __init__(self, path: Path, now: str, *, believed: bool = True) -> None:
        """Reads what is there; if it is not `believed`, it is forgotten, but for the recorded image's digest."""
        self._path, self._now = path, now
        known = _read(path)
        self._known: dict[str, Any] = known if believed else {"recorded": known.get("recorded")}
        self._known.setdefault("shown", {})
        if known and not believed:
            self._write()

    def recorded(self, key: str | None, built: Built) -> RecordedReport | None:
        """The image that was made first of the same, which is kept for good, held against one that was made now."""
        if key is None or built.digest is None:
            return None
        with suppress(*_DAMAGED):
            kept = self._known["recorded"]
            if kept["key"] == key:
                return RecordedReport(str(kept["since"]), kept["digest"], kept["digest"] == built.digest)
        self._known["recorded"] = {"key": key, "since": self._now, "digest": built.digest}
        self._write()
        return None

    def image(self, key: str | None) -> tuple[Built, str] | None:
        """An image of earlier and when it was built."""
        with suppress(*_DAMAGED):
            kept = self._known["image"]
            if key is not None and kept["key"] == key:
                what = kept["what"]
                steps = tuple(Step(**each) for each in what["steps"])
                return Built(**{**what, "notes": tuple(what["notes"]), "steps": steps, "varied": ()}), str(
                    kept["since"]
                )
        return None

    def add_image(self, key: str | None, built: Built) -> None:
        """Keeps an image; what was shown of another one is forgotten."""
        what = dataclasses.asdict(built)
        try:
            before = self._known["image"]["what"]
            same = all(before[name] == what[name] for name in ("image", "digest"))
        except _DAMAGED:
            same = False
        if not same:
            self._known["shown"] = {}
        self._known["image"] = {"key": key, "since": self._now, "what": what}
        self._write()

    def test(self, key: str | None) -> TestReport | None:
        """A test that passed."""
        with suppress(*_DAMAGED):
            what, since = self._shown(key)
            streams = {name: Captured(**what[name]) for name in ("stdout", "stderr")}
            return TestReport(**{**what, **streams, "status": Status(what["status"]), "since": since})
        return None

    def audits(self, key: str | None) -> tuple[AuditReport, ...] | None:
        """Audits of which none failed."""
        with suppress(*_DAMAGED):
            rows, since = self._shown(key)
            return tuple(
                AuditReport(
                    row["name"],
                    Status(row["status"]),
                    row["reason"],
                    tuple(Finding(**each) for each in row["findings"]),
                    since,
                )
                for row in rows
            )
        return None

    def rebuild(self, key: str | None) -> RebuildReport | None:
        """A second build that gave the same bytes."""
        with suppress(*_DAMAGED):
            what, since = self._shown(key)
            known = {name: what[name] for name in ("level", "digest", "seconds")}
            return RebuildReport(**known, varied=tuple(what["varied"]), since=since)
        return None

    def packages(self, key: str | None) -> tuple[Package, ...] | None:
        """The packages of an image."""
        with suppress(*_DAMAGED):
            rows, _ = self._shown(key)
            lists = ("licenses", "mentions")
            return tuple(Package(**{**row, **{each: tuple(row[each]) for each in lists}}) for row in rows)
        return None

    def same(self, key: str | None) -> tuple[bool, str] | None:
        """Whether owners had to be left out when images were seen to hold the same files, and when that was."""
        with suppress(*_DAMAGED):
            what, since = self._shown(key)
            return bool(what["flattened"]), since
        return None

    def _shown(self, key: str | None) -> tuple[Any, str]:
        kept = self._known["shown"][key]
        return kept["what"], str(kept["since"])

    def add(self, key: str | None, what: object) -> None:
        """Keeps what has just held."""
        if key is not None:
            plain = json.loads(json.dumps(what, default=_plain))
            self._known["shown"][key] = {"since": self._now, "what": plain}
            self._write()

    def _write(self) -> None:
        text = json.dumps({"version": _SCHEME, **self._known})
        with suppress(OSError):  # what cannot be kept costs the next run its time, and this one nothing
            write_atomically(self._path, text.encode("utf-8", "surrogatepass"))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    right = isinstance(found, dict) and found.get("version") == _SCHEME
    return found if right and isinstance(found.get("shown"), dict) else {}


def _plain(value: Any) -> object:
    return value.value if isinstance(value, Enum) else dataclasses.asdict(value)
