"""Both recipes, read back from their text alone, mean what the graph means, and the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import recipe_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_graphs import ROOTFS, at, graph, names, paths, texts, values
from recipe_readers import (
    exports,
    instructions,
    read_definition,
    read_dockerfile,
    read_sections,
    shell_writes,
)

from reproc import registry
from reproc.graph import (
    App,
    BuildGraph,
    CopyFile,
    CopyIn,
    CopyKept,
    FetchGit,
    Image,
    Input,
    Run,
    Runtime,
    Script,
    SetEnv,
    Stage,
    Variable,
    WriteFile,
)
from reproc.source import SourceFile, Span
from reproc.target.backend import Artifact
from reproc.target.legalize import legalize

GOLDEN = Path(__file__).parent / "golden"
GRAPHS = {
    "plain": recipe_graphs.plain(),
    "floating": recipe_graphs.floating(),
    "hostile": recipe_graphs.hostile(),
}


def render(made: BuildGraph, name: str, *, comments: bool = False) -> tuple[Artifact, ...]:
    back_end = registry.backend(name).value
    assert back_end is not None
    legal = legalize(made, back_end.features)
    assert legal.value is not None, [diagnostic.message for diagnostic in legal.diagnostics]
    return back_end.render(legal.value, comments=comments)


def dockerfile(made: BuildGraph, *, comments: bool = False) -> str:
    return render(made, "docker", comments=comments)[0].text


def definition(made: BuildGraph, *, comments: bool = False) -> str:
    return render(made, "singularity", comments=comments)[0].text


# ------------------------------------------------------------------------------------------------- golden


@pytest.mark.parametrize("comments", [True, False], ids=["commented", "bare"])
@pytest.mark.parametrize("name", GRAPHS)
def test_golden(name: str, comments: bool, update_golden: bool) -> None:
    folder = GOLDEN / name / ("commented" if comments else "bare")
    made = {
        artifact.filename: artifact.text
        for back_end in ("docker", "singularity")
        for artifact in render(GRAPHS[name], back_end, comments=comments)
    }
    if update_golden:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for filename, text in made.items():
            (folder / filename).write_text(text, encoding="utf-8", newline="")
    found = {path.name: path.read_bytes().decode() for path in folder.iterdir()}
    assert found == made


def test_no_orphan_golden() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(GRAPHS)


# ---------------------------------------------------------------------------------------------- read back


def same(made: BuildGraph) -> None:
    """Both recipes read back alike."""
    docker, singularity = read_dockerfile(dockerfile(made)), read_definition(definition(made))
    labels = {name: value.strip() for name, value in docker.labels.items()}
    singularity.labels.pop("org.label-schema.build-date")
    assert labels == singularity.labels
    assert singularity.environment.items() <= docker.environment.items()
    assert set(docker.environment) == {each.name for each in made.runtime.environment}
    assert docker.files == singularity.files
    assert docker.entry == singularity.entry == (["/opt/reproc/enter"] if made.runtime.activation else [])


@pytest.mark.parametrize("name", GRAPHS)
def test_both_recipes_mean_the_same(name: str) -> None:
    same(GRAPHS[name])


def test_an_open_step_leaves_the_others_closed_in_both_recipes() -> None:
    steps = (
        Run("ours", ("true",)),
        Script("open", "curl x", network=True),
        Script("closed", "make", shell="/bin/bash"),
    )
    vendored = (Input("x", "0" * 64),)
    made = graph(Stage("image", ROOTFS, steps), inputs=vendored)
    text = definition(made)
    assert text.count("unshare --net") == 1
    assert "_reproc_closed /bin/sh -eu /.reproc/script < /dev/null" in text
    assert "exec /bin/sh -eu /.reproc/script < /dev/null" in text
    assert "_reproc_closed /bin/bash -eu /.reproc/script < /dev/null" in text
    runs = [line for line in dockerfile(made).splitlines() if line.startswith("RUN")]
    assert ["--network=none" in line for line in runs] == [True, False, True]
    # who builds cuts the whole build off where no step is open, and cannot where all of them fetch
    for other in (
        graph(Stage("image", ROOTFS, steps[::2]), inputs=vendored),
        graph(Stage("image", ROOTFS, steps)),
    ):
        assert "unshare" not in definition(other)


def test_settings_of_whoever_builds_are_seen_and_not_kept() -> None:
    step = Run("pip", ("pip download x",), network=True, settings=("pip.conf",))
    text = dockerfile(graph(Stage("image", ROOTFS, (step,))))
    assert "RUN --mount=type=secret,id=pip.conf,target=/mnt/pip.conf <<" in text
    many = tuple(Run(f"step {number}", ("true",), settings=("pip.conf",)) for number in range(200))
    merged = dockerfile(graph(Stage("image", ROOTFS, many)))
    assert "--mount=type=secret,id=pip.conf,target=/mnt/pip.conf" in merged


variables = st.dictionaries(st.sampled_from(["A", "B_1", "PATH", "_"]), values, max_size=3).map(
    lambda found: tuple(Variable(name, value) for name, value in found.items())
)


@settings(deadline=None, max_examples=60)
@given(variables, st.lists(values, max_size=3), st.lists(st.tuples(paths, texts), max_size=3), texts)
def test_whatever_the_values(
    environment: tuple[Variable, ...], labels: list[str], files: list[tuple[str, str]], title: str
) -> None:
    steps = tuple(WriteFile(title, path, content, 0o640) for path, content in files)
    pairs = tuple((f"org.x-{n}", value) for n, value in enumerate(labels))
    made = graph(Stage("image", ROOTFS, steps), runtime=Runtime(environment, pairs))
    same(made)
    read = read_dockerfile(dockerfile(made))
    assert read.environment == {each.name: each.value for each in environment}
    assert read.labels == dict(pairs)
    assert read.files == {path: (0o640, content) for path, content in files}


@settings(deadline=None, max_examples=80)
@given(texts, variables, paths, texts)
def test_scripts_arrive_whatever_they_hold(
    text: str, environment: tuple[Variable, ...], workdir: str, title: str
) -> None:
    script = Script(title, text, "/bin/bash", workdir, environment)
    made = graph(Stage("image", ROOTFS, (script, Run("after", ("true",)))))
    expected = text if text.endswith("\n") else text + "\n"
    assert read_definition(definition(made)).scripts == [expected]
    first, after = [each for each in instructions(dockerfile(made)) if each.name == "RUN"]
    assert first.body is not None and after.body is not None
    assert after.body == "".join(f"{line}\n" for line in [*BEGINNING, "true"])
    assert first.body.splitlines()[: len(BEGINNING)] == BEGINNING
    assert [text for _, text in shell_writes(first.body).values()] == [expected]
    surroundings = first.body.rpartition("\n(\n")[2].rpartition("exec ")[0].partition("\n")[2]
    assert exports(surroundings) == {each.name: each.value for each in environment}


BEGINNING = [
    "#!/bin/sh",
    "set -eu",
    "umask 022",
    "trap 'find / -xdev \\( -path /dev -o -path /proc -o -path /sys -o -path /etc/hosts -o -path /etc/resolv.conf \\)"
    ' -prune -o -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +\' EXIT',
]


def test_shared_layers_hold_every_step_in_order() -> None:
    steps = [Script(f"s{n}", f"echo {n}; exit 0\n%post {n}") for n in range(150)]
    text = dockerfile(graph(Stage("image", ROOTFS, tuple(steps))))
    bodies = [each.body or "" for each in instructions(text) if each.name == "RUN"]
    assert len(bodies) < 99
    assert re.findall(r"(?m)^echo (\d+); exit 0$", "".join(bodies)) == [str(n) for n in range(150)]


# --------------------------------------------------------------------------------------------- the details


def test_build_variables_do_not_stay_in_the_image() -> None:
    steps = (
        SetEnv("e", (Variable("STAYS", "1"), Variable("GOES", "it's"))),
        Run("r", ("true",)),
        Script("s", "true\n"),
    )
    runtime = Runtime((Variable("STAYS", "2"),))
    child = Stage("image", recipe_graphs.FromStage("base"), (Run("child", ("true",)),))
    text = dockerfile(graph(Stage("base", ROOTFS, steps), child, runtime=runtime))
    assert read_dockerfile(text).environment == {"STAYS": "2"}
    bodies = [each.body or "" for each in instructions(text) if each.name == "RUN"]
    assert len(bodies) == 3 and all(
        exports(body.partition(" EXIT\n")[2].partition("true\n")[0]) == {"GOES": "it's"} for body in bodies
    )


def test_no_script_sees_more_than_its_own_rights() -> None:
    steps = (Script("a", "x\n", network=True), Script("b", "y\n"), Run("c", ("z",), ("debs/a", "wheels")))
    runs = [
        each for each in instructions(dockerfile(graph(Stage("image", ROOTFS, steps)))) if each.name == "RUN"
    ]
    assert [each.flags for each in runs] == [
        [],
        ["--network=none"],
        [
            "--network=none",
            "--mount=type=bind,source=inputs/debs/a,target=/mnt/debs/a",
            "--mount=type=bind,source=inputs/wheels,target=/mnt/wheels",
        ],
    ]


def test_what_a_registrys_image_says_of_itself_does_not_decide() -> None:
    text = dockerfile(graph(Stage("image", Image("debian:12", None))))
    for line in ("USER 0", "WORKDIR /", "ENTRYPOINT []", 'CMD ["/bin/sh"]'):
        assert f"\n{line}\n" in text
    assert "ENTRYPOINT" not in dockerfile(graph(Stage("image", ROOTFS)))


def test_a_digest_stands_without_a_tag_in_a_def() -> None:
    digest = "sha256:" + "b" * 64
    made = graph(Stage("image", Image("localhost:5000/library/debian:bookworm-slim", digest)))
    assert f"From: localhost:5000/library/debian@{digest}\n" in definition(made)
    assert f"FROM localhost:5000/library/debian:bookworm-slim@{digest}\n" in dockerfile(made)


def test_the_context_is_an_exact_list() -> None:
    made = graph(
        Stage(
            "image",
            ROOTFS,
            (
                CopyIn("a", ".", ("x/y", "z"), "/a"),
                CopyIn("b", "src/", ("*",), "/b"),
                Run("c", ("true",), ("debs",)),
            ),
        )
    )
    ignore = render(made, "docker")[1]
    assert ignore.filename == "Dockerfile.dockerignore"
    assert ignore.text == "*\n!.reproc/base/debian.tar\n!inputs/debs\n!src/\\*\n!x/y\n!z\n"


def test_a_step_sees_the_part_of_the_context_that_it_copies() -> None:
    """What else is in the context may change without the step being done again."""
    steps = (
        CopyIn("a", "src", ("a",), "/a"),
        CopyFile("b", "./b/c.txt", "/b", False),
        CopyFile("c", "it's, c", "/c", True),
        CopyIn("d", ".", ("src/b", "c"), "/d"),
        CopyIn("e", "src", (), "/e"),
    )
    text = dockerfile(graph(Stage("image", ROOTFS, steps)))
    mounts = [
        [flag for flag in each.flags if "mount" in flag] for each in instructions(text) if each.name == "RUN"
    ]
    assert mounts == [
        ["--mount=type=bind,source=src,target=/mnt/reproc-1"],
        ["--mount=type=bind,source=b/c.txt,target=/mnt/reproc-1"],
        ["--mount=type=bind,target=/mnt/reproc-context"],
        ["--mount=type=bind,target=/mnt/reproc-context"],
        [],
    ]
    assert "COPY" not in text


def test_what_ends_a_shell_does_not_end_the_step() -> None:
    """Files get their time in the end, whatever the author's commands do."""
    for step in (Run("r", ("exec true",)), Script("s", "trap 'echo bye' EXIT\n"), Run("t", ("trap - EXIT",))):
        *_, run, _ = instructions(dockerfile(graph(Stage("image", ROOTFS, (step,)))))
        assert run.body is not None and "\n(\n" in run.body.partition(" EXIT")[2]


