"""The language as data, for editors and completion."""

from __future__ import annotations

from typing import Any

from reproc.model import SpecFile
from reproc.model.literals import Literal
from reproc.model.schema import Block, Value, schema_of
from reproc.reference import language
from reproc.reference.examples import examples
from reproc.version import VERSION


def vocabulary() -> dict[str, Any]:
    """Every block with its statements, every type of value; blocks are told apart by the names of their classes."""
    return {
        "version": 1,
        "reproc": VERSION,
        "top": SpecFile.__name__,
        "blocks": {cls.__name__: _block(cls) for cls in language.blocks()},
        "types": [_literal(each) for each in language.literals()],
    }


def _block(cls: type[Block]) -> dict[str, Any]:
    others = language.entries(cls)
    return {
        "doc": language.doc(cls),
        "values": [_value(name, value) for name, value in schema_of(cls).values],
        "statements": [_statement(cls, each) for each in language.statements(cls)],
        "entries": {"doc": others.doc} if others else None,
        "named_by": list(cls.named_by),
    }


def _statement(cls: type[Block], statement: language.Statement) -> dict[str, Any]:
    return {
        "keyword": statement.word,
        "usage": language.usage(statement),
        "doc": statement.doc,
        "block": None if isinstance(statement.form, Literal) else statement.form.__name__,
        "values": [_value(name.lower(), value) for name, value in statement.values],
        "repeat": statement.repeat,
        "required": statement.required,
        "default": statement.default,
        "supported": statement.supported,
        "example": examples(cls, statement.word),
    }


def _value(name: str, value: Value) -> dict[str, Any]:
    return {
        "name": name,
        "doc": value.doc,
        "type": value.type.name,
        "choices": list(value.type.choices),
        "example": value.type.example,
        "many": value.many,
        "optional": value.optional,
    }


def _literal(literal: Literal) -> dict[str, Any]:
    return {
        "name": literal.name,
        "example": literal.example,
        "choices": list(literal.choices),
        "shell": literal.shell,
        "multiline": literal.multiline,
    }
