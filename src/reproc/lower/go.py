"""What Go leaves behind that no two builds have in common: its cache of builds, with the times of entries."""

from __future__ import annotations

from reproc.check.checked import Target
from reproc.check.tools import tools_of

# `go help cache`; since 1.23 counters, by the week, too (go.dev/doc/telemetry)
FORGET = (
    "rm -rf /root/.cache/go-build /root/.config/go/telemetry",
    "for folder in /root/.config/go /root/.config /root/.cache; do",
    '    rmdir "$folder" 2> /dev/null || :  # others may have something there',
    "done",
)


def runs_in_image(target: Target) -> bool:
    """Whether a build that runs in the image itself works with Go."""
    own = (build for build in target.builds if not build.keep)
    return any(tool.name == "go" for build in own for tool in tools_of(target, build))
