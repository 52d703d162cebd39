"""The table of codes: one module an area, each code a constant of its module."""

from __future__ import annotations

from functools import cache

from reproc.diagnostics.diagnostic import Code


@cache
def table() -> dict[str, Code]:
    """Every code by its number, in order; a number that is taken twice is a bug of ours."""
    from importlib import import_module
    from pkgutil import iter_modules

    found: dict[str, Code] = {}
    for module in sorted(each.name for each in iter_modules(__path__)):
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if not isinstance(value, Code):
                continue
            if found.setdefault(value.id, value) is not value:
                raise AssertionError(f"{value.id} is both `{found[value.id].name}` and `{value.name}`")
    return dict(sorted(found.items()))
