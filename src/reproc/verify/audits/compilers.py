"""Which compiler made what builds have kept: the one that the build uses and no other, by the files' own word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reproc import catalog
from reproc.audit import Facts
from reproc.audit.producers import Maker, maker
from reproc.check import Target
from reproc.check.tools import tools_of
from reproc.model import Build
from reproc.record import record
from reproc.verify.audits.image import Image
from reproc.verify.report import Finding

NAME = "compilers"
_FAMILIES = {
    "gcc": ("gcc", "gfortran"),
    "gfortran": ("gcc", "gfortran"),
    "clang": ("clang",),
    "go": ("go",),
}
"""By tool chain, the families of compilers in whose words it names itself: `.comment` tells no languages apart.

Rust's compiler does not leave its word in every version, so that its programs bear the linker's alone.
"""


def idle(target: Target) -> str | None:
    return None if any(_used(target, build) for build in target.builds) else "no build keeps what it compiles"


def check(target: Target, image: Image) -> Iterator[Finding]:
    for build in target.builds:
        if not _used(target, build):
            continue
        given = _Given.of(target, build, image)
        for path, found in image.programs([item.text for item in build.keep]):
            if (finding := given.judged(path, found)) is not None:
                yield finding


def _used(target: Target, build: Build) -> tuple[catalog.Toolchain, ...]:
    """The compilers that a kept build uses, of those that leave their word."""
    return tuple(tool for tool in tools_of(target, build) if build.keep and tool.name in _FAMILIES)


@record
class _Given:
    """What a build had."""

    build: Build
    used: tuple[catalog.Toolchain, ...]
    allowed: tuple[catalog.Toolchain, ...]
    """And what the builds used whose kept files it sees: it may link them."""
    others: tuple[catalog.Toolchain, ...]
    """Those of the target's that it does not use."""
    beside: tuple[str, ...] | None
    """Packages with compilers that were there and are none of these; None where nobody knows."""

    @classmethod
    def of(cls, target: Target, build: Build, image: Image) -> _Given:
        allowed = dict.fromkeys(tool for each in _before(target, build) for tool in _used(target, each))
        everywhere = dict.fromkeys(tool for each in target.builds for tool in _used(target, each))
        others = tuple(tool for tool in everywhere if tool not in allowed)
        return cls(build, _used(target, build), (*allowed,), others, image.compilers.get(build.name, ()))

    def judged(self, path: str, found: Facts) -> Finding | None:
        """What there is to say of a file; None of one that no compiler makes."""
        made = {text: by for text in found.producers if (by := maker(text)) is not None}
        if not made:
            return self._silent(path) if found.program or path.endswith(".a") else None
        right = [text for text, by in made.items() if _any(by, self.allowed)]
        wrong = [text for text, by in made.items() if text not in right and self._counts(by)]
        versions = " and ".join(f"{tool.name} {tool.version}" for tool in self.used)
        if not right:
            message = f"`{path}` was made by {_listed(made)}, and `build {self.build.name}` uses {versions}"
            return Finding(message, path, holds=False)
        if doubted := [text for text in wrong if self._was_there(made[text])]:
            message = f"`{path}` was made by {_listed(right)}, but in part by {_listed(doubted)}"
            return Finding(f"{message}, and `build {self.build.name}` uses {versions}", path, holds=False)
        elsewhere = f", and holds what was made elsewhere by {_listed(wrong)}" if wrong else ""
        return Finding(f"`{path}` was made by {_listed(right)}{elsewhere}", path)

    def _silent(self, path: str) -> Finding:
        message = f"`{path}` does not say what made it"
        # Go leaves its word in debugging information alone
        if self.beside == () or any(tool.name == "go" for tool in self.used):
            return Finding(message, path)
        there = "the image that it stands on may hold another compiler"
        if self.beside:
            there = f"`{'`, `'.join(self.beside)}` {'was' if len(self.beside) == 1 else 'were'} there as well"
        remedy = "do not remove its section `.comment`"
        return Finding(f"{message}, and {there}: {remedy}", path, holds=False)

    def _counts(self, by: Maker) -> bool:
        """Whether another compiler of this family had no business there.

        The start files of a program that GCC did not compile are GCC's in any case, and gfortran says nothing of C.
        """
        used = {tool.name for tool in self.used}
        return by.family != "gcc" or "gcc" in used

    def _was_there(self, by: Maker) -> bool:
        """Whether the build could have run it; what others have built elsewhere may be linked."""
        versions = (each.split(" ", 1)[1] for each in self.beside or ())
        there = any(version.startswith(f"{by.version}-") for version in versions)
        return there or by.distribution is not None or _any(by, self.others)


def _before(target: Target, build: Build) -> list[Build]:
    """A build and all that come before it by their `after`."""
    found = [build]
    for each in found:
        names = {item.text for item in each.after}
        found += [other for other in target.builds if other.name in names and other not in found]
    return found


def _any(by: Maker, tools: Iterable[catalog.Toolchain]) -> bool:
    return any(
        by.family in _FAMILIES[tool.name] and catalog.names_version(by.version, tool.version)
        for tool in tools
    )


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)
