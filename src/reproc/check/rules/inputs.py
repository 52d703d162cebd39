"""Code and data have one source, which is there, and a place of their own."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.checked import Target, place_of_code, place_of_data
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder, OutsideFolder
from reproc.model import Code, Data, Item
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    places: dict[str, tuple[str, Span]] = {}
    entries = [(f"code {each.name}", place_of_code(each), each.origin) for each in target.code]
    entries += [(f"data {each.name}", place_of_data(each), each.origin) for each in target.data]
    for title, place, span in entries:
        if place in places:
            first, where = places[place]
            yield error(
                codes.SAME_PLACE, span, Label(where, "the first one"), first=first, second=title, path=place
            )
        places.setdefault(place, (title, span))
    for code in target.code:
        yield from _code(code, folder)
    for data in target.data:
        yield from _data(data, folder)
    for item in target.python.requirements if target.python else ():
        yield from exists(item, folder, wanted="file")


def _code(code: Code, folder: Folder) -> Iterator[Diagnostic]:
    revisions = [each for each in (code.commit, code.tag, code.branch) if each]
    if code.local is None and code.git is None:
        yield error(
            codes.NO_SOURCE,
            code.origin,
            kind="code",
            name=code.name,
            choices='`local "folder"` or `git ADDRESS`',
        )
    elif code.local and code.git:
        later = max(code.local, code.git, key=lambda item: item.origin.start)
        yield error(codes.TWO_SOURCES, later.origin, kind="code", name=code.name)
    elif code.git and not revisions:
        yield error(codes.NO_REVISION, code.git.origin, name=code.name)
    elif len(revisions) > 1:
        yield error(
            codes.TWO_REVISIONS,
            revisions[1].origin,
            Label(revisions[0].origin, "the first one"),
            name=code.name,
        )
    if code.git is None:
        for keyword in ("commit", "tag", "branch"):
            item: Item | None = getattr(code, keyword)
            if item:
                yield error(codes.WITHOUT_GIT, item.origin, keyword=keyword)
    if code.local is None and code.exclude:
        yield error(codes.EXCLUDE_WITHOUT_LOCAL, code.origin)
    if code.local:
        yield from exists(code.local, folder)


def _data(data: Data, folder: Folder) -> Iterator[Diagnostic]:
    if data.local is None:
        yield error(codes.NO_SOURCE, data.origin, kind="data", name=data.name, choices='`local "file"`')
        return
    yield from exists(data.local, folder)


def exists(item: Item, folder: Folder, wanted: str | None = None) -> Iterator[Diagnostic]:
    """Says so if there is no such file (or folder) beside the spec."""
    parent, _, name = item.text.rpartition("/")
    try:
        kind = folder.kind(item.text)
        near = None if kind else nearest(name, folder.names(parent))
    except OutsideFolder:
        yield error(
            codes.UNREADABLE_FILE,
            item.origin,
            path=item.text,
            problem="leads out of the spec's folder through a symbolic link",
        )
        return
    except OSError as problem:
        yield error(
            codes.UNREADABLE_FILE, item.origin, path=item.text, problem=f"cannot be read: {problem.strerror}"
        )
        return
    if kind is None:
        yield error(
            codes.NO_SUCH_FILE,
            item.origin,
            path=item.text,
            suggestion=near and (f"{parent}/{near}" if parent else near),
        )
    elif wanted and kind != wanted:
        yield error(
            codes.UNREADABLE_FILE, item.origin, path=item.text, problem=f"is a {kind}, not a {wanted}"
        )
