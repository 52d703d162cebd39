"""Targets made whole: what is shared, then each ancestor, then the target itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from reproc import model
from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import rules as codes

T = TypeVar("T")
BACKENDS = ("docker", "singularity")


def merge(spec: model.SpecFile, report: Callable[[Diagnostic], None]) -> tuple[Target, ...]:
    """Every target that is not abstract, in the spec's order; with no `target` there is one, `default`."""
    named = {target.name: target for target in spec.targets}
    if not spec.targets:
        default = model.TargetBlock(name="default", origin=spec.version.origin)
        only = _whole(spec, (default,), report)
        return () if only is None else (only,)
    targets: list[Target] = []
    for target in spec.targets:
        chain = _chain(target, named, report)
        if chain is not None and not target.abstract:
            whole = _whole(spec, chain, report)
            targets.extend(() if whole is None else (whole,))
    if all(target.abstract for target in spec.targets):
        report(error(codes.NO_TARGET, spec.targets[-1].origin))
    return tuple(targets)


def _chain(
    target: model.TargetBlock, named: dict[str, model.TargetBlock], report: Callable[[Diagnostic], None]
) -> tuple[model.TargetBlock, ...] | None:
    """The target and its ancestors, the oldest first."""
    chain = [target]
    while (extends := chain[-1].extends) is not None:
        parent = named.get(extends.text)
        if parent is None:
            if chain[-1] is target:
                near = nearest(extends.text, tuple(named))
                known = ", ".join(f"`{name}`" for name in named)
                report(
                    error(
                        codes.UNKNOWN_TARGET, extends.origin, name=extends.text, suggestion=near, known=known
                    )
                )
            return None
        if any(parent is each for each in chain):
            if parent is target:
                names = " → ".join(each.name for each in (*chain, parent))
                report(error(codes.EXTENDS_CYCLE, extends.origin, chain=names))
            return None
        chain.append(parent)
    return tuple(reversed(chain))


def _whole(
    spec: model.SpecFile, chain: Sequence[model.TargetBlock], report: Callable[[Diagnostic], None]
) -> Target | None:
    target = chain[-1]
    layers: tuple[model.Layer, ...] = (spec, *chain)
    base = _last([layer.base for layer in layers])
    if base is None:
        report(error(codes.NO_BASE, target.origin, target=target.name))
        return None
    return Target(
        name=target.name,
        backends=_last([each.backends or None for each in chain]) or BACKENDS,
        base=base,
        packages=_by_key(
            [layer.system.packages for layer in layers if layer.system],
            lambda item: item.text.partition("=")[0],
        ),
        toolchains=_toolchains(layers),
        python=_python([layer.python for layer in layers if layer.python]),
        code=_by_key([layer.code for layer in layers], lambda code: code.name),
        data=_by_key([layer.data for layer in layers], lambda data: data.name),
        builds=_by_key([layer.builds for layer in layers], lambda build: build.name),
        environment=merge_environment([layer.env for layer in layers]),
        apps=_by_key([layer.apps for layer in layers], lambda app: app.name),
        tests=_by_key([layer.tests for layer in layers], lambda test: test.name),
        origin=target.origin,
    )


def _last(values: Sequence[T | None]) -> T | None:
    return next((value for value in reversed(values) if value is not None), None)


def _by_key(layers: Sequence[Sequence[T]], key: Callable[[T], object]) -> tuple[T, ...]:
    """All of them, where a later one takes the place of an earlier one with the same key."""
    merged: dict[object, T] = {}
    for layer in layers:
        for each in layer:
            merged[key(each)] = each
    return tuple(merged.values())


def _toolchains(layers: Sequence[model.Layer]) -> tuple[model.Toolchain, ...]:
    merged: dict[tuple[str, str], model.Toolchain] = {}
    for layer in layers:
        new_defaults = {tool.name.text for tool in layer.toolchains if tool.default}
        for key, tool in merged.items():
            if tool.default and key[0] in new_defaults:
                merged[key] = model.Toolchain(
                    name=tool.name,
                    version=tool.version,
                    languages=tool.languages,
                    at=tool.at,
                    origin=tool.origin,
                )
        merged.update({(tool.name.text, tool.version): tool for tool in layer.toolchains})
    return tuple(merged.values())


def _python(blocks: Sequence[model.Python]) -> model.Python | None:
    if not blocks:
        return None
    return model.Python(
        version=_last([block.version for block in blocks]),
        packages=_by_key([block.packages for block in blocks], lambda item: project_name(item.text)),
        requirements=_by_key([block.requirements for block in blocks], lambda item: item.text),
        origin=blocks[0].origin,
    )


def project_name(requirement: str) -> str:
    """The normalised name that a requirement starts with (PyPA specification "names and normalization")."""
    match = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else requirement


def merge_environment(blocks: Sequence[model.Environment | None]) -> tuple[model.EnvironmentEntry, ...]:
    """Set values override by name and scope; what is prepended or appended adds up."""
    merged: dict[object, model.EnvironmentEntry] = {}
    for block in blocks:
        for entry in block.entries if block else ():
            key = (
                (entry.name, entry.scope)
                if entry.action == "set"
                else (entry.name, entry.scope, entry.action, entry.value)
            )
            merged[key] = entry
    return tuple(merged.values())
