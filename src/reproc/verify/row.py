"""One target in one engine: built, tested, audited, built again; what earlier runs have shown is not done again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reproc import model
from reproc.audit import Cache
from reproc.check import Target
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.lock.store import Store, default_root
from reproc.progress import Progress
from reproc.record import record, replace
from reproc.source import Span
from reproc.verify import contract, proofs
from reproc.verify.aside import Aside
from reproc.verify.audits import audits
from reproc.verify.audits.image import Image, below
from reproc.verify.circumstances import elsewhere
from reproc.verify.emulation import Unsuited
from reproc.verify.engines.base import BuildFailed, Built, CommandResult, Engine, Probe, RunFailed
from reproc.verify.judge import judge
from reproc.verify.look import Look, look, missed, seen
from reproc.verify.machine import Machine, maker_of_gpus
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.processors import Processors
from reproc.verify.proofs import Proofs
from reproc.verify.report import (
    AuditReport,
    BuildReport,
    DifferenceReport,
    EngineReport,
    RebuildReport,
    Status,
    TestReport,
    summed,
)
from reproc.verify.sameness import Unseen, rebuilt
from reproc.verify.workspace import Workspace

_TAIL = 40
LEVELS = ("R0", "R1", "R2", "R3")
"""The levels of reproducibility, as `--require` takes them."""


@dataclass
class Tally:
    """What went wrong so far, and whose fault it was."""

    fail_fast: bool = False
    halted: bool = False
    """Whether something went wrong elsewhere."""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    lacking: bool = False
    """Whether something was asked for that this machine lacks or lost."""
    lost: bool = False
    broken: bool = False
    """Whether a build or a test failed by its own fault."""

    @property
    def stopped(self) -> bool:
        return (self.broken or self.lost or self.halted) and self.fail_fast

    def tell(self, diagnostic: Diagnostic, *, lacking: bool = False) -> None:
        """Takes note of a failure: the machine's if it is `lacking`, else the spec's own."""
        self._say([diagnostic])
        self.lacking = self.lacking or lacking
        self.broken = self.broken or not lacking
        self.lost = self.lost or lacking

    def _say(self, found: list[Diagnostic]) -> None:
        """What is amiss in the spec is so in every engine, and told once."""
        self.diagnostics += [each for each in found if each not in self.diagnostics]

    def add(self, other: Tally) -> None:
        """Takes over what another one has noted."""
        self._say(other.diagnostics)
        self.lacking = self.lacking or other.lacking
        self.lost = self.lost or other.lost
        self.broken = self.broken or other.broken


@record
class Begun:
    """One target in one engine, built, while its audits go on."""

    build: BuildReport | None
    finish: Callable[[], EngineReport]
    """Tests it, and waits for the audits; called once."""

    def finished(self) -> Begun:
        """The same when it is finished."""
        row = self.finish()
        return Begun(self.build, lambda: row)


@dataclass
class Rows:
    """What the rows of one run share."""

    options: Options
    workspace: Workspace
    progress: Progress
    machine: Machine
    started: str
    """RFC 3339, UTC."""
    tally: Tally = field(default_factory=Tally)

    def begin(self, plan: TargetPlan, engine: Engine, aside: Aside) -> Begun:
        """Builds a target in an engine, and begins its audits."""
        probe = engine.probe()
        recipe = plan.recipes.get(engine.backend)
        skipped = self._why_not(probe, recipe, engine)
        if skipped is not None or recipe is None:
            missing = not probe.usable and engine.name in (*self.options.engines, *self.options.required)
            status = Status.FAILED if missing else Status.SKIPPED
            rows = tuple(TestReport(test.name, Status.SKIPPED, skipped) for test in self.tests(plan))
            report = EngineReport(engine.name, probe.version, status, skipped, None, rows)
            return Begun(None, lambda: report)
        path = self.workspace.proven / f"{plan.name}-{engine.name}.json"
        known = Proofs(path, self.started, believed=self.options.cache)
        begun = _Row(self, plan, engine, probe, recipe, known, aside).begin()
        return begun.finished() if self.options.fail_fast else begun

    def died(self, plan: TargetPlan, engine: Engine) -> EngineReport:
        """What is left to say of a target in an engine where the process that did the work was killed."""
        reason = "the process that worked with it was killed, perhaps for want of memory"
        facts = {"engine": engine.name, "doing": f"verifying `{plan.name}`", "reason": reason}
        self.tally.tell(error(codes.ENGINE_FAILED, None, **facts), lacking=True)
        rows = tuple(TestReport(test.name, Status.SKIPPED, reason) for test in self.tests(plan))
        return EngineReport(engine.name, engine.probe().version, Status.FAILED, reason, None, rows)

    def _why_not(self, probe: Probe, recipe: Recipe | None, engine: Engine) -> str | None:
        if not probe.usable:
            return probe.reason or "it cannot be used here"
        if recipe is None:
            return f"the target has no recipe for {engine.backend}"
        return "stopped after the first failure" if self.tally.stopped else None

    def tests(self, plan: TargetPlan) -> Iterator[model.Test]:
        """The tests of a target that were asked for."""
        only = (self.options.only or "").casefold()
        for test in plan.tests if self.options.test else ():
            if test.on and plan.name not in {item.text for item in test.on}:
                continue
            if only in test.name.casefold():
                yield test


@dataclass
class _Row:
    """One target in one engine that is here."""

    rows: Rows
    plan: TargetPlan
    engine: Engine
    probe: Probe
    recipe: Recipe
    known: Proofs
    aside: Aside
    processors: Processors | None = None

    def begin(self) -> Begun:
        key = proofs.image_key(self.recipe, self.probe)
        earlier = self.known.image(key)
        since = None
        built: Built | BuildFailed
        if earlier is not None and self.engine.holds(earlier[0], self.recipe):
            built, since = earlier
        else:
            built = self._built(key)
        shape = "vendored" if self.recipe.vendored else "standalone"
        log = self._shown(self._log)
        build = BuildReport(
            Status.PASSED,
            built.seconds,
            None,
            None,
            log,
            shape=shape,
            network=self.recipe.opened,
            since=since,
        )
        name, version = self.engine.name, self.probe.version
        if isinstance(built, BuildFailed):
            self._tell(built.diagnostic, built.lacking)
            tests = tuple(self.rows.tests(self.plan))
            rows = tuple(TestReport(test.name, Status.SKIPPED, "the image was not built") for test in tests)
            build = replace(build, status=Status.FAILED)
            failed = EngineReport(name, version, Status.FAILED, built.diagnostic.message, build, rows)
            return Begun(build, lambda: failed)
        build = replace(build, image=built.image, digest=built.digest, notes=built.notes, size=built.size)
        recorded = self.known.recorded(proofs.recipe_key(self.recipe), built) if since is None else None
        build = replace(build, steps=built.steps, recorded=recorded)
        return Begun(build, partial(self._finished, build, built, key, self._auditing(built)))

    def _finished(
        self,
        build: BuildReport,
        built: Built,
        key: str | None,
        audits: Callable[[], tuple[AuditReport, ...]],
    ) -> EngineReport:
        tests = tuple(self._tested(built))
        audited = () if self._stopped else audits()
        again = self._rebuilt(built, key)
        failed = Status.FAILED in [*(each.status for each in tests), *(each.status for each in audited)]
        status = Status.FAILED if failed else Status.PASSED
        name, version = self.engine.name, self.probe.version
        return self._required(EngineReport(name, version, status, None, build, tests, audited, again))

    def _required(self, row: EngineReport) -> EngineReport:
        """The row; says so if it reaches less than the level that was asked for."""
        required = [each for each in self.rows.options.required if each in LEVELS]
        if row.level is not None and not self._stopped and max(required, default="") > row.level:
            recorded = row.build.recorded if row.build else None
            said = listed(row.rebuild.differences, row.rebuild.count) if row.rebuild else ""
            if recorded is not None and not recorded.same:
                said = (
                    f"{said}\nthe same recipe and inputs gave {recorded.digest} in {recorded.since}".strip()
                )
            facts = {"target": self.plan.name, "engine": self.engine.name, "level": row.level}
            self._tell(error(codes.LEVEL_MISSED, None, output=said, wanted=max(required), **facts))
        return row

    def _built(self, key: str | None) -> Built | BuildFailed:
        with self.rows.progress.task(f"build {self._what}"):
            built = self.engine.build(
                self.recipe, self.rows.progress, self._log, cache=self.rows.options.cache
            )
        if isinstance(built, Built):
            self.known.add_image(key, built)
        return built

    @property
    def _what(self) -> str:
        return f"{self.plan.name} with {self.engine.name}"

    @property
    def _log(self) -> Path:
        return self.rows.workspace.logs / f"{self.plan.name}-{self.engine.name}.log"

    def _shown(self, path: Path) -> str:
        """A path as the report names it: from the state folder's parent on."""
        return path.relative_to(self.rows.workspace.root.parent).as_posix()

    def _tell(self, diagnostic: Diagnostic, lacking: bool = False) -> None:
        self.rows.tally.tell(diagnostic, lacking=lacking)

    @property
    def _stopped(self) -> bool:
        return self.rows.tally.stopped

    # a second build

    def _rebuilt(self, built: Built, key: str | None) -> RebuildReport | None:
        if not self.rows.options.rebuild or self._stopped:
            return None
        key = proofs.rebuild_key(key, built)
        found = self.known.rebuild(key) or self._built_again(built)
        if found is None:
            return None
        if found.level == LEVELS[-1] and found.since is None:
            self.known.add(key, found)
        return found

    def _built_again(self, built: Built) -> RebuildReport | None:
        log = self.rows.workspace.logs / f"{self.plan.name}-{self.engine.name}-rebuild.log"
        folder = self.rows.workspace.new_folder("rebuild")
        with (
            self.rows.progress.task(f"build {self._what} once more"),
            elsewhere(self.recipe, folder) as other,
        ):
            again = self.engine.build(other, self.rows.progress, log, cache=False)
        if isinstance(again, BuildFailed):
            self._tell(again.diagnostic, again.lacking)
            return None
        try:
            return rebuilt(self.engine, built, again, folder)
        except Unseen as failure:
            self._tell(failure.diagnostic)
            return None
        finally:
            self.engine.remove(again, other)

    # audits

    def _auditing(self, built: Built) -> Callable[[], tuple[AuditReport, ...]]:
        """What waits for the audits of an image and tells what they find."""
        target = self.plan.target
        if target is None or not self.rows.options.test:
            return lambda: ()
        key = proofs.audits_key(self.plan, built)
        if (earlier := self.known.audits(key)) is not None:
            return lambda: earlier
        waiting = self.aside.begin(partial(self._audited, target, built))
        return lambda: self._kept(key, waiting())

    def _audited(self, target: Target, built: Built) -> tuple[AuditReport, ...]:
        with (
            self.rows.workspace.folder("audit") as folder,
            self.rows.progress.task(f"audits of {self._what}"),
            Store(default_root()) as store,
        ):
            image = Image(
                self.engine,
                built.image,
                self.plan.entry,
                folder,
                built.digest,
                Cache(store),
                self.plan.compilers,
                self.aside.wanted,
            )
            return tuple(audits(target, image))

    def _kept(self, key: str, found: tuple[AuditReport, ...]) -> tuple[AuditReport, ...]:
        """The audits, told and remembered."""
        found = tuple(map(self._told, found))
        if not any(each.status is Status.FAILED for each in found):
            self.known.add(key, found)
        return found

    def _told(self, audit: AuditReport) -> AuditReport:
        if audit.status is Status.FAILED:
            facts = {"audit": audit.name, "target": self.plan.name, "engine": self.engine.name}
            bad = [each for each in audit.findings if not each.holds]
            said = "\n".join(each.message for each in bad)
            place = self._keeping(bad[0].path) if bad else None
            self._tell(error(codes.AUDIT_FAILED, place, output=said, reason=audit.reason, **facts))
        return audit

    def _keeping(self, path: str | None) -> Span | None:
        """Where the spec keeps a path, if a build does."""
        kept = (item for build in self.plan.target.builds for item in build.keep) if self.plan.target else ()
        return next((item.origin for item in kept if path and below(path, (item.text,))), None)

    # a test

    def _tested(self, built: Built) -> Iterator[TestReport]:
        """Every test; with `emulate` once more as on the oldest processor that the target allows."""
        for test in self.rows.tests(self.plan):
            yield self._test(built, test, test.cpu.text if test.cpu else None)
            oldest = self.plan.target.cpu if self.plan.target else None
            if self.rows.options.emulate and oldest and not test.cpu:
                yield self._test(built, replace(test, name=f"{test.name} (on {oldest})"), oldest.text)

    def _test(self, built: Built, test: model.Test, processor: str | None) -> TestReport:
        if (told := self._untested(test)) is not None:
            return told
        key = proofs.test_key(self.plan, test, built, self.probe, self.rows.machine, processor)
        if (earlier := self.known.test(key)) is not None:
            return earlier
        found = self._tried(built, test, processor)
        if found.status is Status.PASSED:
            self.known.add(key, found)
        return found

    def _tried(self, built: Built, test: model.Test, processor: str | None) -> TestReport:
        """A test, run again while it fails and as often as was asked for; that it failed is told in any case."""
        runs = [self._run(built, test, processor)]
        while runs[-1].failed_itself and len(runs) <= self.rows.options.retries:
            runs.append(self._run(built, test, processor))
        found = summed(runs)
        if found.failed_itself:
            self._tell(self._failure(test, found))
        return found

    def _failure(self, test: model.Test, found: TestReport) -> Diagnostic:
        streams = [each.text for each in (found.stderr, found.stdout) if each is not None and each.text]
        said = "\n".join(streams[0].splitlines()[-_TAIL:]) if streams else ""
        code = codes.TEST_FLAKY if found.flaky else codes.TEST_FAILED
        facts = {"test": test.name, "target": self.plan.name, "engine": self.engine.name}
        return error(code, test.origin, output=said, reason=found.reason, **facts)

    def _untested(self, test: model.Test) -> TestReport | None:
        """What stands for a test that is not run; None if it is."""
        if self._stopped:
            return TestReport(test.name, Status.SKIPPED, "stopped after the first failure")
        if test.backends and self.engine.backend not in test.backends:
            return TestReport(test.name, Status.SKIPPED, f"it is only for {' and '.join(test.backends)}")
        for need in test.needs:
            if (reason := self._lacks(need)) is None:
                continue
            if need.what not in self.rows.options.required:
                return TestReport(test.name, Status.SKIPPED, reason)
            facts = {"test": test.name, "what": need.what, "word": need.what}
            self._tell(error(codes.REQUIREMENT_MISSING, need.origin, **facts), lacking=True)
            return TestReport(test.name, Status.FAILED, f"{reason}, and it was required")
        return None

    def _run(self, built: Built, test: model.Test, processor: str | None) -> TestReport:
        plan = self.plan
        wanted = look(test, secrets.token_hex(16), plan.entry)
        command = contract.command(
            test, plan.workdir, wanted, entry=plan.entry, mounts=plan.mounts, gpu=maker_of_gpus(plan.target)
        )
        try:
            with self.rows.progress.task(f"test “{test.name}” of {self._what}"):
                if processor is None:
                    return self._judged(test, self.engine.run(built.image, command), wanted)
                result, died = self._processors(built).run(command, processor)
                return self._judged(test, result, wanted, died)
        except Unsuited as failure:
            return TestReport(test.name, Status.SKIPPED, f"`{processor}` cannot be emulated here: {failure}")

    def _processors(self, built: Built) -> Processors:
        """Emulated processors for the image; raises `Unsuited`."""
        if self.processors is None:
            self.processors = Processors.of(
                self.engine, built.image, self.plan, self.rows.workspace.new_folder("emulate")
            )
        return self.processors

    def _lacks(self, need: model.Needs) -> str | None:
        """Why a test that needs this cannot run here; None if it can."""
        plan, machine = self.plan, self.rows.machine
        if need.what != "data" or need.name is None:
            return machine.lacks(need, plan.target)
        reason = dict(plan.absent).get(need.name.text)
        if reason is not None:
            return f"data `{need.name}` is not here: {reason}"
        return None if need.name.text in plan.data else machine.lacks(need)

    def _judged(
        self, test: model.Test, result: CommandResult | RunFailed, wanted: Look, died: str | None = None
    ) -> TestReport:
        match result:
            case RunFailed():
                self._tell(result.diagnostic, result.lacking)
                return TestReport(test.name, Status.FAILED, result.diagnostic.message, seconds=result.seconds)
            case CommandResult():
                found, stderr = seen(wanted, result.stderr)
                result = replace(result, stderr=stderr)
                reason = judge(test, result) or missed(wanted, found)
                status = Status.PASSED if reason is None else Status.FAILED
                reason = f"{reason}; {died}" if reason and died else reason
                said = result.stdout, result.stderr
                return TestReport(test.name, status, reason, result.exit_code, result.seconds, *said)


def listed(differences: Sequence[DifferenceReport], count: int) -> str:
    """Differences for people, a line each, and how many more there are."""
    lines = [f"{each.path}: {each.what}{f' ({each.hint})' if each.hint else ''}" for each in differences]
    more = count - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])
