"""What changes between the environments of two specs: not in their texts, and after targets are made whole.

Each environment is told as facts, each under the way that leads to it (`build sptk`, `keep /opt/sptk`); what
changes is what the two sets of facts do not share. Nothing here names a statement of the language but where its
order, or the way its values are written, needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Literal, TypeAlias

from reproc import model
from reproc.check import CheckedSpec, Target, place_of_code, place_of_data
from reproc.model import literals
from reproc.model.schema import Block, schema_of
from reproc.record import record, replace
from reproc.reference.language import written

Kind: TypeAlias = Literal["added", "removed", "changed", "up", "down"]
"""`up` and `down` are changes of a version."""
Where: TypeAlias = tuple[str, ...]
"""From the outside in: `build sptk`, `env`, `CFLAGS`."""
Read: TypeAlias = Callable[[str], bytes | None]
"""The content of a file beside a spec; None if there is no such file."""

ORDERED = frozenset({"run", "script", "activate", "patch", "rewrite"})
"""Statements whose order means something."""


@record
class Change:
    """One thing that is not the same."""

    kind: Kind
    where: Where
    before: str = ""
    after: str = ""


@record
class TargetDifference:
    """What changes in a target; one that only one of the specs has is told as a whole."""

    name: str
    kind: Kind
    changes: tuple[Change, ...] = ()


@record
class Difference:
    """Everything that changes from one spec to another."""

    shared: tuple[Change, ...]
    """Beside the targets, such as the paper."""
    targets: tuple[TargetDifference, ...]

    @property
    def same(self) -> bool:
        return not self.shared and not self.targets


def compare(left: CheckedSpec, right: CheckedSpec, read_left: Read, read_right: Read) -> Difference:
    """What changes from `left` to `right`, also in the files that they name."""
    outside = frozenset({"targets", "path", "included"})
    shared = _changes(
        _Teller(read_left).members(left, (), outside), _Teller(read_right).members(right, (), outside)
    )
    before, after = ({target.name: _settled(target) for target in spec.targets} for spec in (left, right))
    targets: list[TargetDifference] = []
    name = frozenset({"name", "extends"})
    for each in dict.fromkeys((*before, *after)):
        if each not in after:
            targets.append(TargetDifference(each, "removed"))
        elif each not in before:
            targets.append(TargetDifference(each, "added"))
        elif changes := _changes(
            _Teller(read_left).members(before[each], (), name),
            _Teller(read_right).members(after[each], (), name),
        ):
            targets.append(TargetDifference(each, "changed", changes))
    return Difference(shared, tuple(targets))


def _settled(target: Target) -> Target:
    """The target with what holds where nothing is said, so that saying it changes nothing."""
    release, base = target.release, target.base
    if release is not None and base.kind == release.distribution:
        base = replace(base, name=model.Item(release.codename, base.name.origin))
    return replace(
        target,
        base=base,
        code=tuple(replace(code, into=place_of_code(code)) for code in target.code),
        data=tuple(replace(data, into=place_of_data(data)) for data in target.data),
    )


Fact: TypeAlias = tuple[Where, str]


def _changes(left: Iterator[Fact], right: Iterator[Fact]) -> tuple[Change, ...]:
    before, after = _gathered(left), _gathered(right)
    found: dict[Where, Change] = {}
    for where in dict.fromkeys((*before, *after)):
        # of what comes or goes as a whole, the inside is not told as well
        outer = next((found[where[:n]] for n in range(1, len(where)) if where[:n] in found), None)
        if outer is not None and outer.kind != "changed":
            continue
        old, new = before.get(where), after.get(where)
        if old is None and new is not None:
            found[where] = Change("added", where, after=new)
        elif new is None and old is not None:
            found[where] = Change("removed", where, before=old)
        elif old is not None and new is not None and old != new:
            found[where] = Change("changed", where, old, new)
    order = list(dict.fromkeys(where[0].partition(" ")[0] for where in (*before, *after)))
    return tuple(sorted(found.values(), key=lambda each: order.index(each.where[0].partition(" ")[0])))


def _gathered(facts: Iterator[Fact]) -> dict[Where, str]:
    """The facts by the way that leads to them; several under one are lines of one text."""
    found: dict[Where, str] = {}
    for where, text in facts:
        found[where] = f"{found[where]}\n{text}" if where in found else text
    return found


@record
class _Teller:
    """Tells values as facts; what a spec does not say is no fact."""

    read: Read

    def members(self, value: Any, where: Where, without: frozenset[str] = frozenset()) -> Iterator[Fact]:
        """What the fields of a record say."""
        for each in fields(value):
            if each.compare and each.name not in without:
                words, form = _statement(type(value), each.name)
                yield from self._value(getattr(value, each.name), where, words, form)

    def _value(self, value: Any, where: Where, words: tuple[str, ...], form: object) -> Iterator[Fact]:
        if value is None or value is False or value == ():
            return
        word = words[0]
        if isinstance(value, Block):
            yield from self._block(value, where, word)
        elif not isinstance(value, tuple) or form is literals.SHELL:
            yield (*where, word), _text(value, form)
            yield from self._content(value, (*where, word), form)
        elif ORDERED.intersection(words) or form is None:
            yield (*where, word), "\n".join(_text(each, form) for each in value)
        elif isinstance(value[0], Block):
            for each in value:
                yield from self._block(each, where, word, repeated=True)
        else:
            for text, each in sorted((_text(each, form), each) for each in value):
                yield (*where, f"{word} {_key(text)}"), text
                yield from self._content(each, (*where, f"{word} {_key(text)}"), form)

    def _block(self, block: Block, where: Where, word: str, *, repeated: bool = False) -> Iterator[Fact]:
        """A block under its name, or, where it has none, its heading; then what stands in it."""
        heading = tuple(name for name, _ in schema_of(type(block)).values)
        if isinstance(block, model.EnvironmentEntry):
            words = (block.action, block.name, f"at {block.scope}")
            shown = " ".join(each for each in words if each not in ("set", "at both"))
            yield (*where, f"{word} {shown}"), block.value
        elif block.named_by:
            place = (*where, " ".join((word, *block.identity)))
            yield place, ""
            yield from self.members(block, place, frozenset(block.named_by))
        elif repeated:
            place = (*where, f"{word} {_heading(block)}")
            yield place, ""
            yield from self.members(block, place, frozenset(heading))
        else:
            yield (*where, word), _heading(block)
            yield from self.members(block, (*where, word), frozenset(heading))

    def _content(self, value: object, where: Where, form: object) -> Iterator[Fact]:
        """What a file beside the spec holds: its requirements, or its digest."""
        if form is not literals.FILE or (data := self.read(str(value))) is None:
            return
        requirements = _requirements(data) if where[-1].startswith("requirements ") else None
        for each in requirements or ():
            yield (*where, _key(each)), each
        if requirements is None:
            from hashlib import sha256

            yield (*where, "content"), f"sha256:{sha256(data).hexdigest()}"


def _statement(cls: type, name: str) -> tuple[tuple[str, ...], object]:
    """The keywords that fill a field, and the form of their values; None for arguments, which have an order."""
    layers = (cls,) if issubclass(cls, Block) else (model.SpecFile, model.TargetBlock)
    for layer in layers:
        schema = schema_of(layer)
        rows = [keyword for field, keyword in schema.keywords.values() if field == name]
        if len(rows) == 1:
            return (rows[0].word,), rows[0].type
        if rows:
            return (name, *(each.word for each in rows)), rows[0].type
        if any(field == name for field, _ in schema.values):
            return (name,), None
    return (name.replace("_", "-"),), literals.WORD


def _heading(block: Block) -> str:
    """What stands behind a block's keyword."""
    values = [(getattr(block, name), value.type) for name, value in schema_of(type(block)).values]
    return " ".join(_text(value, form) for value, form in values if value is not None)


def _text(value: Any, form: object) -> str:
    """A value as a spec has it."""
    if isinstance(value, model.Jobs):
        return "{{jobs}}"
    if isinstance(value, Block):
        return _heading(value)
    if isinstance(value, tuple):
        return ("" if form is literals.SHELL else " ").join(_text(each, form) for each in value)
    return written(value, form)


def _key(text: str) -> str:
    """What a word is about: the package of a requirement, and the whole of anything else."""
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._+-]*)\s*(?:\[[^]]*\])?\s*[=<>!~@;]", text)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else text


def _requirements(data: bytes) -> list[str] | None:
    """The lines of a list of requirements that say something, sorted; None if it is no text."""
    try:
        lines = data.decode("utf-8").replace("\\\n", " ").splitlines()
    except UnicodeDecodeError:
        return None
    return sorted(
        " ".join(line.split()) for line in lines if line.strip() and not line.strip().startswith("#")
    )
