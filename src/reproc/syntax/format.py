"""The canonical text of a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from reproc.syntax.quoted import Parts
from reproc.syntax.tree import Block, Comment, Hole, List, SpecTree, Statement, String, Text, Value, Word

WIDTH = 88
"""A block or a list written on one line stays on it while the line is no longer than this."""
INDENT = "    "

_TO_ESCAPE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\\{\\{')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "{{": "\\{{"}


def format_tree(tree: SpecTree) -> str:
    """The text of a whole spec; parsing it gives the same tree again."""
    lines = list(_body(tree.statements, tree.dangling, ""))
    return "".join(f"{line}\n" for line in lines)


def quoted_string(parts: Parts) -> str:
    """The parts of a string with the quotes and the escapes that they need."""
    inside = (_escaped(part) if isinstance(part, str) else _hole(part) for part in parts)
    return f'"{"".join(inside)}"'


def _escaped(text: str) -> str:
    def escape(found: re.Match[str]) -> str:
        return _ESCAPES.get(found.group()) or f"\\u{{{ord(found.group()):X}}}"

    return _TO_ESCAPE.sub(escape, text)


def _hole(hole: Hole) -> str:
    return f"{{{{{hole.name}}}}}"


def _body(
    statements: tuple[Statement, ...], dangling: tuple[Comment, ...], indent: str, begun: bool = False
) -> Iterator[str]:
    """The lines of a file or of a block's inside; `begun` where a comment stands behind the brace."""
    for statement in statements:
        for comment in statement.leading:
            if comment.blank_before and begun:
                yield ""
            yield f"{indent}{_comment(comment)}"
            begun = True
        if statement.blank_before and begun:
            yield ""
        yield from _statement(statement, indent)
        begun = True
    for comment in dangling:
        if comment.blank_before and begun:
            yield ""
        yield f"{indent}{_comment(comment)}"
        begun = True


def _comment(comment: Comment) -> str:
    return f"#{comment.text}"


def _statement(statement: Statement, indent: str) -> Iterator[str]:
    """The lines of a statement; only the last one can take the comment behind it."""
    lines = [f"{indent}{statement.keyword.text}"]
    for value in statement.values:
        _append(lines, value, indent)
    if statement.block is not None:
        _append_block(lines, statement.block, indent)
    if statement.trailing is not None:
        lines[-1] += f"  {_comment(statement.trailing)}"
    yield from lines


def _append(lines: list[str], value: Value, indent: str) -> None:
    """Adds a value behind a blank; one of several lines goes on below."""
    match value:
        case Word() | String():
            lines[-1] += f" {_short(value)}"
        case Text():
            lines[-1] += ' """'
            lines.extend(_text(value, indent))
        case List():
            short = _one_line(value) if value.inline else None
            if short is not None and len(lines[-1]) + 1 + len(short) <= WIDTH:
                lines[-1] += f" {short}"
            else:
                lines[-1] += " "
                _append_list(lines, value, indent)
        case _:
            assert_never(value)


def _short(value: Word | String) -> str:
    return value.text if isinstance(value, Word) else quoted_string(value.parts)


def _text(value: Text, indent: str) -> Iterator[str]:
    """The lines of a text behind its opening quotes, indented; they are taken off again when it is read."""
    parts = (part.replace("{{", "\\{{") if isinstance(part, str) else _hole(part) for part in value.parts)
    inside = "".join(parts)
    if inside:
        for line in inside.split("\n"):
            yield f"{indent}{INDENT}{line}" if line else ""
    yield f'{indent}"""'


def _append_list(lines: list[str], value: List, indent: str) -> None:
    """Adds a list with one item a line."""
    lines[-1] += "["
    waiting = list(value.comments)
    for index in range(len(value.items) + 1):
        while waiting and waiting[0][0] == index:
            _append_list_comment(lines, waiting.pop(0)[1], indent)
        if index < len(value.items):
            lines.append(indent + INDENT.removesuffix(" "))
            _append(lines, value.items[index], indent + INDENT)
    lines.append(f"{indent}]")


def _append_list_comment(lines: list[str], comment: Comment, indent: str) -> None:
    if comment.behind:
        lines[-1] += f"  {_comment(comment)}"
        return
    if comment.blank_before:
        lines.append("")
    lines.append(f"{indent}{INDENT}{_comment(comment)}")


def _append_block(lines: list[str], block: Block, indent: str) -> None:
    if not block.statements and not block.dangling and block.heading is None:
        lines[-1] += " {}"
        return
    short = _one_line_block(block) if block.inline else None
    if short is not None and len(lines[-1]) + 1 + len(short) <= WIDTH:
        lines[-1] += f" {short}"
        return
    lines[-1] += " {"
    if block.heading is not None:
        lines[-1] += f"  {_comment(block.heading)}"
    lines.extend(_body(block.statements, block.dangling, indent + INDENT, block.heading is not None))
    lines.append(f"{indent}}}")


def _one_line_block(block: Block) -> str | None:
    """A block on one line, or None where something in it needs lines of its own."""
    if block.dangling or block.heading is not None:
        return None
    statements = [_one_line_statement(statement) for statement in block.statements]
    inside = "; ".join(statement for statement in statements if statement is not None)
    if None in statements or len(inside) > WIDTH:
        return None
    return f"{{ {inside} }}" if inside else "{}"


def _one_line_statement(statement: Statement) -> str | None:
    if statement.leading or statement.trailing is not None or statement.blank_before:
        return None
    words = [statement.keyword.text, *(_one_line(value) for value in statement.values)]
    if statement.block is not None:
        words.append(_one_line_block(statement.block))
    known = [word for word in words if word is not None]
    return " ".join(known) if len(known) == len(words) else None


def _one_line(value: Value) -> str | None:
    match value:
        case Word() | String():
            return _short(value)
        case Text():
            return None
        case List():
            items = [_one_line(item) for item in value.items]
            known = [item for item in items if item is not None]
            return f"[{' '.join(known)}]" if len(known) == len(items) and not value.comments else None
        case _:
            assert_never(value)
