"""Code and data have one source, which is there, and a place of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reproc.check.checked import Target, place_of_code, place_of_data
from reproc.check.names import nearest
from reproc.check.rules.places import inside
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
    yield from _hidden(target, entries)
    for code in target.code:
        yield from _code(code, folder)
    for data in target.data:
        yield from _data(data, folder)
    for item in (item for python in target.pythons for item in python.requirements):
        yield from exists(item, folder, wanted="file")


def _hidden(target: Target, entries: list[tuple[str, str, Span]]) -> Iterator[Diagnostic]:
    """Says so of what nobody sees because data are mounted over it."""
    for data in target.data:
        if data.at != "run":
            continue
        over = place_of_data(data)
        # behind a final `/` stands one file, which covers nothing
        for title, place, span in () if over.endswith("/") else entries:
            if inside(place, over):
                facts = {"what": title, "path": place, "data": data.name}
                yield error(codes.HIDDEN_BY_MOUNT, span, Label(data.origin, "mounted over it"), **facts)
        if data.owner is not None:
            yield error(codes.OWNER_AT_RUN, data.origin, name=data.name)


def _code(code: Code, folder: Folder) -> Iterator[Diagnostic]:
    given = {"local": code.local, "git": code.git, "archive": code.archive, "swh": code.swh}
    choices = '`local "folder"`, `git ADDRESS` or `archive "ADDRESS"`'
    yield from _one_source("code", code.name, code.origin, given, choices)
    pins = {"commit": code.commit, "tag": code.tag, "branch": code.branch}
    revisions = _in_source_order(pins.values())
    if code.git and not revisions:
        yield error(codes.NO_REVISION, code.git.origin, name=code.name)
    elif code.git and len(revisions) > 1:
        first = Label(revisions[0].origin, "the first one")
        for each in revisions[1:]:
            yield error(codes.TWO_REVISIONS, each.origin, first, name=code.name)
    if code.git is None:
        for keyword, item in pins.items():
            if item:
                yield error(codes.WITHOUT_GIT, item.origin, keyword=keyword)
        for keyword in ("submodules", "lfs"):
            if getattr(code, keyword):
                yield error(codes.WITHOUT_GIT, code.origin, keyword=keyword)
    if code.local is None and code.exclude:
        yield error(codes.EXCLUDE_WITHOUT_LOCAL, code.origin)
    if code.archive is None and code.sha256:
        yield error(codes.ONLY_BESIDE, code.sha256.origin, keyword="sha256", other="archive")
    if code.archive is None and code.strip is not None:
        yield error(codes.ONLY_BESIDE, code.origin, keyword="strip", other="archive")
    if code.archive:
        yield from _address(code.archive)
    if code.local:
        yield from exists(code.local, folder)


def _data(data: Data, folder: Folder) -> Iterator[Diagnostic]:
    given = {"local": data.local, "url": data.urls[0] if data.urls else None, "doi": data.doi}
    choices = '`local "file"`, `url "ADDRESS"` or `doi DOI`'
    yield from _one_source("data", data.name, data.origin, given, choices)
    if data.doi is None and data.files:
        yield error(codes.ONLY_BESIDE, data.files[0].origin, keyword="file", other="doi")
    if data.local and data.unpack:
        yield error(codes.ONLY_BESIDE, data.origin, keyword="unpack", other="url` or `doi")
    for url in data.urls:
        yield from _address(url)
    if data.local:
        yield from exists(data.local, folder)


def _one_source(
    kind: str, name: str, origin: Span, given: dict[str, Item | None], choices: str
) -> Iterator[Diagnostic]:
    there = _in_source_order(given.values())
    if not there:
        yield error(codes.NO_SOURCE, origin, kind=kind, name=name, choices=choices)
    for each in there[1:]:
        first = Label(there[0].origin, "the first one")
        yield error(codes.TWO_SOURCES, each.origin, first, kind=kind, name=name)


def _in_source_order(items: Iterable[Item | None]) -> list[Item]:
    """Those that are there; all of them stand in one block."""
    return sorted((item for item in items if item), key=lambda item: item.origin.start)


def _address(url: Item) -> Iterator[Diagnostic]:
    """Says so of an address that nothing can be fetched from."""
    scheme = url.text.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        hints = {
            "file": "what lies on this machine is named with `local`",
            "ftp": "most servers give the same file by `https://`",
            "pkg": "name the address of the package's archive",
        }
        yield error(codes.BAD_ADDRESS, url.origin, scheme=scheme, advice=hints[scheme])


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
