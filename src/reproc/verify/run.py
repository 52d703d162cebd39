"""The run: every target in every engine, one after the other or side by side, and their images compared."""

from __future__ import annotations

import dataclasses
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from reproc.diagnostics import error
from reproc.diagnostics.codes import verify as codes
from reproc.progress import Progress
from reproc.record import replace
from reproc.verify.aside import Aside
from reproc.verify.engines import ENGINES, make
from reproc.verify.engines.base import Engine
from reproc.verify.interrupt import interruptible, undisturbed
from reproc.verify.machine import Machine
from reproc.verify.plan import Options, TargetPlan
from reproc.verify.report import EngineReport, Report, TargetReport
from reproc.verify.row import Rows, Tally
from reproc.verify.target import Images
from reproc.verify.workspace import Workspace, new_run_id, remove_tree

_MEMORY = 1 << 30
"""Bytes that a build is given at least: a compiler, or what packs a SIF."""


def all_engines(workspace: Workspace) -> tuple[Engine, ...]:
    """Every engine there is an adapter for, whether or not it is here."""
    return tuple(make(name, workspace) for name in ENGINES)


def ask(engines: Iterable[Engine], options: Options) -> Callable[[], None]:
    """Has the engines that may be wanted looked for meanwhile; gives what waits until each has been."""
    threads = [threading.Thread(target=engine.probe, daemon=True) for engine in _wanted(engines, options)]
    for each in threads:
        each.start()

    def answered() -> None:
        for each in threads:
            each.join()

    return answered


def _named(options: Options) -> set[str]:
    """The engines that were asked for by name."""
    return {*options.engines, *options.required} & {*ENGINES}


def _wanted(engines: Iterable[Engine], options: Options) -> list[Engine]:
    named = _named(options)
    return [each for each in engines if not options.engines or each.name in named]


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
    # the circumstances of a second build are those of the whole process, and a failure may be the last word
    aside = Aside(0 if options.rebuild or options.fail_fast else os.cpu_count() or 1)
    run = _Run(Rows(options, workspace, progress, machine or Machine.look(), started, tally), aside)
    with interruptible():
        try:
            targets = run.targets(plans, run.choose(engines))
        finally:
            with undisturbed():
                aside.dismiss()
                for engine in engines:  # which takes from work aside what it waits for
                    engine.close()
                aside.close()
                remove_tree(workspace.temporary)
    return Report(started, targets, tuple(tally.diagnostics), tally.broken, tally.lacking)


@dataclass
class _Run:
    """Every row, and the images of each target side by side."""

    rows: Rows
    aside: Aside

    def choose(self, engines: Sequence[Engine]) -> tuple[Engine, ...]:
        """The engines to use, in the order given; says what was asked for and is not here."""
        options, tally = self.rows.options, self.rows.tally
        named, wanted = _named(options), _wanted(engines, options)
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
        usable = [each.probe().usable for each in engines]
        queues = queues_of(self.rows.options, len(plans), usable, len(os.sched_getaffinity(0)))
        if len(queues) < 2:
            return tuple(self._one_by_one(plan, engines) for plan in plans)
        found = iter(self._side_by_side(queues, plans, engines))
        every = [
            (Images(self.rows, plan, engines, self.aside), [next(found) for _ in engines]) for plan in plans
        ]
        for images, rows in every:
            images.look(rows)
        return tuple(images.report(rows) for images, rows in every)

    def _one_by_one(self, plan: TargetPlan, engines: Sequence[Engine]) -> TargetReport:
        """The target: every image is built, audited and read while the next one is built, and then tested."""
        images = Images(self.rows, plan, engines, self.aside)
        begun = [images.row(engine) for engine in engines]
        return images.report([each.finish() for each in begun])

    def _side_by_side(
        self, queues: Sequence[deque[int]], plans: Sequence[TargetPlan], engines: Sequence[Engine]
    ) -> Iterator[EngineReport]:
        """The rows, in the order of targets and then of engines."""
        from reproc.verify.crew import Crew, Died

        pairs = [(plan, engine) for plan in plans for engine in engines]

        def task(number: int, found: Sequence[Any]) -> tuple[TargetPlan, str, bool]:
            plan, engine = pairs[number]
            done = [told for each in found if not isinstance(each, Died) for told in each[1:]]
            return plan, engine.name, any(told.broken or told.lost for told in done)

        names = [each.name for each in engines]
        shares = len(queues) if self.rows.options.jobs is not None else 1
        crew = Crew(partial(_Worker, self.rows, names, shares), self.rows.progress)
        for (plan, engine), found in zip(pairs, crew.do(queues, len(pairs), task), strict=True):
            if isinstance(found, Died):
                yield self.rows.died(plan, engine)
            else:
                row, told = found
                self.rows.tally.add(told)
                yield row


class _Worker:
    """Does rows in a process of its own, with engines of its own."""

    def __init__(
        self, rows: Rows, engines: Sequence[str], shares: int, number: int, progress: Progress
    ) -> None:
        """One of the workers, with its share of the processors."""
        os.sched_setaffinity(0, share(os.sched_getaffinity(0), number % shares, shares))
        workspace = replace(rows.workspace, run_id=new_run_id())
        self._rows = dataclasses.replace(rows, workspace=workspace, progress=progress)
        self._engines = {name: make(name, workspace) for name in engines}

    def do(self, task: tuple[TargetPlan, str, bool]) -> tuple[EngineReport, Tally]:
        plan, engine, halted = task
        tally = Tally(self._rows.options.fail_fast, halted)
        rows = dataclasses.replace(self._rows, tally=tally)
        return rows.begin(plan, self._engines[engine], Aside(0)).finish(), tally

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        remove_tree(self._rows.workspace.temporary)


def queues_of(options: Options, targets: int, usable: Sequence[bool], processors: int) -> list[deque[int]]:
    """What each worker does one after the other: numbers of rows, which are every target in every engine.

    Where nobody said how many are done at a time, the engines that can be used here work side by side, each on one
    target after the other, which finds there what the one before has left; if the machine has too little for that,
    or the first failure may be the last word, nothing is done side by side.
    """
    count = targets * len(usable)
    every = deque(range(count))
    if options.jobs is not None:
        return [every] * crew_size(options.jobs, count)
    good = [number for number, is_usable in enumerate(usable) if is_usable]
    if len(good) < 2 or options.fail_fast or crew_size(min(len(good), processors), count) < len(good):
        return [every]
    queues = [deque(range(number, count, len(usable))) for number in good]
    queues[0].extend(number for number in every if not usable[number % len(usable)])
    return queues


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
