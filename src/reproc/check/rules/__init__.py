"""The rules: what a target must hold to, one subject a file.

A rule is a function `check(target, folder)` that yields diagnostics; adding a file here adds a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reproc.check.checked import Target
from reproc.check.rules import (
    apps,
    base,
    builds,
    cuda,
    environment,
    files,
    flags,
    hardware,
    inputs,
    labels,
    marches,
    packages,
    tests,
    toolchains,
    user,
)
from reproc.diagnostics import Diagnostic
from reproc.folder import Folder

Rule = Callable[[Target, Folder], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    base.check,
    packages.check,
    toolchains.check,
    marches.check,
    flags.check,
    inputs.check,
    builds.check,
    files.check,
    environment.check,
    user.check,
    labels.check,
    hardware.check,
    cuda.check,
    apps.check,
    tests.check,
)
