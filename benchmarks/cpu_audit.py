"""Measures the static audit of binaries: how often it is right, and how long it takes.

The corpus is compiled here (`tests/audit/corpus.py`): every feature in every form, some of it behind a test of
the processor and some not; and, unless `--features` says which, what a doubter would try
(`tests/audit/hostile.py`): C++, levels of optimisation, own tests, assembly, callbacks, and as far as they are here
Fortran and Clang. Precision is the share of alarms that are right, recall the share of programs that would die
which raise one. A program counts at the highest level that lacks its feature.

With `--tree FOLDER` the audit of a folder is timed too, first with an empty cache and then with what that kept.

usage: python benchmarks/cpu_audit.py [--features A,B] [--tree FOLDER] [--level NAME] [--json FILE] [--limit SHARE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "audit"))
from corpus import Program, programs  # noqa: E402  (the tests' programs)
from hostile import LEVEL, cases  # noqa: E402

from reproc import audit  # noqa: E402
from reproc.catalog import processors  # noqa: E402
from reproc.lock.store import Store  # noqa: E402

_OUTCOMES = ("caught", "missed", "false alarm", "rightly silent")


def alarms(path: Path, level: str) -> bool:
    """Whether the audit of a program finds that it needs more than a level."""
    promise = audit.Promise("linux/amd64", processors.level(level))
    findings = audit.scan([audit.File("/opt/program", path)], promise, workers=1)
    return any(each.kind is audit.Kind.CPU and not each.holds for each in findings)


def outcome(program: Program) -> str:
    """How the audit of one program comes out."""
    alarm = alarms(program.path, program.feature.level)
    if program.runs:
        return "caught" if alarm else "missed"
    return "false alarm" if alarm else "rightly silent"


def share(right: int, wrong: int) -> float:
    """Of both, the part that is right; 1 of nothing."""
    return right / (right + wrong) if right + wrong else 1.0


def corpus(features: list[str] | None) -> tuple[dict[str, Counter[str]], list[str]]:
    """Outcomes by form, and the programs that came out wrong."""
    rows: dict[str, Counter[str]] = {}
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for program in programs(Path(folder), features):
            came = outcome(program)
            rows.setdefault(program.way, Counter())[came] += 1
            if came in ("missed", "false alarm"):
                wrong.append(f"{came}: {program.name}")
            program.path.unlink()
        for case in cases(Path(folder)) if features is None else ():
            alarm = alarms(case.path, LEVEL)
            came = _OUTCOMES[(0 if alarm else 1) if case.runs else (2 if alarm else 3)]
            rows.setdefault(case.family, Counter())[came] += 1
            if came in ("missed", "false alarm"):
                wrong.append(f"{came}: {case.family}, {case.name}")
            case.path.unlink()
    return rows, wrong


def show(rows: dict[str, Counter[str]]) -> tuple[float, float]:
    """Prints the table; precision and recall."""
    total = sum(rows.values(), Counter())
    print(f"{'form':<16}" + "".join(f"{name:>16}" for name in _OUTCOMES))
    for way, counts in (*rows.items(), ("all", total)):
        print(f"{way:<16}" + "".join(f"{counts[name]:>16}" for name in _OUTCOMES))
    precision = share(total["caught"], total["false alarm"])
    recall = share(total["caught"], total["missed"])
    print(f"\nprecision {precision:.3f}, recall {recall:.3f}, {total.total()} programs")
    return precision, recall


def tree(folder: Path, level: str) -> dict[str, float]:
    """Seconds that the audit of a folder takes, without and with what is kept, and its size in MB."""
    paths = [each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()]
    files = [audit.File(f"/{each.relative_to(folder)}", each) for each in paths]
    promise = audit.Promise("linux/amd64", processors.level(level))
    times = []
    with tempfile.TemporaryDirectory() as place, Store(Path(place)) as store:
        for _ in range(2):
            start = monotonic()
            findings = audit.scan(files, promise, audit.Cache(store))
            times.append(monotonic() - start)
    size = sum(each.stat().st_size for each in paths) / 1e6
    print(f"\n{folder}: {size:.0f} MB, {times[0]:.1f} s cold, {times[1]:.2f} s warm, at {level}")
    for finding in findings:
        if not finding.holds:
            print(f"  {finding.message}")
    return {"megabytes": size, "cold": times[0], "warm": times[1]}


def main() -> int:
    """Prints the tables; 1 if precision or recall is below the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--features", help="of the corpus, by archspec's names (default: all)")
    parser.add_argument("--tree", type=Path, help="a folder whose audit is timed")
    parser.add_argument("--level", default="x86-64-v2", help="what the folder may need (default: x86-64-v2)")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--limit", type=float, default=0.98, help="the least precision and recall")
    arguments = parser.parse_args()
    rows, wrong = corpus(arguments.features.split(",") if arguments.features else None)
    precision, recall = show(rows)
    print("".join(f"  {each}\n" for each in wrong), end="")
    timed = tree(arguments.tree, arguments.level) if arguments.tree else None
    if arguments.json:
        numbers = {"forms": rows, "precision": precision, "recall": recall, "wrong": wrong, "tree": timed}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0 if min(precision, recall) >= arguments.limit else 1


if __name__ == "__main__":
    sys.exit(main())