def test_a_setup_writes_only_below_the_root_file_system(tmp_path: Path) -> None:
    ((_, sections),) = read_sections(definition(graph(Stage("image", ROOTFS))))
    for root in ({}, {"APPTAINER_ROOTFS": ""}, {"APPTAINER_ROOTFS": "/"}, {"SINGULARITY_ROOTFS": "/no/such"}):
        environment = {"PATH": "/usr/bin:/bin", **root}
        done = subprocess.run(
            ["/bin/sh", "-c", sections["setup"]], env=environment, cwd=tmp_path, capture_output=True
        )
        assert done.returncode == 1
        assert b"there is no root file system" in done.stderr


@pytest.mark.parametrize("variable", ["APPTAINER_ROOTFS", "SINGULARITY_ROOTFS"])
def test_a_setup_checks_what_it_unpacks(tmp_path: Path, variable: str) -> None:
    ((_, sections),) = read_sections(definition(graph(Stage("image", ROOTFS))))
    root = tmp_path / "root"
    root.mkdir()
    environment = {"PATH": "/usr/bin:/bin", variable: str(root)}

    def run() -> str:
        script = ["/bin/sh", "-ex", "-c", sections["setup"]]
        done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr

    assert "there is no .reproc/base/debian.tar in the current directory" in run()
    (tmp_path / ".reproc/base").mkdir(parents=True)
    (tmp_path / ".reproc/base/debian.tar").write_bytes(b"something else")
    assert "is not what this recipe was made for" in run()
    assert not list(root.iterdir())


