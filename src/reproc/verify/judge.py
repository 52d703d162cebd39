"""Whether what a test did is what its author expects."""

from __future__ import annotations

import json
import subprocess
import sys

from reproc import model
from reproc.verify.engines.base import Captured, CommandResult

_MATCH_SECONDS = 5
_SHOWN = 200
# A pattern can take exponential time, and `re` cannot be interrupted: another process can
_SEARCH = """\
import json, re, sys
pattern, text = json.load(sys.stdin)
try:
    sys.exit(0 if re.search(pattern, text) else 1)
except re.error as failure:
    sys.stderr.write(str(failure))
    sys.exit(2)
"""


def judge(test: model.Test, result: CommandResult) -> str | None:
    """Why the test fails, in words that follow a colon; None if everything holds."""
    if result.timed_out:
        return f"it did not end within {_duration(test.timeout)}"
    expected = 0
    for expectation in test.expect:
        if expectation.subject == "exit":
            expected = int(expectation.words[0])
    if result.exit_code != expected:
        return f"exit code {result.exit_code}, expected {expected}{_signal(result.exit_code)}"
    for expectation in test.expect:
        if expectation.subject in ("exit", "file"):
            continue  # files are the business of `look`
        output = result.stdout if expectation.subject == "stdout" else result.stderr
        if reason := _output(expectation, output):
            return reason
    return None


def _duration(seconds: float) -> str:
    return f"{seconds:g} s"


def _signal(code: int | None) -> str:
    """What an exit code of 128 + N usually means."""
    names = {
        132: "an instruction this CPU lacks",
        134: "it aborted",
        137: "it was killed, perhaps for want of memory",
        139: "a segmentation fault",
    }
    return f" ({names[code]})" if code in names else ""


def _output(expectation: model.Expectation, output: Captured) -> str | None:
    relation, *values = expectation.words or ("",)
    value = " ".join(values)
    subject = expectation.subject
    match relation:
        case "contains":
            held = value in output.text
        case "equals":
            held = not output.truncated and _without_newline(output.text) == _without_newline(value)
        case "matches":
            searched = _search(value, output.text)
            if isinstance(searched, str):
                return f"the pattern `{value}` {searched}"
            held = searched
        case _:
            return f"`expect {subject} {relation}` is not understood"
    if held:
        return None
    negated = {"contains": "does not contain", "equals": "does not equal", "matches": "does not match"}[
        relation
    ]
    return f"{subject} {negated} {_shown(value)}; it {_said(output)}"


def _without_newline(text: str) -> str:
    return text.removesuffix("\n")


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "…", ensure_ascii=False)


def _said(output: Captured) -> str:
    if not output.size:
        return "is empty"
    if output.truncated:
        return f"is {output.size} bytes long, of which the first {len(output.text.encode())} were looked at"
    return f"is {_shown(_without_newline(output.text))}"


def _search(pattern: str, text: str) -> bool | str:
    """Whether the pattern is found; a text if that cannot be said, in words that follow the pattern."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, text]).encode(),
            capture_output=True,
            timeout=_MATCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"takes more than {_MATCH_SECONDS} s to search for: it backtracks without end"
    if done.returncode in (0, 1):
        return done.returncode == 0
    return f"is not a regular expression: {done.stderr.decode('utf-8', 'replace')}"
