"""What a spec becomes: stages, steps, and the environment of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reproc.graph import (
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FromStage,
    Image,
    Rootfs,
    Run,
    Script,
    SetEnv,
    WriteFile,
)
from reproc.lower import Shape

Lower = Callable[..., BuildGraph]
BASE = "reproc 1\nbase debian bookworm { from bootstrap }\n"
KEPT = BASE + (
    "toolchain gcc 11\ntoolchain gcc 12\n"
    "code a { local src }\ndata x { local x.csv }\n"
    'build a { using gcc 12; run "make"; keep /opt/a }\n'
    'build b { using gcc 11; in /opt/b; after a; run "make b"; keep /opt/b }\n'
    'build c { using gcc 12; in /opt/c; after b; run "make c"; keep /opt/c }\n'
)


def titles(graph: BuildGraph, stage: str) -> list[str]:
    return [step.title for each in graph.stages if each.name == stage for step in each.steps]


def scripts(graph: BuildGraph) -> dict[str, Script]:
    return {step.text: step for stage in graph.stages for step in stage.steps if isinstance(step, Script)}


def environment(graph: BuildGraph) -> dict[str, str]:
    return {variable.name: variable.value for variable in graph.runtime.environment}


def test_one_stage_for_each_set_of_tools_as_far_as_their_order_allows(lowered: Lower) -> None:
    graph = lowered(KEPT)
    assert [stage.name for stage in graph.stages] == [
        "base",
        "tools-gcc-12",
        "tools-gcc-11",
        "tools-gcc-12-2",
        "image",
    ]
    assert titles(graph, "tools-gcc-11")[-2:] == ["kept by build a", "build b"]
    kept = [step for step in graph.stages[-1].steps if isinstance(step, CopyKept)]
    assert [(step.stage, step.paths) for step in kept] == [
        ("tools-gcc-12", ("/opt/a",)),
        ("tools-gcc-11", ("/opt/b",)),
        ("tools-gcc-12-2", ("/opt/c",)),
    ]


def test_builds_with_the_same_tools_share_a_stage(lowered: Lower) -> None:
    graph = lowered(
        BASE + 'build a { in /a; run "make a"; keep /opt/a }\nbuild b { in /b; run "make b"; keep /opt/b }\n'
    )
    assert [stage.name for stage in graph.stages] == ["base", "tools-none", "image"]


def test_a_build_sees_its_own_tools_and_nobody_elses(lowered: Lower) -> None:
    found = scripts(lowered(KEPT))
    own = {text: {v.name: v.value for v in script.environment} for text, script in found.items()}
    assert own["make"]["CC"] == "/opt/reproc/tools/gcc-12/gcc"
    assert own["make b"]["CXX"] == "/opt/reproc/tools/gcc-11/g++"
    assert own["make b"]["PATH"].startswith("/opt/reproc/tools/gcc-11:/usr/local/sbin")
    assert "FC" not in own["make"]


def test_only_kept_paths_and_what_no_kept_build_consumed_reach_the_image(lowered: Lower) -> None:
    image = titles(lowered(KEPT), "image")
    assert "code a" not in image
    assert "data x" in image
    assert not any("tool chain" in title for title in image)


def test_a_build_without_keep_runs_in_the_image_with_its_code_and_tools(lowered: Lower) -> None:
    graph = lowered(BASE + 'toolchain gcc 12\ncode a { local src }\nbuild a { using gcc 12; run "make" }\n')
    assert [stage.name for stage in graph.stages] == ["base", "image"]
    image = titles(graph, "image")
    assert image.index("tool chain gcc-12") < image.index("code a") < image.index("build a")


def test_shared_libraries_of_kept_programs_reach_the_image_but_not_the_compiler(lowered: Lower) -> None:
    graph = lowered(
        KEPT.replace("toolchain gcc 12", "toolchain gcc 12 { languages c c++ fortran }"),
        shape=Shape.STANDALONE,
    )
    base = "\n".join(line for step in graph.stages[0].steps if isinstance(step, Run) for line in step.lines)
    assert "libgfortran5_1.0" in base
    assert "libstdc++6_1.0" in base
    assert "/gcc-12_1.0" not in base


@pytest.mark.parametrize("shape", list(Shape))
def test_both_shapes_install_by_the_same_line(lowered: Lower, shape: Shape) -> None:
    graph = lowered(BASE + "system { packages htop }\npython 3.11 { packages numpy }\n", shape=shape)
    lines = [
        line for stage in graph.stages for step in stage.steps if isinstance(step, Run) for line in step.lines
    ]
    assert "apt-get install -y -qq --no-install-recommends /mnt/debs/system/*.deb" in lines
    assert sum("--no-index --find-links /mnt/wheels/main --require-hashes" in line for line in lines) == 1
    networked = [
        step.title for stage in graph.stages for step in stage.steps if isinstance(step, Run) and step.network
    ]
    assert bool(networked) is (shape is Shape.STANDALONE)


def test_bases(lowered: Lower) -> None:
    image = 'reproc 1\nbase image "example.org/x:1" { is debian bookworm }\nsystem { packages htop }\n'
    assert lowered(BASE).stages[0].base == Rootfs("inputs/base.tar", "b" * 64)
    assert lowered(BASE, shape=Shape.STANDALONE).stages[0].base == Rootfs(
        f".reproc/base/{'b' * 64}.tar", "b" * 64
    )
    assert lowered(image).stages[0].base == Rootfs("inputs/base.tar", "d" * 64)
    assert lowered(image, shape=Shape.STANDALONE).stages[0].base == Image(
        "example.org/x:1", "sha256:" + "c" * 64
    )
    assert lowered(image, shape=Shape.STANDALONE, lock=False).stages[0].base == Image("example.org/x:1", None)
    assert lowered(image).stages[-1].base == FromStage("base")


def test_what_an_image_sets_stays_set_and_is_set_in_a_vendored_one_too(lowered: Lower) -> None:
    text = 'reproc 1\nbase image "example.org/x:1"\n'
    first = lowered(text).stages[0].steps[0]
    assert isinstance(first, SetEnv)
    assert {variable.name for variable in first.variables} == {"PATH", "LANG", "TZ", "X"}
    assert environment(lowered(text)) | {"PATH": ""} == {
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "X": "image",
        "PATH": "",
    }


def test_scopes_of_the_environment(lowered: Lower) -> None:
    graph = lowered(
        BASE + "env { A 1; at build B 2; at run C 3; prepend PATH /x; append D /d; append D /e }\n"
        'build a { in /a; env { A 4 }; run "make" }\n'
    )
    assert environment(graph) == {
        "A": "1", "C": "3", "D": "/d:/e", "LANG": "C.UTF-8", "TZ": "UTC",
        "PATH": "/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }  # fmt: skip
    own = {variable.name: variable.value for variable in scripts(graph)["make"].environment}
    assert own["A"] == "4"
    assert own["B"] == "2"
    assert "C" not in own


def test_the_search_path(lowered: Lower) -> None:
    graph = lowered(
        BASE
        + 'toolchain gcc 12 { default; at run }\npython 3.11 { packages numpy }\napp main { run "true" }\n'
        'build a { in /a; run "make"; keep /opt/a }\n'
    )
    path = environment(graph)["PATH"]
    assert path.startswith(
        "/opt/reproc/bin:/opt/venv/bin:/opt/a/bin:/opt/reproc/tools/gcc-12:/usr/local/sbin:"
    )


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("python x.py", 'python x.py "$@"'),
        ("x $1 y", "x $1 y"),
        ('x \\"${@}\\"', 'x "${@}"'),
        ("x -j{{jobs}}", 'x -j$(nproc) "$@"'),
    ],
)
def test_apps_get_their_arguments(lowered: Lower, line: str, last: str) -> None:
    graph = lowered(BASE + f'app main {{ run "{line}"; workdir "/a b"; env {{ X "it\'s" }} }}\n')
    file = graph.stages[-1].steps[-1]
    assert isinstance(file, WriteFile)
    assert (file.path, file.mode) == ("/opt/reproc/bin/main", 0o755)
    assert file.content.splitlines()[0] == "#!/bin/sh"
    assert file.content.splitlines()[-2:] == ["cd '/a b'", last]


def test_local_trees_and_files(lowered: Lower) -> None:
    text = (
        BASE + "code a { local src }\ndata x { local x.csv; into /data/ }\ndata y { local x.csv; into /y }\n"
    )
    steps = lowered(text, shape=Shape.STANDALONE).stages[-1].steps
    assert [step for step in steps if isinstance(step, CopyIn | CopyFile)] == [
        CopyFile("data x", "x.csv", "/data/x.csv", False),
        CopyFile("data y", "x.csv", "/y", False),
        CopyIn("code a", "src", ("a.c",), "/opt/src/a"),
    ]
    vendored = {step.title: step for step in lowered(text).stages[-1].steps if isinstance(step, Run)}
    assert vendored["code a"].mounts == ("trees/code-a.tar",)
    assert vendored["data x"].lines[1] == "tar -xOf /mnt/trees/data-x.tar > /data/x.csv"


def test_without_a_lock_everything_floats_and_says_so(lowered: Lower) -> None:
    graph = lowered(
        BASE + "system { packages htop=3.2.2-2 }\npython 3.11 { packages numpy }\n",
        shape=Shape.STANDALONE,
        lock=False,
    )
    assert not graph.locked
    assert any("float" in note for note in graph.notes)
    lines = [line for step in graph.stages[0].steps if isinstance(step, Run) for line in step.lines]
    assert "apt-get install -y -qq --no-install-recommends htop=3.2.2-2" in lines
    assert graph.stages[0].base == Rootfs(".reproc/base/debian-bookworm.tar", None)


def test_labels(lowered: Lower) -> None:
    graph = lowered(
        BASE
        + 'paper "T" { author "A" { email a@example.org }; author "B"; doi 10.1000/x; abstract """\n  x\n  y\n  """ }\n'
    )
    labels = dict(graph.runtime.labels)
    assert labels["org.opencontainers.image.authors"] == "A <a@example.org>, B"
    assert labels["org.opencontainers.image.description"] == "x y"
    assert labels["org.opencontainers.image.created"] == "2024-06-01T00:00:00Z"
