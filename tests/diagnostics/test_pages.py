"""Every code has a page, and every page is true: what it shows is what reproc prints, what it advises works."""

from __future__ import annotations

import gc
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter

import pytest

from reproc.cli import main
from reproc.cli.options import COMMANDS, parse
from reproc.diagnostics import Code
from reproc.diagnostics.codes import table

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "src" / "reproc" / "diagnostics" / "pages"
INDEX = ROOT / "docs" / "diagnostics.md"
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.M | re.S)
HEADLINE = re.compile(r"^(?:\S+:\d+:\d+: )?(?:error|warning)\[([EW][0-9]{4})\]: (.*)", re.M)
LABEL = re.compile(r" *\| +\^+ ?(.*)")
"""The line below a snippet that marks its place."""

AREAS = {
    "01": "The text of a spec",
    "02": "The form of statements",
    "03": "What statements mean together",
    "04": "Locking and fetching",
    "05": "Writing recipes",
    "06": "Building and testing",
    "07": "The call",
}


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page, by the heading that it stands under."""

    section: str
    words: tuple[str, ...]
    text: str
    start: int
    end: int

    @property
    def kind(self) -> str:
        return self.words[0] if self.words else ""


@dataclass(frozen=True)
class Page:
    """A page of the folder."""

    path: Path
    text: str

    @property
    def id(self) -> str:
        return self.path.stem

    @property
    def prose(self) -> str:
        return FENCE.sub("", self.text)

    @property
    def sections(self) -> list[str]:
        return re.findall(r"^## (.*)$", self.prose, re.M)

    def fences(self, section: str | None = None) -> list[Fence]:
        found = []
        for match in FENCE.finditer(self.text):
            above = re.findall(r"^## (.*)$", FENCE.sub("", self.text[: match.start()]), re.M)
            fence = Fence(above[-1] if above else "", tuple(match[1].split()), match[2], *match.span(2))
            if section in (None, fence.section):
                found.append(fence)
        return found

    def kinds(self) -> set[str]:
        return {fence.kind for fence in self.fences()}


PAGES = [Page(path, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.md"))]
WITH_SPEC = [page for page in PAGES if "Instead" in page.sections]
WITH_CONSOLE = [page for page in PAGES if "console" in page.kinds()]


def name_of(page: Page) -> str:
    return page.id


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert [page.id for page in PAGES] == sorted(table())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_form(page: Page) -> None:
    assert page.text.startswith(f"# {page.id} {table()[page.id].name}\n\n")
    assert page.text.endswith("\n")
    assert page.sections in (["Example", "Instead"], ["Example", "What to do"])
    words = {fence.words for fence in page.fences()}
    kinds = {kind for kind in words if kind[:1] != ("file",)}
    if "Instead" in page.sections:
        assert kinds == {("spec",), ("text",)}
        assert any(fence.kind == "spec" for fence in page.fences("Instead"))
    else:
        assert kinds & {("console",), ("console", "run")}
        assert kinds <= {("spec",), ("console",), ("console", "run")}
    for line in page.prose.splitlines():
        assert len(line) <= 80, f"too long for a terminal: {line}"


@pytest.fixture
def checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Runs `reproc check` over a text; the exit code and all that was printed."""
    monkeypatch.chdir(tmp_path)

    def check(text: str) -> tuple[int, str]:
        (tmp_path / "repro.spec").write_text(text, encoding="utf-8")
        capsys.readouterr()
        code = main(["--color", "never", "check"])
        printed = capsys.readouterr()
        return code, printed.err + printed.out

    yield check
    gc.enable()


def put(fence: Fence, folder: Path) -> None:
    """Writes a file that an example needs beside the spec: ```` ```file name=PATH ````."""
    name = fence.words[1].removeprefix("name=")
    assert not Path(name).is_absolute() and ".." not in Path(name).parts
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fence.text, encoding="utf-8")


def shown(page: Page, printed: str) -> str:
    """What a page shows of it: an example of an error is too short to be without warnings."""
    if page.id.startswith("W"):
        return printed
    told = re.split(r"^(?=(?:error|warning)\[)", printed, flags=re.M)
    kept = "".join(each for each in told if not each.startswith("warning["))
    return kept if kept == printed or not kept.endswith("\n\n") else kept[:-1]


