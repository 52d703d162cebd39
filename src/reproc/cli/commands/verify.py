"""`reproc verify`: builds every target in every engine, runs the tests, reports."""

from __future__ import annotations

import hashlib
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reproc.cli.arguments import Parser, chosen, load
from reproc.cli.console import Console
from reproc.cli.exits import LACKING, WRONG_CALL
from reproc.cli.options import COMMANDS
from reproc.diagnostics import Diagnostic, Outcome, error
from reproc.diagnostics.codes import cli as codes
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.diagnostics.diagnostic import once
from reproc.lock.requests import TargetRequest
from reproc.pipeline import Project
from reproc.progress import Progress
from reproc.record import replace
from reproc.verify.engines import ENGINES
from reproc.verify.plan import Options, TargetPlan
from reproc.verify.report import Report
from reproc.workbench import STATE, prepare, standing_alone

LEVELS = ("R1", "R2", "R3")
NEEDS = ("gpu", "mpi", "network", "data")


def parser() -> Parser:
    """The command's arguments."""
    made = Parser("verify", COMMANDS["verify"].summary)
    build_arguments(made)
    made.add_argument("-k", dest="only", metavar="TEXT", help="only tests whose name holds TEXT")
    made.add_argument(
        "--rebuild",
        type=int,
        choices=(1, 2),
        default=1,
        metavar="N",
        help="2: build twice, the second time under other circumstances, and say how far the images are the same",
    )
    made.add_argument(
        "--emulate",
        action="store_true",
        help="run every test once more as on the oldest processor that its target's `cpu` allows (QEMU)",
    )
    made.add_argument(
        "--convert",
        metavar="WAY",
        action="append",
        default=[],
        help="make a SIF out of docker's image, too, and compare their files; WAY is docker-archive, oci-archive,"
        " docker-daemon, or a registry to go through, such as localhost:5000 (repeat)",
    )
    made.add_argument("--fail-fast", action="store_true", help="stop after the first failure")
    made.add_argument(
        "--retries",
        type=int,
        choices=range(11),
        default=0,
        metavar="N",
        help="run a test that fails up to N more times; one that then passes is told as flaky, and still fails",
    )
    made.add_argument(
        "--report",
        metavar="FILE",
        action="append",
        default=[],
        help="write the report here too: .json, .html, .md, .xml (JUnit) or .svg (a badge) (repeat)",
    )
    return made


def build_arguments(made: Parser) -> None:
    """What `build` and `verify` have in common."""
    made.spec()
    made.targets()
    made.add_argument(
        "-e",
        "--engine",
        choices=tuple(ENGINES),
        action="append",
        default=[],
        help="only this engine, which must be here (repeat)",
    )
    made.add_argument(
        "--require",
        choices=(*ENGINES, *NEEDS, *LEVELS),
        action="append",
        default=[],
        help="an engine, a thing that tests need, or a level (R2): its absence is a failure, not a skip (repeat)",
    )
    made.add_argument(
        "-j",
        "--jobs",
        type=int,
        metavar="N",
        help="N targets and engines at a time, as far as the machine's memory goes (default: the engines side by"
        " side, each with one target after the other)",
    )
    made.add_argument(
        "--no-cache",
        action="store_true",
        help="take nothing from earlier runs: build and test all of it anew",
    )
    made.add_argument(
        "--standalone",
        action="store_true",
        help="build the recipes that fetch by themselves, as `compile` writes them",
    )
    made.add_argument("--json", action="store_true", help="print the report as JSON instead of the table")


def run(options: Namespace, console: Console) -> int:
    """Builds, tests, prints the table and writes .reproc/report.json."""
    from reproc.verify.reports import FORMS

    bad = [name for name in options.report if Path(name).suffix not in FORMS]
    if bad:
        console.show((error(codes.REPORT_FORM, None, path=bad[0]),))
        return WRONG_CALL
    return verify(options, console, test=True)


def verify(options: Namespace, console: Console, *, test: bool) -> int:
    """The whole way from the spec to the report; the exit code."""
    project = load(options.spec, console, need_lock=True)
    if isinstance(project, int):
        return project
    requests = chosen(project, options.target, console)
    if isinstance(requests, int):
        return requests
    # A machine's wish does not widen a choice of this call.
    standing = "" if options.engine else os.environ.get("REPROC_REQUIRE_ENGINES", "")
    required = (*options.require, *filter(None, standing.replace(" ", "").split(",")))
    if test and options.convert:
        required = (*required, "docker", "singularity")
    wanted = Options(
        engines=tuple(options.engine),
        required=tuple(dict.fromkeys(required)),
        only=options.only if test else None,
        fail_fast=test and options.fail_fast,
        retries=options.retries if test else 0,
        cache=not options.no_cache,
        test=test,
        emulate=test and options.emulate,
        jobs=options.jobs,
        convert=tuple(dict.fromkeys(options.convert)) if test else (),
        rebuild=test and (options.rebuild == 2 or any(each in LEVELS for each in required)),
    )
    return _verify(project, requests, wanted, options, console)


