"""The configuration file: what a site says once for all of its users, where the environment says nothing."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.suggest import nearest
from reproc.lock.problem import Problem, problem
from reproc.source import SourceFile, Span

MIRRORS = "mirrors"
SYMBOLIC = (
    "debian", "debian-security", "ubuntu", "pypi", "npm", "conda-forge", "docker", "doi", "zenodo", "figshare", "swh",
)  # fmt: skip
"""The archives and registries that have a name of ours; the others are named by their host."""
_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s?#]*|file:///[^\s?#]*")
_OWN_NAME = re.compile(r".*-[0-9a-f]{8}")
"""How a lock calls a third-party archive."""


def mirrors(environment: Mapping[str, str], for_all: Path) -> dict[str, tuple[str, ...]]:
    """The mirrors that configuration files name, by archive, registry or host; raises `Problem`.

    That is the file that `REPROC_CONFIG` names, or else the user's own and then that for all users: of two that
    speak of one name, the first counts.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, needed in _places(environment, for_all):
        for name, addresses in _read(path, needed).items():
            found.setdefault(name, addresses)
    return found


def _places(environment: Mapping[str, str], for_all: Path) -> list[tuple[Path, bool]]:
    """The files that may be there, and whether they have to."""
    if named := environment.get("REPROC_CONFIG"):
        return [(Path(named), True)]
    base = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base) and (home := environment.get("HOME")):
        base = os.path.join(home, ".config")
    own = [(Path(base, "reproc", "config.toml"), False)] if os.path.isabs(base) else []
    return [*own, (for_all, False)]


def _read(path: Path, needed: bool) -> dict[str, tuple[str, ...]]:
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        if not needed:
            return {}
        advice = "`REPROC_CONFIG` names it; write it there, or leave the variable out"
        raise problem(codes.BAD_CONFIGURATION, None, reason=f"there is no `{path}`", advice=advice) from None
    except (OSError, UnicodeDecodeError) as trouble:
        reason = getattr(trouble, "strerror", None) or "it is not UTF-8"
        raise problem(codes.BAD_CONFIGURATION, None, reason=f"`{path}`: {reason.lower()}") from trouble
    source = SourceFile(str(path), text)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as trouble:
        raise problem(codes.BAD_CONFIGURATION, _at(source, str(trouble)), reason=_plain(trouble)) from trouble
    return _Reader(source).mirrors(content)


def _plain(trouble: tomllib.TOMLDecodeError) -> str:
    words = str(trouble).partition(" (at ")[0]
    return f"it is not TOML: {words[:1].lower()}{words[1:]}"


def _at(source: SourceFile, told: str) -> Span:
    """The place that a message of tomllib names."""
    found = re.search(r"\(at line (\d+), column (\d+)\)", told)
    if found is None:  # at the end
        return Span(source, len(source.text), len(source.text))
    lines = source.text.split("\n")[: int(found[1]) - 1]
    start = min(sum(len(line) + 1 for line in lines) + int(found[2]) - 1, len(source.text))
    return Span(source, start, min(start + 1, len(source.text)))


class _Reader:
    """Takes a file's content apart; what is wrong with it becomes one `Problem`."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source

    def mirrors(self, content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        wrong = [self._unknown(name, (MIRRORS,), f"`[{MIRRORS}]`") for name in content if name != MIRRORS]
        table = content.get(MIRRORS, {})
        if not isinstance(table, dict):
            wrong.append(self._refused(MIRRORS, f"`{MIRRORS}` is a table"))
            table = {}
        found: dict[str, tuple[str, ...]] = {}
        for name, value in table.items():
            listed = [value] if isinstance(value, str) else value
            if not _is_name(name):
                known = ", ".join(f"`{each}`" for each in SYMBOLIC)
                wrong.append(self._unknown(name, SYMBOLIC, f'{known}, and hosts such as `"zenodo.org"`'))
            elif (
                not isinstance(listed, list)
                or not listed
                or not all(isinstance(each, str) and _ADDRESS.fullmatch(each) for each in listed)
            ):
                reason = f"`{name}` takes addresses that begin with `https://`, `http://` or `file://`"
                wrong.append(self._refused(name, f"{reason}: one, or a list"))
            else:
                found[name] = tuple(each.rstrip("/") for each in listed)
        if wrong:
            raise Problem(*(each for one in wrong for each in one.diagnostics))
        return found

    def _unknown(self, name: str, known: tuple[str, ...], listed: str) -> Problem:
        near = nearest(name, known)
        return problem(codes.UNKNOWN_SETTING, self._place(name), name=name, suggestion=near, known=listed)

    def _refused(self, name: str, reason: str) -> Problem:
        return problem(codes.BAD_CONFIGURATION, self._place(name), reason=reason)

    def _place(self, name: str) -> Span:
        """The first place where a key is written: tomllib says nothing of places."""
        text = self.source.text
        found = re.search(rf"""(?m)^[ \t]*\[*[ \t]*["']?({re.escape(name)})["']?[ \t]*[=.\]]""", text)
        return Span(self.source, *(found.span(1) if found else (0, min(1, len(text)))))


def _is_name(name: str) -> bool:
    host = name.partition(":")[0]
    return name in SYMBOLIC or "." in host or host == "localhost" or bool(_OWN_NAME.fullmatch(name))
