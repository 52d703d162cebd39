"""The packages of a release: several `Packages` files, searched by name without parsing the rest.

An index has tens of thousands of stanzas and a lock needs a few hundred. So the bytes are kept as they are,
regular expressions find where the stanzas and the `Provides` are, and a stanza is parsed when it is asked
for. What people read in a stanza, which is two fifths of it, is left out first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from reproc.lock.debian import version
from reproc.lock.debian.control import Package, fields_of

# a literal newline, not `^`: the search for a literal prefix is several times faster
_PACKAGE = re.compile(rb"\nPackage: *([^\s\0]+)")
_PROVIDES = re.compile(rb"\nProvides: *(.+)")
_NAME = re.compile(rb"(?:^|,)\s*([a-z0-9][a-z0-9.+\-]*)")
_ESSENTIAL = re.compile(rb"\nEssential: *yes")
_NAMING = frozenset(
    b"Package Provides Pre-Depends Depends Recommends Suggests Enhances Conflicts Breaks Replaces".split()
)
_REQUIRED = re.compile(rb"\nPriority: *required")
_IDLE = re.compile(
    rb"\n(?:Description|Description-md5|Tag|Homepage|Maintainer|Original-Maintainer|Section|Installed-Size|MD5sum|SHA1"
    rb"|SHA512|Build-Ids|Bugs|Origin|Task|(?:X-Cargo-|Static-)?Built-Using|(?:Ghc|Gstreamer|Ruby|Python|Lua)-[A-Za-z]+)"
    rb":[^\n]*(?:\n[ \t][^\n]*)*"
)
"""Fields that neither tell packages apart, nor relate them, nor say where their files are."""
_WINDOW = 1 << 16
"""The first part of an index that is searched for a name, in bytes."""


class _Places:
    """Offsets by name: both in the order of the names, and for one name in the order of the file."""

    def __init__(self, names: list[bytes], offsets: Sequence[int]) -> None:
        self.names = names
        self._offsets = offsets

    @classmethod
    def of(cls, found: Iterable[tuple[bytes, int]]) -> _Places:
        """The places that were found."""
        pairs = sorted(found)
        return cls([name for name, _ in pairs], [offset for _, offset in pairs])

    @classmethod
    def unpacked(cls, packed: bytes) -> _Places:
        """What `packed` gave."""
        names, offsets = packed.split(b"\n\n")
        return cls(names.split(), [int(each, 16) for each in offsets.split()])

    def packed(self) -> bytes:
        """Names, then offsets."""
        return b"\n".join(self.names) + b"\n\n" + b" ".join(b"%x" % each for each in self._offsets)

    def __iter__(self) -> Iterator[int]:
        """Every place, in the order of the file."""
        return iter(sorted(self._offsets))

    def at(self, name: str) -> Iterator[int]:
        """Where that name is found."""
        wanted = name.encode("ascii", "replace")
        for number in range(bisect_left(self.names, wanted), len(self.names)):
            if self.names[number] != wanted:
                break
            yield self._offsets[number]


class Index:
    """One `Packages` file, read in blocks that may end anywhere."""

    def __init__(self, archive: str | None, blocks: Iterable[bytes]) -> None:
        self.archive = archive
        parts: list[bytes] = []
        packages: list[tuple[bytes, int]] = []
        provided: list[tuple[bytes, int]] = []
        basic: set[int] = set()
        size = 0
        for part in _relevant(blocks):  # what is found in one is found while the next is waited for
            packages += ((found[1], size + found.start() + 1) for found in _PACKAGE.finditer(part))
            for found in _PROVIDES.finditer(part):
                provided += ((name, size + found.start()) for name in _NAME.findall(found[1]))
            for pattern in (_ESSENTIAL, _REQUIRED):
                basic |= {size + _stanza_around(part, found.start()) for found in pattern.finditer(part)}
            parts.append(part)
            size += len(part)
        self._content = b"".join(parts)
        self._packages, self._provided = _Places.of(packages), _Places.of(provided)
        self._basic = sorted(basic)

    @classmethod
    def restored(cls, archive: str | None, text: bytes, places: bytes) -> Index:
        """The index that gave these `text` and `places`."""
        index = cls(archive, ())
        index._content = text
        packages, provided, basic = places.split(b"\0")
        index._packages, index._provided = _Places.unpacked(packages), _Places.unpacked(provided)
        index._basic = [int(each, 16) for each in basic.split()]
        return index

    @property
    def text(self) -> bytes:
        """The stanzas, as a `Packages` file that begins with an empty line."""
        return self._content

    @property
    def places(self) -> bytes:
        """Where in the text each package, what others provide, and the basic ones are found."""
        basic = b" ".join(b"%x" % each for each in self._basic)
        return b"\0".join((self._packages.packed(), self._provided.packed(), basic))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name.decode("ascii", "replace") for name in self._packages.names)

    def __iter__(self) -> Iterator[Package]:
        """Every package, in the file's order."""
        for start in self._packages:
            yield self._package(start)

    def named(self, name: str) -> Iterator[Package]:
        """Every version of that name, in the file's order."""
        for start in self._packages.at(name):
            yield self._package(start)

    def providing(self, name: str) -> Iterator[Package]:
        """Every package that provides that name."""
        for place in self._provided.at(name):
            yield self._package(place)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._content)

    def mention(self, name: str, begin: int, end: int) -> int | None:
        """Where from `begin` on a package of that name stands first, in a relation or as itself; None if behind `end`."""
        content, needle, place = self._content, b" " + name.encode(), begin - 1
        while 0 <= (place := content.find(needle, place + 1, end + len(needle))) < end:
            start = content.rfind(b"\n", 0, place) + 1
            behind = content[place + len(needle) : place + len(needle) + 1]
            if behind in b" ,|:(\n" and content[start : content.find(b":", start)] in _NAMING:
                return place
        return None

    def basic(self) -> Iterator[Package]:
        """The packages that are essential or of priority `required`."""
        for start in self._basic:
            yield self._package(start)

    def _package(self, start: int) -> Package:
        start = _stanza_around(self._content, start)
        end = self._content.find(b"\n\n", start)
        return Package(fields_of(self._content[start : end if end >= 0 else None]), self.archive)


