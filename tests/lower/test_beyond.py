"""Builds on other bases, data that are mounted, code with what belongs to it: what they become in graph and recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reproc import registry
from reproc.check import check
from reproc.diagnostics.codes import build as codes
from reproc.folder import Folder
from reproc.graph import BuildGraph, CopyKept, FetchGit, FromStage, Image, Rootfs, Run
from reproc.lock.file import read, write
from reproc.lock.model import Lock, LockedTarget
from reproc.lock.requests import TargetRequest, requests
from reproc.lock.sections import stale
from reproc.lock.vendor import inputs
from reproc.lower import Plan, Shape
from reproc.lower.inputs import refusals
from reproc.lower.mounts import mounted
from reproc.source import SourceFile
from reproc.syntax import parse
from reproc.target.legalize import legalize

from .conftest import ARCHIVES, locked

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
BUILDS = (
    BASE
    + """
system { packages zlib1g-dev }
toolchain gcc 9
code a { local src }
build a { on base debian bullseye; using gcc 9; run "make"; keep /opt/a }
build b { on base debian bullseye; using gcc 9; after a; in /b; run "make"; keep /opt/b }
build c { on base image "example.org/x:1"; in /c; run "make"; keep /opt/c }
build d { after c; in /d; run "make"; keep /opt/d }
"""
)


def rendered(graph: BuildGraph, name: str) -> str:
    backend = registry.backend(name).value
    assert backend is not None
    legal = legalize(graph, backend.features)
    assert legal.value is not None, [each.message for each in legal.diagnostics]
    return backend.render(legal.value, comments=True)[0].text


def asked(text: str, folder: Path) -> tuple[TargetRequest, LockedTarget]:
    """The request of a spec's only target, and a made-up lock of it."""
    request, _ = planned(text, folder)
    return request, locked(request, folder)


def planned(text: str, folder: Path) -> tuple[TargetRequest, Plan]:
    """The request of a spec's only target, and its plan without a lock."""
    parsed = parse(SourceFile("repro.spec", text)).value
    assert parsed is not None
    spec = check(parsed, Folder(folder)).value
    assert spec is not None
    found = requests(spec, Folder(folder)).value
    assert found is not None
    return found[0], Plan(spec.targets[0], None, (), 0, None, "repro.spec", {})


def test_a_build_stands_on_the_base_that_it_names(lowered: Lower) -> None:
    graph = lowered(BUILDS)
    assert [(stage.name, stage.base) for stage in graph.stages] == [
        ("base", Rootfs("inputs/base.tar", "b" * 64)),
        ("on-debian-bullseye", Rootfs("inputs/bases/on-debian-bullseye.tar", "d" * 64)),
        ("on-image-example-org-x-1", Rootfs("inputs/bases/on-image-example-org-x-1.tar", "d" * 64)),
        ("on-debian-bullseye-tools-gcc-9", FromStage("on-debian-bullseye")),
        ("on-image-example-org-x-1-tools-none", FromStage("on-image-example-org-x-1")),
        ("tools-none", FromStage("base")),
        ("image", FromStage("base")),
    ]
    mounts = {
        stage.name: [mount for step in stage.steps if isinstance(step, Run) for mount in step.mounts]
        for stage in graph.stages
    }
    assert mounts["on-debian-bullseye"] == ["debs/on-debian-bullseye-system"]
    assert mounts["on-debian-bullseye-tools-gcc-9"][0] == "debs/on-debian-bullseye-tools-gcc-9"
    assert mounts["on-image-example-org-x-1"] == []
    kept = [step.stage for step in graph.stages[-1].steps if isinstance(step, CopyKept)]
    assert kept == [
        *["on-debian-bullseye-tools-gcc-9"] * 2,
        "on-image-example-org-x-1-tools-none",
        "tools-none",
    ]
    for name in ("docker", "singularity"):
        assert rendered(graph, name)


def test_a_base_is_taken_from_its_registry_where_nothing_is_vendored(lowered: Lower) -> None:
    graph = lowered(BUILDS, shape=Shape.STANDALONE)
    bases = {stage.name: stage.base for stage in graph.stages}
    assert bases["on-image-example-org-x-1"] == Image("example.org/x:1", "sha256:" + "c" * 64)
    assert "Bootstrap: docker\nFrom: example.org/x@sha256:" in rendered(graph, "singularity")


