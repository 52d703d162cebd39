"""Tool chains are ones that the base's release packages, with one default a language."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import catalog
from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Toolchain
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    release = target.release
    defaults: dict[str, Span] = {}
    for tool in target.toolchains:
        name = tool.name.text
        known = catalog.toolchain_names()
        if name not in known:
            near = nearest(name, known)
            listed = ", ".join(f"`{each}`" for each in known)
            yield error(codes.UNKNOWN_TOOLCHAIN, tool.name.origin, name=name, suggestion=near, known=listed)
        elif release is not None:
            yield from _packaged(tool, release)
        for language in tool.covers if tool.default else ():
            if language in defaults:
                yield error(
                    codes.TWO_DEFAULTS,
                    tool.origin,
                    Label(defaults[language], "the first one"),
                    language=language,
                )
            defaults.setdefault(language, tool.origin)


def _packaged(tool: Toolchain, release: catalog.Release) -> Iterator[Diagnostic]:
    name = tool.name.text
    if catalog.toolchain(name, tool.version, tool.covers, release) is None:
        known = ", ".join(f"`{name} {version}`" for version in catalog.toolchain_versions(name, release))
        where = f"{release.distribution} {release.codename}"
        yield error(
            codes.UNKNOWN_TOOLCHAIN_VERSION,
            tool.origin,
            release=where,
            name=name,
            version=tool.version,
            known=known,
        )
