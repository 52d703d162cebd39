"""Whether what builds have kept finds all that it needs: libraries, versions of their symbols, links' targets.

The image's own loader is asked, as ldd(1) asks it (LD_TRACE_LOADED_OBJECTS, ld.so(8)), with the image's
environment, so that caches, run paths and variables mean what they mean when the programs run.
"""

from __future__ import annotations

from collections.abc import Iterator

from reproc.audit import Facts
from reproc.check import Target
from reproc.verify.audits.image import Image
from reproc.verify.report import Finding

NAME = "libraries"
_BATCH = 200
"""Programs that one container is asked about."""
_ASK = """\
while [ $# -gt 0 ]; do
    echo "@ $2"
    if [ -x "$1" ]; then LD_TRACE_LOADED_OBJECTS=1 "$1" "$2" 2>&1; else echo "$1 => not found"; fi
    shift 2
done
exit 0
"""
_LINKS = 'for path; do find "$path" -type l ! -exec test -e {} \\; -print; done'


def idle(target: Target) -> str | None:
    return None if any(build.keep for build in target.builds) else "no build keeps anything"


def check(target: Target, image: Image) -> Iterator[Finding]:
    kept = [item.text for build in target.builds for item in build.keep]
    programs = dict(image.programs(kept))
    beside = {found.soname or path.rpartition("/")[2] for path, found in programs.items()}
    dynamic = [(path, found) for path, found in programs.items() if found.libraries and found.loader]
    count = 0
    for start in range(0, len(dynamic), _BATCH):
        batch = dynamic[start : start + _BATCH]
        said = image.say(_ASK, *(word for path, found in batch for word in (found.loader or "", path)))
        for finding in _missing(said, dict(batch), beside):
            count += 1
            yield finding
    for link in image.say(_LINKS, *kept).splitlines():
        count += 1
        yield Finding(f"the link `{link}` points at nothing", link, holds=False)
    if not count:
        yield Finding(f"{len(dynamic)} programs and libraries find all that they need")


def _missing(said: str, asked: dict[str, Facts], beside: set[str]) -> Iterator[Finding]:
    path = ""
    for line in said.splitlines():
        if line.startswith("@ "):
            path = line[2:]
        elif "not found" in line:
            name, arrow, _ = line.strip().partition(" => ")
            # a library's needs beside it are found by the programs that load both
            if arrow and asked[path].soname and name in beside:
                continue
            what = f"`{name}`, which is not there" if arrow else f"what is not there: {line.strip()}"
            yield Finding(f"`{path}` needs {what}", path, holds=False)
