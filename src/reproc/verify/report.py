"""What verification found: values, the document of `report.json`, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any

from reproc.diagnostics import Diagnostic
from reproc.record import record, replace
from reproc.verify.engines.base import Captured, Step
from reproc.verify.plan import OpenStep
from reproc.version import VERSION


class Status(Enum):
    """How a check came out; there is no default."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@record
class Attempt:
    """One of several runs of a test."""

    reason: str | None
    """Why it failed; None if it passed."""
    exit_code: int | None
    seconds: float | None


@record
class TestReport:
    """One test in one engine."""

    name: str
    status: Status
    reason: str | None = None
    """Why it failed or was skipped; None if it passed."""
    exit_code: int | None = None
    seconds: float | None = None
    stdout: Captured | None = None
    stderr: Captured | None = None
    since: str | None = None
    """When an earlier run showed it, if this one did not do it again: nothing had changed."""
    flaky: bool = False
    """Whether it failed and then passed, which is a failure; the rest is of the last run that failed."""
    attempts: tuple[Attempt, ...] = ()
    """Every run of it, where there were several."""

    @property
    def failed_itself(self) -> bool:
        """Whether it ran and failed; not so where the engine did, or something was not here."""
        return self.status is Status.FAILED and self.stdout is not None


def summed(runs: Sequence[TestReport]) -> TestReport:
    """What several runs of a test come to, of which all but perhaps the last failed: never passed."""
    *failures, last = runs
    if not failures:
        return last
    attempts = tuple(Attempt(each.reason, each.exit_code, each.seconds) for each in runs)
    if last.status is not Status.PASSED:
        return replace(last, reason=f"{last.reason}; it failed {len(runs)} times", attempts=attempts)
    shown = failures[-1]
    counted = f"it failed {len(failures)} of {len(runs)} times: {shown.reason}"
    return replace(shown, reason=counted, flaky=True, attempts=attempts)


@record
class RecordedReport:
    """The image that an earlier run made first of the same recipe and inputs."""

    since: str
    """When that was: RFC 3339, UTC."""
    digest: str
    same: bool
    """Whether the image that was made now has that digest, too."""


@record
class BuildReport:
    """One image."""

    status: Status
    seconds: float
    image: str | None
    digest: str | None
    log: str
    notes: tuple[str, ...] = ()
    shape: str = "vendored"
    """`vendored`: everything came out of the store; `standalone`: the recipe fetched by itself."""
    size: int | None = None
    """Bytes of the SIF, or of the image as an archive."""
    network: tuple[OpenStep, ...] = ()
    """The builds that the spec let reach the network; no other step of the author's could."""
    since: str | None = None
    """When an earlier run showed it, if this one did not do it again: nothing had changed."""
    steps: tuple[Step, ...] = ()
    """In the order of the recipe; empty where the engine does not tell them apart."""
    recorded: RecordedReport | None = None
    """None if this run did not build, or no earlier one had built of the same."""


@record
class DifferenceReport:
    """One path at which two images are not the same."""

    path: str
    what: str
    hint: str | None = None
    """What helps, where the cause is known."""


@record
class RebuildReport:
    """A second build, under other circumstances, held against the first."""

    level: str
    """`R0` other packages, `R1` the same packages, `R2` the same file tree, `R3` the same digest."""
    digest: str | None
    seconds: float
    count: int = 0
    """How many things differ."""
    differences: tuple[DifferenceReport, ...] = ()
    """The first of them."""
    varied: tuple[str, ...] = ()
    """Which circumstances the steps of the second build really saw changed."""
    since: str | None = None
    """When an earlier run showed it, if this one did not do it again: nothing had changed."""


@record
class Finding:
    """One thing that an audit found."""

    message: str
    path: str | None = None
    """In the image."""
    holds: bool = True
    """Whether it is as it should be."""
    function: str | None = None
    """Of that file, if it is about one."""
    instruction: str | None = None
    needs: tuple[str, ...] = ()
    """Features of processors that the instruction needs, by archspec's names."""


