"""What a spec says that is right today and bites later: one subject a file.

They are told of a spec without errors: who still looks for those is not helped by more, and half of what is
missing may stand in what could not be read. They look at the text as it was written, before targets are merged:
each thing is told once, where it stands.
`check(spec, folder)` of a file yields its diagnostics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reproc.check.hints import commands, runtime, sources, unused
from reproc.check.hints.look import Spec
from reproc.diagnostics import Diagnostic
from reproc.folder import Folder
from reproc.syntax.tree import SpecTree

Hint = Callable[[Spec, Folder], Iterator[Diagnostic]]

HINTS: tuple[Hint, ...] = (sources.check, unused.check, runtime.check, commands.check)


def hints(trees: Sequence[SpecTree], folder: Folder) -> tuple[Diagnostic, ...]:
    """The warnings of a spec: from the tree of the root file, and those of the files it includes."""
    spec = Spec(trees)
    return tuple(each for hint in HINTS for each in hint(spec, folder))
