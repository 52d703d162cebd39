"""The pieces of a file's code that are decoded each by itself: functions, and what lies between them.

A linear sweep stays in step within a function, whose beginning is known; data between functions is no code.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from reproc.audit.elf import Elf, Section, Symbol
from reproc.audit.frames import frames
from reproc.record import record, replace

_KNOWN = 0.5
"""The share of a section that must lie in functions; with less, nobody knows where they begin."""

_START = 1 << 16
"""A section larger than this is not for the most part the C library's start files, whose functions have no size."""


@record
class Region:
    """Instructions, from `start` to before `end`."""

    start: int
    end: int
    function: bool
    """Whether a table says that it is one; else it lies between functions."""
    code: bool
    """Whether it is known to begin with code."""
    whole: bool
    """Whether it is code to its end; else until its flow ends."""
    catches: bool = False
    """Whether the unwinder may enter it in its middle."""


@record
class Layout:
    """A file's regions, by address, and the names of functions."""

    regions: tuple[Region, ...]
    names: dict[int, str]
    starts: list[int]

    def at(self, address: int) -> int | None:
        """The number of the region that holds an address."""
        index = bisect.bisect_right(self.starts, address) - 1
        return index if index >= 0 and address < self.regions[index].end else None

    def entered(self, entries: Iterable[int]) -> Layout:
        """The same with gaps cut where code is known to begin in them."""
        inside: dict[int, set[int]] = {}
        for entry in entries:
            index = self.at(entry)
            if index is None or self.regions[index].function:
                continue
            if entry != self.regions[index].start or not self.regions[index].code:
                inside.setdefault(index, set()).add(entry)
        if not inside:
            return self
        regions: list[Region] = []
        for index, region in enumerate(self.regions):
            if index not in inside:
                regions.append(region)
                continue
            at = region.start
            for entry in sorted(inside[index]):
                if entry > at:
                    regions.append(Region(at, entry, False, region.code, region.whole))
                at = entry
            regions.append(replace(region, start=at, code=True))
        return Layout(tuple(regions), self.names, [each.start for each in regions])


def layout(elf: Elf) -> Layout:
    """The regions of a file, by its tables."""
    bounds, catches = _bounds(elf)
    regions: list[Region] = []
    for section in elf.code:
        if not section.name.startswith(".plt"):
            inner = sorted((low, high) for low, high in bounds if section.address <= low < section.end)
            regions += _section(section, inner, catches)
    regions.sort(key=lambda each: each.start)
    known = Layout(tuple(regions), _names(elf), [each.start for each in regions])
    # what has no size is a label of assembly: code begins there
    return known.entered(each.value for each in _functions(elf) if not each.size)


def _bounds(elf: Elf) -> tuple[set[tuple[int, int]], set[int]]:
    """Beginnings and ends of functions, and the beginnings of those that catch exceptions."""
    found = list(frames(elf))
    bounds = {(each.start, each.end) for each in found if each.end > each.start}
    for symbol in _functions(elf):
        if symbol.size:
            bounds.add((symbol.value, symbol.value + symbol.size))
    return bounds, {each.start for each in found if each.catches}


def _functions(elf: Elf) -> Iterable[Symbol]:
    for table in (".dynsym", ".symtab"):
        for symbol in elf.symbols(table):
            if symbol.is_function or symbol.is_indirect:
                yield symbol


def _names(elf: Elf) -> dict[int, str]:
    names: dict[int, str] = {}
    for symbol in _functions(elf):
        known = names.get(symbol.value)
        # of a function's several names the longest says most: `sum.avx2`, not `sum`
        if known is None or len(symbol.name) > len(known):
            names[symbol.value] = symbol.name
    return names


def _section(section: Section, bounds: list[tuple[int, int]], catches: set[int]) -> list[Region]:
    """A section's functions and gaps; a function within another one cuts it."""
    found: list[Region] = []
    at = section.address
    covered = 0
    starts = [low for low, _ in bounds]
    for index, (low, high) in enumerate(bounds):
        if index + 1 < len(bounds) and starts[index + 1] == low:
            continue  # the longest of those that begin here is the last
        if low > at:
            found.append(Region(at, low, False, False, False))
            at = low
        following = next((each for each in starts[index + 1 : index + 2]), section.end)
        end = min(max(high, at), following, section.end)
        if end > low:
            found.append(Region(low, end, True, True, True, low in catches))
            covered += end - low
        at = max(at, end)
    if at < section.end:
        found.append(Region(at, section.end, False, False, False))
    if covered < _KNOWN * section.size and (section.size > _START or not covered):
        # stripped of its tables: all of it is taken for code
        return [replace(each, code=True, whole=True) for each in found]
    return found
