"""Projects that are built in the image: what is run for them in both shapes, and what needs a lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reproc.check import check
from reproc.folder import Folder
from reproc.graph import BuildGraph, Run
from reproc.lock.model import BuildTools, LockedTarget, Wheel
from reproc.lock.requests import TargetRequest, requests
from reproc.lower import Plan, Shape, lower
from reproc.lower.inputs import refusals
from reproc.source import SourceFile
from reproc.syntax import parse

from .conftest import ARCHIVES, locked

SPEC = """reproc 1
base debian bookworm
toolchain gcc 12 { default; at run }
code model { local src }
build model { using gcc 12; run "make"; keep /opt/model }
python 3.11 { install model; binary no mpi4py; packages mpi4py; index "http://example.org/simple" }
"""
WHEELS = (Wheel("setuptools", "70", "setuptools-70-py3-none-any.whl", 1, "1" * 64),)
SDIST = Wheel("mpi4py", "3.1.6", "mpi4py-3.1.6.tar.gz", 1, "2" * 64)


def asked(text: str, folder: Path) -> tuple[Plan, TargetRequest]:
    (folder / "src").mkdir()
    (folder / "src/pyproject.toml").write_text('[project]\nname = "model"\nversion = "1"\n')
    tree = parse(SourceFile("repro.spec", text)).value
    assert tree is not None
    outcome = check(tree, Folder(folder))
    assert outcome.value is not None, [each.message for each in outcome.diagnostics]
    (request,) = requests(outcome.value, Folder(folder)).value or ()
    target = outcome.value.targets[0]
    return Plan(target, whole(locked(request, folder)), ARCHIVES, 1, None, "repro.spec", {}), request


def whole(target: LockedTarget) -> LockedTarget:
    (python,) = target.python
    tools = (BuildTools("code model", WHEELS), BuildTools("mpi4py", WHEELS))
    python = replace(python, wheels=(*python.wheels, SDIST), tools=tools, index="http://example.org/simple")
    return replace(target, python=(python,))


def projects(graph: BuildGraph) -> list[Run]:
    steps = [step for step in graph.stages[-1].steps if isinstance(step, Run)]
    return [step for step in steps if step.title.startswith("Python project")]


@pytest.mark.parametrize("shape", Shape)
def test_projects_come_after_tools_and_code(tmp_path: Path, shape: Shape) -> None:
    plan, request = asked(SPEC, tmp_path)
    graph = lower(plan, request, shape)
    titles = [step.title for step in graph.stages[-1].steps]
    own, packed = projects(graph)
    # the kept build takes the code too, and yet it is in the image
    assert titles.index("code model") < titles.index(own.title)
    assert titles.index("tool chain gcc-12") < titles.index(own.title)
    assert (own.title, packed.title) == (
        "Python project model in /opt/venv", "Python project mpi4py in /opt/venv",
    )  # fmt: skip
    assert "export CC=/opt/reproc/tools/gcc-12/gcc" in packed.lines
    assert "cp -R /opt/src/model /mnt/project/source" in own.lines
    assert any("--no-build-isolation" in line and "--no-index" in line for line in own.lines)
    assert own.lines[-1].startswith("rm -rf /mnt/project")


def test_only_standalone_steps_reach_out(tmp_path: Path) -> None:
    plan, request = asked(SPEC, tmp_path)
    own, packed = projects(lower(plan, request, Shape.VENDORED))
    assert not own.network and not packed.network
    assert own.settings == packed.settings == ()
    assert own.mounts == ("build-wheels/main/code.model",)
    assert packed.mounts == ("wheels/main", "build-wheels/main/mpi4py")
    own, packed = projects(lower(plan, request, Shape.STANDALONE))
    assert own.network and packed.network
    assert own.settings == packed.settings == ("pip.conf",)
    assert "export PIP_CONFIG_FILE=/mnt/pip.conf" in own.lines
    fetched = [line for line in (*own.lines, *packed.lines) if " download " in line]
    assert len(fetched) == 3
    assert all("--require-hashes" in line and "--no-deps" in line for line in fetched)
    assert all(
        "--index-url http://example.org/simple --trusted-host example.org " in line for line in fetched
    )


def test_source_archives_are_not_listed_as_wheels(tmp_path: Path) -> None:
    plan, request = asked(SPEC, tmp_path)
    listed = next(
        s for s in lower(plan, request, Shape.VENDORED).stages[-1].steps if "packages of" in s.title
    )
    assert getattr(listed, "content", "") == f"numpy==1.26.4 --hash=sha256:{'e' * 64}\n"


def test_what_needs_a_lock(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / "key.asc").write_text("key")
    more = 'system { packages hello; source "https://example.org/apt" { key key.asc } }\n'
    text = SPEC + more + 'python 3.11 { name other; lock "uv.lock" }\n'
    tree = parse(SourceFile("repro.spec", text)).value
    assert tree is not None
    (tmp_path / "src").mkdir()
    spec = check(tree, Folder(tmp_path)).value
    assert spec is not None
    (request,) = requests(spec, Folder(tmp_path)).value or ()
    told = [each.code.name for each in refusals(request, None)]
    assert told == ["project-without-lock"] * 3 + ["source-without-lock"]
