"""The report page in a real browser: asks for nothing, runs nothing, usable by keys, readable on screen and paper."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator

import pytest
from report_documents import HOSTILE, everything
from web_driver import Browser, browser

from reproc.verify.reports import write

TAB, ENTER = "\ue004", "\ue007"

CONTRASTS = """
const light = (text) => {
  const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (let each = node; each; each = each.parentElement) {
    const color = getComputedStyle(each).backgroundColor;
    if (color !== "rgba(0, 0, 0, 0)") return color;
  }
  return "rgb(255, 255, 255)";
};
const found = [];
for (const node of document.querySelectorAll("body *")) {
  if (![...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim())) continue;
  if (["SCRIPT", "STYLE"].includes(node.tagName)) continue;
  const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
  found.push([(a + 0.05) / (b + 0.05), node.tagName + "." + node.className]);
}
return found;
"""
"""The contrast of every text with what is behind it, as WCAG 2.2 defines it (relative luminance)."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The page of a report that has everything, open in a browser."""
    if shutil.which("chromedriver") is None:
        reason = "chromedriver is not installed (Debian: chromium-driver)"
        pytest.fail(reason) if os.environ.get("REPROC_REQUIRE_BROWSER") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("page")
    write(everything(), folder / "report.html", lambda name: f"log of {name}\n{HOSTILE}")
    with browser(folder) as window:
        window.open(folder / "report.html")
        yield window


def test_page_asks_for_nothing_and_breaks_no_rule(page: Browser) -> None:
    messages = [json.loads(entry["message"])["message"] for entry in page.log("performance")]
    asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    here = page.run("return location.href")
    # the browser's own first page asks for things, too
    of_page = {each["request"]["url"] for each in asked if each["documentURL"] == here}
    assert {url for url in of_page if not url.startswith("data:")} == {here}
    assert page.log("browser") == []


def test_hostile_output_is_shown_and_not_run(page: Browser) -> None:
    assert page.run("return document.scripts.length") == 1
    assert "alert(1)" in page.run("return document.body.textContent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page: Browser, scheme: str) -> None:
    page.pretend(prefers_color_scheme=scheme)
    dark = page.run("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    poor = [entry for entry in page.run(CONTRASTS) if entry[0] < 4.5]
    assert poor == []


def test_structure_is_told_to_a_screen_reader(page: Browser) -> None:
    tree = page.chrome("Accessibility.getFullAXTree")["nodes"]
    roles = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]
    ]
    assert ("heading", "A paper") in roles
    assert [role for role, _ in roles].count("main") == 1
    assert ("navigation", "Contents") in roles
    assert {name for role, name in roles if role == "region"} >= {
        "Targets and engines",
        "cpu",
        "gpu",
        "Packages",
    }
    headings = page.run("return [...document.querySelectorAll('h1,h2,h3')].map((each) => +each.tagName[1])")
    assert headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(headings, headings[1:], strict=False))
    assert page.run("return [...document.querySelectorAll('th')].every((each) => each.scope)")
    ids = page.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(set(ids)) == len(ids)


def test_keys_reach_the_results_and_open_what_is_folded(page: Browser) -> None:
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    page.press(TAB)
    assert page.run("return document.activeElement.textContent") == "Skip to the results"
    page.press(ENTER)
    for _ in range(60):
        page.press(TAB)
        if page.run("return document.activeElement.tagName") == "SUMMARY":
            break
    page.press(ENTER)
    assert page.run("return document.activeElement.parentElement.open")
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_search_finds_packages(page: Browser) -> None:
    page.run("document.querySelector('input[type=search]').focus()")
    page.press(*"PACKAGE-17")
    visible = (
        "return [...document.querySelectorAll('#all-packages tbody tr')].filter((r) => !r.hidden).length"
    )
    assert page.run(visible) == 1
    assert page.run("return document.querySelector('output').textContent") == "1 of 40"


@pytest.mark.parametrize("width", [360, 1100])
def test_page_is_never_wider_than_its_window(page: Browser, width: int) -> None:
    page.chrome(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
    )
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.chrome("Emulation.clearDeviceMetricsOverride")


def test_print_holds_what_is_folded_away(page: Browser) -> None:
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = false })")
    page.run("dispatchEvent(new Event('beforeprint'))")
    opened = "return [...document.querySelectorAll('details:not(.log)')].every((each) => each.open)"
    assert page.run(opened)
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("return [...document.querySelectorAll('details')].every((each) => !each.open)")
    printed = page.chrome("Page.printToPDF", preferCSSPageSize=True)["data"]
    pdf = base64.b64decode(printed)
    assert b"/MediaBox [0 0 595 842]" in pdf or b"/MediaBox [0 0 594" in pdf, "A4, in points"
