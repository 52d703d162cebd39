"""What becomes of the image: whether anything tests it, who it runs as, what its PATH is."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.check.hints.look import Seen, Spec, body, first, heading, texts, values
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import warnings as codes
from reproc.folder import Folder
from reproc.syntax.tree import Statement


def check(spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    yield from _tests(spec)
    yield from _services(spec)
    yield from _paths(spec)


def _tests(spec: Spec) -> Iterator[Diagnostic]:
    tests = spec.named("test")
    if not tests:
        root = spec.trees[0].statements
        where = next((each for each in root if each.keyword.text == "reproc"), None)
        if where:
            yield error(codes.UNTESTED_SPEC, heading(where))
        return
    names: set[str] = set()
    for test in tests:
        if any(each.keyword.text == "target" for each in test.within):
            continue
        on = [text for each in _repeated(test.statement, "on") for text in texts(each)]
        if not on or any("{{" in name for name in on):
            return
        names.update(on)
    inside = {first(each.within[-1]) for each in tests if each.inside("target")}
    parents = {
        first(each.statement): first(body(each.statement).get("extends")) for each in spec.named("target")
    }
    for target in spec.named("target"):
        name = first(target.statement)
        if "{{" in name or "abstract" in body(target.statement):
            continue
        if name not in names and not inside.intersection(_chain(name, parents)):
            yield error(codes.UNTESTED_TARGET, heading(target.statement), target=name)


def _repeated(statement: Statement, word: str) -> Iterator[Statement]:
    if statement.block:
        yield from (each for each in statement.block.statements if each.keyword.text == word)


def _chain(name: str, parents: dict[str, str]) -> set[str]:
    """A target and all that it extends, circles included."""
    found: set[str] = set()
    while name and name not in found:
        found.add(name)
        name = parents.get(name, "")
    return found


def _services(spec: Spec) -> Iterator[Diagnostic]:
    """Apps on a port of an image without a user; elsewhere root is harmless: Apptainer runs as the caller anyway."""
    if spec.named("user"):
        return
    for app in spec.named("app"):
        port = body(app.statement).get("port")
        if port:
            yield error(codes.ROOT_SERVICE, heading(port), name=first(app.statement))


def _paths(spec: Spec) -> Iterator[Diagnostic]:
    for each in spec.all:
        if each.inside("env") and (path := _set_path(each)):
            text = path.partition(":")[0]
            parts = path.split(":")
            if text.startswith("/") and "/usr/bin" not in parts and "/bin" not in parts:
                yield error(codes.PATH_REPLACED, heading(each.statement), value=text)


def _set_path(each: Seen) -> str:
    """What PATH is set to; empty where it is not set as a whole or names what is to be put in."""
    words = [each.word, *texts(each.statement)]
    if words[0] == "at":
        words = words[2:]
    is_set = len(words) == 2 and words[0] == "PATH" and bool(values(each.statement))
    return words[1] if is_set and "$" not in words[1] and "{{" not in words[1] else ""