@record
class AuditReport:
    """One audit of one image."""

    name: str
    status: Status
    reason: str | None = None
    """Why it failed or was skipped; None if it passed."""
    findings: tuple[Finding, ...] = ()
    since: str | None = None
    """When an earlier run showed it, if this one did not do it again: nothing had changed."""


@record
class EngineReport:
    """One target in one engine."""

    engine: str
    version: str | None
    status: Status
    reason: str | None = None
    """Why it was skipped, or failed before a test could; else None."""
    build: BuildReport | None = None
    tests: tuple[TestReport, ...] = ()
    audits: tuple[AuditReport, ...] = ()
    rebuild: RebuildReport | None = None

    @property
    def level(self) -> str | None:
        """The level of reproducibility that was shown: R0 is that it builds, more needs a second build or a recorded one.

        Of two that were held against this one, the one that differs more decides.
        """
        if self.build is None or self.build.status is not Status.PASSED:
            return None
        shown = [self.rebuild.level] if self.rebuild is not None else []
        if (recorded := self.build.recorded) is not None:
            shown.append("R3" if recorded.same else "R0")
        return min(shown, default="R0")


@record
class Package:
    """A package in an image."""

    name: str
    version: str
    kind: str
    """`debian` or `python`."""
    licenses: tuple[str, ...] = ()
    """As it names them itself; empty where it does not in a way that programs can read."""
    mentions: tuple[str, ...] = ()
    """Common licences that its copyright file points at, where that is prose."""


@record
class ConversionReport:
    """A SIF that Apptainer made out of Docker's image of a target, held against the images of the engines."""

    way: str
    """`docker-archive`, `oci-archive`, `docker-daemon`, or the registry that the image went through."""
    status: Status
    count: int = 0
    """How many things differ."""
    differences: tuple[DifferenceReport, ...] = ()
    """The first of them."""
    flattened: bool = False
    """Whether one of the images gives every file to root, and owners were left out."""


@record
class TargetReport:
    """One target in every engine."""

    name: str
    engines: tuple[EngineReport, ...]
    same_tree: bool | None = None
    """Whether the engines' images hold the same files; None if that was not compared."""
    differences: tuple[DifferenceReport, ...] = ()
    """What is not the same in them, the first of it."""
    same_since: str | None = None
    """When an earlier run compared them."""
    packages: tuple[Package, ...] | None = None
    """What its first image holds; None if that was not looked at."""
    flattened: bool = False
    """Whether one of them gives every file to root, as builds without privileges do; owners are left out then."""
    conversions: tuple[ConversionReport, ...] = ()


