"""What a spec says, as typed values; no IO.

Each class is also the schema of its block: a field's metadata names the statement that fills it, the types of
its values and its meaning. Reading, "did you mean", the reference pages and the JSON Schema all come from here.
"""

from reproc.model.literals import VARIABLE, VARIABLE_VALUE
from reproc.model.schema import Block, Item, Jobs, ShellText
from reproc.model.spec import (
    SCOPE,
    App,
    AppCall,
    Author,
    Base,
    Build,
    Code,
    Command,
    Data,
    Environment,
    EnvironmentEntry,
    Expectation,
    Layer,
    Let,
    Needs,
    Paper,
    Python,
    SpecFile,
    System,
    TargetBlock,
    Test,
    Toolchain,
    Using,
    Version,
)

__all__ = [
    "App",
    "AppCall",
    "Author",
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
    "Let",
    "Needs",
    "Paper",
    "Python",
    "SCOPE",
    "ShellText",
    "SpecFile",
    "System",
    "TargetBlock",
    "Test",
    "Toolchain",
    "Using",
    "VARIABLE",
    "VARIABLE_VALUE",
    "Version",
]
