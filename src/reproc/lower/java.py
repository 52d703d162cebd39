"""What Java leaves behind that no two builds have in common: the dates in its key store, and a folder in /tmp.

Debian's ca-certificates-java makes the store when it is installed, and whenever certificates are, with the time
of each entry. Every Java program keeps counters in a folder of its user below /tmp (JDK, PerfDataFile).
"""

from __future__ import annotations

from reproc.graph import Run, Step
from reproc.lock.model import AptLayer
from reproc.lower.adapt import PROGRAM, with_program
from reproc.record import replace
from reproc.target.quoting import words

_PACKAGE = "ca-certificates-java"
_STORE = "/etc/ssl/certs/java/cacerts"
_PASSWORD = "changeit"
"""The package's; it says that nothing is entered with another one."""
FORGET = "rmdir /tmp/hsperfdata_root 2> /dev/null || :"
"""A definition file sees the /tmp of the machine that builds, where others may have something in that folder."""


def is_there(layers: tuple[AptLayer, ...], name: str) -> bool:
    """Whether a layer has Java, or one that it stands on."""
    found = {layer.name: layer for layer in layers}
    at = found.get(name)
    while at is not None:
        if any(deb.name == _PACKAGE for deb in at.debs):
            return True
        at = found.get(at.after) if at.after else None
    return False


def settled(install: Run) -> list[Step]:
    """The step that installs packages, so that Java's come out the same every time."""
    lines = (*install.lines, f"perl {PROGRAM} {words(_STORE, _PASSWORD)}", FORGET)
    return with_program("keystore.pl", "what dates Java's key store", [replace(install, lines=lines)])
