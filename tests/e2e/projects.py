"""Projects that tests write, and the trees of the images that are built of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproc.verify.layers import tree_of_archive
from reproc.verify.squashfs import tree_of_sif
from reproc.verify.tree import Tree


def written(folder: Path, spec: str, sources: Mapping[str, str]) -> Path:
    """A new folder with the spec, and with the sources in `src`."""
    (folder / "src").mkdir(parents=True)
    for name, text in sources.items():
        (folder / "src" / name).write_text(text)
    (folder / "repro.spec").write_text(spec.lstrip())
    return folder


def reported(done: subprocess.CompletedProcess[str], project: Path) -> dict[str, Any]:
    """The report of a verification that has gone well."""
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report: dict[str, Any] = json.loads((project / ".reproc/report.json").read_text(encoding="utf-8"))
    return report


def trees(project: Path) -> dict[str, Tree]:
    """The trees of the images of the target `default` that were built last."""
    archive = project.parent / "image.tar"
    with archive.open("wb") as file:
        subprocess.run(["docker", "save", f"reproc/{project.name}:default"], stdout=file, check=True)
    return {
        "docker": tree_of_archive(archive),
        "singularity": tree_of_sif(project / ".reproc/sif/default.sif"),
    }
