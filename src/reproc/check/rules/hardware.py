"""Processor levels and features are known ones of the platform's family."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.catalog import processors
from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import image as codes
from reproc.folder import Folder
from reproc.model import Item


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    if target.cpu:
        yield from _level(target.cpu, target.platform)
    for test in target.tests:
        if test.cpu:
            yield from _level(test.cpu, target.platform)
    for item in target.without:
        family = processors.family_of(target.platform)
        known = processors.features(family)
        if processors.feature(item.text) not in known:
            near = nearest(item.text, tuple(sorted(known)))
            yield error(codes.UNKNOWN_FEATURE, item.origin, family=family, name=item.text, suggestion=near)


def _level(item: Item, platform: str) -> Iterator[Diagnostic]:
    level = processors.level(item.text)
    family = processors.family_of(platform)
    general = [
        name for name in processors.names(family) if name.startswith((family.replace("_", "-"), "armv"))
    ]
    known = ", ".join(f"`{name}`" for name in general[:4])
    if level is None:
        near = nearest(item.text, processors.names())
        yield error(codes.UNKNOWN_LEVEL, item.origin, name=item.text, suggestion=near, known=known)
    elif level.family != family:
        facts = {"name": item.text, "family": level.family, "platform": platform, "other": family}
        yield error(codes.FOREIGN_LEVEL, item.origin, known=known, **facts)