def test_a_place_that_the_base_brings_is_not_written_through(tmp_path: Path) -> None:
    made = graph(Stage("image", Image("debian:12", None), (CopyIn("a", ".", ("f",), "/a"),)))
    ((_, sections),) = read_sections(definition(made))
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/.reproc").symlink_to("../outside")
    (tmp_path / "f").write_text("f")
    environment = {"PATH": "/usr/bin:/bin", "APPTAINER_ROOTFS": str(tmp_path / "root")}
    done = subprocess.run(
        ["/bin/sh", "-c", sections["setup"]], env=environment, cwd=tmp_path, capture_output=True
    )
    assert done.returncode != 0
    assert not list((tmp_path / "outside").iterdir())


def test_listed_files_arrive_and_nothing_else(tmp_path: Path) -> None:
    root, source = tmp_path / "root", tmp_path / "-s"

    @settings(deadline=None, max_examples=25)
    @given(st.sets(names, min_size=1, max_size=4))
    def check(listed: set[str]) -> None:
        for folder in (root, source):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for name in (*listed, "another one"):
            (source / name).write_text(name)
        made = graph(
            Stage("image", Image("debian:12", None), (CopyIn("a", "-s", tuple(sorted(listed)), "/a"),))
        )
        ((_, sections),) = read_sections(definition(made))
        environment = {"PATH": "/usr/bin:/bin", "APPTAINER_ROOTFS": str(root)}
        subprocess.run(
            ["/bin/sh", "-ex", "-c", sections["setup"]],
            env=environment,
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        tar = subprocess.run(["tar", "-xOf", root / ".reproc/copy-1.tar"], capture_output=True, check=True)
        assert tar.stdout.decode() == "".join(sorted(listed))

    check()


def test_a_def_with_long_sections_is_cut_where_its_reader_needs_it() -> None:
    files = tuple(f"a-rather-long-file-name-{n:06}" for n in range(6000))
    steps = (
        CopyIn("a", ".", files, "/a"),
        WriteFile("w", "/w", "line\n" * 40_000, 0o644),
        Script("s", "echo\n" * 30_000),
    )
    ((_, sections),) = read_sections(definition(graph(Stage("image", ROOTFS, steps))))
    read = read_definition(definition(graph(Stage("image", ROOTFS, steps))))
    assert read.files["/w"] == (0o644, "line\n" * 40_000)
    assert read.scripts == ["echo\n" * 30_000]
    assert all(f"\n./{name}\n" in sections["setup"] for name in files)


def test_apps() -> None:
    runtime = Runtime(apps=(App("main", "first\n%post\n{{ x }}"), App("other")), workdir="/w $x")
    ((_, sections),) = read_sections(definition(graph(Stage("image", ROOTFS), runtime=runtime)))
    assert "exec /opt/reproc/bin/main\n" in sections["runscript"]
    assert sections["apprun other"] == "    cd '/w $x'\n    exec /opt/reproc/bin/other \"$@\"\n\n"
    assert sections["apphelp main"] == "    first\n    \\%post\n    { { x }}\n\n"
    assert "apphelp other" not in sections


# ---------------------------------------------------------------------------------------- lines and places


@pytest.mark.parametrize("comments", [True, False], ids=["commented", "bare"])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_marker_names_its_own_line_and_that_line_has_a_place(name: str, comments: bool) -> None:
    artifact = render(GRAPHS[name], "singularity", comments=comments)[0]
    lines = artifact.text.split("\n")[:-1]
    assert len(artifact.line_origins) == len(lines)
    marked = [(n, line) for n, line in enumerate(lines, 1) if line.startswith("echo '==> reproc step")]
    assert marked
    for number, line in marked:
        assert line.startswith(f"echo '==> reproc step {number}: ")
        assert artifact.line_origins[number - 1] is not None or "check what is kept" in line


def test_every_line_of_a_step_has_the_steps_place() -> None:
    steps = tuple(Script(f"s{n}", f"one {n}\ntwo {n}\n", origin=at(n)) for n in range(5, 9))
    for back_end in ("docker", "singularity"):
        artifact = render(graph(Stage("image", ROOTFS, steps, at(2))), back_end)[0]
        for line, origin in zip(artifact.text.split("\n"), artifact.line_origins, strict=False):
            if match := re.fullmatch(r"(?:one|two) (\d)", line):
                assert origin == at(int(match.group(1)))


@pytest.mark.parametrize("name", ["plain", "floating"])
def test_without_comments_the_specs_layout_does_not_matter(name: str) -> None:
    made = GRAPHS[name]
    elsewhere = SourceFile("other/place.spec", "\n" * 500)

    def moved(stage: Stage) -> Stage:
        span = Span(elsewhere, 400, 401)
        return replace(stage, origin=span, steps=tuple(replace(step, origin=span) for step in stage.steps))

    other = replace(made, stages=tuple(map(moved, made.stages)))
    for back_end in ("docker", "singularity"):
        before, after = render(made, back_end), render(other, back_end)
        assert [artifact.text for artifact in before] == [artifact.text for artifact in after]
        assert not re.search(r"repro\.spec:\d", before[0].text)
        commented = render(other, back_end, comments=True)[0].text
        assert "(place.spec:401)" in commented


def test_bare_recipes_have_no_comments_and_no_trailing_blanks() -> None:
    for back_end in ("docker", "singularity"):
        for artifact in render(GRAPHS["plain"], back_end):
            assert artifact.text.endswith("\n") and not artifact.text.endswith("\n\n")
            assert not re.search(r"(?m)^#(?!!)|[ \t]$|\n\n\n", artifact.text)


def test_two_renderings_are_the_same_bytes() -> None:
    for back_end in ("docker", "singularity"):
        assert render(GRAPHS["hostile"], back_end) == render(GRAPHS["hostile"], back_end)


def test_the_head_says_what_floats() -> None:
    for text in (
        dockerfile(GRAPHS["floating"], comments=True),
        definition(GRAPHS["floating"], comments=True),
    ):
        assert "# UNLOCKED" in text and "# `htop` floats\n" in text
        assert "floats until `reproc lock` pins its digest" in text


# --------------------------------------------------------------------------------------- other people's eyes


@pytest.mark.parametrize("comments", [True, False], ids=["commented", "bare"])
@pytest.mark.parametrize("name", ["plain", "floating"])
def test_hadolint_is_content(name: str, comments: bool, tmp_path: Path) -> None:
    """The bare form, which is for machines, has no place for waivers: the same rules are left out by hand."""
    hadolint = shutil.which("hadolint") or str(Path(subprocess.sys.executable).with_name("hadolint"))  # type: ignore[attr-defined]
    path = tmp_path / "Dockerfile"
    path.write_text(dockerfile(GRAPHS[name], comments=comments))
    waived = (
        [] if comments else ["DL3002", "DL3003", "DL3006", "DL3007", "DL3008", "DL3009", "DL3059", "DL4006"]
    )
    flags = [word for rule in waived for word in ("--ignore", rule)]
    done = subprocess.run([hadolint, *flags, path], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_hadolint_does_complain_of_what_is_wrong(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint") or str(Path(subprocess.sys.executable).with_name("hadolint"))  # type: ignore[attr-defined]
    path = tmp_path / "Dockerfile"
    text = dockerfile(GRAPHS["floating"], comments=True)
    path.write_text(text.replace("--no-install-recommends", ""))
    assert "DL3015" in subprocess.run([hadolint, path], capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["floating"])
def test_spython_reads_the_same(name: str, tmp_path: Path) -> None:
    from spython.main.parse.parsers import get_parser

    path = tmp_path / "Singularity.def"
    path.write_text(definition(GRAPHS[name]))
    (recipe,) = get_parser("singularity")(str(path)).parse().values()
    assert recipe.fromHeader == "docker.io/library/debian:bookworm-slim"
    ((_, sections),) = read_sections(definition(GRAPHS[name]))
    post = [line for line in sections["post"].split("\n") if line.strip()]
    assert [line for line in recipe.install if line.strip()][: len(post)] == post


def test_git_and_kept_stay_what_they_are() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    fetch = FetchGit("g", "https://example.org/a.git", commit, "/opt/g")
    made = graph(Stage("b", ROOTFS), Stage("image", ROOTFS, (fetch, CopyKept("k", "b", ("/a",)))))
    assert f"\nFROM scratch AS git-1\nADD https://example.org/a.git#{commit} /\n" in dockerfile(made)
    assert "--mount=type=bind,from=git-1,target=/mnt/reproc-1" in dockerfile(made)
    assert "--mount=type=bind,from=b,target=/mnt/reproc-1" in dockerfile(made)
    first, second = read_sections(definition(made))
    assert "/.reproc.kept-1.tar ./a\n" in first[1]["post"]
    assert second[1]["files from b"].split() == ["/.reproc.kept-1.tar"] * 2
    assert commit in second[1]["setup"]