@record
class Report:
    """The whole run."""

    started: str
    """RFC 3339, UTC."""
    targets: tuple[TargetReport, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    broken: bool = False
    """Whether a build or a test failed by its own fault."""
    lacking: bool = False
    """Whether something was asked for that this machine lacks or lost."""

    @cached_property
    def counts(self) -> Mapping[Status, int]:
        """Tests by status; a build or an engine that failed counts as one that did."""
        counts = {status: 0 for status in Status}
        for row in self.rows():
            for test in row.tests:
                counts[test.status] += 1
            if not any(test.status is Status.FAILED for test in row.tests) and row.status is Status.FAILED:
                counts[Status.FAILED] += 1
        return counts

    @property
    def flaky(self) -> int:
        """How many of the tests that failed passed when they were run again."""
        return sum(test.flaky for row in self.rows() for test in row.tests)

    def rows(self) -> Iterator[EngineReport]:
        for target in self.targets:
            yield from target.engines

    @property
    def exit_code(self) -> int:
        """0 · 1 something does not hold · 3 everything holds, but something asked for is not here."""
        if self.broken:
            return 1
        return 3 if self.lacking else 0

    def document(self, spec: Mapping[str, Any], lock: Mapping[str, Any] | None) -> dict[str, Any]:
        """What `report.json` holds."""
        return {
            "version": 1,
            "reproc": VERSION,
            "started": self.started,
            "spec": dict(spec),
            "lock": None if lock is None else dict(lock),
            "summary": {status.value: self.counts[status] for status in Status} | {"flaky": self.flaky},
            "exit_code": self.exit_code,
            "targets": [_target(target) for target in self.targets],
            "diagnostics": [_diagnostic(each) for each in self.diagnostics],
        }


def _target(target: TargetReport) -> dict[str, Any]:
    return {
        "name": target.name,
        "engines": [_engine(row) for row in target.engines],
        "same_tree": target.same_tree,
        "same_since": target.same_since,
        "owners_flattened": target.flattened,
        "differences": [_difference(each) for each in target.differences],
        "packages": None if target.packages is None else [_package(each) for each in target.packages],
        "conversions": [_conversion(each) for each in target.conversions],
    }


def _conversion(conversion: ConversionReport) -> dict[str, Any]:
    return {
        "way": conversion.way,
        "status": conversion.status.value,
        "count": conversion.count,
        "owners_flattened": conversion.flattened,
        "differences": [_difference(each) for each in conversion.differences],
    }


def _package(package: Package) -> dict[str, Any]:
    lists = {"licenses": list(package.licenses), "mentions": list(package.mentions)}
    return {"name": package.name, "version": package.version, "kind": package.kind, **lists}


def _engine(row: EngineReport) -> dict[str, Any]:
    build = row.build
    return {
        "engine": row.engine,
        "version": row.version,
        "status": row.status.value,
        "reason": row.reason,
        "build": None
        if build is None
        else {
            "status": build.status.value,
            "seconds": round(build.seconds, 3),
            "since": build.since,
            "recorded": build.recorded and dict(vars(build.recorded)),
            "image": build.image,
            "digest": build.digest,
            "size": build.size,
            "log": build.log,
            "notes": list(build.notes),
            "shape": build.shape,
            "network": [{"build": each.build, "place": str(each.origin)} for each in build.network],
            "steps": [_step(each) for each in build.steps],
        },
        "level": row.level,
        "rebuild": _rebuild(row.rebuild),
        "tests": [_test(test) for test in row.tests],
        "audits": [_audit(audit) for audit in row.audits],
    }


def _step(step: Step) -> dict[str, Any]:
    seconds = round(step.seconds, 3)
    return {"title": step.title, "seconds": seconds, "cached": step.cached, "place": step.place}


def _difference(difference: DifferenceReport) -> dict[str, Any]:
    return {"path": difference.path, "what": difference.what, "hint": difference.hint}


def _rebuild(rebuild: RebuildReport | None) -> dict[str, Any] | None:
    if rebuild is None:
        return None
    return {
        "level": rebuild.level,
        "since": rebuild.since,
        "digest": rebuild.digest,
        "seconds": round(rebuild.seconds, 3),
        "varied": list(rebuild.varied),
        "count": rebuild.count,
        "differences": [_difference(each) for each in rebuild.differences],
    }


def _audit(audit: AuditReport) -> dict[str, Any]:
    findings = [vars(each) | {"needs": [*each.needs]} for each in audit.findings]
    return {
        "name": audit.name,
        "status": audit.status.value,
        "reason": audit.reason,
        "since": audit.since,
        "findings": findings,
    }


def _test(test: TestReport) -> dict[str, Any]:
    streams = {"stdout": test.stdout, "stderr": test.stderr}
    return {
        "name": test.name,
        "status": test.status.value,
        "reason": test.reason,
        "since": test.since,
        "exit_code": test.exit_code,
        "seconds": None if test.seconds is None else round(test.seconds, 3),
        **{name: None if stream is None else stream.text for name, stream in streams.items()},
        "truncated": [name for name, stream in streams.items() if stream is not None and stream.truncated],
        "flaky": test.flaky,
        "attempts": [vars(each) for each in test.attempts],
    }


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code.id,
        "name": diagnostic.code.name,
        "severity": diagnostic.severity.value,
        "place": None if diagnostic.span is None else str(diagnostic.span),
        "message": diagnostic.message,
        "help": diagnostic.help,
        "output": diagnostic.output or None,
    }
