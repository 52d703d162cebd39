"""The table of codes."""

from __future__ import annotations

import re
from importlib import import_module
from string import Formatter

import pytest

from reproc.diagnostics import Code, Severity
from reproc.diagnostics.codes import table

AREAS = {
    "syntax": "01",
    "schema": "02",
    "rules": "03",
    "warnings": "03",
    "lock": "04",
    "build": "05",
    "verify": "06",
    "cli": "07",
}


def test_every_area_is_in_the_table_in_order() -> None:
    codes = table()
    assert list(codes) == sorted(codes)
    assert "E0110" in codes
    assert all(code.id == id for id, code in codes.items())


def test_names_are_as_good_as_numbers() -> None:
    names = [code.name for code in table().values()]
    assert len(names) == len(set(names))


def test_numbers_say_area_and_severity() -> None:
    for name, number in AREAS.items():
        try:
            module = import_module(f"reproc.diagnostics.codes.{name}")
        except ModuleNotFoundError:
            continue
        for code in vars(module).values():
            if isinstance(code, Code):
                assert re.fullmatch(f"[EW]{number}[0-9]{{2}}", code.id), f"{code.id} in codes/{name}.py"
                assert code.severity is (Severity.WARNING if code.id[0] == "W" else Severity.ERROR)


@pytest.mark.parametrize("code", table().values(), ids=lambda code: code.id)
def test_wording(code: Code) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code.name)
    for template in (code.message, code.label, *code.help):
        assert not template.endswith("."), "one sentence has no full stop"
        assert template.count("`") % 2 == 0, "backticks come in pairs"
        assert "\n" not in template
        for _, fact, _, _ in Formatter().parse(template):
            assert fact is None or re.fullmatch(r"[a-z_][a-z0-9_]*", fact), (
                f"`{{{fact}}}` is not the name of a fact"
            )
