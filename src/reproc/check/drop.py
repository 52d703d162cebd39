"""What a target does not inherit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from reproc import model
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes
from reproc.model.literals import project_name
from reproc.record import replace

_FIELDS = {"app": "apps", "build": "builds", "label": "labels", "test": "tests"}
"""The fields whose names are not the kind's own."""
_KINDS = {"system": "package", "env": "variable", "python": "Python package", "toolchain": "tool chain"}
"""What messages call a kind, where its keyword would not tell."""


def without(
    layer: model.Layer, drops: Sequence[model.Drop], report: Callable[[Diagnostic], None]
) -> model.Layer:
    """The layer without what `drop` takes away; a name that takes away nothing is told."""
    for drop in drops:
        for item, name in _wanted(drop):
            smaller, known = _less(layer, drop.kind, name)
            if smaller == layer:
                what = " ".join(name)
                near = nearest(what, known)
                listed = ", ".join(f"`{each}`" for each in known) or None
                kind = _KINDS.get(drop.kind, drop.kind)
                report(
                    error(
                        codes.NOTHING_TO_DROP,
                        item.origin,
                        kind=kind,
                        name=what,
                        suggestion=near,
                        known=listed,
                    )
                )
            layer = smaller
    return layer


def _wanted(drop: model.Drop) -> list[tuple[model.Item, tuple[str, ...]]]:
    """The names, each with its place; behind a tool chain's name may stand a version."""
    wanted: list[tuple[model.Item, tuple[str, ...]]] = []
    for item in drop.names:
        if drop.kind == "toolchain" and wanted and re.fullmatch(r"[0-9]+(\.[0-9]+)*", item.text):
            first, name = wanted[-1]
            wanted[-1] = (replace(first, origin=first.origin.to(item.origin)), (*name[:1], item.text))
        else:
            wanted.append((item, (item.text,)))
    return wanted


def _less(layer: model.Layer, kind: str, name: tuple[str, ...]) -> tuple[model.Layer, tuple[str, ...]]:
    """The layer without things of this name, and the names of that kind that it had."""
    match kind:
        case "system":
            system = layer.system
            packages = system.packages if system else ()
            known = tuple(item.text.partition("=")[0] for item in packages)
            if system and name[0] in known:
                kept = tuple(item for item, one in zip(packages, known, strict=True) if one != name[0])
                layer = replace(layer, system=replace(system, packages=kept))
            return layer, known
        case "env":
            entries = layer.env.entries if layer.env else ()
            if layer.env and any(entry.name == name[0] for entry in entries):
                kept_entries = tuple(entry for entry in entries if entry.name != name[0])
                layer = replace(layer, env=replace(layer.env, entries=kept_entries))
            return layer, tuple(dict.fromkeys(entry.name for entry in entries))
        case "python":
            return _less_python(layer, name[0])
        case "directory":
            known = tuple(path.text for each in layer.directories for path in each.paths)
            kept_directories = tuple(
                replace(each, paths=paths)
                for each in layer.directories
                if (paths := tuple(path for path in each.paths if path.text != name[0]))
            )
            return replace(layer, directories=kept_directories), known
        case "file":
            kept_files = tuple(each for each in layer.files if name[0] not in (each.path.text, each.place))
            known = tuple(dict.fromkeys(each.path.text for each in layer.files))
            return replace(layer, files=kept_files), known
        case _:
            field = _FIELDS.get(kind, "toolchains" if kind == "toolchain" else kind)
            blocks: tuple[Any, ...] = getattr(layer, field)
            kept_blocks = tuple(each for each in blocks if each.identity[: len(name)] != name)
            names = tuple(" ".join(each.identity) for each in blocks)
            return (layer if kept_blocks == blocks else replace(layer, **{field: kept_blocks})), names


def _less_python(layer: model.Layer, name: str) -> tuple[model.Layer, tuple[str, ...]]:
    """Without the environment of this name, else without the package."""
    environments = {each.identity[0]: each for each in layer.pythons}
    packages = [project_name(item.text) for each in layer.pythons for item in each.packages]
    known = (*environments, *packages)
    if name in environments:
        kept = tuple(each for each in layer.pythons if each is not environments[name])
    else:
        kept = tuple(
            replace(
                each, packages=tuple(i for i in each.packages if project_name(i.text) != project_name(name))
            )
            for each in layer.pythons
        )
    return replace(layer, pythons=kept), known
