"""The trees that builds of def files keep for the next one: only whole ones are offered, and none is kept for nothing.

A kept tree is `KEY-SHA256.tar`: a digest of what it is made of, which stands in the def, and one of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reproc.graph import CUTS, INPUTS
from reproc.verify.sif import file_digest

_NAMED = re.compile(rf"\b{INPUTS}/{CUTS}/([0-9a-f]{{64}})-")
_KEPT = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})\.tar")


class Cuts:
    """The folder of the kept trees of a spec; what else lies in it are parts that a build has begun."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def offer(self, definition: Path) -> bool:
        """Whether a def has a cut; then the folder is there, and what it holds for the def is whole."""
        wanted = keys(definition)
        if not wanted:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, key, sha256 in self._kept():
            if key in wanted and file_digest(path) != f"sha256:{sha256}":
                path.unlink(missing_ok=True)
        return True

    def tidy(self, definitions: Path, *, alone: bool) -> None:
        """Removes what none of the defs in folders of this one names; `alone` also the parts of builds that died."""
        wanted = {key for each in definitions.glob("*/Singularity.def") for key in keys(each)}
        useless = [path for path, key, _ in self._kept() if key not in wanted]
        useless += self.folder.glob("part.*") if alone else ()
        with suppress(OSError):  # the next run tries again
            for path in useless:
                path.unlink(missing_ok=True)

    def _kept(self) -> Iterator[tuple[Path, str, str]]:
        for path in sorted(self.folder.glob("*.tar")):
            if match := _KEPT.fullmatch(path.name):
                yield path, match[1], match[2]


def keys(definition: Path) -> frozenset[str]:
    """What the trees that a def would start from are made of."""
    try:
        return frozenset(_NAMED.findall(definition.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return frozenset()
