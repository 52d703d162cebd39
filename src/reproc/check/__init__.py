"""From a tree to a checked spec: the schema, the targets made whole, then the rules."""

from __future__ import annotations

from dataclasses import replace

from reproc.check.checked import CheckedSpec, Target, place_of_code, place_of_data
from reproc.check.merge import merge
from reproc.check.read import Reader
from reproc.check.rules import RULES
from reproc.check.rules.builds import in_order
from reproc.check.targets import unknown_targets
from reproc.diagnostics import Diagnostic, Outcome
from reproc.diagnostics.diagnostic import Severity, in_source_order
from reproc.folder import Folder
from reproc.syntax.tree import SpecTree

__all__ = ["CheckedSpec", "Target", "check", "place_of_code", "place_of_data"]


def check(tree: SpecTree, folder: Folder) -> Outcome[CheckedSpec]:
    """The spec, if nothing is wrong with it; everything that is wrong, in source order."""
    reader = Reader()
    spec = reader.spec(tree)
    if spec is None:
        return Outcome(None, in_source_order(reader.diagnostics))
    targets = merge(spec, reader.diagnostics.append)
    found = [*reader.diagnostics, *unknown_targets(spec)]
    for target in targets:
        for rule in RULES:
            found.extend(rule(target, folder))
    diagnostics = in_source_order(_once(found))
    if any(each.severity is Severity.ERROR for each in diagnostics):
        return Outcome(None, diagnostics)
    ordered = tuple(replace(target, builds=in_order(target.builds)) for target in targets)
    return Outcome(CheckedSpec(spec.paper, ordered, tree.span.source.path, tree.span), diagnostics)


def _once(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Without what several targets that share a statement say alike."""
    seen: dict[tuple[object, ...], Diagnostic] = {}
    for each in diagnostics:
        seen.setdefault((each.code.id, each.span, each.message), each)
    return list(seen.values())
