"""Finds back ends through the entry points of installed packages; the built-in ones use the same door."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from reproc.diagnostics.codes.build import BACKEND_BROKEN, BACKEND_UNKNOWN
from reproc.diagnostics.diagnostic import Outcome, error
from reproc.diagnostics.suggest import nearest
from reproc.target.backend import Backend

BACKENDS = "reproc.backends"
"""The group of entry points; each names an object that is a `Backend`."""

_BUILT_IN = {
    "docker": "reproc_backends.docker:backend",
    "singularity": "reproc_backends.singularity:backend",
}
"""What this distribution's own entry points say; used where its metadata is absent, as in a bare checkout."""


def backend_places() -> Mapping[str, str]:
    """The names of the back ends that are installed, sorted, each with its `module:object`."""
    from importlib.metadata import entry_points

    found = {point.name: point.value for point in entry_points(group=BACKENDS)}
    return dict(sorted((found | _BUILT_IN).items()))


def backend(name: str) -> Outcome[Backend]:
    """The back end of that name.

    A built-in name needs no look at the metadata of every installed package, which would cost as much as
    compiling.
    """
    place = _BUILT_IN.get(name)
    if place is None:
        places = backend_places()
        place = places.get(name)
        if place is None:
            near = nearest(name, places)
            known = ", ".join(f"`{each}`" for each in places)
            return Outcome(None, (error(BACKEND_UNKNOWN, None, name=name, suggestion=near, known=known),))
    return _load(name, place)


def _load(name: str, place: str) -> Outcome[Backend]:
    module, _, attribute = place.partition(":")
    try:
        loaded: Backend = getattr(import_module(module), attribute)
    except Exception as problem:  # a stranger's module may raise anything
        return Outcome(None, (error(BACKEND_BROKEN, None, name=name, reason=problem),))
    return Outcome(loaded)
