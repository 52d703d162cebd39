"""Whether the image's programs and libraries need no more of the hardware than the target promises."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import audit
from reproc.catalog import cuda, processors
from reproc.check import Target
from reproc.verify.audits.image import Image
from reproc.verify.report import Finding

NAME = "binaries"
_FOLDERS = ("/usr", "/opt")
"""Where programs are, beside what builds keep; on merged systems `/bin` and `/lib` are links into `/usr`."""


def idle(target: Target) -> str | None:
    hardware = target.cpu or target.without or target.cuda
    return None if hardware else "the target says nothing of the hardware"


def check(target: Target, image: Image) -> Iterator[Finding]:
    kept = {item.text for build in target.builds for item in build.keep}
    paths = [
        *_FOLDERS,
        *sorted(each for each in kept if not each.startswith(tuple(f"{top}/" for top in _FOLDERS))),
    ]
    files = [audit.File(path, copy) for path, copy in image.files(paths)]
    count = 0
    for each in audit.scan(files, promise(target)):
        if not each.holds or each.kind in (audit.Kind.GPU, audit.Kind.DAMAGED):
            count += not each.holds
            yield Finding(each.message, each.path, each.holds)
    if not count:
        yield Finding("no binary needs more of the hardware than the target promises")


def promise(target: Target) -> audit.Promise:
    """What a target says of the hardware that it runs on."""
    level = processors.level(target.cpu.text) if target.cpu else None
    without = frozenset(processors.feature(each.text) for each in target.without)
    toolkit = cuda.toolkit(target.cuda.version) if target.cuda else None
    arches = target.cuda.arch if target.cuda else ()
    gpus = [
        gpu for each in arches for gpu in (cuda.expanded(each.text, toolkit) if toolkit else (each.text,))
    ]
    return audit.Promise(target.platform, level, without, tuple(gpus))
