"""What is put into an image has a place of its own, an owner that exists, and programs that are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from reproc.check.checked import Target, place_of_code, place_of_data
from reproc.check.names import nearest
from reproc.check.rules.inputs import exists
from reproc.check.rules.places import BASE, inside, reserved
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import image as codes
from reproc.diagnostics.codes.rules import SAME_PLACE
from reproc.folder import Folder
from reproc.model import Code, Data, Directory, File
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    yield from _places(target)
    for file in target.files:
        yield from exists(file.path, folder, wanted="file")
    for code in target.code:
        for item in code.patches:
            yield from exists(item, folder, wanted="file")
        yield from _rewrites(code)
    blocks: tuple[Code | Data, ...] = (*target.code, *target.data)
    for block in blocks:
        yield from _shared(block)
    yield from _programs(target)
    yield from _owners(target)


def _places(target: Target) -> Iterator[Diagnostic]:
    """What lies where it must not, and what lies where something else does (of code and data: `inputs`)."""
    taken: dict[str, tuple[str, Span]] = {}
    rows = [(f"code {each.name}", place_of_code(each), each.origin) for each in target.code]
    rows += [(f"data {each.name}", place_of_data(each), each.origin) for each in target.data]
    for title, place, span in rows:
        taken.setdefault(place.rstrip("/"), (title, span))
    late = [(f"file {each.path}", each.place, each.origin) for each in target.files]
    late += [
        (f"directory {path}", path.text, path.origin) for each in target.directories for path in each.paths
    ]
    for title, place, span in (*rows, *late):
        if why := reserved(place):
            name = title.rpartition("/")[2].rpartition(" ")[2] or "own"
            yield error(codes.RESERVED_PLACE, span, path=place, what=f"`{title}`", why=why, name=name)
    for title, place, span in late:
        if place in taken:
            first, where = taken[place]
            label = Label(where, "the first one")
            yield error(SAME_PLACE, span, label, first=first, second=title, path=place)
        taken.setdefault(place, (title, span))


def _rewrites(code: Code) -> Iterator[Diagnostic]:
    for rewrite in code.rewrites:
        if not rewrite.old:
            yield error(codes.BAD_REWRITE, rewrite.origin, problem="has nothing to look for")
        elif rewrite.old == rewrite.new:
            yield error(codes.BAD_REWRITE, rewrite.origin, problem="puts in what it takes out")


def _shared(block: Code | Data) -> Iterator[Diagnostic]:
    """What reaches every file of a directory needs one that holds nothing else."""
    kind, place = (
        ("code", place_of_code(block)) if isinstance(block, Code) else ("data", place_of_data(block))
    )
    asked = {"mode": block.mode is not None, "owner": block.owner is not None}
    if isinstance(block, Code):
        asked |= {"patch": bool(block.patches), "rewrite": bool(block.rewrites)}
    keyword = next((word for word, there in asked.items() if there), None)
    if keyword and place.rstrip("/") in BASE and reserved(place) is None:
        facts = {"keyword": keyword, "kind": kind, "name": block.name, "path": place}
        yield error(codes.OWN_DIRECTORY, block.origin, **facts)


def _programs(target: Target) -> Iterator[Diagnostic]:
    taken = {app.name: app.origin for app in target.apps}
    for code in target.code:
        place = place_of_code(code)
        for item in code.bin:
            path = PurePosixPath(place) / item.text
            name = path.name
            if ".." in path.parts or not (inside(str(path), place) or str(path) == place):
                facts = {"path": item.text, "name": code.name, "place": place, "program": name}
                yield error(codes.PROGRAM_OUTSIDE, item.origin, **facts)
                continue
            if name in taken:
                yield error(
                    codes.PROGRAM_TWICE, item.origin, Label(taken[name], "the first one"), program=name
                )
            taken.setdefault(name, item.origin)


def _owners(target: Target) -> Iterator[Diagnostic]:
    known = ("root", *((target.user.name,) if target.user else ()))
    blocks: tuple[Code | Data | File | Directory, ...]
    blocks = (*target.code, *target.data, *target.files, *target.directories)
    for block in blocks:
        owner = block.owner
        if owner is not None and not owner.isdigit() and owner not in known:
            near = nearest(owner, known)
            yield error(codes.UNKNOWN_OWNER, block.origin, name=owner, suggestion=near)
