"""The pages are true: specs in them are accepted, links lead somewhere, the commands exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reproc.lock import archives

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("specs/*/README.md"),
        *ROOT.glob("backends/**/*.md"),
    ]
)
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1[ \t]*$", re.M | re.S)
EXCERPT_HEAD = "reproc 1\nbase debian bookworm\n"


@dataclass(frozen=True)
class Fence:
    """A fenced block: where it stands, the words after the backticks, what is in it."""

    page: Path
    line: int
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences() -> Iterator[Fence]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            words = tuple(match[2].split())
            yield Fence(page, text.count("\n", 0, match.start()) + 1, words, match[3])


SPECS = [fence for fence in fences() if fence.words[:1] == ("repro-spec",)]


def test_there_are_specs_in_the_pages() -> None:
    assert any(fence.page.name == "README.md" and fence.page.parent == ROOT for fence in SPECS)
    assert any("docs" in fence.page.parts for fence in SPECS)


@pytest.mark.parametrize("fence", SPECS, ids=str)
def test_spec_is_accepted(
    fence: Fence, tmp_path: Path, reproc: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`repro-spec` is a whole spec; `repro-spec excerpt` has no first lines; `files=a,b/` stand beside it."""
    text = fence.text
    for word in fence.words[1:]:
        if word == "excerpt":
            text = EXCERPT_HEAD + text
        elif word.startswith("files="):
            for name in word.removeprefix("files=").split(","):
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if name.endswith("/"):
                    path.mkdir()
                    path = path / "file.txt"
                path.write_text("numpy==1.26.4\n" if path.name == "requirements.txt" else "content\n")
        else:
            pytest.fail(f"{fence}: a word this test does not know: {word}")
    (tmp_path / "repro.spec").write_text(text, encoding="utf-8")
    done = reproc("check", tmp_path / "repro.spec")
    assert done.returncode == 0, f"{fence}\n{done.stdout}{done.stderr}"


def slug(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", place.read_text(encoding="utf-8")), re.M)
            assert anchor in map(slug, headings), f"{page.name}: {target}"


def test_make_targets_in_the_pages_exist() -> None:
    known = set(
        re.findall(r"^([a-z][a-z-]*)[a-z -]*:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    )
    for line in re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M):
        known.update(line.split())
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.M):
            assert target in known, f"{page.relative_to(ROOT)}: make {target}"


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    folder = ROOT / "docs" / "adr"
    records = sorted(path for path in folder.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(len(records)))
    index = (folder / "README.md").read_text(encoding="utf-8")
    for record in records:
        assert f"]({record.name})" in index, record.name
        text = record.read_text(encoding="utf-8")
        assert re.match(r"# \d+\. \S", text), record.name
        for section in ("**Status**", "**Why**", "**Decision**"):
            assert section in text, f"{record.name}: no {section}"


def test_first_days_are_those_of_the_archives() -> None:
    table = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| (\d{4}-\d\d-\d\d) \|", table, re.M)
    assert {name: f"{archives.first_day(name):%Y-%m-%d}" for name, _ in told} == dict(told)
    assert {name for name, _ in told} >= {"debian", "debian-security", "ubuntu"}
