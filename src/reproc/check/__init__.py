"""From a tree to a checked spec: the schema, the targets made whole, then the rules."""

from __future__ import annotations

from collections.abc import Sequence

from reproc.check.allow import allowed
from reproc.check.checked import CheckedSpec, Target, place_of_code, place_of_data, place_of_python
from reproc.check.expand import expand
from reproc.check.experiments import experiments
from reproc.check.merge import merge
from reproc.check.places import Places
from reproc.check.read import Reader
from reproc.check.rules import RULES
from reproc.check.rules.builds import in_order
from reproc.check.rules.labels import paper_labels
from reproc.check.secrets import secrets
from reproc.check.targets import unknown_targets
from reproc.diagnostics import Diagnostic, Outcome
from reproc.diagnostics.codes.rules import NO_BASE
from reproc.diagnostics.diagnostic import Severity, in_source_order, once
from reproc.folder import Folder
from reproc.record import replace
from reproc.syntax.tree import SpecTree

__all__ = ["CheckedSpec", "Target", "check", "place_of_code", "place_of_data", "place_of_python"]


def check(
    tree: SpecTree, folder: Folder, *, warnings: bool = False, known: Sequence[Diagnostic] = ()
) -> Outcome[CheckedSpec]:
    """The spec, if nothing is wrong with it; everything that is wrong, in source order.

    With `warnings` also what is right and bites later: for who asks, not at every step of the corridor. `known` is
    what parsing has said already: where something is wrong with a statement's form, nothing is said of its meaning.
    """
    reader = Reader()
    expanded = expand(tree, folder, reader)
    spec = reader.spec(expanded.statements, tree)
    unread = bool(reader.diagnostics)
    targets = merge(
        spec, lambda each: None if unread and each.code is NO_BASE else reader.diagnostics.append(each)
    )
    places = Places(expanded.statements)
    unsound = [*reader.diagnostics, *known]
    spans = [span for each in unsound for span in (each.span, *(label.span for label in each.labels))]
    broken = {places.around(span) for span in spans} - {None}
    found = [
        *unknown_targets(spec),
        *paper_labels(spec.paper),
        *experiments(spec.experiments, targets, folder),
        *(each for target in targets for rule in RULES for each in rule(target, folder)),
    ]
    # what the rules miss in a statement that could not be read whole may well be there
    sound = [each for each in found if places.around(each.span) not in broken]
    trees = (tree, *(each for _, each in expanded.files))
    given = once([*reader.diagnostics, *sound, *secrets(trees)])
    told = allowed(trees, given, complete=False)
    if any(each.severity is Severity.ERROR for each in told):
        return Outcome(None, in_source_order(told))
    ordered = tuple(replace(target, builds=in_order(target.builds)) for target in targets)
    checked = CheckedSpec(
        paper=spec.paper,
        as_of=spec.as_of,
        targets=ordered,
        experiments=spec.experiments,
        path=tree.span.source.path,
        included=tuple(path for path, _ in expanded.files),
        origin=tree.span,
    )
    if warnings:
        from reproc.check.hints import hints

        told = allowed(trees, once([*given, *hints(trees, folder)]))
    return Outcome(checked, in_source_order(told))
