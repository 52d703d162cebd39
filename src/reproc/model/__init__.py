"""What a spec says, as typed values; no IO.

Each class is also the schema of its block: a field's metadata names the statement that fills it, the types of
its values and its meaning. Reading, "did you mean", the reference pages and the JSON Schema all come from here.
"""

from reproc.model.base import Base, Cuda, Is, Rocm
from reproc.model.commands import (
    Activate,
    App,
    AppCall,
    Build,
    Command,
    Environment,
    EnvironmentEntry,
    Expectation,
    Experiment,
    Needs,
    Output,
    Test,
    Using,
)
from reproc.model.inputs import Code, Data, Directory, File, Member, Rewrite
from reproc.model.literals import SCOPE, VARIABLE, VARIABLE_VALUE
from reproc.model.packages import Python, Source, System, Toolchain
from reproc.model.paper import Author, Paper
from reproc.model.schema import Block, Item, Jobs, ShellText
from reproc.model.spec import (
    RESERVED,
    Drop,
    Each,
    ImageLabel,
    Include,
    Layer,
    Let,
    SpecFile,
    TargetBlock,
    User,
    Version,
)

__all__ = [
    "Activate",
    "App",
    "AppCall",
    "Author",
    "Base",
    "Block",
    "Build",
    "Code",
    "Command",
    "Cuda",
    "Data",
    "Directory",
    "Drop",
    "Each",
    "Environment",
    "EnvironmentEntry",
    "Expectation",
    "Experiment",
    "File",
    "ImageLabel",
    "Include",
    "Is",
    "Item",
    "Jobs",
    "Layer",
    "Let",
    "Member",
    "Needs",
    "Output",
    "Paper",
    "Python",
    "RESERVED",
    "SCOPE",
    "Rewrite",
    "Rocm",
    "ShellText",
    "Source",
    "SpecFile",
    "System",
    "TargetBlock",
    "Test",
    "Toolchain",
    "User",
    "Using",
    "VARIABLE",
    "VARIABLE_VALUE",
    "Version",
]
