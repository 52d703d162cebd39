"""The run: every target in every engine, one after the other or side by side, and their images compared."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from reproc.diagnostics import error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.record import replace
from reproc.verify import proofs
from reproc.verify.conversion import Giver, Taker, convert, judged
from reproc.verify.engines import ENGINES, make
from reproc.verify.engines.base import Engine
from reproc.verify.interrupt import interruptible, undisturbed
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, TargetPlan
from reproc.verify.report import ConversionReport, DifferenceReport, EngineReport, Report, TargetReport
from reproc.verify.row import Rows, Tally, listed
from reproc.verify.sameness import Side, Unseen, explained, tree_of
from reproc.verify.tree import Comparison, Tree, compare
from reproc.verify.workspace import Workspace, new_run_id, remove_tree

_MEMORY = 1 << 30
"""Bytes that a build is given at least: a compiler, or what packs a SIF."""


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
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tally = Tally(options.fail_fast)
    run = _Run(Rows(options, workspace, progress, machine or Machine.look(), started, tally))
    with interruptible():
        try:
            targets = run.targets(plans, run.choose(engines))
        finally:
            with undisturbed():
                for engine in engines:
                    engine.close()
                remove_tree(workspace.temporary)
    return Report(started, targets, tuple(tally.diagnostics), tally.broken, tally.lacking)


@dataclass
class _Run:
    """Every row, and the images of each target side by side."""

    rows: Rows

    def choose(self, engines: Sequence[Engine]) -> tuple[Engine, ...]:
        """The engines to use, in the order given; says what was asked for and is not here."""
        options, tally = self.rows.options, self.rows.tally
        named = {name for name in (*options.engines, *options.required) if name in ENGINES}
        wanted = [each for each in engines if not options.engines or each.name in named]
        if "podman" not in named and any(each.name == "docker" and each.probe().usable for each in wanted):
            wanted = [each for each in wanted if each.name != "podman"]
        for engine in wanted:
            probe = engine.probe()
            if not probe.usable and engine.name in named:
                tally.lacking = True
                told = error(
                    codes.ENGINE_MISSING, None, engine=engine.name, reason=probe.reason, advice=probe.advice
                )
                tally.diagnostics.append(told)
        if not any(each.probe().usable for each in wanted):
            tally.lacking = True
            if not named:
                tally.diagnostics.append(error(codes.NO_ENGINE, None))
        return tuple(wanted)

    def targets(self, plans: Sequence[TargetPlan], engines: Sequence[Engine]) -> tuple[TargetReport, ...]:
        """Every target in every engine."""
        size = crew_size(self.rows.options.jobs, len(plans) * len(engines))
        if size < 2:
            return tuple(self._one_by_one(plan, engines) for plan in plans)
        found = iter(self._side_by_side(size, plans, engines))
        reports = []
        for plan in plans:
            rows = [next(found) for _ in engines]
            with closing(_Trees()) as trees:
                reports.append(self._target(plan, rows, engines, trees))
        return tuple(reports)

    def _one_by_one(self, plan: TargetPlan, engines: Sequence[Engine]) -> TargetReport:
        """The target; the files of what an engine has built are read while something else is done."""
        rows: list[EngineReport] = []
        with closing(_Trees()) as trees:
            for engine in engines:
                rows.append(self.rows.row(plan, engine))
                build, compared = rows[-1].build, len(engines) > 1 and self.rows.options.test
                if compared and build is not None and build.image is not None and build.since is None:
                    trees.begin(Side(engine, build.image, engine.name))
            return self._target(plan, rows, engines, trees)

    def _side_by_side(
        self, size: int, plans: Sequence[TargetPlan], engines: Sequence[Engine]
    ) -> Iterator[EngineReport]:
        """The rows, in the order of targets and then of engines."""
        from reproc.verify.crew import Crew, Died

        pairs = [(plan, engine) for plan in plans for engine in engines]

        def task(number: int, found: Sequence[Any]) -> tuple[TargetPlan, str, bool]:
            plan, engine = pairs[number]
            done = [told for each in found if not isinstance(each, Died) for told in each[1:]]
            return plan, engine.name, any(told.broken or told.lost for told in done)

        crew = Crew(partial(_Worker, self.rows, [each.name for each in engines], size), self.rows.progress)
        for (plan, engine), found in zip(pairs, crew.do(size, len(pairs), task), strict=True):
            if isinstance(found, Died):
                yield self.rows.died(plan, engine)
            else:
                row, told = found
                self.rows.tally.add(told)
                yield row

    def _target(
        self, plan: TargetPlan, rows: Sequence[EngineReport], engines: Sequence[Engine], trees: _Trees
    ) -> TargetReport:
        """The target with all that is found out of its images side by side, and with their packages."""
        path = self.rows.workspace.proven / f"{plan.name}.json"
        known = proofs.Proofs(path, self.rows.started, believed=self.rows.options.cache)
        packages = None
        if self.rows.options.test and not self.rows.tally.stopped:
            for engine, row in zip(engines, rows, strict=True):
                if row.build is not None and row.build.image is not None:
                    image = row.build.image, row.build.digest
                    packages = self.rows.packages(plan, engine, *image, known)
                    break
        return replace(self._compared(plan, rows, engines, known, trees), packages=packages)

    def _compared(
        self,
        plan: TargetPlan,
        rows: Sequence[EngineReport],
        engines: Sequence[Engine],
        known: proofs.Proofs,
        trees: _Trees,
    ) -> TargetReport:
        """The target with whether the engines' images hold the same files, and what differs."""
        report = TargetReport(plan.name, tuple(rows))
        there = [
            (Side(engine, row.build.image, engine.name), row.build.digest or row.build.image)
            for engine, row in zip(engines, rows, strict=True)
            if row.build is not None and row.build.image is not None
        ]
        options, tally = self.rows.options, self.rows.tally
        if len(there) < 2 or not options.test or tally.stopped:
            return report
        key = proofs.same_key([name for _, name in there])
        sides = [side for side, _ in there]
        try:
            if (earlier := known.same(key)) is not None:
                flattened, since = earlier
                report = replace(report, same_tree=True, same_since=since, flattened=flattened)
            else:
                report = self._files_compared(report, plan, sides, trees)
                if report.same_tree:
                    known.add(key, {"flattened": report.flattened})
            return replace(report, conversions=tuple(self._converted(plan, sides, trees)))
        except Unseen as failure:
            tally.tell(failure.diagnostic)
            return report

    def _files_compared(
        self, report: TargetReport, plan: TargetPlan, sides: Sequence[Side], trees: _Trees
    ) -> TargetReport:
        with self.rows.progress.task(f"the images of {plan.name}, file by file"):
            first, *others = sides
            for side in sides:
                trees.begin(side)
            comparisons = [compare(trees.of(first), trees.of(other)) for other in others]
            pairs = zip(comparisons, others, strict=True)
            found = tuple(each for one, other in pairs for each in self._differing(plan, one, first, other))
        flattened = any(each.flattened for each in comparisons)
        return replace(report, same_tree=not found, differences=found, flattened=flattened)

    def _converted(
        self, plan: TargetPlan, sides: Sequence[Side], trees: _Trees
    ) -> Iterator[ConversionReport]:
        """What becomes of Docker's image on each way to a SIF; raises Unseen."""
        giver = next((side for side in sides if isinstance(side.engine, Giver)), None)
        taker = next((side for side in sides if isinstance(side.engine, Taker)), None)
        for way in self.rows.options.convert if giver and taker else ():
            assert giver is not None and isinstance(giver.engine, Giver)
            assert taker is not None and isinstance(taker.engine, Taker)
            tag, log = plan.recipes["docker"].tag, self.rows.workspace.logs / f"{plan.name}-convert.log"
            folder = self.rows.workspace.temporary / f"convert-{secrets.token_hex(8)}"
            folder.mkdir(parents=True)
            progress = self.rows.progress
            try:
                with progress.task(f"a SIF out of docker's image of {plan.name} ({way})"):
                    tree = convert(way, giver.engine, giver.image, tag, taker.engine, folder, progress, log)
                    found = judged(way, [tree, *map(trees.of, sides)], [side.name for side in sides])
            finally:
                remove_tree(folder)
            if found.differences:
                said = listed(found.differences, found.count)
                self.rows.tally.tell(
                    error(codes.CONVERSION_DIFFERS, None, output=said, target=plan.name, way=way)
                )
            yield found

    def _differing(
        self, plan: TargetPlan, comparison: Comparison, *sides: Side
    ) -> tuple[DifferenceReport, ...]:
        folder = self.rows.workspace.temporary / f"compare-{secrets.token_hex(8)}"
        first, second = sides
        found = explained(comparison, first, second, folder)
        if found:
            facts = {"target": plan.name, "first": first.name, "second": second.name}
            said = listed(found, len(comparison.differences))
            self.rows.tally.tell(error(codes.TREES_DIFFER, None, output=said, **facts))
        return found


