"""What the spec declares and nothing uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from reproc.check.hints.look import Spec, body, first, heading, holes, texts, walk
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import warnings as codes
from reproc.folder import Folder
from reproc.syntax.tree import Statement

_FOR_BUILDS = frozenset("gcc clang gfortran cmake ninja make rust go".split())
"""Tool chains that programs are made with; the others may be there for those who use the image."""
_PLACES = {"code": "/opt/src/", "data": "/data/"}
_PROSE = frozenset("paper test help".split())
"""Statements whose values are for people."""
_HARDWARE = {"cpu": ("cpu", "cpu x86-64-v2"), "gpu": ("cuda", "cuda 12.4 { arch sm_70..sm_90 }")}
_TOKEN = r"[A-Za-z0-9._-]+"


def check(spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    yield from _toolchains(spec)
    yield from _inputs(spec)
    yield from _constants(spec)
    yield from _targets(spec)
    yield from _flags(spec)


def _toolchains(spec: Spec) -> Iterator[Diagnostic]:
    """Compilers that no build works with, where there are builds; without any the image is for building in."""
    if not spec.named("build"):
        return
    used = {texts(each.statement)[:2] for each in spec.all if each.word == "using"}
    for each in spec.named("toolchain"):
        inside = body(each.statement)
        key = texts(each.statement)[:2]
        at = first(inside.get("at"))
        if len(key) < 2 or key in used or "{{" in "".join(key) or not spec.in_root(each):
            continue
        idle = at == "build" or (not at and key[0] in _FOR_BUILDS)
        if idle and "default" not in inside and first(inside.get("provider")) != "image":
            effect = "it is there for builds only" if at else "the image gets all of it"
            yield error(
                codes.UNUSED_TOOLCHAIN, heading(each.statement), name=key[0], version=key[1], effect=effect
            )


def _inputs(spec: Spec) -> Iterator[Diagnostic]:
    """Code and data that lie where nobody looks.

    A program may know a path that the spec does not say, so that only what lies at its default place counts:
    who writes `into` has somebody in mind who looks there.
    """
    words: Counter[str] = Counter()
    for each in spec.all:
        if each.word not in _PROSE and not each.inside("paper", "author"):
            words.update(_words(each.statement))
    for each in spec.named("code", "data"):
        name, inside = first(each.statement), body(each.statement)
        if "{{" in name or not name or {"into", "bin"} & inside.keys() or not spec.in_root(each):
            continue
        own = Counter(word for seen in walk((each.statement,)) for word in _words(seen.statement))
        if words[name] <= own[name]:
            place = f"`{_PLACES[each.word]}{name}`"
            yield error(codes.UNUSED_INPUT, heading(each.statement), kind=each.word, name=name, place=place)


def _words(statement: Statement) -> Iterator[str]:
    """The names in its values, whole and by their parts: `fit.c` also names `fit`."""
    for text in texts(statement):
        for token in re.findall(_TOKEN, text):
            parts = re.split(r"[._-]", token)
            yield token
            if len(parts) > 1:
                yield from parts


def _constants(spec: Spec) -> Iterator[Diagnostic]:
    used = {name for each in spec.all for name in holes(each.statement)}
    for each in spec.named("let"):
        name = first(each.statement)
        if name and name not in used and name != "jobs" and spec.in_root(each):
            yield error(codes.UNUSED_CONSTANT, heading(each.statement), name=name, hole=f"`{{{{{name}}}}}`")


def _targets(spec: Spec) -> Iterator[Diagnostic]:
    extended = {text for each in spec.all if each.word == "extends" for text in texts(each.statement)}
    if any("{{" in text for text in extended):
        return
    for each in spec.named("target"):
        name = first(each.statement)
        if name in extended or "{{" in name or not spec.in_root(each):
            continue
        if "abstract" in body(each.statement):
            yield error(codes.UNUSED_TARGET, heading(each.statement), target=name)


def _flags(spec: Spec) -> Iterator[Diagnostic]:
    """Builds that ask for flags of hardware that no target names."""
    for each in spec.all:
        if each.word != "flags" or not each.inside("build") or not spec.in_root(each):
            continue
        for what in dict.fromkeys(texts(each.statement)):
            if what in _HARDWARE and not spec.named(_HARDWARE[what][0]):
                statement, example = _HARDWARE[what]
                facts = {"what": what, "statement": statement, "example": example}
                yield error(codes.IDLE_FLAGS, heading(each.statement), **facts)
