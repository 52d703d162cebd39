"""What people see: results on stdout, everything else on stderr; colours only where they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reproc.diagnostics import Diagnostic
from reproc.record import record

if TYPE_CHECKING:
    from reproc.diagnostics.render import Form
    from reproc.progress import Progress


@record
class Console:
    """Where words go."""

    color: str = "auto"
    quiet: bool = False
    verbose: bool = False

    def colored(self, stream: object) -> bool:
        """Whether a stream gets colours: `--color`, then NO_COLOR, then whether it is a terminal."""
        if self.color != "auto":
            return self.color == "always"
        isatty = getattr(stream, "isatty", lambda: False)
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and bool(isatty())

    def say(self, text: str) -> None:
        """One line for people, on stderr."""
        print(f"reproc: {text}", file=sys.stderr)

    def show(self, diagnostics: Sequence[Diagnostic], form: Form = "full") -> None:
        """Diagnostics in one of their forms; json and github go to stdout, the others to stderr."""
        if not diagnostics and form != "json":
            return
        from reproc.diagnostics.render import render

        stream = sys.stdout if form in ("json", "github") else sys.stderr
        text = render(tuple(diagnostics), form, color=self.colored(stream) and form in ("full", "concise"))
        print(text, end="" if text.endswith("\n") else "\n", file=stream)

    def progress(self) -> Progress:
        """How long work is shown: live on a terminal, a line a task elsewhere, nothing with `-q`."""
        import gc

        from reproc.cli.live import Live, Plain
        from reproc.progress import Silent

        gc.enable()
        if self.quiet:
            return Silent()
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not self.verbose
        return Live(color=self.colored(sys.stderr)) if terminal else Plain(verbose=self.verbose)
