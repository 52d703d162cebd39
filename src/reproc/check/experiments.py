"""Experiments run one thing that exists, and say what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reproc.check.checked import Target
from reproc.check.names import unknown
from reproc.check.rules.inputs import exists
from reproc.check.rules.tests import one_command
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Experiment


def experiments(
    found: Sequence[Experiment], targets: Sequence[Target], folder: Folder
) -> Iterator[Diagnostic]:
    """What is wrong with the experiments of a spec."""
    for experiment in found:
        named = {item.text for item in experiment.on}
        own = [target for target in targets if target.name in named] or targets
        yield from one_command(experiment, "experiment")
        if own:
            data = {each.name: None for target in own for each in target.data}
            yield from unknown(codes.UNKNOWN_INPUT, experiment.using, data)
            apps = {each.name: None for target in own for each in target.apps}
            called = (experiment.app.name,) if experiment.app else ()
            yield from unknown(codes.UNKNOWN_APP, called, apps)
        for output in experiment.outputs:
            if not (output.sha256 or output.like or output.contains):
                yield error(codes.OUTPUT_UNJUDGED, output.origin, path=output.path)
            if output.like:
                yield from exists(output.like.path, folder, wanted="file")
                if output.like.within and output.like.tolerance is None:
                    yield error(codes.NO_TOLERANCE, output.like.origin)
