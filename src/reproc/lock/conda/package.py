"""A conda package as members of the tree that it is installed into; nothing in it is trusted, nothing of it is run."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from reproc.diagnostics.codes import lock as codes
from reproc.lock import tar
from reproc.lock.conda.relocate import placeholders, relocated
from reproc.lock.problem import Problem, problem
from reproc.lock.store import Store
from reproc.lock.unpack import Source, form_of, unpacked
from reproc.record import replace
from reproc.source import Span

_INFO = "info/"
_SHORTEST = 24
"""Bytes of the place where a package was built; those of conda-build are made long to leave room."""
_COMMANDS = re.compile(r"bin/\.[^/]+-(?:pre|post)-link\.sh")
"""What conda would run when it installs a package (docs.conda.io, "Adding pre-link and post-link scripts")."""
_TOLD = r""">> *"?\$(?:PREFIX|\{PREFIX\})"?/\.messages\.txt"? *$"""
_TEXT_TOLD = re.compile(rf"^cat *<< *(\w+) *{_TOLD}[^$`]*?^\1$", re.MULTILINE)
_LINE_TOLD = re.compile(rf"""^echo (?:"[^"$`\n]*"|'[^'\n]*') *{_TOLD}""", re.MULTILINE)


def members(
    path: Path, name: str, prefix: str, origin: Span | None, store: Store, stack: ExitStack
) -> list[tar.Member]:
    """What a package brings, with `prefix` written into its files; readable until the stack is left.

    Raises `Problem` for what is damaged or hostile, and for what would have to be run.
    """
    source = Source(path, name, origin)
    found = {each.entry.path: each for each in _unpacked(source, store, stack)}
    info = {each: found[each] for each in ("info/paths.json", "info/has_prefix") if each in found}
    try:
        places = placeholders(*(_read(info.get(each)) for each in ("info/paths.json", "info/has_prefix")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as trouble:
        raise source.refused("its list of files cannot be read") from trouble
    kept = {path: each for path, each in found.items() if not path.startswith(_INFO) and path != "info"}
    commands = (each for each in sorted(kept) if _COMMANDS.fullmatch(each))
    if command := next((each for each in commands if not _only_tells(_read(kept[each]))), None):
        raise refused(name, origin, f"it has a command that is run when it is installed, `{command}`")
    for each, (mode, old) in places.items():
        if each not in kept or kept[each].open is None:
            raise source.refused(f"its list of files names `{ascii(each)[1:-1]}`, which is not in it")
        if len(old) < _SHORTEST:
            raise source.refused(
                f"the place where it was built is `{ascii(old)[2:-1]}`, which may be anywhere in it"
            )
        kept[each] = _relocated(kept[each], mode, old, prefix.encode(), name, origin)
    return list(kept.values())


def refused(name: str, origin: Span | None, reason: str) -> Problem:
    """That a package cannot be installed by unpacking it."""
    return problem(codes.CONDA_PACKAGE, origin, package=name, reason=reason)


def _unpacked(source: Source, store: Store, stack: ExitStack) -> Iterator[tar.Member]:
    """The members of the archive; of a `.conda`, of the two that it holds (docs.conda.io, "Package specification")."""
    if not source.name.endswith(".conda"):
        found, _ = stack.enter_context(unpacked(source, form_of(source.path), 0, store))
        yield from found
        return
    parts, _ = stack.enter_context(unpacked(source, "zip", 0, store))
    for part in parts:
        if re.fullmatch(r"(?:pkg|info)-[^/]+\.tar\.zst", part.entry.path) and part.open is not None:
            inner = stack.enter_context(store.temporary())
            with part.open() as content, inner.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            within = Source(inner, f"{source.name}, {part.entry.path}", source.origin, source.limits)
            found, _ = stack.enter_context(unpacked(within, "tar.zst", 0, store, empty=True))
            yield from found


def _read(member: tar.Member | None) -> bytes | None:
    if member is None or member.open is None:
        return None
    with member.open() as file:
        return file.read()


def _only_tells(command: bytes | None) -> bool:
    """Whether what conda would run only puts words where it finds what to show (`.messages.txt`, same page)."""
    if command is None:
        return False
    text = command.decode("utf-8", "replace")
    for told in (_TEXT_TOLD, _LINE_TOLD):
        text = told.sub("", text)
    return all(not line.strip() or line.startswith("#") for line in text.splitlines())


def _relocated(
    member: tar.Member, mode: str, old: bytes, new: bytes, name: str, origin: Span | None
) -> tar.Member:
    """The same with another place in it; what stays as long as it was is read only when it is written."""
    if mode == "binary" and len(new) > len(old):
        room = f"`{member.entry.path}` has no room for the path `{new.decode()}`"
        raise refused(name, origin, room)
    opened = member.open
    assert opened is not None, "it is a file"

    def read() -> BinaryIO:
        return io.BytesIO(relocated(_all(opened), mode, old, new))

    size = member.size if mode == "binary" else len(read().read())
    return replace(member, open=read, size=size)


def _all(opened: Callable[[], BinaryIO]) -> bytes:
    with opened() as file:
        return file.read()


def together(packages: list[tuple[str, list[tar.Member]]], origin: Span | None) -> list[tar.Member]:
    """The members of all packages; two packages may bring the same file, but not different ones."""
    found: dict[str, tuple[str, tar.Member]] = {}
    for name, brought in packages:
        for member in brought:
            path = member.entry.path
            before, other = found.get(path, (name, member))
            if other is not member and not _same(other, member):
                raise refused(name, origin, f"its `{path}` is another than that of `{before}`")
            found.setdefault(path, (name, member))
    _check_folders(found, origin)
    return [member for _, member in found.values()]


def _same(one: tar.Member, other: tar.Member) -> bool:
    if one.open is None or other.open is None:
        return one.entry == other.entry and one.open is other.open
    alike = (one.size, one.entry.executable) == (other.size, other.entry.executable)
    return alike and _all(one.open) == _all(other.open)


def _check_folders(found: dict[str, tuple[str, tar.Member]], origin: Span | None) -> None:
    """Refuses a file that would come to lie behind another package's link."""
    for path, (name, _) in found.items():
        parts = path.split("/")
        for above in ("/".join(parts[:depth]) for depth in range(1, len(parts))):
            if above in found and not tar.is_folder(found[above][1]):
                raise refused(name, origin, f"its `{path}` lies below `{above}`, which is no folder")
