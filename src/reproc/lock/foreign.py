"""Locks that other Python tools made, as exact requirements with the digests that they allow.

uv.lock, pylock.toml (PEP 751), Pipfile.lock and poetry.lock are read for one interpreter and one platform: what
their markers leave out there is left out, and so are development groups and extras that nothing asks for.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, Label, error
from reproc.lock.requests import RequirementsFile
from reproc.lock.requirements import Wanted
from reproc.source import SourceFile, Span

Table = Mapping[str, Any]


def read(
    file: RequirementsFile, version: str, environment: Mapping[str, str]
) -> tuple[tuple[Wanted, ...], tuple[Diagnostic, ...]]:
    """What a lock pins for the Python `version` in a marker `environment`, and what is wrong with it."""
    run = _Reader(file, version, environment)
    name = file.path.rpartition("/")[2]
    reader = next((each for form, each in _FORMS if re.fullmatch(form, name)), None)
    if reader is None:
        run.mistake(codes.FOREIGN_LOCK, reason="its name is not one of them")
        return (), tuple(run.mistakes)
    try:
        content = json.loads(file.text) if name == "Pipfile.lock" else tomllib.loads(file.text)
        reader(run, content)
    except (ValueError, RecursionError) as trouble:  # both decoders' errors are ValueErrors
        run.mistake(codes.FOREIGN_LOCK, reason=_plain(trouble))
    except (AttributeError, KeyError, TypeError):
        run.mistake(codes.FOREIGN_LOCK, reason="it has not the form that such a lock has")
    return tuple(sorted(run.found, key=lambda each: each.name)), tuple(run.mistakes)


def _plain(trouble: Exception) -> str:
    return str(trouble).split("\n", 1)[0].lower() or "it is nested too deeply"


@dataclass
class _Reader:
    """One file that is being read."""

    file: RequirementsFile
    version: str
    environment: Mapping[str, str]
    found: list[Wanted] = field(default_factory=list)
    mistakes: list[Diagnostic] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = SourceFile(self.file.path, self.file.text)

    def mistake(self, code: Code, needle: str = "", **facts: str) -> None:
        """Tells of the file, at the first place of `needle` in it."""
        label = Label(self.file.origin, "named here")
        self.mistakes.append(error(code, self._place(needle), label, path=self.file.path, **facts))

    def _place(self, needle: str) -> Span:
        start = self.source.text.find(needle) if needle else 0
        start = max(start, 0)
        end = min(start + max(len(needle), 1), len(self.source.text))
        return Span(self.source, start, end)

    def pin(self, name: str, version: object, digests: Iterable[object]) -> None:
        """Notes one package."""
        from packaging.utils import canonicalize_name

        if not isinstance(version, str):
            raise TypeError
        hashes = frozenset(
            str(each).removeprefix("sha256:").lower()
            for each in digests
            if re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", str(each))
        )
        labels = (Label(self.file.origin, "named here"),)
        wanted = Wanted(
            canonicalize_name(name), f"{name}=={version}", hashes, self._place(f'"{name}"'), labels
        )
        if wanted not in self.found:
            self.found.append(wanted)

    def address(self, name: str) -> None:
        """A package that does not come from an index."""
        self.mistake(codes.DIRECT_REQUIREMENT, f'"{name}"', name=name)

    def fits(self, wanted: object) -> None:
        """Tells if the lock is for other interpreters."""
        if not isinstance(wanted, str) or wanted in ("", "*"):
            return
        if not any(admits(part, self.version) for part in wanted.split("||")):
            self.mistake(codes.FOREIGN_PYTHON, wanted, wanted=wanted, python=self.version)

    def holds(self, marker: object, **more: Any) -> bool:
        """Whether a marker holds on the target; none always does."""
        from packaging.markers import Marker

        if not isinstance(marker, str) or not marker.strip():
            return True
        environment: dict[str, Any] = {**self.environment, "extra": "", **more}
        return Marker(marker).evaluate(environment, context="lock_file" if more else "requirement")


def admits(wanted: str, version: str) -> bool:
    """Whether a requirement on the interpreter holds for a minor version; Poetry's `^3.9` and `~3.9` too."""
    from packaging.specifiers import SpecifierSet

    text = re.sub(r"\^\s*([\d.]+)", _caret, wanted)
    text = re.sub(r"(?<![~=])~\s*(\d+\.\d+)(\.\d+)*", r"==\1.*", text)
    text = re.sub(r"^\s*(\d[\d.]*)\s*$", r"==\1.*", text)
    known = SpecifierSet(text.replace(" ", "") if "," in text else ",".join(text.split()))
    return any(known.contains(f"{version}.{patch}") for patch in range(40))


def _caret(match: re.Match[str]) -> str:
    return f">={match[1]},<{int(match[1].partition('.')[0]) + 1}"


