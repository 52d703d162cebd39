"""What a spec says, as typed values; no IO.

Each class is also the schema of its block: a field's metadata names the statement that fills it, the types of
its values and its meaning. Reading, "did you mean", the reference pages and the JSON Schema all come from here.
"""

from reproc.model.schema import Block, Item, Jobs, ShellText
from reproc.model.spec import (
    App,
    Base,
    Build,
    Code,
    Command,
    Data,
    Environment,
    EnvironmentEntry,
    Expectation,
    Layer,
    Paper,
    Python,
    SpecFile,
    System,
    TargetBlock,
    Test,
    Toolchain,
    Using,
)

__all__ = [
    "App",
    "Base",
    "Block",
    "Build",
    "Code",
    "Command",
    "Data",
    "Environment",
    "EnvironmentEntry",
    "Expectation",
    "Item",
    "Jobs",
    "Layer",
    "Paper",
    "Python",
    "ShellText",
    "SpecFile",
    "System",
    "TargetBlock",
    "Test",
    "Toolchain",
    "Using",
]
