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
        self.text += " " if tag in ("td", "th", "li") else ""
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


@pytest.mark.parametrize("ending", [".html", ".md", ".xml"])
def test_nothing_acts_that_cannot_be_seen(tmp_path: Path, ending: str) -> None:
    text = made(tmp_path, ending)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    assert "u{202e}gnp.exe" in text.replace("\\", ""), "it is shown as an escape"
    assert "[31m" not in text.replace("u{9b}31m", ""), "colours of terminals are left out"


def test_page_shows_steps_packages_and_every_run_of_a_flaky_test(tmp_path: Path) -> None:
    page = Text()
    page.feed(made(tmp_path, ".html"))
    said = " ".join(page.text.split())
    for expected in (
        "system packages repro.spec:4:5 12.5 s",
        "from before",
        "package-0 1.0-1 debian unknown, points at GPL-2 all",
        "package-1 1.0-1 debian unknown, points at GPL-2 cpu",
        "✗ flaky",
        "failed exit code 7 0.1 s",
        "What differs, and 2 more",
    ):
        assert expected in said, expected


def test_packages_of_many_targets_say_where_they_are_in_few_words(tmp_path: Path) -> None:
    def held(*names: str) -> list[dict[str, object]]:
        lists = {"licenses": ["MIT"], "mentions": []}
        return [{"name": name, "version": "1", "kind": "debian", **lists} for name in names]

    targets = [
        a_target(
            f"t{n}", packages=held("common", *["half"] * (n < 4), *["most"] * (n > 0), *["one"] * (n == 2))
        )
        for n in range(8)
    ]
    page = Text()
    page.feed(made(tmp_path, ".html", a_document(*targets, a_target("not looked at"))))
    said = " ".join(page.text.split())
    for expected in ("common 1 debian MIT all", "half 1 debian MIT 4 of 8", "most 1 debian MIT all but t0"):
        assert expected in said, expected
    assert "one 1 debian MIT t2" in said


def test_page_keeps_the_end_of_a_long_log(tmp_path: Path) -> None:
    write(
        a_document(a_target("cpu", a_row("docker", []))),
        tmp_path / "r.html",
        lambda _: "x\n" * 50_000 + "end",
    )
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "end of the log of docker" in text
    assert 20_000 < len(text) < 60_000


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
    assert set(suites) == {"cpu.docker", "cpu.podman", "cpu", "gpu.docker", "gpu"}
    assert suites["cpu"].attrib.items() >= {"tests": "3", "failures": "2", "skipped": "0"}.items()
    assert [each.get("message") for each in suites["cpu"].iter("failure")] == ["/var/log/x: content"] * 2
    assert suites["cpu.docker"].attrib.items() >= {"tests": "5", "failures": "3", "skipped": "0"}.items()
    assert suites["cpu.podman"].get("skipped") == "2"
    assert root.attrib.items() >= {"tests": "13", "failures": "5", "skipped": "2"}.items()
    said = next(root.iter("system-err")).text
    assert said is not None
    assert "alert(1)</script>" in said
    assert "\x1b" not in said


def test_junit_is_never_greener_than_the_run(tmp_path: Path) -> None:
    missed = {"code": "E0618", "severity": "error", "message": "`cpu` reaches R1, and R3 was required"}
    rest = {"place": None, "help": None, "output": None, "name": "level-missed"}
    wrong = a_document(
        a_target("cpu", a_row("docker", [a_test("runs")])), exit_code=1, diagnostics=[missed | rest]
    )
    root = xml.fromstring(made(tmp_path, ".xml", wrong))
    assert root.get("failures") == "1"
    assert next(root.iter("failure")).get("message") == "E0618 `cpu` reaches R1, and R3 was required"
    good = a_document(a_target("cpu", a_row("docker", [a_test("runs")])))
    assert xml.fromstring(made(tmp_path, ".xml", good)).get("failures") == "0"


def test_conversions_are_shown(tmp_path: Path) -> None:
    page = Text()
    page.feed(made(tmp_path, ".html"))
    for text in (page.text, made(tmp_path, ".md").replace("\\", "")):
        assert "✓ A SIF made out of Docker's image (docker-archive) holds" in text or "✓ a SIF made" in text
        assert "(oci-archive) does not hold the same files; owners are left out" in text


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