class _Trees:
    """The files of images, each read once."""

    def __init__(self) -> None:
        self._readers = ThreadPoolExecutor(os.cpu_count())
        self._known: dict[str, Future[Tree]] = {}

    def begin(self, side: Side) -> None:
        """Has an image read meanwhile; its engine has nothing else to do."""
        if side.name not in self._known:
            self._known[side.name] = self._readers.submit(tree_of, side.engine, side.image)

    def of(self, side: Side) -> Tree:
        """Raises Unseen."""
        self.begin(side)
        return self._known[side.name].result()

    def close(self) -> None:
        self._readers.shutdown(cancel_futures=True)


class _Worker:
    """Does rows in a process of its own, with engines of its own."""

    def __init__(
        self, rows: Rows, engines: Sequence[str], size: int, number: int, progress: Progress
    ) -> None:
        """One of `size` workers, with its share of the processors."""
        os.sched_setaffinity(0, share(os.sched_getaffinity(0), number, size))
        workspace = replace(rows.workspace, run_id=new_run_id())
        self._rows = dataclasses.replace(rows, workspace=workspace, progress=progress)
        self._engines = {name: make(name, workspace) for name in engines}

    def do(self, task: tuple[TargetPlan, str, bool]) -> tuple[EngineReport, Tally]:
        plan, engine, halted = task
        tally = Tally(self._rows.options.fail_fast, halted)
        return dataclasses.replace(self._rows, tally=tally).row(plan, self._engines[engine]), tally

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        remove_tree(self._rows.workspace.temporary)


def crew_size(wanted: int, count: int) -> int:
    """How many of `count` rows are done at a time where so many are wanted: no more than there is memory for."""
    available = re.search(r"^MemAvailable: +([0-9]+) kB$", _memory(), re.MULTILINE)
    room = int(available[1]) * 1024 // _MEMORY if available else wanted
    return max(1, min(wanted, count, room))


def share(processors: Iterable[int], number: int, size: int) -> frozenset[int]:
    """The processors of one of `size` workers: neighbours, as many as for every other, and at least one."""
    every = sorted(processors)
    first, behind = (each * len(every) // size for each in (number, number + 1))
    return frozenset(every[first : max(behind, first + 1)])


def _memory() -> str:
    try:
        return Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return ""
