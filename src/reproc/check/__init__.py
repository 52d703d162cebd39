"""From a tree to a checked spec: the schema, the targets made whole, then the rules."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.checked import CheckedSpec, Target, place_of_code, place_of_data
from reproc.check.merge import merge
from reproc.check.read import Reader
from reproc.check.rules import RULES
from reproc.check.rules.builds import in_order
from reproc.check.targets import unknown_targets
from reproc.diagnostics import Diagnostic, Outcome
from reproc.diagnostics.codes.rules import NO_BASE
from reproc.diagnostics.diagnostic import Severity, in_source_order, once
from reproc.folder import Folder
from reproc.record import replace
from reproc.source import Span
from reproc.syntax.tree import SpecTree

__all__ = ["CheckedSpec", "Target", "check", "place_of_code", "place_of_data"]


def check(tree: SpecTree, folder: Folder) -> Outcome[CheckedSpec]:
    """The spec, if nothing is wrong with it; everything that is wrong, in source order."""
    reader = Reader()
    spec = reader.spec(tree)
    if spec is None:
        return Outcome(None, in_source_order(reader.diagnostics))
    unread = bool(reader.diagnostics)
    targets = merge(
        spec, lambda each: None if unread and each.code is NO_BASE else reader.diagnostics.append(each)
    )
    broken = tuple(_broken(tree, reader.diagnostics))
    found = [
        *unknown_targets(spec),
        *(each for target in targets for rule in RULES for each in rule(target, folder)),
    ]
    sound = [each for each in found if not any(each.span and each.span.within(span) for span in broken)]
    diagnostics = in_source_order(once([*reader.diagnostics, *sound]))
    if any(each.severity is Severity.ERROR for each in diagnostics):
        return Outcome(None, diagnostics)
    ordered = tuple(replace(target, builds=in_order(target.builds)) for target in targets)
    return Outcome(CheckedSpec(spec.paper, ordered, tree.span.source.path, tree.span), diagnostics)


def _broken(tree: SpecTree, diagnostics: list[Diagnostic]) -> Iterator[Span]:
    """The statements that could not be read whole; what the rules miss in them may well be there."""
    shared = [statement for statement in tree.statements if statement.keyword.text != "target"]
    targets = [
        each.block.statements for each in tree.statements if each.keyword.text == "target" and each.block
    ]
    for statement in (*shared, *(each for block in targets for each in block)):
        if any(each.span and each.span.within(statement.span) for each in diagnostics):
            yield statement.span