def compare(page: Page, fence: Fence, text: str, update: bool) -> None:
    """The block is exactly this text; with `--update-golden` it becomes it."""
    if update and fence.text != text:
        now = page.path.read_text(encoding="utf-8")
        old = f"```{' '.join(fence.words)}\n{fence.text}```"
        assert now.count(old) == 1, f"{page.id}: more than one block is empty or alike"
        page.path.write_text(now.replace(old, f"```{' '.join(fence.words)}\n{text}```"), encoding="utf-8")
        return
    assert fence.text == text


@pytest.mark.parametrize("page", WITH_SPEC, ids=name_of)
def test_example_prints_what_is_shown(
    page: Page, tmp_path: Path, checked: Callable[[str], tuple[int, str]], update_golden: bool
) -> None:
    printed = None
    for fence in page.fences("Example"):
        match fence.kind:
            case "file":
                put(fence, tmp_path)
            case "spec":
                assert printed is None, "a spec is followed by what is printed for it"
                code, printed = checked(fence.text)
                assert f"[{page.id}]: " in printed, printed
                assert code == (2 if page.id.startswith("E") else 0)
            case _:
                assert printed is not None, "what is printed follows its spec"
                compare(page, fence, shown(page, printed), update_golden)
                printed = None
    assert printed is None


@pytest.mark.parametrize("page", WITH_SPEC, ids=name_of)
def test_mended_spec_is_accepted(
    page: Page, tmp_path: Path, checked: Callable[[str], tuple[int, str]]
) -> None:
    for fence in page.fences():
        if fence.kind == "file":
            put(fence, tmp_path)
    for fence in page.fences("Instead"):
        if fence.kind == "spec":
            code, printed = checked(fence.text)
            assert code == 0, printed
            assert f"[{page.id}]" not in printed
            assert page.id.startswith("E") or "warning[" not in printed, printed


# what is printed where no spec alone can show it


@cache
def pattern(template: str) -> re.Pattern[str]:
    """What instances of a message template look like: the same fact is the same words everywhere."""
    parts, seen = [], set()
    for text, fact, _, _ in Formatter().parse(template):
        parts.append(re.escape(text))
        if fact is not None:
            parts.append(f"(?P={fact})" if fact in seen else f"(?P<{fact}>.+?)")
            seen.add(fact)
    return re.compile("".join(parts), re.S)


def untrue(code: Code, message: str, label: str, help: str | None) -> str | None:
    """Why reproc could not print this for the code; None if it could."""
    if not pattern(code.message).fullmatch(message):
        return f"no instance of {code.message!r}: {message!r}"
    if label and not pattern(code.label).fullmatch(label):
        return f"no instance of {code.label!r}: {label!r}"
    if help is None:
        always = [
            each for each in code.help if all(fact is None for _, fact, _, _ in Formatter().parse(each))
        ]
        return f"there is always a help: {always[0]!r}" if always else None
    if not any(pattern(each).fullmatch(help) for each in code.help):
        return f"no instance of {code.help!r}: {help!r}"
    return None


def diagnostics(text: str) -> Iterator[tuple[Code, str, str, str | None]]:
    """Code, message, label and help of every diagnostic in a console's output."""
    for match in HEADLINE.finditer(text):
        lines = text[match.end() :].partition("\n\n")[0].splitlines()
        labels = [found[1] for line in lines if (found := LABEL.fullmatch(line))]
        helps = [line.removeprefix("help: ") for line in lines if line.startswith("help: ")]
        yield table()[match[1]], match[2], labels[-1] if labels else "", helps[0] if helps else None