def test_every_base_is_among_the_inputs(lowered: Lower, tmp_path: Path) -> None:
    _, lock = asked(BUILDS, tmp_path)
    paths = [each.path for each in inputs(lock)]
    assert paths[0] == "base.tar"
    assert {path for path in paths if path.startswith("bases/")} == {
        "bases/on-debian-bullseye.tar",
        "bases/on-image-example-org-x-1.tar",
    }
    assert any(path.startswith("debs/on-debian-bullseye-system/") for path in paths)


def test_mounted_data_are_in_no_image_and_have_a_place_there(lowered: Lower, tmp_path: Path) -> None:
    text = BASE + 'data d { local src; into "/data/d e"; at run }\ndata f { local x.csv; into /f/; at run }\n'
    graph = lowered(text)
    steps = [step for step in graph.stages[-1].steps if isinstance(step, Run)]
    assert [step.lines for step in steps] == [
        ("mkdir -p '/data/d e'", "chmod 755 '/data/d e'"),
        ("mkdir -p /f", ": > /f/x.csv", "chmod 644 /f/x.csv"),
    ]
    request, lock = asked(text, tmp_path)
    assert request.at_run == {"data d", "data f"}
    assert [each.path for each in inputs(lock, request.at_run)] == ["base.tar"]
    for name in ("docker", "singularity"):
        recipe = rendered(graph, name)
        assert "# Not in the image: data d, a directory. Mount it, read-only, at /data/d e:" in recipe
        assert "# Not in the image: data f, a file. Mount it, read-only, at /f/x.csv:" in recipe
    floating = lowered(text, shape=Shape.STANDALONE, lock=False)
    assert [note for note in floating.notes if "data f, a file" in note]


@pytest.mark.parametrize(
    ("words", "path", "single"),
    [
        ("", "/d/a b.csv.gz", True),
        ("unpack", "/d/a b.csv", True),
        ('url "https://example.org/c"', "/d/a b.csv.gz", True),
    ],
)
def test_without_a_lock_the_first_address_names_a_file(
    tmp_path: Path, words: str, path: str, single: bool
) -> None:
    text = BASE + f'data d {{ url "https://example.org/x/a%20b.csv.gz"; {words}; into /d/; at run }}\n'
    request, plan = planned(text, tmp_path)
    assert [(each.path, each.single) for each in mounted(plan, request)] == [(path, single)]


@pytest.mark.parametrize("words", ["submodules", ""])
def test_submodules_are_commits_of_their_own(lowered: Lower, words: str) -> None:
    text = BASE + f"code m {{ git https://example.org/m.git; tag v1; into /m; {words} }}\n"
    graph = lowered(text, shape=Shape.STANDALONE)
    steps = [step for step in graph.stages[-1].steps if isinstance(step, FetchGit)]
    found = [(step.url[20:], step.commit[0], step.into, step.alone) for step in steps]
    main = ("m.git", "1", "/m", True)
    inner = [("in.git", "2", "/m/in", True), ("deep.git", "3", "/m/in/deep", False)]
    assert found == ([main, *inner] if words else [main])
    recipe = rendered(graph, "docker")
    one = "1" * 40
    assert f"ADD https://example.org/m.git?commit={one}&submodules=false /\n" in recipe


def test_what_belongs_to_code_is_known_to_a_lock(lowered: Lower, tmp_path: Path) -> None:
    text = BASE + "code m { git https://example.org/m.git; tag v1; lfs }\n"
    request, lock = asked(text, tmp_path)
    assert [each.code for each in refusals(request, None)] == [codes.GIT_WITHOUT_LOCK]
    assert [each.code for each in refusals(request, lock)] == [codes.ONLY_VENDORED]


def test_a_lock_keeps_all_of_it(lowered: Lower, tmp_path: Path) -> None:
    code = "code m {{ git https://example.org/m.git; tag v1; into /m/{}; {} }}\n"
    text = (
        BUILDS
        + code.format("a", "submodules; lfs")
        + code.format("b", "").replace("m.git", "n.git").replace("code m", "code n")
    )
    request, target = asked(text, tmp_path)
    lock = Lock(1717200000, ARCHIVES, (target,))
    found = read(SourceFile("repro.lock", write(lock, (request,)))).value
    assert found is not None and found.lock == lock
    assert stale(found, (request,)) == ()
    moved = asked(text.replace("bullseye", "bullseye { from bootstrap }"), tmp_path)[0]
    assert [(each.section, each.target) for each in stale(found, (moved,))] == [("system", "default")]
