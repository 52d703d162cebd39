"""`reproc diff` as a process: what changes in the environment, and what does not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Paper

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
HEAD = "reproc 1\nbase debian bookworm\n"
SPEC = """\
reproc 1
base debian bookworm
system { packages htop less }
toolchain gcc 12
python 3.11 { requirements "requirements.txt"; packages requests==2.31.0 }
code c { local "c" }
env { A 1; prepend PATH /x }
build c { using gcc 12; run "make"; run "make install"; keep /opt/c }
app main { run "c" }
test "runs" { run "c"; expect stdout contains "c" }
target one
target two { system { packages vim } }
"""


@pytest.fixture
def compared(reproc: Reproc, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """What `reproc diff A B` says of two texts, in folders of their own."""

    def run(before: str, after: str, *options: str, requirements: str = "numpy==1.26.4\n") -> tuple[int, str]:
        for name, text, wanted in (("a", before, "numpy==1.26.4\n"), ("b", after, requirements)):
            (tmp_path / name / "c").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "c" / "Makefile").write_text("all:\n")
            (tmp_path / name / "requirements.txt").write_text(wanted)
            (tmp_path / name / "repro.spec").write_text(text)
        done = reproc(*options, "diff", "a", "b/repro.spec", cwd=tmp_path)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout or done.stderr

    return run


Compared = Callable[..., "tuple[int, str]"]


@pytest.mark.parametrize(
    "after",
    [
        SPEC,
        "# a comment\n" + SPEC.replace("; ", "\n"),
        SPEC.replace("htop less", "less htop"),
        SPEC.replace("htop less", '[ "htop" ] ; packages less'),
        SPEC.replace("bookworm", "12"),
        SPEC.replace('local "c"', 'local "c"; into /opt/src/c'),
        SPEC.replace('run "c"; expect', 'run "c"; timeout 60s; expect'),
        SPEC.replace("reproc 1\n", "reproc 1\nlet n 1\n").replace("A 1", 'A "{{n}}"'),
        SPEC.replace("system { packages htop less }\n", "")
        .replace(
            "target one",
            "target zero { abstract; system { packages htop less } }\ntarget one { extends zero }",
        )
        .replace("target two {", "target two { extends zero;"),
    ],
    ids="same comments order lists release place default constant extends".split(),
)
def test_another_text_of_the_same_environment(compared: Compared, after: str) -> None:
    assert compared(SPEC, after) == (0, "no difference\n")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("htop less", "htop=3.2 less", ["~ packages htop: htop → htop=3.2"]),
        ("htop less", "less curl", ["- packages htop", "+ packages curl"]),
        ("bookworm", "bookworm { from bootstrap }", ["+ base, from: bootstrap"]),
        ("requests==2.31.0", "requests==2.32.0", ["requests==2.31.0 → requests==2.32.0"]),
        ("A 1", "A 2", ["~ environment A: 1 → 2"]),
        ("prepend PATH /x", "prepend PATH /x; prepend PATH /y", ["+ /y"]),
        ('run "make";', 'run "make all";', ["~ build c, commands", "- make", "+ make all"]),
        ("keep /opt/c", "keep /opt/c /opt/d", ["+ build c, keep /opt/d"]),
        ('app main { run "c" }', 'app main { run "c -v" }', ["~ app main, run: c → c -v"]),
        ('test "runs"', 'test "works"', ["- test runs", "+ test works"]),
        (
            'contains "c"',
            'equals "c"',
            ["- test runs, expect stdout contains c", "+ test runs, expect stdout equals c"],
        ),
        ("target one\n", "target one { backends docker }\n", ["target one", "- backends singularity"]),
        ("target one\n", "", ["- target one"]),
        ("target one\n", "target one\ntarget three\n", ["+ target three"]),
        ("reproc 1\n", 'reproc 1\npaper "P" { doi 10.1000/1 }\n', ["+ paper: P"]),
    ],
)
def test_what_changes_is_told(compared: Compared, old: str, new: str, lines: list[str]) -> None:
    assert old in SPEC
    code, said = compared(SPEC, SPEC.replace(old, new, 1))
    assert code == 1
    for line in lines:
        assert line in said, said


def test_another_base(compared: Compared) -> None:
    assert compared(HEAD, HEAD.replace("bookworm", "trixie")) == (
        1,
        "target default\n  ~ base: debian bookworm → debian trixie\n",
    )


def test_order_matters_where_it_does(compared: Compared) -> None:
    before = SPEC.replace("prepend PATH /x", "prepend PATH /x; prepend PATH /y")
    after = SPEC.replace("prepend PATH /x", "prepend PATH /y; prepend PATH /x")
    assert compared(before, after)[0] == 1
    swapped = SPEC.replace('run "make"; run "make install"', 'run "make install"; run "make"')
    assert "commands" in compared(SPEC, swapped)[1]


def test_a_file_of_requirements_is_read(compared: Compared) -> None:
    code, said = compared(SPEC, SPEC, requirements="# newer\nnumpy==1.26.5\nscipy\n")
    assert code == 1
    assert "requirements requirements.txt, numpy: numpy==1.26.4 → numpy==1.26.5" in said
    assert "+ python main, requirements requirements.txt, scipy" in said


def test_what_changes_alike_is_told_once(compared: Compared) -> None:
    _, said = compared(SPEC, SPEC.replace("packages vim", "packages nano").replace("A 1", "A 2"))
    assert said.count("environment A") == 1
    assert "targets one, two\n" in said
    assert "target two\n" in said


def test_json_and_colour(compared: Compared, reproc: Reproc, tmp_path: Path) -> None:
    _, said = compared(SPEC, SPEC.replace("A 1", "A 2"), "--color", "always")
    assert "\033[1m" in said
    done = reproc("diff", "--json", "a", "b", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["same"] is False
    assert told["targets"][0] == {
        "name": "one",
        "kind": "changed",
        "changes": [{"kind": "changed", "where": ["environment A"], "before": "1", "after": "2"}],
    }
    assert json.loads(reproc("diff", "--json", "a", "a", cwd=tmp_path).stdout)["same"] is True


def test_wrong_specs_are_2(compared: Compared, reproc: Reproc, tmp_path: Path) -> None:
    code, said = compared(HEAD, HEAD + "bas x\n")
    assert code == 2 and "E0201" in said
    missing = reproc("diff", "a", "nowhere", cwd=tmp_path)
    assert missing.returncode == 2 and "E0701" in missing.stderr
    assert reproc("diff", "a", cwd=tmp_path).returncode == 2


def test_locks_are_compared_too(paper: Paper, tmp_path: Path) -> None:
    paper.run("lock")
    other = tmp_path / "other"
    shutil.copytree(paper.folder, other)
    assert paper.run("diff", ".", str(other)) == "no difference\n"
    paper.offer(viewer=("1.1-1", "Depends: libdraw\n"), libdraw=("1.9-1", "Depends: other\n"))
    paper.index("alpha", "1.0", "1.1")
    (paper.folder / "model/main.py").write_text("print(2)\n")
    (paper.folder / "model/new.py").write_text("")
    paper.run("lock", "--update-all")
    said = paper.run("diff", str(other), ".", code=1)
    shown = [line.strip() for line in said.splitlines()]
    assert "lock" in shown and "targets one, two" in shown
    for line in (
        "↑ package, viewer: 1.0-1 → 1.1-1",
        "↓ package, libdraw: 2.0-1 → 1.9-1",
        "- package, libink: 1.0-1",
        "+ package, other: 5",
        "↑ python main, alpha: 1.0 → 1.1",
        "- python main, beta: 1.0",
    ):
        assert line in shown, said
    assert any(line.startswith("~ code model, main.py: sha256:") for line in shown)
    assert any(line.startswith("+ code model, new.py: sha256:") for line in shown)
    told = json.loads(paper.run("diff", "--json", str(other), ".", code=1).partition("\nlocking")[0])
    assert told["same"] is False and told["targets"] == [] and told["lock"]["same"] is False
    # two lock files alone: what `reproc lock --diff` says
    alone = paper.run("diff", str(other / "repro.lock"), "repro.lock", code=1)
    assert [line.strip() for line in alone.splitlines()] == shown
    assert paper.run("diff", "repro.lock", "repro.lock") == "no difference\n"


def test_one_lock_alone_and_one_that_is_none(paper: Paper, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(paper.folder, other)
    paper.run("lock")
    said = paper.run("diff", str(other), ".", code=1)
    assert said.splitlines() == ["lock", "  + target one", "  + target two"]
    (other / "repro.lock").write_text("{}")
    assert "error[E0460]" in paper.run("diff", str(other), ".", code=2)
    assert "E0701" in paper.run("diff", "nowhere.lock", "repro.lock", code=2)
