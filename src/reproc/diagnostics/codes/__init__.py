"""The table of codes: one module an area, each code a constant of its module."""

from __future__ import annotations

from functools import cache

from reproc.diagnostics.diagnostic import Code


@cache
def table() -> dict[str, Code]:
    """Every code by its number, in order; a number or a name that is taken twice is a bug of ours."""
    from importlib import import_module
    from pkgutil import iter_modules

    found: dict[str, Code] = {}
    names: dict[str, str] = {}
    for module in sorted(each.name for each in iter_modules(__path__)):
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if not isinstance(value, Code) or found.get(value.id) is value:
                continue
            if value.id in found or value.name in names:
                raise AssertionError(f"code {value.id} `{value.name}` in codes/{module}.py is taken already")
            found[value.id] = value
            names[value.name] = value.id
    return dict(sorted(found.items()))
