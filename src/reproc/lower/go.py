"""What Go leaves behind that no two builds have in common: its cache of builds, with the times of entries."""

from __future__ import annotations

from reproc.check.checked import Target
from reproc.check.tools import tools_of

_PLACE = "/opt/reproc/go"
PLACES = {"GOCACHE": f"{_PLACE}/cache", "XDG_CONFIG_HOME": f"{_PLACE}/config"}
"""Where Go keeps its cache (`go help cache`) and, since 1.23, counters by the week (go.dev/doc/telemetry).

By itself it would use the home folder, which in an Apptainer build may be that of whoever builds.
"""
FORGET = (f"rm -rf {_PLACE}",)


def runs_in_image(target: Target) -> bool:
    """Whether a build that runs in the image itself works with Go."""
    own = (build for build in target.builds if not build.keep)
    return any(tool.name == "go" for build in own for tool in tools_of(target, build))
