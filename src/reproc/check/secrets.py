"""A spec holds no secret: it is published, and what it says is in every image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes.rules import SECRET
from reproc.diagnostics.secrets import find
from reproc.source import Span
from reproc.syntax.tree import SpecTree


def secrets(trees: Sequence[SpecTree]) -> Iterator[Diagnostic]:
    """Whatever looks like a secret in all of the text: what stands in a comment is published too."""
    for tree in trees:
        source = tree.span.source
        for each in find(source.text):
            yield error(SECRET, Span(source, each.start, each.end), kind=each.kind)
