"""Packages as control stanzas describe them, and the relations between them."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cached_property, lru_cache
from typing import NamedTuple

from reproc.lock.debian.version import holds
from reproc.record import record

_RELATION = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9.+\-]*)(?::([a-z0-9\-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^)\s]+)\s*\))?"
)
PRIORITIES = {"required": 5, "important": 4, "standard": 3, "optional": 2, "extra": 1}


class Relation(NamedTuple):
    """One alternative of a dependency: a name, perhaps an architecture, perhaps a bound on the version."""

    name: str
    architecture: str | None
    operator: str | None
    version: str | None

    def __str__(self) -> str:
        qualifier = f":{self.architecture}" if self.architecture else ""
        return f"{self.name}{qualifier}" + (f" ({self.operator} {self.version})" if self.operator else "")

    def admits(self, version: str | None) -> bool:
        """Whether that version is within the bound; an unversioned `Provides` is within none."""
        if self.operator is None or self.version is None:
            return True
        return version is not None and holds(version, self.operator, self.version)


Group = tuple[Relation, ...]


@lru_cache(1 << 16)
def relations(field: str) -> tuple[Group, ...]:
    """The groups of alternatives of a relation field."""
    groups = []
    for part in field.split(","):
        group = tuple(
            Relation(*match.groups())
            for text in part.split("|")
            if (match := _RELATION.match(text)) is not None
        )
        if group:
            groups.append(group)
    return tuple(groups)


def fields_of(stanza: bytes) -> dict[str, str]:
    """The fields of one stanza, names in lower case; of folded fields only the first line."""
    fields = {}
    for line in stanza.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name and name[0] not in b" \t#":
            fields[name.decode("utf-8", "replace").lower()] = value.strip().decode("utf-8", "replace")
    return fields


@record(eq=False)
class Package:
    """One version of a binary package, in an archive or installed."""

    fields: dict[str, str]
    archive: str | None
    """None for one that is only known from a base's package database."""

    @cached_property
    def name(self) -> str:
        return self.fields["package"]

    @cached_property
    def version(self) -> str:
        return self.fields.get("version", "0")

    @property
    def architecture(self) -> str:
        return self.fields.get("architecture", "all")

    @property
    def essential(self) -> bool:
        return self.fields.get("essential") == "yes"

    @property
    def important(self) -> bool:
        return "yes" in (self.fields.get("important"), self.fields.get("protected"))

    @property
    def priority(self) -> int:
        return PRIORITIES.get(self.fields.get("priority", "optional"), 0)

    @cached_property
    def depends(self) -> tuple[Group, ...]:
        """Pre-Depends, then Depends."""
        return relations(self.fields.get("pre-depends", "")) + relations(self.fields.get("depends", ""))

    @cached_property
    def recommends(self) -> tuple[Group, ...]:
        return relations(self.fields.get("recommends", ""))

    @cached_property
    def suggests(self) -> tuple[Group, ...]:
        return relations(self.fields.get("suggests", ""))

    @cached_property
    def provides(self) -> tuple[Relation, ...]:
        return tuple(group[0] for group in relations(self.fields.get("provides", "")))

    @cached_property
    def _provided(self) -> dict[str, list[str | None]]:
        """The versions in which it provides each name."""
        found: dict[str, list[str | None]] = {}
        for each in self.provides:
            found.setdefault(each.name, []).append(each.version)
        return found

    @cached_property
    def excludes(self) -> tuple[Relation, ...]:
        """Conflicts and Breaks: none of these may be installed beside it."""
        return tuple(
            group[0] for name in ("conflicts", "breaks") for group in relations(self.fields.get(name, ""))
        )

    @cached_property
    def source(self) -> tuple[str, str]:
        """Name and version of what it was built from."""
        name, _, number = self.fields.get("source", self.name).partition(" ")
        return name, number.strip("() ") or self.version

    def refuses(self, other: Package, native: str) -> bool:
        """Whether it says that it may not be beside that one."""
        return any(other.answers(r, native) or other.stands_in(r, native) for r in self.excludes)

    def answers(self, relation: Relation, native: str) -> bool:
        """Whether its own name and version satisfy a dependency."""
        return (
            self.name == relation.name
            and self._fits(relation.architecture, native)
            and relation.admits(self.version)
        )

    def stands_in(self, relation: Relation, native: str) -> bool:
        """Whether something that it provides satisfies a dependency."""
        if (
            relation.architecture == "any"
        ):  # `name:any` is met by packages of that name only (apt's implicit provides)
            return False
        return self._fits(relation.architecture, native) and any(
            relation.admits(version) for version in self._provided.get(relation.name, ())
        )

    def _fits(self, architecture: str | None, native: str) -> bool:
        if architecture == "any":
            return self.fields.get("multi-arch") == "allowed"
        return architecture in (None, "native", native) or architecture == self.architecture

    def stanza(self, without: Container[str] = ()) -> bytes:
        """Its fields as a stanza; a folded field is not kept whole, so one that begins empty is left out."""
        return "".join(
            f"{name}: {value}\n" for name, value in self.fields.items() if value and name not in without
        ).encode()

    def __repr__(self) -> str:
        return f"{self.name} {self.version}"
