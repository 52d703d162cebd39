"""The tree out of what the grammar matched: spans, comments and blank lines find their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from reproc.diagnostics.codes import syntax as codes
from reproc.diagnostics.diagnostic import Label
from reproc.record import replace
from reproc.source import SourceFile, Span
from reproc.syntax import slips
from reproc.syntax.machine import Node, Token
from reproc.syntax.quoted import string_parts, text_parts
from reproc.syntax.reports import Report, unheard
from reproc.syntax.tree import Block, Comment, List, SpecTree, Statement, String, Text, Value, Word

Child: TypeAlias = Node | Token

_HOLE_BLANKS = re.compile(r"(?<=\{\{)[ \t]+|[ \t]+(?=\}\})")
_CURLY = "\u201c\u201d\u201e\u201f"


def build(source: SourceFile, node: Node, report: Report) -> SpecTree:
    """The tree of a whole file."""
    body = _Builder(source, report).body(node.children)
    return SpecTree(tuple(body.statements), Span(source, 0, len(source.text)), tuple(body.comments))


def _kind(child: Child) -> str:
    """A token's type or a node's rule."""
    return cast(str, getattr(child, "type", None) or getattr(child, "data", ""))


def _start(child: Child) -> int:
    return child.start_pos if hasattr(child, "start_pos") else _start(child.children[0])


@dataclass
class _Body:
    """Statements in the making, and the comments that wait for the next one."""

    statements: list[Statement] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    heading: Comment | None = None
    blank: bool = False
    line: str = ""
    """What stands before on the same line: nothing, `brace`, `statement` or `semicolon` behind one."""

    @property
    def begun(self) -> bool:
        return bool(self.statements or self.comments or self.heading)

    def take(self, statement: Statement) -> None:
        """Adds a statement; one without a keyword only brings its block to the one before."""
        if statement.keyword.text:
            statement = replace(statement, leading=tuple(self.comments), blank_before=self.blank)
            self.statements.append(statement)
            self.comments = []
        elif self.statements and statement.block and not self.statements[-1].block:
            last = self.statements[-1]
            self.statements[-1] = replace(last, block=statement.block, span=last.span.to(statement.span))
        self.blank = False
        self.line = "statement"

    def comment(self, comment: Comment) -> None:
        """Finds the place of a comment."""
        match self.line:
            case "brace":
                self.heading = replace(comment, behind=True)
            case "statement" | "semicolon" if self.statements and self.statements[-1].trailing is None:
                self.statements[-1] = replace(self.statements[-1], trailing=replace(comment, behind=True))
            case _:
                self.comments.append(replace(comment, blank_before=self.blank))
        self.blank = False

    def newline(self, lines: int) -> None:
        self.line = ""
        self.blank = lines > 1 and self.begun


class _Builder:
    """Goes through the matched rules, which nest no deeper than the driver lets them."""

    def __init__(self, source: SourceFile, report: Report) -> None:
        self.source = source
        self.report = report

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def place(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.end_pos)

    def body(self, children: Iterable[Child], line: str = "") -> _Body:
        """The statements and comments of a file or of a block's inside."""
        body = _Body(line=line)
        for child in children:
            match _kind(child):
                case "NEWLINE":
                    body.newline(cast(Token, child).value.count("\n"))
                case "SEMICOLON":
                    body.line = "semicolon"
                case "COMMENT":
                    body.comment(self.comment(cast(Token, child)))
                case _:
                    parts = cast(Node, child).children
                    if body.line == "semicolon" and self.is_marker(parts):
                        self.report_marker(body.statements, parts)
                    else:
                        body.take(self.statement(parts))
        return body

    def comment(self, token: Token) -> Comment:
        return Comment(token.value[1:].rstrip(), self.place(token))

    def is_marker(self, parts: Sequence[Child]) -> bool:
        keyword = cast(Token, parts[0])
        behind = parts[1] if len(parts) > 1 else None
        operator = "" if behind is None or hasattr(behind, "data") else behind.value
        return slips.is_marker(keyword.value, operator)

    def report_marker(self, statements: Sequence[Statement], parts: Sequence[Child]) -> None:
        keyword = cast(Token, parts[0])
        span = self.span(keyword.start_pos, self.end(parts[-1]))
        quoted = None
        labels: tuple[Label, ...] = ()
        if statements and statements[-1].values:
            requirement = statements[-1].values[-1].span
            labels = (Label(requirement, "belongs to this requirement"),)
            plain = requirement.text.strip('"'), span.text.replace('"', "'")
            quoted = f'"{plain[0]}; {plain[1]}"'
        self.report(codes.UNQUOTED_MARKER, span, *labels, marker=keyword.value.rstrip("<>=!~"), quoted=quoted)

    def end(self, child: Child) -> int:
        return child.end_pos if hasattr(child, "end_pos") else self.end(child.children[-1])

    def statement(self, parts: Sequence[Child]) -> Statement:
        token = cast(Token, parts[0])
        keyword = Word(token.value, self.place(token))
        span = self.span(token.start_pos, self.end(parts[-1]))
        block = None
        if _kind(parts[-1]) == "block":
            block = self.block(cast(Node, parts[-1]))
            parts = parts[:-1]
        if len(parts) == 1 and "=" not in keyword.text and ":" not in keyword.text:
            return Statement(keyword, (), block, span)
        values = [self.value(part) for part in parts[1:]]
        word, values = slips.without_assignment(keyword, values, self.report)
        behind = keyword.span if keyword.text and word is keyword else None
        values = slips.unglued(slips.without_commas(values, self.report), self.report, behind)
        return Statement(word, tuple(values), block, span)

    def block(self, node: Node) -> Block:
        span = self.span(_start(node), self.end(node))
        body = self.body(node.children[1:-1], "brace")
        inline = self.source.text.find("\n", span.start, span.end) < 0
        return Block(tuple(body.statements), span, tuple(body.comments), inline, body.heading)

    def value(self, child: Child) -> Value:
        """One value; a mistake becomes what it most likely stands for."""
        if hasattr(child, "data"):
            return self.list(cast(Node, child))
        start, end = child.start_pos, child.end_pos
        span = self.span(start, end)
        match child.type:
            case "WORD":
                return Word(child.value, span)
            case "STRING":
                return String(string_parts(self.source, start + 1, end - 1, self.report), span)
            case "TEXT":
                return Text(text_parts(self.source, start + 3, end - 3, self.report), span)
            case "UNCLOSED_STRING":
                label = Label(self.span(end, end), "the line ends here")
                self.report(codes.UNCLOSED_STRING, self.span(start, start + 1), label)
                return String(string_parts(self.source, start + 1, end, unheard), span)
            case "UNCLOSED_TEXT":
                label = Label(self.span(end, end), "the file ends here")
                self.report(codes.UNCLOSED_TEXT, self.span(start, start + 3), label)
                return Text((), span)
            case "UNQUOTED_HOLE":
                self.report(codes.UNQUOTED_HOLE, span, text=_HOLE_BLANKS.sub("", child.value))
                return String(string_parts(self.source, start, end, unheard), span)
            case _:
                return self.other_quotes(child.value, span)

    def other_quotes(self, text: str, span: Span) -> String:
        from reproc.syntax.format import quoted_string

        quote = text[0]
        closed = len(text) > 1 and text[-1] in ("'" if quote == "'" else _CURLY)
        inside = text[1:-1] if closed else text[1:]
        parts = (inside,) if inside else ()
        self.report(codes.OTHER_QUOTES, span, quote=quote, quoted=quoted_string(parts))
        return String(parts, span)

    def list(self, node: Node) -> List:
        opening = cast(Token, node.children[0])
        closing = cast(Token, node.children[-1])
        items: list[Value] = []
        comments: list[tuple[int, Comment]] = []
        blank, alone = False, False
        for child in node.children[1:-1]:
            match _kind(child):
                case "NEWLINE":
                    alone = True
                    blank = cast(Token, child).value.count("\n") > 1 and bool(items or comments)
                case "COMMENT":
                    comment = replace(self.comment(cast(Token, child)), behind=not alone, blank_before=blank)
                    comments.append((len(items), comment))
                case _:
                    items.append(self.value(child))
                    blank, alone = False, False
        items = slips.unglued(slips.without_commas(items, self.report), self.report)
        span = self.span(opening.start_pos, closing.end_pos)
        inline = self.source.text.find("\n", span.start, span.end) < 0
        return List(tuple(items), span, tuple(comments), inline)
