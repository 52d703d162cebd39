"""Whether the image's programs and libraries need no more of the hardware than the target promises."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import audit
from reproc.catalog import cuda, processors
from reproc.check import Target, place_of_python
from reproc.check.pythons import archives_of
from reproc.verify.audits.image import Image, below
from reproc.verify.report import Finding

NAME = "binaries"
_FOLDERS = ("/usr", "/opt")
"""Where programs are, beside what builds make; on merged systems `/bin` and `/lib` are links into `/usr`."""
_INSTALLED = "/usr/local"
"""Where builds without `keep` install, unless they say otherwise."""


def idle(target: Target) -> str | None:
    if _promises(target) or _own(target):
        return None
    return "the target says nothing of the hardware, and builds nothing"


def check(target: Target, image: Image) -> Iterator[Finding]:
    own = _own(target)
    others = [place_of_python(python) for python in target.pythons]
    others += (archive.place for archive in archives_of(target))
    programs = image.programs([*own, *_FOLDERS] if _promises(target) else own)
    findings = audit.judge(
        programs, promise(target), lambda path: below(path, own) and not below(path, others)
    )
    shown = [each for each in findings if _tells(each)]
    for each in shown:
        yield Finding(each.message, each.path, each.holds, each.function, each.instruction, each.needs)
    if all(each.holds for each in shown):
        promised = promise(target).words
        count = sum(facts.program for _, facts in programs)
        yield Finding(f"of {count} programs and libraries none needs more than {promised}")


def promise(target: Target) -> audit.Promise:
    """What a target says of the hardware that it runs on."""
    level = processors.level(target.cpu.text) if target.cpu else None
    without = frozenset(processors.feature(each.text) for each in target.without)
    arches = target.cuda.arch if target.cuda else ()
    gpus = [gpu for each in arches for gpu in cuda.expanded(each.text, target.cuda.version)]  # type: ignore[union-attr]
    return audit.Promise(target.platform, level, without, tuple(dict.fromkeys(gpus)))


def _promises(target: Target) -> bool:
    return bool(target.cpu or target.without or target.cuda)


def _tells(finding: audit.Finding) -> bool:
    """Whether a person wants to know; what chooses when it runs is in every image, and is as it should be."""
    return not finding.holds or finding.doubtful or finding.kind in (audit.Kind.GPU, audit.Kind.DAMAGED)


def _own(target: Target) -> list[str]:
    """The paths that hold what the spec's builds made, not others."""
    kept = {item.text for build in target.builds for item in build.keep}
    places = {target.place(build) for build in target.builds if not build.keep}
    held = target.base.kind in ("image", "archive")
    installed = {_INSTALLED} if places and not held else set[str]()
    return sorted(kept | installed | {place for place in places if place and place != "/"})
