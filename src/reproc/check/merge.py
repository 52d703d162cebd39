"""Targets made whole: what is shared, then each ancestor, then the target itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from reproc import model
from reproc.check.checked import Target
from reproc.check.drop import without
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.model.literals import Literal
from reproc.model.schema import Block
from reproc.record import record, replace

B = TypeVar("B", bound=Block)
BACKENDS = ("docker", "singularity")
_MERGED = (model.System, model.Environment, model.Python)
"""Blocks that add to a shared one of the same name; every other block takes its place as a whole."""


@record
class _Merged:
    """A target with all that it starts from."""

    layer: model.Layer
    backends: tuple[str, ...]


def merge(spec: model.SpecFile, report: Callable[[Diagnostic], None]) -> tuple[Target, ...]:
    """Every target that is not abstract, in the spec's order; with no `target` there is one, `default`."""
    blocks = spec.targets or (model.TargetBlock(name="default", origin=spec.version.origin),)
    merged = _merged(spec, blocks, report)
    targets: list[Target] = []
    for block in blocks:
        found = merged[block.name]
        if found is not None and not block.abstract:
            whole = _whole(found, block, report)
            targets.extend(() if whole is None else (whole,))
    if all(target.abstract for target in blocks):
        report(error(codes.NO_TARGET, blocks[-1].origin))
    return tuple(targets)


def _merged(
    spec: model.SpecFile, blocks: Sequence[model.TargetBlock], report: Callable[[Diagnostic], None]
) -> dict[str, _Merged | None]:
    """What each target comes to, made once for all that extend it; None for one that has no sound beginning."""
    named = {block.name: block for block in blocks}
    done: dict[str, _Merged | None] = {}
    for block in named.values():
        path: dict[str, model.TargetBlock] = {}
        at: model.TargetBlock | None = block
        while at is not None and at.name not in done and at.name not in path:
            path[at.name] = at
            at = _parent(at, named, report)
        if at is not None and at.name in path:
            _tell_circle(list(path.values()), at, report)
            done |= dict.fromkeys(path)
        for each in reversed(path.values()):
            if each.name not in done:
                done[each.name] = _over(each, named, done, spec, report)
    return done


def _parent(
    block: model.TargetBlock, named: dict[str, model.TargetBlock], report: Callable[[Diagnostic], None]
) -> model.TargetBlock | None:
    """The target that one extends; says so if there is none of that name."""
    extends = block.extends
    if extends is not None and extends.text not in named:
        near = nearest(extends.text, tuple(named))
        known = ", ".join(f"`{name}`" for name in named)
        report(error(codes.UNKNOWN_TARGET, extends.origin, name=extends.text, suggestion=near, known=known))
    return named.get(extends.text) if extends else None


def _tell_circle(
    path: list[model.TargetBlock], closing: model.TargetBlock, report: Callable[[Diagnostic], None]
) -> None:
    """Says so of a circle, from the target in it that stands first."""
    circle = path[path.index(closing) :]
    first = circle.index(min(circle, key=lambda each: each.origin.start))
    circle = [*circle[first:], *circle[:first]]
    extends = circle[-1].extends
    assert extends is not None, "it is part of a circle"
    names = " → ".join(each.name for each in (*circle, circle[0]))
    report(error(codes.EXTENDS_CYCLE, extends.origin, chain=names))


def _over(
    block: model.TargetBlock,
    named: dict[str, model.TargetBlock],
    done: dict[str, _Merged | None],
    spec: model.SpecFile,
    report: Callable[[Diagnostic], None],
) -> _Merged | None:
    """The target laid over what it extends, or over what is shared."""
    below = _Merged(spec, ())
    if block.extends is not None:
        parent = done[block.extends.text] if block.extends.text in named else None
        if parent is None:
            return None
        below = parent
    layer = without(below.layer, block.drops, report)
    layer = overlay(model.Layer, (_without_defaults(layer, block.toolchains), block))
    return _Merged(layer, block.backends or below.backends)


def _whole(merged: _Merged, target: model.TargetBlock, report: Callable[[Diagnostic], None]) -> Target | None:
    layer = merged.layer
    if layer.base is None:
        report(error(codes.NO_BASE, target.origin, target=target.name))
        return None
    return Target(
        name=target.name,
        extends=target.extends.text if target.extends else None,
        backends=merged.backends or BACKENDS,
        base=layer.base,
        platform=layer.platform or "linux/amd64",
        cpu=layer.cpu,
        without=layer.without,
        cuda=layer.cuda,
        rocm=layer.rocm,
        packages=layer.system.packages if layer.system else (),
        recommends=bool(layer.system and layer.system.recommends),
        sources=layer.system.sources if layer.system else (),
        toolchains=layer.toolchains,
        pythons=layer.pythons,
        code=layer.code,
        data=layer.data,
        files=layer.files,
        directories=layer.directories,
        builds=layer.builds,
        environment=layer.env.entries if layer.env else (),
        labels=layer.labels,
        activate=layer.activate,
        user=layer.user,
        workdir=layer.workdir or "/",
        apps=layer.apps,
        tests=layer.tests,
        origin=target.origin,
    )


def overlay(cls: type[B], blocks: Sequence[B]) -> B:
    """One block of several, where a later one adds to an earlier one or overrides it, field by field."""
    made: dict[str, Any] = {"origin": blocks[0].origin}
    for each in fields(cls):
        if each.name != "origin":
            values = [getattr(block, each.name) for block in blocks]
            made[each.name] = _overlaid([value for value in values if value not in (None, ())], each.metadata)
            if made[each.name] is None:
                made[each.name] = values[-1]
    return cls(**made)


def _overlaid(values: list[Any], metadata: Any) -> Any:
    """The last of them; lists add up, and where two of their items are the same thing the later one stays."""
    if not values:
        return None
    if not isinstance(values[0], tuple):
        return overlay(type(values[0]), values) if isinstance(values[0], _MERGED) else values[-1]
    named = _named(metadata)
    merged: dict[object, Any] = {}
    for item in (item for value in values for item in value):
        key = named(item)
        there = merged.get(key)
        merged[key] = overlay(type(item), (there, item)) if there and isinstance(item, _MERGED) else item
    return tuple(merged.values())


def _named(metadata: Any) -> Callable[[Any], object]:
    """What two items of a list are the same thing by."""
    keyword = metadata["keywords"][0] if "keywords" in metadata else None
    literal = keyword.type if keyword and isinstance(keyword.type, Literal) else None

    def name(item: Any) -> object:
        if isinstance(item, Block):
            return item.identity if item.named_by else item
        return literal.named(str(item)) if literal else item

    return name


def _without_defaults(layer: model.Layer, newer: Sequence[model.Toolchain]) -> model.Layer:
    """The layer with no tool chain that is the default for a language for which there is a newer default."""
    taken = {language for tool in newer if tool.default for language in tool.covers}
    if not taken:
        return layer
    tools = tuple(
        replace(tool, default=False) if tool.default and taken & {*tool.covers} else tool
        for tool in layer.toolchains
    )
    return replace(layer, toolchains=tools)
