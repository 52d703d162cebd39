"""The run: every target in every engine, built and tested, one after the other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reproc import model
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.record import replace
from reproc.verify import contract
from reproc.verify.audits import audits
from reproc.verify.audits.image import Image
from reproc.verify.emulation import Unsuited
from reproc.verify.engines import ENGINES, make
from reproc.verify.engines.base import BuildFailed, Built, CommandResult, Engine, Probe, RunFailed
from reproc.verify.interrupt import interruptible, undisturbed
from reproc.verify.judge import judge
from reproc.verify.look import Look, look, missed, seen
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, Recipe, TargetPlan
from reproc.verify.processors import Processors
from reproc.verify.report import (
    AuditReport,
    BuildReport,
    DifferenceReport,
    EngineReport,
    RebuildReport,
    Report,
    Status,
    TargetReport,
    TestReport,
)
from reproc.verify.sameness import Side, Unseen, elsewhere, explained, rebuilt, tree_of
from reproc.verify.tree import Tree, compare
from reproc.verify.workspace import Workspace, remove_tree

_TAIL = 40
LEVELS = ("R0", "R1", "R2", "R3")
"""The levels of reproducibility, as `--require` takes them."""


def all_engines(workspace: Workspace) -> tuple[Engine, ...]:
    """Every engine there is an adapter for, whether or not it is here."""
    return tuple(make(name, workspace) for name in ENGINES)


def verify(
    plans: Sequence[TargetPlan],
    engines: Sequence[Engine],
    options: Options,
    workspace: Workspace,
    progress: Progress,
    *,
    machine: Machine | None = None,
) -> Report:
    """Builds and tests; raises KeyboardInterrupt when interrupted, after everything is cleared up."""
    run = _Run(options, workspace, progress, machine or Machine.look())
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with interruptible():
        try:
            chosen = run.choose(engines)
            targets = tuple(run.target(plan, chosen) for plan in plans)
        finally:
            with undisturbed():
                for engine in engines:
                    engine.close()
                remove_tree(workspace.temporary)
    return Report(started, targets, tuple(run.diagnostics), run.broken, run.lacking)


@dataclass
class _Run:
    """What the parts of one run share."""

    options: Options
    workspace: Workspace
    progress: Progress
    machine: Machine
    diagnostics: list[Diagnostic] = field(default_factory=list)
    lacking: bool = False
    lost: bool = False
    broken: bool = False
    processors: dict[tuple[str, str], Processors] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        return (self.broken or self.lost) and self.options.fail_fast

    # engines

    def choose(self, engines: Sequence[Engine]) -> tuple[Engine, ...]:
        """The engines to use, in the order given; says what was asked for and is not here."""
        named = {name for name in (*self.options.engines, *self.options.required) if name in ENGINES}
        wanted = [each for each in engines if not self.options.engines or each.name in named]
        there = {each.name for each in wanted if each.probe().usable}
        if "docker" in there and "podman" not in named:
            wanted = [each for each in wanted if each.name != "podman"]
        for engine in wanted:
            probe = engine.probe()
            if not probe.usable and engine.name in named:
                self.lacking = True
                self.diagnostics.append(
                    error(
                        codes.ENGINE_MISSING,
                        None,
                        engine=engine.name,
                        reason=probe.reason,
                        advice=probe.advice,
                    )
                )
        if not there:
            self.lacking = True
            if not named:
                self.diagnostics.append(error(codes.NO_ENGINE, None))
        return tuple(wanted)

    # a target

    def target(self, plan: TargetPlan, engines: Sequence[Engine]) -> TargetReport:
        rows = [self._row(plan, engine) for engine in engines]
        same, differences = self._compared(plan, rows, engines)
        return TargetReport(plan.name, tuple(rows), same, differences)

    def _compared(
        self, plan: TargetPlan, rows: Sequence[EngineReport], engines: Sequence[Engine]
    ) -> tuple[bool | None, tuple[DifferenceReport, ...]]:
        """Whether the engines' images hold the same files, and what differs."""
        sides = [
            Side(engine, row.build.image, engine.name)
            for engine, row in zip(engines, rows, strict=True)
            if row.build is not None and row.build.image is not None
        ]
        if len(sides) < 2 or not self.options.test or self.stopped:
            return None, ()
        try:
            with self.progress.task(f"the images of {plan.name}, file by file"):
                first, *others = ((side, tree_of(side.engine, side.image)) for side in sides)
                found = tuple(each for other in others for each in self._differing(plan, first, other))
        except Unseen as failure:
            self._tell(failure.diagnostic, lacking=False)
            return None, ()
        return not found, found

    def _differing(
        self, plan: TargetPlan, first: tuple[Side, Tree], second: tuple[Side, Tree]
    ) -> tuple[DifferenceReport, ...]:
        comparison = compare(first[1], second[1])
        folder = self.workspace.temporary / f"compare-{secrets.token_hex(8)}"
        found = explained(comparison, first[0], second[0], folder)
        if found:
            facts = {"target": plan.name, "first": first[0].name, "second": second[0].name}
            said = _listed(found, len(comparison.differences))
            self._tell(error(codes.TREES_DIFFER, None, output=said, **facts), lacking=False)
        return found

    def _tests(self, plan: TargetPlan) -> Iterator[model.Test]:
        only = (self.options.only or "").casefold()
        for test in plan.tests if self.options.test else ():
            if test.on and plan.name not in {item.text for item in test.on}:
                continue
            if only in test.name.casefold():
                yield test

    def _row(self, plan: TargetPlan, engine: Engine) -> EngineReport:
        probe = engine.probe()
        recipe = plan.recipes.get(engine.backend)
        skipped = self._why_not(probe, recipe, engine)
        tests = tuple(self._tests(plan))
        if skipped is not None or recipe is None:
            missing = not probe.usable and engine.name in (*self.options.engines, *self.options.required)
            status = Status.FAILED if missing else Status.SKIPPED
            rows = tuple(TestReport(test.name, Status.SKIPPED, skipped) for test in tests)
            return EngineReport(engine.name, probe.version, status, skipped, None, rows)
        return self._verified(plan, engine, probe, recipe, tests)

    def _why_not(self, probe: Probe, recipe: Recipe | None, engine: Engine) -> str | None:
        if not probe.usable:
            return probe.reason or "it cannot be used here"
        if recipe is None:
            return f"the target has no recipe for {engine.backend}"
        return "stopped after the first failure" if self.stopped else None

    def _verified(
        self, plan: TargetPlan, engine: Engine, probe: Probe, recipe: Recipe, tests: tuple[model.Test, ...]
    ) -> EngineReport:
        log = self.workspace.logs / f"{plan.name}-{engine.name}.log"
        with self.progress.task(f"build {plan.name} with {engine.name}"):
            built = engine.build(recipe, self.progress, log, cache=self.options.cache)
        shape = "vendored" if recipe.vendored else "standalone"
        build = BuildReport(
            Status.PASSED, 0.0, None, None, self._shown(log), shape=shape, network=recipe.opened
        )
        match built:
            case BuildFailed():
                self._tell(built.diagnostic, built.lacking)
                build = replace(build, status=Status.FAILED, seconds=built.seconds)
                reason = built.diagnostic.message
                rows = tuple(
                    TestReport(test.name, Status.SKIPPED, "the image was not built") for test in tests
                )
                return EngineReport(engine.name, probe.version, Status.FAILED, reason, build, rows)
            case Built():
                build = replace(
                    build,
                    seconds=built.seconds,
                    image=built.image,
                    digest=built.digest,
                    notes=built.notes,
                    size=built.size,
                )
                rows = tuple(self._tested(plan, engine, built, tests))
                audited = tuple(self._audits(plan, engine, built))
                again = self._rebuilt(plan, engine, recipe, built)
                statuses = [row.status for row in rows] + [audit.status for audit in audited]
                status = Status.FAILED if Status.FAILED in statuses else Status.PASSED
                return EngineReport(engine.name, probe.version, status, None, build, rows, audited, again)

    def _shown(self, path: Path) -> str:
        """A path as the report names it: from the state folder's parent on."""
        return path.relative_to(self.workspace.root.parent).as_posix()

    def _tell(self, diagnostic: Diagnostic, lacking: bool) -> None:
        self.diagnostics.append(diagnostic)
        self.lacking = self.lacking or lacking
        self.broken = self.broken or not lacking
        self.lost = self.lost or lacking

    # a second build

    def _rebuilt(
        self, plan: TargetPlan, engine: Engine, recipe: Recipe, built: Built
    ) -> RebuildReport | None:
        if not self.options.rebuild or self.stopped:
            return None
        log = self.workspace.logs / f"{plan.name}-{engine.name}-rebuild.log"
        folder = self.workspace.temporary / f"rebuild-{secrets.token_hex(8)}"
        with (
            self.progress.task(f"build {plan.name} with {engine.name} once more"),
            elsewhere(recipe, folder) as other,
        ):
            again = engine.build(other, self.progress, log, cache=False)
        if isinstance(again, BuildFailed):
            self._tell(again.diagnostic, again.lacking)
            return None
        try:
            found = rebuilt(engine, built, again, folder)
        except Unseen as failure:
            self._tell(failure.diagnostic, lacking=False)
            return None
        finally:
            engine.remove(again, other)
        if missed := sorted(each for each in self.options.required if each in LEVELS and each > found.level):
            facts = {"target": plan.name, "engine": engine.name, "level": found.level, "wanted": missed[-1]}
            said = _listed(found.differences, found.count)
            self._tell(error(codes.LEVEL_MISSED, None, output=said, **facts), lacking=False)
        return found

    # audits

    def _audits(self, plan: TargetPlan, engine: Engine, built: Built) -> Iterator[AuditReport]:
        if plan.target is None or not self.options.test or self.stopped:
            return
        folder = self.workspace.temporary / f"audit-{secrets.token_hex(8)}"
        folder.mkdir(parents=True)
        try:
            with self.progress.task(f"audits of {plan.name} with {engine.name}"):
                for audit in audits(plan.target, Image(engine, built.image, plan.entry, folder)):
                    yield self._told(plan, engine, audit)
        finally:
            remove_tree(folder)

    def _told(self, plan: TargetPlan, engine: Engine, audit: AuditReport) -> AuditReport:
        if audit.status is Status.FAILED:
            facts = {"audit": audit.name, "target": plan.name, "engine": engine.name}
            said = "\n".join(each.message for each in audit.findings if not each.holds)
            told = error(codes.AUDIT_FAILED, None, output=said, reason=audit.reason, **facts)
            self._tell(told, lacking=False)
        return audit

    # a test

    def _tested(
        self, plan: TargetPlan, engine: Engine, built: Built, tests: Sequence[model.Test]
    ) -> Iterator[TestReport]:
        """Every test; with `emulate` once more as on the oldest processor that the target allows."""
        for test in tests:
            yield self._test(plan, engine, built, test)
            level = plan.target.cpu if plan.target and self.options.emulate and not test.cpu else None
            if level is not None:
                older = replace(test, name=f"{test.name} (on {level})")
                yield self._test(plan, engine, built, older, level.text)

    def _test(
        self, plan: TargetPlan, engine: Engine, built: Built, test: model.Test, emulated: str | None = None
    ) -> TestReport:
        if self.stopped:
            return TestReport(test.name, Status.SKIPPED, "stopped after the first failure")
        if test.backends and engine.backend not in test.backends:
            return TestReport(test.name, Status.SKIPPED, f"it is only for {' and '.join(test.backends)}")
        for need in test.needs:
            if (reason := self._lacks(plan, need)) is None:
                continue
            if need.what not in self.options.required:
                return TestReport(test.name, Status.SKIPPED, reason)
            facts = {"test": test.name, "what": need.what, "word": need.what}
            self._tell(error(codes.REQUIREMENT_MISSING, need.origin, **facts), lacking=True)
            return TestReport(test.name, Status.FAILED, f"{reason}, and it was required")
        wanted = look(test, secrets.token_hex(16), plan.entry)
        command = contract.command(test, plan.workdir, wanted, entry=plan.entry, mounts=plan.mounts)
        processor = test.cpu.text if test.cpu else emulated
        try:
            with self.progress.task(f"test “{test.name}” of {plan.name} with {engine.name}"):
                if processor is None:
                    return self._judged(plan, engine, test, engine.run(built.image, command), wanted)
                result, died = self._processors(plan, engine, built).run(command, processor)
                return self._judged(plan, engine, test, result, wanted, died)
        except Unsuited as failure:
            return TestReport(test.name, Status.SKIPPED, f"`{processor}` cannot be emulated here: {failure}")

    def _processors(self, plan: TargetPlan, engine: Engine, built: Built) -> Processors:
        """Emulated processors for one image; raises `Unsuited`."""
        key = (engine.name, built.image)
        if key not in self.processors:
            folder = self.workspace.temporary / f"emulate-{secrets.token_hex(8)}"
            self.processors[key] = Processors.of(engine, built.image, plan, folder)
        return self.processors[key]

    def _lacks(self, plan: TargetPlan, need: model.Needs) -> str | None:
        """Why a test that needs this cannot run here; None if it can."""
        if need.what != "data" or need.name is None:
            return self.machine.lacks(need, plan.target.cuda if plan.target else None)
        reason = dict(plan.absent).get(need.name.text)
        if reason is not None:
            return f"data `{need.name}` is not here: {reason}"
        return None if need.name.text in plan.data else self.machine.lacks(need)

    def _judged(
        self,
        plan: TargetPlan,
        engine: Engine,
        test: model.Test,
        result: CommandResult | RunFailed,
        wanted: Look,
        died: str | None = None,
    ) -> TestReport:
        match result:
            case RunFailed():
                self._tell(result.diagnostic, result.lacking)
                return TestReport(test.name, Status.FAILED, result.diagnostic.message, seconds=result.seconds)
            case CommandResult():
                found, stderr = seen(wanted, result.stderr)
                result = replace(result, stderr=stderr)
                reason = judge(test, result) or missed(wanted, found)
                reason = f"{reason}; {died}" if reason and died else reason
                return self._counted(plan, engine, test, result, reason)

    def _counted(
        self, plan: TargetPlan, engine: Engine, test: model.Test, result: CommandResult, reason: str | None
    ) -> TestReport:
        if reason is not None:
            said = "\n".join((result.stderr.text or result.stdout.text).splitlines()[-_TAIL:])
            facts = {"test": test.name, "target": plan.name, "engine": engine.name, "reason": reason}
            self._tell(error(codes.TEST_FAILED, test.origin, output=said, **facts), lacking=False)
        status = Status.PASSED if reason is None else Status.FAILED
        return TestReport(
            test.name, status, reason, result.exit_code, result.seconds, result.stdout, result.stderr
        )


def _listed(differences: Sequence[DifferenceReport], count: int) -> str:
    """Differences for people, a line each, and how many more there are."""
    lines = [f"{each.path}: {each.what}{f' ({each.hint})' if each.hint else ''}" for each in differences]
    more = count - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])
