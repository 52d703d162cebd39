"""A bug of ours: a log file, where to report it, and no traceback on the screen unless asked for."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

from reproc.cli.console import Console
from reproc.version import VERSION

ISSUES = "https://github.com/reproc/reproc/issues"


def report_bug(bug: Exception, console: Console) -> None:
    """Writes the log and says where it is."""
    text = "".join(
        (
            f"reproc {VERSION}, Python {sys.version}\n",
            f"call: {sys.argv}\n\n",
            *traceback.format_exception(bug),
        )
    )
    if console.verbose:
        print(text, file=sys.stderr)
    console.say(f"this is a bug of reproc's own: {type(bug).__name__}: {bug}")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "reproc"
    try:
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=state, prefix="bug-", suffix=".log", delete=False) as log:
            log.write(text)
        console.say(f"please report it at {ISSUES} with the log {log.name}")
    except OSError as problem:
        console.say(
            f"please report it at {ISSUES}; its log could not be written ({problem.strerror}), `-v` shows it"
        )
