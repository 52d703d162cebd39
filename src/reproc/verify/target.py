"""One target's images side by side: whether they hold the same files, what else becomes of them, their packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from reproc.check import place_of_python
from reproc.check.pythons import archives_of
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import verify as codes
from reproc.record import replace
from reproc.verify import proofs
from reproc.verify.aside import Aside
from reproc.verify.audits.image import Image, Unreadable
from reproc.verify.conversion import Giver, Taker, convert, judged
from reproc.verify.engines.base import Engine
from reproc.verify.packages import packages
from reproc.verify.plan import TargetPlan
from reproc.verify.proofs import Proofs
from reproc.verify.report import (
    BuildReport,
    ConversionReport,
    DifferenceReport,
    EngineReport,
    Package,
    TargetReport,
)
from reproc.verify.row import Begun, Rows, listed
from reproc.verify.sameness import Side, Unseen, explained, tree_of
from reproc.verify.tree import Comparison, Tree, compare


@dataclass
class Images:
    """The images of one target, each looked into while the next one is built."""

    rows: Rows
    plan: TargetPlan
    engines: Sequence[Engine]
    aside: Aside
    _trees: dict[str, Callable[[], Tree]] = field(default_factory=dict)
    _packages: Callable[[], tuple[Package, ...] | Diagnostic] | None = None

    def row(self, engine: Engine) -> Begun:
        """The target in an engine: built, and what can be found out of its image begun."""
        begun = self.rows.begin(self.plan, engine, self.aside)
        self._look(engine, begun.build)
        return begun

    def look(self, rows: Sequence[EngineReport]) -> None:
        """Begins to look into every image."""
        for engine, row in zip(self.engines, rows, strict=True):
            self._look(engine, row.build)

    def _look(self, engine: Engine, build: BuildReport | None) -> None:
        if build is None or build.image is None or not self.rows.options.test or self.rows.tally.stopped:
            return
        if self._packages is None:
            self._packages = self.aside.begin(partial(self._listed, engine, build.image, build.digest))
        if build.since is None and len(self.engines) > 1:
            self._read(Side(engine, build.image, engine.name))

    def report(self, rows: Sequence[EngineReport]) -> TargetReport:
        """The target with all that is found out of its images side by side, and with their packages."""
        found = self._packages() if self._packages and not self.rows.tally.stopped else None
        if isinstance(found, Diagnostic):
            self.rows.tally.tell(found, lacking=True)
            found = None
        return replace(self._compared(rows), packages=found)

    def _listed(self, engine: Engine, image: str, digest: str | None) -> tuple[Package, ...] | Diagnostic:
        """The packages that an image holds, or why it cannot be looked into."""
        plan = self.plan
        environments = [place_of_python(each) for each in plan.target.pythons] if plan.target else []
        interpreters = archives_of(plan.target) if plan.target else ()
        key = proofs.packages_key(digest or image, [*environments, *(each.place for each in interpreters)])
        if (earlier := self._known.packages(key)) is not None:
            return earlier
        titled = self.rows.progress.task(f"packages of {plan.name}")
        try:
            with self.rows.workspace.folder("packages") as folder, titled:
                seen = Image(engine, image, plan.entry, folder, wanted=self.aside.wanted)
                found = packages(seen, environments, interpreters)
        except Unreadable as failure:
            doing = f"listing the packages of `{plan.name}`"
            return error(codes.ENGINE_FAILED, None, engine=engine.name, doing=doing, reason=failure)
        self._known.add(key, found)
        return found

    @cached_property
    def _known(self) -> Proofs:
        path = self.rows.workspace.proven / f"{self.plan.name}.json"
        return Proofs(path, self.rows.started, believed=self.rows.options.cache)

    def _read(self, side: Side) -> Callable[[], Tree]:
        """What waits for the files of an image, which are read once; it raises `Unseen`."""
        if side.name not in self._trees:
            self._trees[side.name] = self.aside.begin(partial(tree_of, side.engine, side.image))
        return self._trees[side.name]

    def _compared(self, rows: Sequence[EngineReport]) -> TargetReport:
        """The target with whether the engines' images hold the same files, and what differs."""
        report = TargetReport(self.plan.name, tuple(rows))
        there = [
            (Side(engine, row.build.image, engine.name), row.build.digest or row.build.image)
            for engine, row in zip(self.engines, rows, strict=True)
            if row.build is not None and row.build.image is not None
        ]
        if len(there) < 2 or not self.rows.options.test or self.rows.tally.stopped:
            return report
        key = proofs.same_key([name for _, name in there])
        sides = [side for side, _ in there]
        try:
            if (earlier := self._known.same(key)) is not None:
                flattened, since = earlier
                report = replace(report, same_tree=True, same_since=since, flattened=flattened)
            else:
                report = self._files_compared(report, sides)
                if report.same_tree:
                    self._known.add(key, {"flattened": report.flattened})
            return replace(report, conversions=tuple(self._converted(sides)))
        except Unseen as failure:
            self.rows.tally.tell(failure.diagnostic)
            return report

    def _files_compared(self, report: TargetReport, sides: Sequence[Side]) -> TargetReport:
        with self.rows.progress.task(f"the images of {self.plan.name}, file by file"):
            trees = [wait() for wait in [self._read(side) for side in sides]]
            comparisons = [compare(trees[0], other) for other in trees[1:]]
            pairs = zip(comparisons, sides[1:], strict=True)
            found = tuple(each for one, other in pairs for each in self._differing(one, sides[0], other))
        flattened = any(each.flattened for each in comparisons)
        return replace(report, same_tree=not found, differences=found, flattened=flattened)

    def _converted(self, sides: Sequence[Side]) -> Iterator[ConversionReport]:
        """What becomes of Docker's image on each way to a SIF; raises Unseen."""
        giver = next((side for side in sides if isinstance(side.engine, Giver)), None)
        taker = next((side for side in sides if isinstance(side.engine, Taker)), None)
        for way in self.rows.options.convert if giver and taker else ():
            assert giver is not None and isinstance(giver.engine, Giver)
            assert taker is not None and isinstance(taker.engine, Taker)
            name, progress = self.plan.name, self.rows.progress
            tag, log = self.plan.recipes["docker"].tag, self.rows.workspace.logs / f"{name}-convert.log"
            titled = progress.task(f"a SIF out of docker's image of {name} ({way})")
            with self.rows.workspace.folder("convert") as folder, titled:
                tree = convert(way, giver.engine, giver.image, tag, taker.engine, folder, progress, log)
                trees = [self._read(side)() for side in sides]
                found = judged(way, [tree, *trees], [side.name for side in sides])
            if found.differences:
                said = listed(found.differences, found.count)
                self.rows.tally.tell(error(codes.CONVERSION_DIFFERS, None, output=said, target=name, way=way))
            yield found

    def _differing(self, comparison: Comparison, *sides: Side) -> tuple[DifferenceReport, ...]:
        folder = self.rows.workspace.new_folder("compare")
        first, second = sides
        found = explained(comparison, first, second, folder)
        if found:
            facts = {"target": self.plan.name, "first": first.name, "second": second.name}
            said = listed(found, len(comparison.differences))
            self.rows.tally.tell(error(codes.TREES_DIFFER, None, output=said, **facts))
        return found
