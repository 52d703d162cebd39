"""The base is a release that the catalogue knows, or an image that says what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import catalog
from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.check.rules.inputs import exists
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Base, Item
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    yield from _base(target.base, target, folder, _wants_packages(target))
    for build in target.builds:
        if build.on is not None:
            yield from _base(build.on, target, folder, build.using[0].origin if build.using else None)


def _base(base: Base, target: Target, folder: Folder, wanted: Span | None) -> Iterator[Diagnostic]:
    """What is wrong with a base; `wanted` is the first place that asks for packages of its distribution."""
    if base.kind != "archive" and base.sha256:
        yield error(codes.ONLY_BESIDE, base.sha256.origin, keyword="sha256", other="archive")
    if base.kind == "archive":
        yield from exists(base.name, folder, wanted="file")
    if base.kind in ("image", "archive"):
        if base.from_:
            yield error(codes.FROM_WITHOUT_RELEASE, base.origin)
        if base.is_:
            yield from _known(base.is_.distribution, base.is_.release, base.is_.origin)
        elif wanted is not None:
            yield error(codes.IS_UNKNOWN, wanted, target=target.name, image=base.name.text, kind=base.kind)
        return
    if base.is_:
        yield error(codes.IS_NEEDLESS, base.is_.origin)
    yield from _known(base.kind, base.name.text, base.name.origin)
    if base.from_ and base.kind != "debian":
        yield error(codes.BOOTSTRAP_UBUNTU, base.origin, distribution=base.kind)


def _known(distribution: str, name: str, span: Span) -> Iterator[Diagnostic]:
    if catalog.release(distribution, name) is None:
        known = catalog.releases(distribution)
        near = nearest(name, tuple(word for each in known for word in (each.codename, each.version)))
        listed = ", ".join(f"`{each.codename}` ({each.version})" for each in known)
        yield error(
            codes.UNKNOWN_RELEASE, span, distribution=distribution, name=name, suggestion=near, known=listed
        )


def _wants_packages(target: Target) -> Span | None:
    """The first place that asks for packages of the base's distribution."""
    asking: list[Item | Base] = [*target.packages]
    if asking:
        return asking[0].origin
    if target.toolchains:
        return target.toolchains[0].origin
    return target.pythons[0].origin if target.pythons else None
