"""The engines, found through one table; adding one is a file here and a row there."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType

from reproc.verify.engines.base import Engine
from reproc.verify.workspace import Workspace

ENGINES = MappingProxyType(
    {
        "docker": "reproc.verify.engines.docker:DockerEngine",
        "podman": "reproc.verify.engines.podman:PodmanEngine",
        "singularity": "reproc.verify.engines.singularity:SingularityEngine",
    }
)
"""Name to class, imported only when used; the order is that of reports."""


def make(name: str, workspace: Workspace) -> Engine:
    """An engine by its name; raises KeyError."""
    module, _, attribute = ENGINES[name].partition(":")
    factory: Callable[[Workspace], Engine] = getattr(import_module(module), attribute)
    return factory(workspace)
