"""A report as a page, Markdown, JUnit and badge: complete, and nothing a test prints breaks out of its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from report_documents import HOSTILE, a_document, a_row, a_target, a_test, everything

from reproc.verify.reports import FORMS, words, write

LOG = f"#1 building\n{HOSTILE}\n"


def made(tmp_path: Path, ending: str, document: dict[str, object] | None = None) -> str:
    path = tmp_path / f"report{ending}"
    write(document or everything(), path, lambda name: LOG if name.endswith(".log") else "")
    return path.read_text(encoding="utf-8")


class Text(HTMLParser):
    """The text of a page, its elements and the addresses it names."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_shows_everything_and_lets_nothing_out(tmp_path: Path) -> None:
    page = Text()
    page.feed(made(tmp_path, ".html"))
    for expected in ("A paper", "cpu", "gpu", "numpy is there", "123.5 MB", "system packages", "/var/log/x"):
        assert expected in page.text
    assert page.text.count("alert(1)") >= 5, "name, output, audit, diagnostic and log are all shown"
    assert page.tags.count("script") == 1
    assert all(address.startswith("#") for address in page.addresses)


def test_page_has_a_policy_that_lets_only_its_own_script_run(tmp_path: Path) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made(tmp_path, ".html"))
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_page_of_a_report_with_nothing_in_it(tmp_path: Path) -> None:
    assert "Everything holds" in made(tmp_path, ".html", a_document())


def test_markdown_tables_keep_their_shape(tmp_path: Path) -> None:
    text = made(tmp_path, ".md")
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.M)]
    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script>" not in re.sub(r"(?s)````.*?````", "", text), "outside of a fence it is escaped"


def test_markdown_fence_is_longer_than_any_in_the_output(tmp_path: Path) -> None:
    assert "  ````text\n" in made(tmp_path, ".md")


def test_junit_counts_what_it_holds(tmp_path: Path) -> None:
    root = xml.fromstring(made(tmp_path, ".xml"))
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"cpu.docker", "cpu.podman", "gpu.docker"}
    assert suites["cpu.docker"].attrib.items() >= {"tests": "4", "failures": "2", "skipped": "0"}.items()
    assert suites["cpu.podman"].get("skipped") == "2"
    assert root.attrib.items() >= {"tests": "8", "failures": "2", "skipped": "2"}.items()
    said = next(root.iter("system-err")).text
    assert said is not None
    assert "alert(1)</script>" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("exit_code", "levels", "says"),
    [
        (0, ("R3", "R2"), "R2 the same file tree"),
        (0, ("R3", None), "passed"),
        (1, ("R3", "R3"), "failed"),
        (3, ("R3", "R3"), "incomplete"),
    ],
)
def test_badge_says_the_lowest_level(
    tmp_path: Path, exit_code: int, levels: tuple[str | None, ...], says: str
) -> None:
    rows = [a_row(f"engine{at}", [a_test("runs")], level) for at, level in enumerate(levels)]
    badge = xml.fromstring(made(tmp_path, ".svg", a_document(a_target("cpu", *rows), exit_code=exit_code)))
    assert badge.get("aria-label") == f"reproc: {says}"


@pytest.mark.parametrize("ending", sorted(set(FORMS) - {".json"}))
def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, ending: str) -> None:
    with pytest.raises(KeyError):
        write({}, tmp_path / f"report{ending}", lambda name: "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (999, "999 bytes"), (1000, "1.0 kB"), (67_300_000, "67.3 MB")]
)
def test_sizes(value: int | None, text: str) -> None:
    assert words.size(value) == text
