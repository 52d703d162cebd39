"""Warnings: each case of the corpus shows its golden; good specs show none; shell texts are taken apart rightly."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproc import pipeline
from reproc.check.hints import hints
from reproc.check.hints.shell import commands
from reproc.diagnostics import Code
from reproc.diagnostics.codes import warnings as codes
from reproc.diagnostics.render import render
from reproc.folder import Folder
from reproc.source import SourceFile
from reproc.syntax import parse

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = sorted(path.parent for path in ROOT.glob("tests/corpus/accept/warnings/*/repro.spec"))
LATER = frozenset({codes.DATA_WITHOUT_SIZE, codes.LARGE_DATA, codes.ROOT_SERVICE})
"""Statements that they need may be in the language before this version builds them: tested on trees below."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_warned(case: Path, update_golden: bool) -> None:
    outcome = pipeline.checked(case / "repro.spec", "repro.spec", warnings=True)
    assert outcome.value is not None, render(outcome.diagnostics, "full")
    shown = render(outcome.diagnostics, "full")
    golden = case / "expected.txt"
    if update_golden:
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown


def test_every_warning_is_hit() -> None:
    told = "\n".join((case / "expected.txt").read_text(encoding="utf-8") for case in CASES)
    known = [each for each in vars(codes).values() if isinstance(each, Code)]
    assert [code.id for code in known if f"[{code.id}]" not in told and code not in LATER] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("specs/*/repro.spec")), ids=lambda path: path.parent.name)
def test_published_specs_have_none(path: Path) -> None:
    assert render(pipeline.checked(path, "repro.spec", warnings=True).diagnostics, "full") == ""


def warned(text: str, tmp_path: Path, head: str = "reproc 1\nbase debian bookworm\n") -> list[str]:
    """The codes that a text is warned of, whether or not this version builds it; it needs no test."""
    tree = parse(SourceFile("repro.spec", head + text)).value
    assert tree is not None
    return [each.code.id for each in hints((tree,), Folder(tmp_path)) if each.code is not codes.UNTESTED_SPEC]


HEX64 = "9f86d081" * 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data x { url https://example.org/x.csv; into /x }", ["W0304"]),
        ("data x { url https://example.org/x.csv; size 2MB; into /x }", []),
        ("data x { doi 10.5281/zenodo.1; into /x }", []),
        ("data x { url http://example.org/x.csv; size 1MB; into /x }", ["W0305"]),
        ("data x { url http://localhost:8000/x.csv; size 1MB; into /x }", []),
        (f"data x {{ url http://example.org/x.csv; size 1MB; sha256 {HEX64}; into /x }}", []),
        ("data x { url https://example.org/x; url ftp://example.org/x; size 1MB; into /x }", ["W0305"]),
        ("data x { url https://example.org/x; size 100MB; into /x }", []),
        ("data x { url https://example.org/x; size 101MB; into /x }", ["W0314"]),
        ("data x { url https://example.org/x; size 101MB; into /x; at run }", []),
        ("data x { url https://example.org/x; size 101MB; into /x; at build }", ["W0314"]),
        ("code x { archive http://example.org/x.tar.gz; into /x }", ["W0305"]),
        (f"code x {{ archive http://example.org/x.tar.gz; sha256 {HEX64}; into /x }}", []),
        ("python 3.11 { packages numpy==1.0; index http://example.org/simple }", ["W0305"]),
        ("python 3.11 { packages numpy>=1.0 }", ["W0301"]),
        ("python 3.11 { packages numpy }\nas-of 2024-06-01", []),
        ("python 3.11 { packages numpy; lock uv.lock }", []),
        ('python 3.11 { packages "numpy=={{n}}" }\nlet n 1', []),
        ("conda { packages python=3.8 numpy }", ["W0301"]),
        ("conda { packages python=3.8 }", []),
        ("r 4.3 { packages ggplot2==3.4.4 dplyr }", ["W0301"]),
        ("system { packages htop curl }", []),
        ("python 3.11 { packages \"x==1; python_version < '3.9'\" \"x==2; python_version >= '3.9'\" }", []),
        ('app web { run "serve"; port 8080 }', ["W0308"]),
        ('app web { run "serve"; port 8080 }\nuser web', []),
        ('build x { in /x; network yes; run "pip install numpy" }', ["W0321"]),
        ('build x { in /x; network yes; run "curl -O https://example.org/x" }', ["W0321"]),
        ('build x { in /x; run "make" }\ntoolchain openmpi 4.1', []),
        ('build x { in /x; run "make" }\ntoolchain cmake 3.25', ["W0310"]),
        ('build x { in /x; run "make"; using cmake 3.25 }\ntoolchain cmake 3.25', []),
        ('build x { in /x; run "make" }\ntoolchain gcc 9 { at run }', []),
        ('build x { in /x; run "make" }\ntoolchain openmpi 4.1 { at build }', ["W0310"]),
        ('build x { in /x; run "make" }\ntoolchain gcc 9 { provider image }', []),
        ("toolchain gcc 9", []),
        ('user me { uid 1000 }\nbuild x { in /x; run "make PREFIX=/home/me/x" }', []),
        ('build x { in /home/me/x; run "make PREFIX=/home/me/y" }', []),
        ("build x { in /x; run \"sh -c 'curl https://example.org'\" }", ["W0320"]),
        ('build x { in /x; run "x=$(curl https://example.org)" }', ["W0320"]),
        ("build x { in /x; run \"Rscript -e 'install.packages(1)'\" }", ["W0320"]),
        ('build x { in /x; run "go install example.org/x@latest" }', ["W0320"]),
        ('build x { in /x; run "git submodule update --init" }', ["W0320"]),
        ('build x { in /x; run "DEBIAN_FRONTEND=noninteractive apt-get -y install x" }', ["W0320"]),
        ('build x { in /x; run "conda run -n x make && npm run build && cargo build" }', []),
        ('build x { in /x; run "curl --version; wget $ADDRESS; make install" }', []),
        ('experiment x { run "sudo make" }', ["W0322"]),
        ('activate ". /home/alice/env.sh"', ["W0324"]),
        ("each a b { target {{x}} { abstract } }", []),
        ('env { PATH "/opt/x:$PATH" }', []),
        ("env { prepend PATH /opt/x; at run X /home/alice }", ["W0324"]),
        ('include "other.spec"', []),
    ],
)
def test_trees(text: str, expected: list[str], tmp_path: Path) -> None:
    assert warned(text.replace("{{x}}", '"{{x}}"'), tmp_path) == expected


