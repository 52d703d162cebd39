"""The repositories that a repository holds at some of its folders: where they are, and whether that can be trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.lock.problem import Problem, problem
from reproc.source import Span

FILE = ".gitmodules"
DEEPEST = 32
"""How deep submodules may nest."""
MOST = 1000
"""How many a repository may have in all."""
_SAYABLE = re.compile(r"[^\s\"'<>\\^`{|}\x00-\x20\x7f\ud800-\udfff]+")


def addresses(content: bytes | None, url: str, paths: Sequence[str], origin: Span) -> dict[str, str]:
    """The address of each submodule by its path, as the `.gitmodules` of the repository `url` says it.

    Raises `Problem` where there is none, or one that nothing is to be fetched from: a `.gitmodules` comes from
    whoever made the repository, and what it names is not to reach into the machine of whoever reads it.
    """
    from io import BytesIO

    from dulwich.config import ConfigFile, parse_submodules

    found: dict[str, str] = {}
    try:
        for path, address, _ in parse_submodules(ConfigFile.from_file(BytesIO(content or b""))):
            found.setdefault(_text(path).rstrip("/"), _text(address))
    except ValueError as trouble:
        raise refused(paths[0], url, f"is named in a `{FILE}` that cannot be read", origin) from trouble
    return {path: _settled(found.get(path), path, url, origin) for path in paths}


def refused(path: str, url: str, reason: str, origin: Span) -> Problem:
    """That a submodule of the repository `url` cannot be taken along."""
    return problem(codes.SUBMODULE_ADDRESS, origin, path=path, url=url, reason=reason)


def _settled(address: str | None, path: str, parent: str, origin: Span) -> str:
    if address is None:
        raise refused(path, parent, f"has no address in `{FILE}`", origin)
    if address.startswith("-") or not _SAYABLE.fullmatch(address):
        raise refused(path, parent, f"has the address {ascii(address)}, which is none", origin)
    if address.startswith(("./", "../")):
        whole = _beside(parent, address)
        if whole is None:
            raise refused(path, parent, f"has the address `{address}`, which leads out of its server", origin)
        address = whole
    local = urlsplit(parent).scheme == "file"
    if local and address.startswith("/"):
        return f"file://{address}"
    parts = urlsplit(address)
    if (parts.scheme, parts.netloc) == urlsplit(parent)[:2]:
        return address  # the author has chosen that server
    if parts.scheme not in ("http", "https", "git") or not parts.hostname or "@" in parts.netloc:
        reason = f"has the address `{address}`, which is of no use to others"
        raise refused(path, parent, reason, origin)
    return address


def _beside(parent: str, address: str) -> str | None:
    """An address that is relative to its repository's own (gitmodules(5)); None if it leads too far up."""
    scheme, separator, rest = parent.rstrip("/").partition("://")
    server, _, place = rest.partition("/")
    above = [part for part in place.split("/") if part]
    for part in address.split("/"):
        if part == "..":
            if not above:
                return None
            above.pop()
        elif part not in ("", "."):
            above.append(part)
    return f"{scheme}{separator}{server}/{'/'.join(above)}" if separator else None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
