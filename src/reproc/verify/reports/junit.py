"""The report as JUnit's XML, which continuous integration reads: a suite a target and engine, a case a check.

It is never greener than the run: whatever failed and is no check of its own stands in a suite for the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as xml

from reproc.verify.reports import words


def junit(document: Mapping[str, Any]) -> str:
    """The report as a `testsuites` document."""
    root = xml.Element("testsuites", {"name": _clean(document["spec"]["path"])})
    for target in document["targets"]:
        for row in target["engines"]:
            name = f"{target['name']}.{row['engine']}"
            root.append(_suite(name, _cases(name, row), document["started"]))
        if cases := list(_compared(target)):
            root.append(_suite(target["name"], cases, document["started"]))
    if document["exit_code"] != 0 and root.find(".//failure") is None:
        root.append(_suite("reproc", [_whole(document)], document["started"]))
    for name, status in (("tests", None), ("failures", "failure"), ("skipped", "skipped")):
        root.set(name, str(len(list(root.iter(status or "testcase")))))
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(name: str, cases: Iterable[xml.Element], started: str) -> xml.Element:
    suite = xml.Element("testsuite", {"name": name, "timestamp": started.rstrip("Z"), "errors": "0"})
    for case in cases:
        suite.append(case)
    suite.set("tests", str(len(found := list(suite.iter("testcase")))))
    suite.set("failures", str(len(list(suite.iter("failure")))))
    suite.set("skipped", str(len(list(suite.iter("skipped")))))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in found):.3f}")
    return suite


def _cases(suite: str, row: Mapping[str, Any]) -> Iterator[xml.Element]:
    build = row["build"]
    yield _case(
        suite,
        "builds",
        "skipped" if build is None and row["status"] == "skipped" else (build or row)["status"],
        row["reason"],
        (build or {}).get("seconds"),
    )
    for audit in row["audits"]:
        findings = "\n".join(words.said(each) for each in audit["findings"])
        yield _case(suite, f"audit: {audit['name']}", audit["status"], findings or None, None)
    for test in row["tests"]:
        case = _case(suite, test["name"], words.outcome(test), test["reason"], test["seconds"])
        for stream, tag in (("stdout", "system-out"), ("stderr", "system-err")):
            if test[stream]:
                xml.SubElement(case, tag).text = _clean(test[stream])
        yield case


def _compared(target: Mapping[str, Any]) -> Iterator[xml.Element]:
    """The images of a target, held against each other."""
    if target["same_tree"] is not None:
        status = "passed" if target["same_tree"] else "failed"
        yield _case(target["name"], words.SAME, status, _differing(target["differences"]), None)
    for each in target.get("conversions", ()):
        name = f"a SIF made out of Docker's image ({each['way']}) holds the same files"
        yield _case(target["name"], name, each["status"], _differing(each["differences"]), None)


def _differing(differences: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(f"{each['path']}: {each['what']}" for each in differences)


def _whole(document: Mapping[str, Any]) -> xml.Element:
    said = "\n".join(f"{each['code']} {each['message']}" for each in document["diagnostics"])
    return _case("reproc", words.VERDICTS[words.verdict(document)], "failed", said, None)


def _case(suite: str, name: str, status: str, reason: str | None, seconds: float | None) -> xml.Element:
    case = xml.Element(
        "testcase", {"classname": _clean(suite), "name": _clean(name), "time": f"{seconds or 0:.3f}"}
    )
    if status != "passed":
        tag = "skipped" if status == "skipped" else "failure"
        kind = {"type": "flaky"} if status == "flaky" else {}
        xml.SubElement(case, tag, {"message": _clean(reason or ""), **kind})
    return case


def _clean(text: str) -> str:
    """What XML can hold: of control characters only three, of others not all (XML 1.0, section 2.2)."""
    return words.shown(text)