def _uv(run: _Reader, content: Table) -> None:
    """uv.lock: the packages that the project itself leads to."""
    run.fits(content.get("requires-python"))
    packages = content.get("package", [])
    named: dict[str, list[Table]] = {}
    for package in packages:
        named.setdefault(package["name"], []).append(package)
    members = content.get("manifest", {}).get("members", ())
    roots = [p for p in packages if _source(p) == "." or p["name"] in members]
    stack: list[tuple[Table, tuple[str, ...]]] = [(root, ()) for root in roots]
    seen: set[tuple[int, tuple[str, ...]]] = set()
    while stack:
        package, extras = stack.pop()
        if (id(package), extras) in seen:
            continue
        seen.add((id(package), extras))
        if package not in roots:
            _uv_pin(run, package)
        needs = list(package.get("dependencies", ()))
        needs += (
            each for extra in extras for each in package.get("optional-dependencies", {}).get(extra, ())
        )
        for need in needs:
            if run.holds(need.get("marker")):
                asked = tuple(sorted(need.get("extra", ())))
                stack += ((p, asked) for p in named[need["name"]] if _same(p, need))


def _same(package: Table, need: Table) -> bool:
    return all(package.get(key) == need[key] for key in ("version", "source") if key in need)


def _source(package: Table) -> str:
    """Where a package of the project itself lies."""
    source = package.get("source", {})
    return str(source.get("editable") or source.get("virtual") or source.get("directory") or "")


def _uv_pin(run: _Reader, package: Table) -> None:
    if "registry" not in package.get("source", {}):
        run.address(package["name"])
        return
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    run.pin(package["name"], package["version"], (each.get("hash", "") for each in files))


def _pylock(run: _Reader, content: Table) -> None:
    """pylock.toml: what its markers let in, with its default groups."""
    run.fits(content.get("requires-python"))
    environments = content.get("environments", [])
    if environments and not any(run.holds(each) for each in environments):
        platform = f"{run.environment['sys_platform']} on {run.environment['platform_machine']}"
        run.mistake(codes.FOREIGN_PLATFORM, "environments", platform=platform)
        return
    groups = set(content.get("default-groups", ()))
    for package in content.get("packages", []):
        name = package["name"]
        if not run.holds(package.get("marker"), extras=set(), dependency_groups=groups):
            continue
        if any(kind in package for kind in ("vcs", "archive", "directory")):
            if package.get("directory", {}).get("path") != ".":
                run.address(name)
            continue
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        run.pin(name, package["version"], (each["hashes"].get("sha256", "") for each in files))


def _pipfile(run: _Reader, content: Table) -> None:
    """Pipfile.lock: its default packages."""
    requires = content.get("_meta", {}).get("requires", {})
    run.fits(requires.get("python_version") or requires.get("python_full_version", "").rpartition(".")[0])
    for name, package in content.get("default", {}).items():
        if not run.holds(package.get("markers")):
            continue
        version = package.get("version", "")
        if version.startswith("=="):
            run.pin(name, version.removeprefix("=="), package.get("hashes", ()))
        else:
            run.address(name)


def _poetry(run: _Reader, content: Table) -> None:
    """poetry.lock: the main group; of older files, which know no groups, all that something leads to."""
    run.fits(content.get("metadata", {}).get("python-versions"))
    files = content.get("metadata", {}).get("files", {})
    packages = [p for p in content.get("package", []) if p.get("category", "main") == "main"]
    for package in _poetry_reached(run, packages):
        if package.get("source", {}).get("type", "legacy") != "legacy":
            run.address(package["name"])
            continue
        listed = package.get("files") or files.get(package["name"], ())
        run.pin(package["name"], package["version"], (each.get("hash", "") for each in listed))


def _poetry_reached(run: _Reader, packages: list[Table]) -> Iterator[Table]:
    from packaging.utils import canonicalize_name

    if all("groups" in package for package in packages):
        for package in packages:
            marker = package.get("markers")
            own = marker.get("main") if isinstance(marker, dict) else marker
            if "main" in package["groups"] and not package.get("optional") and run.holds(own):
                yield package
        return
    named: dict[str, list[Table]] = {}
    for package in packages:
        named.setdefault(canonicalize_name(package["name"]), []).append(package)
    needed = {canonicalize_name(n) for p in packages for n in p.get("dependencies", {})}
    names = [name for name in named if name not in needed]
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        for package in named.get(name, ()):
            if package.get("optional") or not admits(
                package.get("python-versions", "*").replace("*", ">=0"), run.version
            ):
                continue
            yield package
            for need, how in package.get("dependencies", {}).items():
                ways = how if isinstance(how, list) else [how]
                if any(_poetry_needs(run, way) for way in ways):
                    names.append(canonicalize_name(need))


def _poetry_needs(run: _Reader, way: object) -> bool:
    return not isinstance(way, dict) or (not way.get("optional") and run.holds(way.get("markers")))


_FORMS: tuple[tuple[str, Callable[[_Reader, Table], None]], ...] = (
    (r"uv\.lock", _uv),
    (r"pylock\.([^.]+\.)?toml", _pylock),
    (r"Pipfile\.lock", _pipfile),
    (r"poetry\.lock", _poetry),
)
