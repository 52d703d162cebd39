"""The classes of the corridor's values: dataclasses that are cheap to make.

`dataclass(frozen=True)` compiles six methods for each class, half a millisecond of every start of reproc for
each of a hundred classes. Here only `__init__` is compiled; equality, hash and text are shared functions, and
that nobody assigns to a value is left to the type checker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(
    cls: type[T] | None = None, /, *, kw_only: bool = False, eq: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Makes a class of immutable values; with `eq=False` a value is equal only to itself."""

    def make(cls: type[T]) -> type[T]:
        made = dataclasses.dataclass(eq=False, repr=False, kw_only=kw_only)(cls)
        made.__repr__ = _text  # type: ignore[method-assign]
        if eq:
            made.__eq__ = _equal  # type: ignore[method-assign]
            made.__hash__ = _hash  # type: ignore[method-assign]
        return made

    return make if cls is None else make(cls)


def replace(value: T, **changes: Any) -> T:
    """A value like this one, but for the fields named."""
    return cast(T, dataclasses.replace(cast(Any, value), **changes))


def _compared(cls: type) -> tuple[str, ...]:
    """The fields that take part in equality."""
    names: tuple[str, ...] | None = cls.__dict__.get("_compared_")
    if names is None:
        names = tuple(each.name for each in dataclasses.fields(cls) if each.compare)
        cls._compared_ = names  # type: ignore[attr-defined]
    return names


def _equal(self: object, other: object) -> bool:
    if other.__class__ is not self.__class__:
        return cast(bool, NotImplemented)
    return all(bool(getattr(self, name) == getattr(other, name)) for name in _compared(self.__class__))


def _hash(self: object) -> int:
    return hash(tuple(getattr(self, name) for name in _compared(self.__class__)))


def _text(self: Any) -> str:
    shown = (each.name for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
