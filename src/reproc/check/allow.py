"""`# reproc: allow W0302 the paper used this branch`: an author's word against a warning.

On lines of its own above a statement, or behind it on the same line, it holds for that statement with its
block; inside a list for the value below it. Above `reproc 1` it holds for the whole spec, the files that it
includes among it: that is the place for what is said of the spec as a whole. Several codes may stand in one
comment. Without a reason it does nothing: a reader has to learn why. Warnings and E0370 (a value that only looks
like a secret) can be allowed, other errors not, and neither what is said of these comments themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reproc.diagnostics import Code, Diagnostic, error
from reproc.diagnostics.codes import rules
from reproc.diagnostics.codes import warnings as codes
from reproc.diagnostics.suggest import nearest
from reproc.record import record
from reproc.source import Span
from reproc.syntax.tree import Comment, List, SpecTree, Statement, Value

_REMARK = r"\s*reproc:\s*(?P<word>\S*)\s*(?P<rest>[\s\S]*)"
_CODE = r"[A-Za-z][0-9]{2,}"


@record
class _Allow:
    """One code of one comment: where it is written, and where it holds (nowhere in particular: everywhere)."""

    code: str
    span: Span
    scope: Span | None
    holds: bool


def allowed(
    trees: Sequence[SpecTree], diagnostics: Iterable[Diagnostic], *, complete: bool = True
) -> tuple[Diagnostic, ...]:
    """The diagnostics without those that a comment allows, and what is wrong with such comments.

    Unless they are complete nobody can tell whether a comment is still needed.
    """
    given = tuple(diagnostics)
    found: list[Diagnostic] = []
    allows: list[_Allow] = []
    for number, tree in enumerate(trees):
        for comment, scope in _comments(tree, root=number == 0):
            remark = re.match(_REMARK, comment.text) if "reproc:" in comment.text else None
            if remark:
                _read(comment, remark, scope, allows, found)
    by_code: dict[str, list[_Allow]] = {}
    for each in allows:
        by_code.setdefault(each.code, []).append(each)
    used: set[int] = set()
    kept: list[Diagnostic] = []
    for diagnostic in given:
        fitting = [each for each in by_code.get(diagnostic.code.id, ()) if _covers(each, diagnostic)]
        used.update(map(id, fitting))
        if not any(each.holds for each in fitting):
            kept.append(diagnostic)
    if not complete:
        return tuple(kept)
    unused = (each for each in allows if each.holds and id(each) not in used)
    return (*kept, *found, *(error(codes.ALLOW_UNUSED, each.span, id=each.code) for each in unused))


def _covers(allow: _Allow, diagnostic: Diagnostic) -> bool:
    if allow.scope is None:
        return True
    return diagnostic.span is not None and diagnostic.span.within(allow.scope)


def _read(
    comment: Comment,
    remark: re.Match[str],
    scope: Span | None,
    allows: list[_Allow],
    found: list[Diagnostic],
) -> None:
    """Adds what a comment allows, or what is wrong with it."""
    if remark["word"] != "allow":
        word = remark["word"] or "nothing"
        near = nearest(remark["word"], ("allow",))
        suggestion = near and f"# reproc: {near} {remark['rest']}".rstrip()
        found.append(error(codes.UNKNOWN_REMARK, comment.span, word=word, suggestion=suggestion))
        return
    rest = remark["rest"]
    start = comment.span.start + 1 + remark.start("rest")
    words: list[tuple[str, Span]] = []
    at = 0
    for match in re.finditer(r"[^\s,]+[\s,]*", rest):
        word = match[0].rstrip(", \t:")
        if match.start() != at or not (re.fullmatch(_CODE, word) or (not words and _is_name(word))):
            break
        place = start + match.start()
        words.append((word, Span(comment.span.source, place, place + len(word))))
        at = match.end()
    reason = rest[at:].strip(" \t:-–—")
    if not words:
        word, _, _ = rest.partition(" ")
        found.append(error(codes.ALLOW_UNKNOWN, comment.span, id=word or "…", suggestion=_code_like(word)))
        return
    good = [(word, span) for word, span in words if word in _allowable()]
    found.extend(_wrong(word, span) for word, span in words if word not in _allowable())
    if good and not reason:
        listed = " ".join(word for word, _ in good)
        found.append(error(codes.ALLOW_WITHOUT_REASON, comment.span, codes=listed))
    allows.extend(_Allow(word, span, scope, bool(reason)) for word, span in good)


def _wrong(word: str, span: Span) -> Diagnostic:
    """What is wrong with a code that cannot be allowed."""
    from reproc.diagnostics.codes import table

    if word in table():
        return error(codes.ALLOW_REFUSED, span, id=word)
    return error(codes.ALLOW_UNKNOWN, span, id=word, suggestion=_code_like(word))


def _allowable() -> frozenset[str]:
    known = {each.id for each in vars(codes).values() if isinstance(each, Code)}
    return frozenset({each for each in known if each < codes.ALLOW_WITHOUT_REASON.id} | {rules.SECRET.id})


def _is_name(word: str) -> bool:
    from reproc.diagnostics.codes import table

    return any(word == each.name for each in table().values())


def _code_like(word: str) -> str | None:
    """The code that was most likely meant: of this name, or with a number like this one."""
    from reproc.diagnostics.codes import table

    named = next((each.id for each in table().values() if each.name == word), None)
    known = tuple(sorted(_allowable()))
    return named or (word.upper() if word.upper() in known else nearest(word.upper(), known))


def _comments(tree: SpecTree, *, root: bool) -> Iterator[tuple[Comment, Span | None]]:
    """Every comment with the span that it speaks of."""
    for statement in tree.statements:
        whole = root and statement.keyword.text == "reproc"
        yield from _of_statement(statement, whole=whole)
    yield from ((comment, comment.span) for comment in tree.dangling)


def _of_statement(statement: Statement, *, whole: bool = False) -> Iterator[tuple[Comment, Span | None]]:
    scope = None if whole else statement.span
    yield from ((comment, scope) for comment in statement.leading)
    if statement.trailing:
        yield statement.trailing, scope
    for value in statement.values:
        yield from _of_value(value)
    block = statement.block
    if block:
        if block.heading:
            yield block.heading, scope
        for inner in block.statements:
            yield from _of_statement(inner)
        yield from ((comment, comment.span) for comment in block.dangling)


def _of_value(value: Value) -> Iterator[tuple[Comment, Span | None]]:
    if not isinstance(value, List):
        return
    for index, comment in value.comments:
        at = index - 1 if comment.behind else index
        yield comment, value.items[at].span if 0 <= at < len(value.items) else comment.span
    for item in value.items:
        yield from _of_value(item)
