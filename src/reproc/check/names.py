"""Where statements stand, in words, and which known name is near."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache

from reproc import model
from reproc.diagnostics import Code, Diagnostic, error
from reproc.diagnostics.suggest import nearest
from reproc.model.literals import Literal
from reproc.model.schema import Block, schema_of

__all__ = ["elsewhere", "nearest", "place_of", "unknown"]


@cache
def _places() -> dict[type[Block], str]:
    """Every block's class and the keyword that opens it."""
    places: dict[type[Block], str] = {}

    def walk(cls: type[Block]) -> Iterator[tuple[type[Block], str]]:
        for word, (_, keyword) in schema_of(cls).keywords.items():
            if not isinstance(keyword.type, Literal) and keyword.type not in places:
                places[keyword.type] = word
                yield keyword.type, word

    waiting: list[type[Block]] = [model.SpecFile]
    while waiting:
        waiting.extend(cls for cls, _ in walk(waiting.pop()))
    return places


def place_of(cls: type[Block]) -> str:
    """Such as "in `build`", or "at the top"."""
    return "at the top" if cls is model.SpecFile else f"in `{_places()[cls]}`"


def elsewhere(word: str) -> str | None:
    """The blocks in which a word is a statement, in words; None if it is none anywhere."""
    top = schema_of(model.SpecFile)
    found = ["at the top"] if word in top.keywords or word in top.replaced else []
    found += sorted(f"in `{place}`" for cls, place in _places().items() if word in schema_of(cls).keywords)
    return " or ".join(dict.fromkeys(found)) or None


def unknown(code: Code, items: Iterable[model.Item], known: Collection[str]) -> Iterator[Diagnostic]:
    """One diagnostic for every item that is not known, with the nearest name or all of them."""
    for item in items:
        if item.text not in known:
            listed = ", ".join(f"`{name}`" for name in known) or None
            near = nearest(item.text, tuple(known))
            yield error(code, item.origin, name=item.text, suggestion=near, known=listed)
