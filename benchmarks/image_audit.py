"""How long the audits of a real image take: half a gigabyte of scientific Python and its libraries, on Debian.

    python benchmarks/image_audit.py [--folder FOLDER] [--engine docker|singularity] [--level NAME] [--json FILE]

Locks and builds the image (once a FOLDER), then does what `reproc verify` does: takes its programs out of the engine
and reads them, first with nothing remembered, then with what that has left behind. Processor time is told beside
the time that passed: of a machine with other work only the first says something. Ends with 1 over the limits.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reproc import pipeline
from reproc.audit import Cache
from reproc.check import Target
from reproc.lock.store import Store
from reproc.verify.audits import audits
from reproc.verify.audits.image import Image
from reproc.verify.engines import make
from reproc.verify.workspace import Workspace

SPEC = """\
reproc 1
base debian bookworm {{ from bootstrap }}
cpu {level}

system {{ packages libopenblas0-pthread libfftw3-double3 libgsl27 libhdf5-103 }}

python 3.11 {{
    packages numpy==2.2.6 scipy==1.15.3 pandas==2.2.3 scikit-learn==1.5.2 matplotlib==3.9.2 pillow==11.0.0
}}
"""
COLD, WARM = 60.0, 2.0
"""Seconds that an audit may take."""


def reproc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "reproc", *arguments], cwd=folder, check=True)


def built(folder: Path, engine: str, level: str) -> dict[str, str]:
    """What the report says of the image."""
    spec = SPEC.format(level=level)
    if not (folder / "repro.spec").exists() or (folder / "repro.spec").read_text() != spec:
        (folder / "repro.spec").write_text(spec)
    if not (folder / "repro.lock").exists():
        reproc(folder, "lock")
    reproc(folder, "build", "-e", engine)
    report = json.loads((folder / ".reproc/report.json").read_text())
    found: dict[str, str] = report["targets"][0]["engines"][0]["build"]
    return found


def used() -> float:
    """Seconds of processor time, ours and our children's."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def measured(target: Target, image: Image) -> dict[str, object]:
    """One audit of an image."""
    start, before = time.monotonic(), used()
    reports = list(audits(target, image))
    seconds, processor = time.monotonic() - start, used() - before
    findings = [each for report in reports for each in report.findings]
    wrong = [each.message for each in findings if not each.holds]
    doubted = [each.message for each in findings if each.holds and "--emulate" in each.message]
    return {"seconds": seconds, "processor": processor, "wrong": wrong, "doubted": doubted}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--folder", type=Path, help="where the image is locked and built (default: a new one)"
    )
    parser.add_argument("--engine", default="docker", choices=("docker", "singularity"))
    parser.add_argument("--level", default="x86-64-v2")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.folder or Path(temporary, "project")
        folder.mkdir(exist_ok=True)
        build = built(folder, options.engine, options.level)
        outcome = pipeline.checked(folder / "repro.spec", "repro.spec")
        assert outcome.value is not None
        target = outcome.value[1].targets[0]
        engine = make(options.engine, Workspace.open(folder / ".reproc"))
        rows = {}
        try:
            with Store(Path(temporary, "store")) as store:
                for name in ("cold", "warm"):
                    copies = Path(temporary, name)
                    copies.mkdir()
                    image = Image(engine, build["image"], (), copies, build["digest"], Cache(store))
                    rows[name] = measured(target, image)
                    programs = image.programs(["/usr", "/opt"])
                    if name == "cold":
                        size = sum(each.stat().st_size for each in copies.rglob("*") if each.is_file())
        finally:
            engine.close()
    print(
        f"{size / 1e6:.0f} MB of files below /usr and /opt, {len(programs)} programs and libraries, {options.level}"
    )
    for name, row in rows.items():
        load = f"{row['processor']:6.1f} s of {os.cpu_count()} processors' time"
        print(
            f"{name}  {row['seconds']:6.1f} s  {load}  {len(row['wrong'])} wrong, {len(row['doubted'])} doubted"
        )
    for message in (*rows["cold"]["wrong"], *rows["cold"]["doubted"]):
        print(f"  {message}")
    if options.json:
        numbers = {"engine": options.engine, "bytes": size, "programs": len(programs), **rows}
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return int(rows["cold"]["seconds"] > COLD or rows["warm"]["seconds"] > WARM)


if __name__ == "__main__":
    sys.exit(main())