def _verify(
    project: Project,
    requests: tuple[TargetRequest, ...],
    wanted: Options,
    options: Namespace,
    console: Console,
) -> int:
    from reproc.verify.reports import write
    from reproc.verify.run import all_engines, ask, verify
    from reproc.verify.workspace import Workspace

    progress = console.progress()
    workspace = Workspace.open(project.folder.root / STATE)
    engines = all_engines(workspace)
    answered = ask(engines, wanted)
    with workspace.cleared(), _prepared(project, requests, options.standalone, progress) as prepared:
        console.show(prepared.diagnostics)
        if prepared.value is None:
            unreachable = any(each.code in UNREACHABLE for each in prepared.diagnostics)
            return LACKING if unreachable else WRONG_CALL
        plans: tuple[TargetPlan, ...] = prepared.value
        if wanted.test:
            plans = _with_data(project, requests, plans, progress, console)
        answered()  # processes that are made of this one must find no thread in the middle of anything
        report = verify(plans, engines, wanted, workspace, progress)
    document = report.document(_spec(project), {"sha256": project.lock_sha256})
    console.show(report.diagnostics)
    try:
        for path in (workspace.report, *map(Path, getattr(options, "report", []))):
            write(document, path, workspace.log)
        _summarise(document)
    except OSError as problem:
        console.show((error(codes.NOT_WRITABLE, None, path=problem.filename, problem=problem.strerror),))
        return WRONG_CALL
    _print(report, document, plans, options.json, console)
    return report.exit_code


@contextmanager
def _prepared(
    project: Project, requests: tuple[TargetRequest, ...], standalone: bool, progress: Progress
) -> Iterator[Outcome[tuple[TargetPlan, ...]]]:
    """What can be built while it lasts."""
    if not standalone:
        yield prepare(project, requests, (), progress)
        return
    with standing_alone(project, requests, progress) as prepared:
        yield prepared


def _with_data(
    project: Project,
    requests: tuple[TargetRequest, ...],
    plans: tuple[TargetPlan, ...],
    progress: Progress,
    console: Console,
) -> tuple[TargetPlan, ...]:
    """The plans with the data that are mounted when their images run."""
    from reproc.mounts import Mounts, mounts

    found: list[TargetPlan] = []
    told: list[Diagnostic] = []
    for plan, request in zip(plans, requests, strict=True):
        outcome = mounts(project, request, project.folder.root / STATE, progress)
        told += outcome.diagnostics
        here = outcome.value or Mounts((), ())
        names = {key.removeprefix("data ") for key, _ in request.trees if key.startswith("data ")}
        data = frozenset(names - {name for name, _ in here.absent})
        found.append(replace(plan, mounts=here.there, data=data, absent=here.absent))
    console.show(once(told))
    return tuple(found)


def _spec(project: Project) -> dict[str, str | None]:
    """What a report says of the spec."""
    paper = project.spec.paper
    sha256 = hashlib.sha256(project.source.text.encode()).hexdigest()
    return {"path": project.source.path, "sha256": sha256, "title": paper.title if paper else None}


def _summarise(document: dict[str, object]) -> None:
    """Adds the report to the summary page of a GitHub workflow that runs this."""
    from reproc.verify.reports.markdown import markdown

    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(page, "a", encoding="utf-8", errors="replace") as file:
            file.write(markdown(document))


def _print(
    report: Report,
    document: dict[str, object],
    plans: tuple[TargetPlan, ...],
    as_json: bool,
    console: Console,
) -> None:
    import json
    import sys

    from reproc.verify.table import table

    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print(table(report, color=console.colored(sys.stdout)), end="")
    for line in _images(report, plans):
        print(line)


def _images(report: Report, plans: tuple[TargetPlan, ...]) -> Iterator[str]:
    """What each image that was built is called in its engine: a tag, or the path of a SIF."""
    tags = {(plan.name, recipe.backend): recipe.tag for plan in plans for recipe in plan.recipes.values()}
    for target in report.targets:
        for row in target.engines:
            if row.build is not None and row.build.image is not None:
                sif = Path(row.build.image)
                name = os.path.relpath(sif) if sif.suffix == ".sif" else tags[target.name, "docker"]
                yield f"{target.name}, {row.engine}: {name}"
