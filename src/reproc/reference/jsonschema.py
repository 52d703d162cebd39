"""A JSON Schema of what `reproc dump model` prints, made from the classes of the values."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from reproc.check import CheckedSpec
from reproc.model.literals import Literal
from reproc.model.schema import Block, schema_of
from reproc.reference import language
from reproc.source import Span

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema; below `$defs` every class that a spec is made of, checked or as it is written."""
    definitions = _Definitions()
    definitions.of(CheckedSpec)
    for cls in language.blocks():
        definitions.of(cls)
    return {
        "$schema": DIALECT,
        "title": "A checked repro.spec, as `reproc dump model` prints it",
        "$ref": f"#/$defs/{CheckedSpec.__name__}",
        "$defs": dict(sorted(definitions.made.items())),
    }


class _Definitions:
    """The definitions made so far, by the name of their class."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}

    def of(self, cls: type[Any]) -> dict[str, Any]:
        """A reference to a class's definition; a value may also be of a class derived from it."""
        self._define(cls)
        derived = [self.of(each) for each in sorted(cls.__subclasses__(), key=str)]
        own = {"$ref": f"#/$defs/{cls.__name__}"}
        return {"anyOf": [own, *derived]} if derived else own

    def _define(self, cls: type[Any]) -> None:
        if cls.__name__ in self.made:
            return
        definition = self.made.setdefault(cls.__name__, {})
        hints = get_type_hints(cls)
        facts = _facts(cls) if issubclass(cls, Block) else {}
        members: dict[str, Any] = {"type": {"const": cls.__name__}}
        for name in [each.name for each in _fields(cls)]:
            members[name] = {**facts.get(name, {}), **self._type(hints[name])}
        definition.update(
            {
                "description": _description(cls),
                "type": "object",
                "properties": members,
                "required": list(members),
                "additionalProperties": False,
            }
        )

    def _type(self, hint: Any) -> dict[str, Any]:
        """What the values of a type annotation look like as JSON, as `reproc.dump` writes them."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            return {"anyOf": [self._type(each) for each in arguments]}
        if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self._type(arguments[0])}
        if origin is tuple:
            items = [self._type(each) for each in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
        if origin is frozenset:
            return {"type": "array", "items": self._type(arguments[0])}
        if origin is not None:
            return {"type": "object", "additionalProperties": self._type(arguments[-1])}
        return self._class(hint)

    def _class(self, cls: type) -> dict[str, Any]:
        if cls is Span:
            return {"type": "string", "description": "its place: file:line:column"}
        simple = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}
        if cls in simple:
            return {"type": simple[cls]}
        if issubclass(cls, Enum):
            return {"enum": [each.name for each in cls]}
        if is_dataclass(cls):
            return self.of(cls)
        raise TypeError(f"no JSON form is known for {cls}")


def _fields(cls: Any) -> tuple[Field[Any], ...]:
    return fields(cls)


def _description(cls: type) -> str:
    """What a class is, and the statements that leave no value of their own in it."""
    replaced = schema_of(cls).replaced.values() if issubclass(cls, Block) else ()
    return "\n".join([cleandoc(cls.__doc__ or ""), *(f"`{each.word}`: {each.doc}" for each in replaced)])


def _facts(cls: type[Block]) -> dict[str, dict[str, Any]]:
    """What is known of a block's fields: what their statements mean, and the words that they may be."""
    schema = schema_of(cls)
    defaults = {each.name: each.default for each in _fields(cls)}
    found: dict[str, dict[str, Any]] = {}
    for name, value in schema.values:
        found[name] = {"description": value.doc}
        if not value.many:
            found[name] |= _choices(value.type, defaults[name])
    for name, keyword in schema.keywords.values():
        known = found.setdefault(name, {"description": ""})
        known["description"] += f"{keyword.doc}" if not known["description"] else f"; {keyword.doc}"
        if isinstance(keyword.type, Literal) and not keyword.many:
            known |= _choices(keyword.type, defaults[name])
    if schema.entries is not None:
        found[schema.entries[0]] = {"description": schema.entries[1].doc}
    return found


def _choices(type: Literal, default: object) -> dict[str, Any]:
    """The values that a type's words become, where there are only a few; and the one without a statement."""
    if not type.choices or type.located:
        return {}
    values = [type.parse(word) for word in type.choices]
    return {"enum": values if default is MISSING or default in values else [*values, default]}
