"""Legalizing keeps the meaning, under a reference interpreter that knows nothing of back ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_graphs import ROOTFS, at, graph, one_step

from reproc.diagnostics.codes import build as codes
from reproc.graph import (
    App,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    FromStage,
    Image,
    Run,
    Runtime,
    Script,
    SetEnv,
    Stage,
    Step,
    Variable,
    WriteFile,
)
from reproc.source import SourceFile, Span
from reproc.target.backend import Feature
from reproc.target.layers import MOST_LAYERS, depth, layers, plan_layers
from reproc.target.legalize import legalize

EVERY = frozenset(Feature)
NONE: frozenset[Feature] = frozenset()
World = tuple[Any, ...]


def meaning(made: BuildGraph, name: str | None = None) -> World:
    """What was done, in order, to get a stage; kept paths carry the whole history of where they come from."""
    by_name = {stage.name: stage for stage in made.stages}
    stage = by_name[name] if name else made.stages[-1]
    below = meaning(made, stage.base.stage) if isinstance(stage.base, FromStage) else (stage.base,)
    done = [step for step in stage.steps if step.title != "check what is kept"]
    return below + tuple(
        ("kept", meaning(made, step.stage), step.paths) if isinstance(step, CopyKept) else step
        for step in done
    )


COMMIT = "0123456789abcdef0123456789abcdef01234567"
_simple: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        Run, st.just("run"), st.tuples(st.sampled_from(("true", "echo a", ":"))), network=st.booleans()
    ),
    st.builds(Script, st.just("script"), st.sampled_from(("make\n", "x"))),
    st.builds(WriteFile, st.just("write"), st.just("/etc/x"), st.sampled_from(("", "a\n")), st.just(0o644)),
    st.builds(CopyIn, st.just("copy"), st.just("src"), st.just(("a",)), st.just("/opt/src")),
    st.builds(CopyFile, st.just("file"), st.just("a"), st.just("/etc/a"), st.booleans()),
    st.builds(
        FetchGit, st.just("git"), st.just("https://example.org/a.git"), st.just(COMMIT), st.just("/opt/g")
    ),
    st.builds(SetEnv, st.just("env"), st.tuples(st.builds(Variable, st.just("A"), st.sampled_from("xy")))),
)


@st.composite
def graphs(draw: st.DrawFn) -> BuildGraph:
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 6))):
        earlier = [stage.name for stage in stages]
        base = draw(st.sampled_from([ROOTFS, Image("debian:12", None), *map(FromStage, earlier)]))
        steps = draw(st.lists(_simple, max_size=4))
        for name in draw(st.lists(st.sampled_from(earlier), max_size=2)) if earlier else ():
            steps.insert(draw(st.integers(0, len(steps))), CopyKept("kept", name, ("/opt/a", f"/opt/{name}")))
        stages.append(Stage(f"s{number}", base, tuple(steps)))
    return graph(*stages)


@given(graphs(), st.sampled_from([EVERY, NONE]))
def test_legalizing_keeps_the_meaning(made: BuildGraph, features: frozenset[Feature]) -> None:
    legal = legalize(made, features).value
    assert legal is not None
    assert meaning(legal.graph) == meaning(made)


@given(graphs())
def test_inlined_graphs_have_no_parent_stages_and_nothing_needless(made: BuildGraph) -> None:
    legal = legalize(made, NONE).value
    assert legal is not None
    stages = legal.graph.stages
    assert not any(isinstance(stage.base, FromStage) for stage in stages)
    wanted = {step.stage for stage in stages for step in stage.steps if isinstance(step, CopyKept)}
    assert {stage.name for stage in stages[:-1]} == wanted


@given(graphs())
def test_legalizing_is_idempotent_but_for_its_checks(made: BuildGraph) -> None:
    once = legalize(made, NONE).value
    assert once is not None
    twice = legalize(once.graph, NONE).value
    assert twice is not None
    assert [stage.name for stage in twice.graph.stages] == [stage.name for stage in once.graph.stages]
    assert meaning(twice.graph) == meaning(once.graph)


def test_stages_that_others_copy_from_check_every_path_once() -> None:
    first = Stage("first", ROOTFS)
    final = Stage("image", ROOTFS, (CopyKept("a", "first", ("/a", "/b")), CopyKept("b", "first", ("/b",))))
    legal = legalize(graph(first, final), EVERY).value
    assert legal is not None
    check = legal.graph.stages[0].steps[-1]
    assert isinstance(check, Run)
    assert [line.split(";")[0] for line in check.lines] == [
        "if [ -L /a ]",
        "if [ ! -e /a ]",
        "if [ -L /b ]",
        "if [ ! -e /b ]",
    ]


def test_what_is_kept_is_checked_at_its_own_place() -> None:
    source = SourceFile("repro.spec", "keep /a /b\nkeep /c\n")
    places = (Span(source, 5, 7), Span(source, 8, 10), Span(source, 16, 18))
    kept = CopyKept("a", "first", ("/a", "/b", "/c"), places[0], places)
    legal = legalize(graph(Stage("first", ROOTFS), Stage("image", ROOTFS, (kept,))), EVERY).value
    assert legal is not None
    checks = legal.graph.stages[0].steps
    assert [each.origin for each in checks] == [*places]
    assert [each.lines[0].split(";")[0] for each in checks if isinstance(each, Run)] == [
        "if [ -L /a ]",
        "if [ -L /b ]",
        "if [ -L /c ]",
    ]


# ------------------------------------------------------------------------------------------------- layers


def _long(count: int, kind: int) -> tuple[Step, ...]:
    kinds: tuple[Step, ...] = (
        Run("run", ("true",)),
        CopyFile("file", "a", "/etc/a", False),
        CopyKept("kept", "other", ("/opt/a", "/opt/b")),
        SetEnv("env", (Variable("A", "x"),)),
    )
    return tuple(kinds[number % (kind + 1)] for number in range(count))


@pytest.mark.parametrize("base", [ROOTFS, Image("debian:12", None)], ids=["rootfs", "image"])
@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("count", [1, 70, 98, 120, 500, 3000])
def test_never_too_many_layers_whatever_the_steps(base: Any, kind: int, count: int) -> None:
    stages = (Stage("other", ROOTFS), Stage("image", base, _long(count, kind)))
    plan = plan_layers(stages)
    assert plan is not None
    assert depth(stages, plan, "image") <= MOST_LAYERS
    assert tuple(step for group in plan["image"] for step in group.steps) == stages[-1].steps


def test_what_fits_is_left_alone() -> None:
    stages = (Stage("a", ROOTFS, _long(40, 0)), Stage("image", FromStage("a"), _long(57, 0)))
    plan = plan_layers(stages)
    assert plan is not None
    assert not any(group.together for groups in plan.values() for group in groups)
    more = (stages[0], Stage("image", FromStage("a"), _long(58, 0)))
    plan = plan_layers(more)
    assert plan is not None and any(group.together for group in plan["image"])


def test_only_deep_stages_are_touched() -> None:
    stages = (
        Stage("small", ROOTFS, _long(20, 0)),
        Stage("image", ROOTFS, (*_long(200, 0), CopyKept("k", "small", ("/a",)))),
    )
    plan = plan_layers(stages)
    assert plan is not None
    assert not any(group.together for group in plan["small"])


def test_one_kept_step_with_hundreds_of_paths_is_one_layer() -> None:
    assert layers(CopyKept("kept", "other", tuple(f"/opt/{n}" for n in range(300)))) == 1


def test_a_tower_of_stages_is_refused() -> None:
    tower = [Stage("s0", ROOTFS, _long(1, 0))]
    tower += [Stage(f"s{n}", FromStage(f"s{n - 1}"), _long(1, 0), at(2)) for n in range(1, 150)]
    outcome = legalize(graph(*tower), EVERY)
    assert outcome.value is None
    assert [d.code for d in outcome.diagnostics] == [codes.TOO_MANY_LAYERS]
    assert legalize(graph(*tower), NONE).value is not None


# ----------------------------------------------------------------------------------------------- refusals

REFUSED: list[tuple[Any, Step]] = [
    (codes.UNSAYABLE_TEXT, SetEnv("e", (Variable("A", "a\nb"),), at(3))),
    (codes.UNSAYABLE_TEXT, SetEnv("e", (Variable("A", "a\x1b"),), at(3))),
    (codes.UNSAYABLE_TEXT, SetEnv("e", (Variable("A", "a" * 60_000),), at(3))),
    (codes.UNSAYABLE_NAME, SetEnv("e", (Variable("A B", "x"),), at(3))),
    (codes.UNSAYABLE_NAME, SetEnv("e", (Variable("A=$(id)", "x"),), at(3))),
    (codes.UNSAYABLE_TEXT, Script("s", "a\0b", origin=at(3))),
    (codes.UNSAYABLE_TEXT, Script("s", "\udc80", origin=at(3))),
    (codes.UNSAYABLE_TEXT, Script("s", "x" * 70_000, origin=at(3))),
    (codes.UNSAYABLE_TEXT, Run("a\0b", ("true",), origin=at(3))),
    (codes.UNSAYABLE_TEXT, WriteFile("w", "/a", "\0", 0o644, origin=at(3))),
    (codes.BAD_SHELL, Script("s", "true", shell="/bin/sh -x\nRUN id", origin=at(3))),
    (codes.BAD_SHELL, Script("s", "true", shell="bash", origin=at(3))),
    (codes.BAD_IMAGE_PATH, Script("s", "true", workdir="opt", origin=at(3))),
    (codes.BAD_IMAGE_PATH, WriteFile("w", "/", "", 0o644, origin=at(3))),
    (codes.BAD_IMAGE_PATH, WriteFile("w", "/a/../../b", "", 0o644, origin=at(3))),
    (codes.BAD_IMAGE_PATH, CopyIn("c", "src", ("a",), "/a\nRUN id", origin=at(3))),
    (codes.UNSAYABLE_FILE, CopyIn("c", "src", ("a\nb",), "/a", origin=at(3))),
    (codes.UNSAYABLE_FILE, CopyIn("c", "src", ("\udcff",), "/a", origin=at(3))),
    (codes.BAD_CONTEXT_PATH, CopyIn("c", "../src", ("a",), "/a", origin=at(3))),
    (codes.BAD_CONTEXT_PATH, CopyIn("c", "src", ("../a",), "/a", origin=at(3))),
    (codes.BAD_CONTEXT_PATH, CopyFile("c", "/etc/passwd", "/a", False, origin=at(3))),
    (codes.BAD_CONTEXT_PATH, Run("r", ("true",), ("a,source=/",), origin=at(3))),
    (codes.BAD_COMMIT, FetchGit("g", "https://example.org/a.git", "main", "/a", origin=at(3))),
    (codes.GIT_ADDRESS, FetchGit("g", "https://example.org/a", COMMIT, "/a", origin=at(3))),
    (codes.GIT_ADDRESS, FetchGit("g", "https://me:secret@example.org/a.git", COMMIT, "/a", origin=at(3))),
    (codes.GIT_ADDRESS, FetchGit("g", "--upload-pack=id", COMMIT, "/a", origin=at(3))),
]


@pytest.mark.parametrize("features", [EVERY, NONE], ids=["docker", "singularity"])
@pytest.mark.parametrize(("code", "step"), REFUSED)
def test_what_cannot_be_said_is_refused(code: Any, step: Step, features: frozenset[Feature]) -> None:
    outcome = legalize(one_step(step), features)
    assert outcome.value is None
    assert code in [diagnostic.code for diagnostic in outcome.diagnostics]
    for diagnostic in outcome.diagnostics:
        assert diagnostic.span == at(3)
        assert diagnostic.message and diagnostic.help
        assert len(diagnostic.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "runtime"),
    [
        (codes.UNSAYABLE_NAME, Runtime(labels=(("a b", "x"),))),
        (codes.UNSAYABLE_NAME, Runtime(labels=(("%post", "x"),))),
        (codes.UNSAYABLE_TEXT, Runtime(labels=(("a", "x\ny"),))),
        (codes.UNSAYABLE_NAME, Runtime(apps=(App("a b"),))),
        (codes.BAD_IMAGE_PATH, Runtime(workdir="x")),
    ],
)
def test_what_the_image_cannot_say_of_itself_is_refused(code: Any, runtime: Runtime) -> None:
    outcome = legalize(graph(Stage("image", ROOTFS), runtime=runtime), EVERY)
    assert [diagnostic.code for diagnostic in outcome.diagnostics] == [code]


def test_a_bad_image_is_refused() -> None:
    for image in (Image("a b", None), Image("a", "sha256:1"), Image("--x", None)):
        outcome = legalize(graph(Stage("image", image, (), at(2))), EVERY)
        assert [diagnostic.code for diagnostic in outcome.diagnostics] == [codes.BAD_IMAGE_REFERENCE]


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (Stage("a", FromStage("b")), Stage("b", ROOTFS)),
        (Stage("a", ROOTFS), Stage("a", ROOTFS)),
        (Stage("A B", ROOTFS),),
        (Stage("a", ROOTFS, (CopyKept("k", "a", ("/x",)),)),),
    ],
)
def test_a_graph_that_no_spec_can_cause_is_our_bug(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(ValueError, match=r"stage"):
        legalize(graph(*stages), EVERY)