@pytest.mark.parametrize("page", WITH_CONSOLE, ids=name_of)
def test_console_prints_what_is_shown(page: Page, tmp_path: Path, update_golden: bool) -> None:
    """A `console run` needs no network and no engine: it is run."""
    program = tmp_path / "bin" / "reproc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reproc "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "paper"
    folder.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "REPROC_STORE": str(tmp_path / "store"),
        "NO_COLOR": "1",
    }
    for fence in page.fences():
        match fence.words:
            case ("file", _):
                put(fence, folder)
            case ("spec",):
                (folder / "repro.spec").write_text(fence.text, encoding="utf-8")
            case ("console", "run"):
                printed = ""
                for line in fence.text.splitlines():
                    if not line.startswith("$ "):
                        continue
                    done = subprocess.run(
                        ["sh", "-c", f"exec 2>&1\n{line[2:]}"],
                        cwd=folder,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        timeout=60,
                    )
                    printed += f"{line}\n{shown(page, done.stdout.decode())}"
                assert f"[{page.id}]: " in printed, printed
                compare(page, fence, printed, update_golden)


@pytest.mark.parametrize("page", WITH_CONSOLE, ids=name_of)
def test_console_shows_what_can_be_printed(page: Page) -> None:
    page = Page(page.path, page.path.read_text(encoding="utf-8"))  # the test above may have written it
    told = set()
    for fence in page.fences():
        if fence.kind != "console":
            continue
        assert fence.text.startswith("$ "), "a console begins with what is typed"
        for code, message, label, help in diagnostics(fence.text):
            assert (wrong := untrue(code, message, label, help)) is None, wrong
            told.add(code.id)
    assert page.id in told


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Page) -> None:
    typed = re.findall(r"^\$ (reproc .*)$", "".join(fence.text for fence in page.fences()), re.M)
    for line in [*typed, *re.findall(r"`(reproc [a-z][^`]*)`", " ".join(page.prose.split()))]:
        words = shlex.split(re.split(r" (?:2>&1|[|>&])", line)[0])
        call = parse(words[1:])
        assert call.command, line
        import_module(f"reproc.cli.commands.{COMMANDS[call.command].module}").parser().parse_args(call.rest)


def test_what_cannot_be_printed_is_found() -> None:
    code = Code("E0999", "x", "`{a}` is not {b}, nor `{a}`", "{b}?", ("did you mean `{c}`?", "write `{{{{`"))
    assert untrue(code, "`x` is not y, nor `x`", "", "did you mean `z`?") is None
    assert untrue(code, "`x` is not y, nor `x`", "y?", "write `{{`") is None
    assert untrue(code, "`x` is not y, nor `z`", "y?", "write `{{`") is not None
    assert untrue(code, "`x` is not a y", "y?", "write `{{`") is not None
    assert untrue(code, "`x` is not y, nor `x`", "y", "write `{{`") is not None
    assert untrue(code, "`x` is not y, nor `x`", "y?", "write something") is not None
    assert untrue(code, "`x` is not y, nor `x`", "y?", None) is not None


# the index


def index() -> str:
    """docs/diagnostics.md: every code with its name and the wording of its message."""
    lines = [
        "# Errors and warnings",
        "",
        "Everything that reproc can have against a spec, a lock or a machine has a code that never changes: `E…` is an",
        "error, `W…` a warning. `reproc explain CODE` prints the page behind it, with an example and what to write",
        "instead. What stands in braces is filled in.",
    ]
    for number, title in AREAS.items():
        codes = [code for code in table().values() if code.id[1:3] == number]
        lines += ["", f"## {title}", "", "| code | | it says |", "|---|---|---|"]
        folder = os.path.relpath(FOLDER, INDEX.parent)
        lines += [
            f"| [{code.id}]({folder}/{code.id}.md) | {code.name} | {worded(code.message)} |" for code in codes
        ]
    return "\n".join(lines) + "\n"


def worded(template: str) -> str:
    """A message template as a cell of a table."""
    told = "".join(
        text + ("" if fact is None else f"{{{fact}}}") for text, fact, _, _ in Formatter().parse(template)
    )
    return told.replace("|", "\\|")


def test_index(update_golden: bool) -> None:
    assert {code.id[1:3] for code in table().values()} == set(AREAS)
    if update_golden:
        INDEX.write_text(index(), encoding="utf-8")
    assert INDEX.read_text(encoding="utf-8") == index()