def _stanza_around(text: bytes, place: int) -> int:
    before = text.rfind(b"\n\n", 0, place)
    return before + 2 if before >= 0 else 1


def _relevant(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The text without what people read in it, in parts that begin and end with a newline, between two stanzas."""
    rest = b"\n"
    for block in blocks:
        text = rest + block
        end = text.rfind(b"\n\n") + 1
        yield _IDLE.sub(b"", text[:end])
        rest = text[end:]
    yield _IDLE.sub(b"", rest.rstrip(b"\n") + b"\n")


class Universe:
    """Everything that can be installed: the indexes of a release's suites, in order of preference."""

    def __init__(self, architecture: str, indexes: Iterable[Index]) -> None:
        self.architecture = architecture
        self._indexes = tuple(indexes)
        self._versions: dict[str, tuple[Package, ...]] = {}
        self._providers: dict[str, tuple[Package, ...]] = {}
        self._mentions: dict[tuple[Index, int, str], int | None] = {}

    @property
    def indexes(self) -> tuple[Index, ...]:
        """In order of preference."""
        return self._indexes

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset[str]().union(*(index.names for index in self._indexes))

    def versions(self, name: str) -> tuple[Package, ...]:
        """Every version of that name, the newest first; of equal ones, the first index's."""
        found = self._versions.get(name)
        if found is None:
            usable = (p for index in self._indexes for p in index.named(name) if self._usable(p))
            found = tuple(sorted(usable, key=lambda p: version.key(p.version), reverse=True))
            self._versions[name] = found
        return found

    def newest(self, name: str) -> Package | None:
        """What apt would install for that name, all archives having the same priority."""
        return next(iter(self.versions(name)), None)

    def providers(self, name: str) -> tuple[Package, ...]:
        """The newest versions of other packages that provide that name: by priority, then by name."""
        found = self._providers.get(name)
        if found is None:
            names = {p.name for index in self._indexes for p in index.providing(name) if self._usable(p)}
            newest = (p for other in sorted(names) if (p := self.newest(other)) is not None)
            providing = [p for p in newest if any(r.name == name for r in p.provides)]
            found = tuple(sorted(providing, key=lambda p: -p.priority))
            self._providers[name] = found
        return found

    def numbered(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names in the order in which they stand for the first time, as apt numbers them."""
        found: list[str] = []
        for index, begin, end in self._windows():
            if len(left := [name for name in names if name not in found]) < 2:
                break  # the last one need not be searched
            places = {name: self._mention(index, begin, end, name) for name in left}
            found += sorted((n for n in left if places[n] is not None), key=lambda n: places[n] or 0)
        return (*found, *(name for name in names if name not in found))

    def _mention(self, index: Index, begin: int, end: int, name: str) -> int | None:
        asked = (index, begin, name)
        if asked not in self._mentions:
            self._mentions[asked] = index.mention(name, begin, end)
        return self._mentions[asked]

    def _windows(self) -> Iterator[tuple[Index, int, int]]:
        """Parts of the indexes, each as large as all before it."""
        for index in self._indexes:
            begin, end = 0, _WINDOW
            while begin < index.size:
                yield index, begin, end
                begin, end = end, 2 * end

    def basic(self) -> tuple[Package, ...]:
        """The newest version of each package that is essential or of priority `required`, by name."""
        names = {p.name for index in self._indexes for p in index.basic() if self._usable(p)}
        return tuple(p for name in sorted(names) if (p := self.newest(name)) is not None)

    def _usable(self, package: Package) -> bool:
        return package.architecture in ("all", self.architecture)


def installed_from(status: bytes) -> dict[str, Package]:
    """What a base has installed, by name, from its `dpkg/status` (or the joined files of `status.d`)."""
    installed = {}
    for stanza in re.split(rb"\n\s*\n", status):
        fields = fields_of(stanza)
        state = fields.get("status", "install ok installed").split()
        if "package" in fields and state[-1:] == ["installed"]:
            installed[fields["package"]] = Package(fields, None)
    return installed
