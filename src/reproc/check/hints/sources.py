"""Where things come from: packages, images, code and data that are something else tomorrow, or too much."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from reproc.check.hints.look import Seen, Spec, body, first, heading, text_of, values
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import warnings as codes
from reproc.folder import Folder, OutsideFolder
from reproc.model.literals import SIZE, Unfit
from reproc.syntax.tree import Statement, String, Text, Word

LARGE = 100 * 10**6
"""From here on data in the image is worth a warning (the language's section on `data`)."""

_MOVING = frozenset("latest nightly edge stable rolling devel head HEAD main master trunk".split())
_UNPROTECTED = r"(http|ftp|git)://(?!localhost\b|127\.|\[::1\])"
_EXACT = {"python": ("==", "@", ".whl"), "conda": ("=",), "r": ("==",)}


def check(spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    yield from _floating(spec, folder)
    for each in spec.top:
        match each.word:
            case "base":
                yield from _image(values(each.statement))
            case "build":
                yield from _image(_ground(each.statement))
            case "code":
                yield from _code(each.statement)
                yield from _excluded(each.statement, folder)
            case "data":
                yield from _data(each.statement, spec, folder)
            case "python" | "conda":
                yield from _index(each.statement)
            case _:
                pass
    yield from _twice(spec)


def _floating(spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    """The first package that only the lock pins.

    Distribution packages stay within the release that `base` names, where little more than security fixes
    moves; those of Python, conda and R move by whole versions. One warning a spec: one `as-of` mends all of them.
    """
    if any(each.word == "as-of" for each in spec.top):
        return
    for each in spec.all:
        kind = each.within[-1].keyword.text if each.within else ""
        if kind not in _EXACT or "lock" in body(each.within[-1]):
            continue
        example = "=1.2.3" if kind == "conda" else "==1.2.3"
        for value in values(each.statement):
            floating: Iterator[str] = iter(())
            if each.word == "packages":
                floating = _without_version((text_of(value),), _EXACT[kind])
            elif each.word == "requirements":
                floating = _without_version(_lines(spec.beside(value), folder), _EXACT[kind])
            if name := next(floating, None):
                yield error(codes.FLOATING_PACKAGES, value.span, name=name, example=example)
                return


def _without_version(requirements: Iterable[str], exact: tuple[str, ...]) -> Iterator[str]:
    """The names of those that may become any version, or one of several."""
    for text in requirements:
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
        if name and "{{" not in text and not any(sign in text.partition(";")[0] for sign in exact):
            yield name[0]


def _lines(path: str, folder: Folder) -> Iterator[str]:
    """The requirements of a file beside the spec; none where it cannot be read, which is said elsewhere."""
    try:
        data = folder.read(path)
    except (OSError, OutsideFolder, ValueError):
        return
    yield from (line.strip() for line in data.decode("utf-8", "replace").splitlines())


def _ground(build: Statement) -> Sequence[Word | String | Text]:
    """The values of the base that a build names itself."""
    on = body(build).get("on")
    return values(on)[1:] if on else ()


def _image(said: Sequence[Word | String | Text]) -> Iterator[Diagnostic]:
    if len(said) < 2 or text_of(said[0]) != "image":
        return
    reference = text_of(said[1])
    tag = reference.rpartition("/")[2].partition(":")[2]
    if "@" in reference or "{{" in reference:
        return
    if not tag:
        yield error(
            codes.LATEST,
            said[1].span,
            reference=reference,
            what="without a tag, registries give what is called `latest`",
        )
    elif _MOVING.intersection(tag.split("-")) - {"devel"}:
        yield error(codes.LATEST, said[1].span, reference=reference, what="whatever was put there last")


def _code(code: Statement) -> Iterator[Diagnostic]:
    inside = body(code)
    if "commit" not in inside:
        if "branch" in inside:
            yield error(codes.MOVING_BRANCH, heading(inside["branch"]), branch=first(inside["branch"]))
        elif first(inside.get("tag")) in _MOVING:
            tag = inside["tag"]
            yield error(codes.LATEST, heading(tag), reference=first(tag), what="a tag that is moved")
        yield from _unprotected(inside.get("git"), "commit")
    if "sha256" not in inside:
        yield from _unprotected(inside.get("archive"), "sha256")


def _excluded(code: Statement, folder: Folder) -> Iterator[Diagnostic]:
    """The patterns that leave nothing out of local code; the files are looked at until each has its match."""
    inside = body(code)
    source = first(inside.get("local"))
    waiting = {
        text: value
        for each in (code.block.statements if code.block else ())
        if each.keyword.text == "exclude"
        for value in values(each)
        if not (text := text_of(value)).startswith(("!", "#")) and "{{" not in text
    }
    if not waiting or "{{" in source:
        return
    from pathspec import GitIgnoreSpec

    patterns = {text: GitIgnoreSpec.from_lines([text]) for text in waiting}
    for path in _files(source, folder):
        for text in [text for text, spec in patterns.items() if spec.match_file(path)]:
            del patterns[text]
        if not patterns:
            return
    for text in patterns:
        yield error(codes.UNUSED_EXCLUDE, waiting[text].span, source=source, pattern=text)


def _files(source: str, folder: Folder) -> Iterator[str]:
    """Every file below a folder beside the spec, folders with a final `/`; none where it cannot be read."""
    try:
        root = folder.path(source)
    except (OSError, OutsideFolder, ValueError):
        return
    for here, folders, files in os.walk(root):
        inside = os.path.relpath(here, root)
        for name in [*files, *(f"{each}/" for each in folders)]:
            yield name if inside == "." else f"{inside}/{name}"


def _data(data: Statement, spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    inside = body(data)
    name = first(data)
    if "sha256" not in inside:
        for each in data.block.statements if data.block else ():
            if each.keyword.text == "url":
                yield from _unprotected(each, "sha256")
    if "url" in inside and "size" not in inside:
        yield error(codes.DATA_WITHOUT_SIZE, heading(data), name=name)
    size = _size(inside, spec, folder)
    if size > LARGE and first(inside.get("at")) != "run":
        where = heading(inside["size"]) if "size" in inside else heading(data)
        yield error(codes.LARGE_DATA, where, name=name, size=_in_words(size))


def _size(inside: dict[str, Statement], spec: Spec, folder: Folder) -> int:
    """How large data is, where the spec or the file beside it says so; otherwise nothing."""
    try:
        if "size" in inside:
            return int(SIZE.parse(first(inside["size"])))
        for value in values(inside["local"])[:1] if "local" in inside else ():
            path = spec.beside(value)
            return folder.path(path).stat().st_size if folder.kind(path) == "file" else 0
    except (Unfit, OSError, OutsideFolder, ValueError):
        return 0  # said elsewhere
    return 0


def _in_words(size: int) -> str:
    return f"{size / 10**9:.1f} GB" if size >= 10**9 else f"{size // 10**6} MB"


def _index(block: Statement) -> Iterator[Diagnostic]:
    yield from _unprotected(body(block).get("index"), None)


def _unprotected(statement: Statement | None, digest: str | None) -> Iterator[Diagnostic]:
    for value in values(statement) if statement else ():
        match = re.match(_UNPROTECTED, text_of(value))
        if match:
            yield error(codes.UNPROTECTED_ADDRESS, value.span, scheme=match[1], digest=digest)


def _twice(spec: Spec) -> Iterator[Diagnostic]:
    """Packages that stand in one block twice; with markers each may be for another Python."""
    blocks: dict[int, dict[str, Label]] = {}
    for each in spec.all:
        if each.word != "packages" or not each.inside("system", "python", "conda", "r"):
            continue
        seen = blocks.setdefault(id(each.within[-1]), {})
        for value in values(each.statement):
            text = text_of(value)
            if ";" in text or "{{" in text:
                continue
            name = _package(text, each)
            if name in seen:
                yield error(codes.PACKAGE_TWICE, value.span, seen[name], name=name)
            seen[name] = Label(value.span, "the first one")


def _package(text: str, each: Seen) -> str:
    if each.inside("system"):
        return text.partition("=")[0]
    match = re.match(r"[A-Za-z0-9._-]+", text)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else text
