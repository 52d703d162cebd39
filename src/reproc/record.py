"""The classes of the corridor's values: dataclasses that are cheap to make.

`dataclass(frozen=True)` compiles six methods for each class, most of a millisecond of every start of reproc for
each of more than a hundred classes. Here nothing is compiled: making, equality, hash and text are shared
functions, and that nobody assigns to a value is left to the type checker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform, overload

T = TypeVar("T")
_NOTHING = dataclasses.MISSING


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
        assert not hasattr(cls, "__post_init__"), "nothing calls it"
        made = dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=kw_only)(cls)
        _remember(made)
        made.__init__ = _initialise  # type: ignore[method-assign]
        made.__repr__ = _text  # type: ignore[method-assign]
        if eq:
            made.__eq__ = _equal  # type: ignore[method-assign]
            made.__hash__ = _hash  # type: ignore[method-assign]
        return made

    return make if cls is None else make(cls)


def _remember(cls: Any) -> None:
    """Keeps what making a value needs to know of its class."""
    known = dataclasses.fields(cls)
    cls._size_ = len(known)
    cls._positional_ = tuple(each.name for each in known if not each.kw_only)
    cls._defaults_ = {each.name: each.default for each in known if each.default is not _NOTHING}
    cls._factories_ = tuple(
        (each.name, each.default_factory) for each in known if each.default_factory is not _NOTHING
    )


def _initialise(self: Any, *values: object, **named: object) -> None:
    cls = self.__class__
    members = self.__dict__
    members |= cls._defaults_
    members |= zip(cls._positional_, values, strict=False)
    members |= named
    for name, make in cls._factories_:
        if name not in members:
            members[name] = make()
    if len(members) != cls._size_ or len(values) > len(cls._positional_):
        wrong = {each.name for each in dataclasses.fields(cls)} ^ members.keys()
        raise TypeError(f"{cls.__qualname__} cannot be made: {', '.join(sorted(wrong)) or 'too many values'}")


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
