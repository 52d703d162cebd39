"""Documents of `report.json` for tests of what is made of them."""

from __future__ import annotations

from typing import Any

HOSTILE = (
    "</script><script>alert(1)</script> \x00\x1b[31m ``` | _x_ ]]> é ☃ \ud800 \u202egnp.exe\u2066 \x9b31m"
)
"""What a test may print, were it out to break the form that a report is written in."""


def a_test(name: str, status: str = "passed", **more: Any) -> dict[str, Any]:
    """How one test came out in one engine."""
    reason = None if status == "passed" else f"{name} is {status}"
    common = {"name": name, "status": status, "reason": reason, "exit_code": 0, "seconds": 0.25}
    rest = {"stdout": "", "stderr": "", "truncated": [], "since": None, "flaky": False, "attempts": []}
    return common | rest | more


def a_row(engine: str, tests: list[dict[str, Any]], level: str | None = "R3", **more: Any) -> dict[str, Any]:
    """One target in one engine."""
    build = {
        "status": "passed",
        "seconds": 83.2,
        "image": "reproc/paper:cpu",
        "digest": f"sha256:{'ab' * 32}",
        "log": f".reproc/logs/cpu-{engine}.log",
        "since": None,
        "size": None,
        "notes": [],
        "network": [],
        "steps": [],
    }
    status = "failed" if any(test["status"] == "failed" for test in tests) else "passed"
    common = {"engine": engine, "version": "1.2.3", "status": status, "reason": None, "build": build}
    return common | {"level": level, "tests": tests, "audits": [], "rebuild": None} | more


def a_document(*targets: dict[str, Any], exit_code: int = 0, **more: Any) -> dict[str, Any]:
    """A whole report; `summary` is counted."""
    tests = [test for target in targets for row in target["engines"] for test in row["tests"]]
    summary = {status: 0 for status in ("passed", "failed", "skipped")}
    for test in tests:
        summary[test["status"]] += 1
    return {
        "version": 1,
        "reproc": "0.1.0",
        "started": "2026-11-24T10:00:00Z",
        "spec": {"path": "repro.spec", "sha256": "0" * 64, "title": "A paper"},
        "lock": {"sha256": "1" * 64},
        "summary": summary,
        "exit_code": exit_code,
        "targets": list(targets),
        "diagnostics": [],
    } | more


def a_target(name: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One target in every engine."""
    rest = {"same_tree": None, "same_since": None, "differences": [], "packages": None}
    return {"name": name, "engines": list(rows)} | rest | more


def everything() -> dict[str, Any]:
    """A report in which every part of the page has something to show, some of it hostile."""
    tests = [a_test("numpy is there", stdout="1.26.4\n"), a_test(f"says {HOSTILE}", "failed", stderr=HOSTILE)]
    attempts = [
        {"reason": "exit code 7", "exit_code": 7, "seconds": 0.1},
        {"reason": None, "exit_code": 0, "seconds": 1},
    ]
    tests.append(a_test("sometimes", "failed", flaky=True, attempts=attempts))
    finding = {"message": f"`/opt/x` needs avx2 {HOSTILE}"}
    audit = {
        "name": "cpu",
        "status": "failed",
        "reason": "it does not hold",
        "since": None,
        "findings": [finding],
    }
    docker = a_row("docker", tests, audits=[audit])
    docker["build"] |= {
        "size": 123_456_789,
        "steps": [
            {"title": "system packages", "seconds": 12.5, "cached": False, "place": "repro.spec:4:5"},
            {"title": f"build {HOSTILE}", "seconds": 0, "cached": True, "place": None},
        ],
    }
    difference = {"path": "/var/log/x", "what": "content", "hint": "a log with times"}
    docker["rebuild"] = {
        "level": "R1",
        "since": None,
        "digest": None,
        "seconds": 80.0,
        "count": 3,
        "differences": [difference],
    }
    skipped = a_row("podman", [a_test("numpy is there", "skipped")], None, build=None, status="skipped")
    packages = [
        {
            "name": f"package-{number}",
            "version": "1.0-1",
            "kind": "debian",
            "licenses": [],
            "mentions": ["GPL-2"],
        }
        for number in range(39)
    ]
    packages.append(
        {"name": HOSTILE, "version": "1", "kind": "python", "licenses": ["MIT", HOSTILE], "mentions": []}
    )
    conversions = [
        {
            "way": "docker-archive",
            "status": "passed",
            "count": 0,
            "owners_flattened": False,
            "differences": [],
        },
        {
            "way": "oci-archive",
            "status": "failed",
            "count": 7,
            "owners_flattened": True,
            "differences": [difference],
        },
    ]
    cpu = a_target("cpu", docker, skipped, same_tree=False, differences=[difference], packages=packages)
    cpu["conversions"] = conversions
    wrong = {
        "code": "E0604",
        "name": "test-failed",
        "severity": "error",
        "place": "repro.spec:3:1",
        "message": f"a test fails {HOSTILE}",
        "help": "look at it\nand then mend it",
        "output": HOSTILE,
    }
    earlier = a_test("numpy is there", since="2026-11-23T10:00:00Z")
    gpu = a_target("gpu", a_row("docker", [earlier]), same_tree=True, packages=packages[:1])
    return a_document(cpu, gpu, exit_code=1, diagnostics=[wrong])