def test_an_image_may_have_homes(tmp_path: Path) -> None:
    text = 'build x { in /x; run "make PREFIX=/home/jovyan/x" }'
    assert warned(text, tmp_path, 'reproc 1\nbase image "example/x:1" { is debian bookworm }\n') == []
    assert warned(text, tmp_path) == ["W0324"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("numpy==1.26.4\n", []),
        ("# scipy\n-r other.txt\n--no-binary scipy\n\n", []),
        ("numpy==1.26.4 ; python_version > '3'\nx @ file:///x.whl\n", []),
        ("numpy==1.26.4\nscipy>=1.0\n", ["W0301"]),
        ("scipy\n", ["W0301"]),
    ],
)
def test_files_of_requirements(lines: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(lines, encoding="utf-8")
    text = "python 3.11 { requirements requirements.txt; requirements none.txt }"
    assert warned(text, tmp_path) == expected
    assert warned(f"as-of 2024-06-01\n{text}", tmp_path) == []


def test_large_files_beside_the_spec(tmp_path: Path) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(101 * 10**6)
    assert warned('data x { local "large.bin"; into /x }', tmp_path) == ["W0314"]
    assert warned('data x { local "none.bin"; into /x }', tmp_path) == []


def test_what_an_include_leaves_unused_is_for_others(tmp_path: Path) -> None:
    root = parse(SourceFile("repro.spec", "reproc 1\nbase debian bookworm\n")).value
    more = parse(SourceFile("more.spec", "let a 1\ntarget t { abstract }\ncode c { local x }\n")).value
    assert root and more
    assert [each.code.id for each in hints((root, more), Folder(tmp_path))] == ["W0306"]
    as_root = {each.code.id for each in hints((more, root), Folder(tmp_path))}
    assert as_root == {"W0311", "W0312", "W0313"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make -j4 install", [("make", "-j4", "install")]),
        ("a; b && c || d | e & f", [("a",), ("b",), ("c",), ("d",), ("e",), ("f",)]),
        ("'a b' \"c d\"e\\ f", [("a b", "c de f")]),
        ("A=1 B='2 3' make x", [("make", "x")]),
        ("if a; then b; else c; fi", [("a",), ("b",), ("c",)]),
        ("for f in *.c; do cc $f; done", [("for", "f", "in", "*.c"), ("cc", "$f")]),
        ("x $(y z)", [("x", "$"), ("y", "z")]),
        ("(cd x && make) > log 2>&1", [("cd", "x"), ("make",)]),
        ("a \\\n  b\nc # d; e\nf#g", [("a", "b"), ("c",), ("f#g",)]),
        ("cat <<EOF\na; b\nEOF\nc", [("cat",), ("c",)]),
        ("cat <<-'EOF' > x\n\ta\n\tEOF\nc", [("cat",), ("c",)]),
        ("cat <<A <<B\n1\nA\n2\nB\nc", [("cat",), ("c",)]),
        ("cat <<EOF\nnever closed", [("cat",)]),
        ("env -i X=1 nice -n5 make", [("make",)]),
        ("! { a; }", [("a",)]),
        ("bash -c 'a; b c'", [("bash", "-c", "a; b c"), ("a",), ("b", "c")]),
        ("say \"unclosed 'quote", [("say",), ("unclosed",), ("quote",)]),
        ("", []),
    ],
)
def test_commands(text: str, expected: list[tuple[str, ...]]) -> None:
    assert [each.words for each in commands(text)] == expected


def test_commands_know_where_they_stand() -> None:
    text = "  cd x &&\tsudo -E make 'a b'\n"
    assert [(text[each.start : each.end], each.sudo) for each in commands(text)] == [
        ("cd x", False),
        ("sudo -E make 'a b'", True),
    ]


@given(st.text(alphabet="ab =;&|(){}<>EOF\"'`\\#$\n-", max_size=200))
def test_any_text_can_be_taken_apart(text: str) -> None:
    for command in commands(text):
        assert 0 <= command.start <= command.end <= len(text)


@pytest.mark.parametrize("piece", ["a ", "'", '"', '\\"', "<<E\n", "sh -c 'a';", "$(", "a\n"])
def test_long_texts_take_linear_time(piece: str) -> None:
    text = piece * ((1 << 18) // len(piece))
    before = time.process_time()
    for _ in commands(text):
        pass
    assert time.process_time() - before < 5


def test_each_help_says_what_to_write() -> None:
    for code in vars(codes).values():
        if isinstance(code, Code):
            assert code.help, code.id
            assert code.label, code.id
            assert re.fullmatch(r"W03[0-9]{2}", code.id)
