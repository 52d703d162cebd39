"""Text into a tree: feeds the grammar's machine, mends what is wrong with the structure and goes on."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.diagnostics.codes import syntax as codes
from reproc.diagnostics.diagnostic import Label, Outcome, in_source_order
from reproc.source import SourceFile, Span
from reproc.syntax.build import build
from reproc.syntax.decode import character_name
from reproc.syntax.machine import Machine, Node, Token
from reproc.syntax.reports import Reports
from reproc.syntax.tree import SpecTree

DEPTH = 32
"""How deep blocks and lists may nest."""
ERRORS = 100
"""After so many errors the rest of a file is not looked at."""

TOKENS = 400_000
"""How many words and signs are read; four megabytes of one-letter statements would take gigabytes."""

_VALUE_ENDS = frozenset({"WORD", "STRING", "TEXT", "CLOSE_BRACKET", "UNQUOTED_HOLE", "OTHER_QUOTES"})
_FOUND = {
    "STRING": "a string",
    "TEXT": "a text",
    "OPEN_BRACKET": "a list",
    "OPEN_BRACE": "a block",
}
"""What can stand where a keyword should; the rest has a message of its own."""


def parse(source: SourceFile) -> Outcome[SpecTree]:
    """The tree of a file.

    With errors there is a value only where what they mend cannot mislead: the tree may then be checked for
    further errors, but not built from.
    """
    reports = Reports(ERRORS)
    driver = _Driver(source, reports)
    node = driver.run()
    tree = None if node is None else build(source, node, reports)
    return Outcome(tree if driver.sound and not reports.full else None, in_source_order(reports.found))


class _Stop(Exception):
    """The rest of the file is not worth looking at."""


class _Driver:
    """Feeds tokens to the machine; a token that cannot stand where it stands is told of and worked round."""

    def __init__(self, source: SourceFile, reports: Reports) -> None:
        self.source = source
        self.reports = reports
        self.machine = Machine(source.text)
        self.open: list[tuple[Token, int]] = []
        """What is open, each with the indentation of its line."""
        self.indentation = len(source.text) - len(source.text.lstrip(" \t"))
        self.before: Token | None = None
        """The last token that is neither a new line nor a comment."""
        self.sound = True
        """Whether the structure is what the author meant, as far as can be told."""
        self.swallowed = False
        """Whether an open string or text may have taken a brace with it."""
        self.suspect: tuple[Token, Token] | None = None
        """The first block that closes further left than it opens, and what closes it."""

    def run(self) -> Node | None:
        """What the grammar matched, or None where the parse was stopped."""
        end = len(self.source.text)
        try:
            for count, token in enumerate(self.tokens()):
                if count == TOKENS:
                    self.reports(codes.TOO_LONG, self.place(token), limit=TOKENS)
                    raise _Stop
                self.take(token)
            self.close_all(end)
        except _Stop:
            self.sound = False
            return None
        self.machine.feed(self.machine.token("NEWLINE", end))
        node = self.machine.finish(end)
        assert node is not None, "the mended tokens do not make a spec"
        return node

    def place(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.end_pos)

    def point(self, at: int) -> Span:
        return Span(self.source, at, at)

    def tokens(self) -> Iterator[Token]:
        """The text's tokens, without odd blanks and the backslashes of continued lines."""
        held: Token | None = None
        for token in self.machine.tokens():
            if held is not None and token.type == "NEWLINE":
                if self.continuation(held):
                    yield held
                if token.value.count("\n") > 1:
                    yield token
                held = None
                continue
            if held is not None:
                yield held
                held = None
            if token.type == "ODD_BLANK":
                name = character_name(token.value[0])
                self.reports(codes.ODD_BLANK, self.place(token), character=name)
            elif token.type == "WORD" and token.value.endswith("\\"):
                held = token
            else:
                yield token
        if held is not None and self.continuation(held):
            yield held

    def continuation(self, token: Token) -> bool:
        """Tells of a backslash at a line's end and takes it off; whether anything of the word is left."""
        text = token.value.rstrip("\\")
        at = token.start_pos + len(text)
        self.reports(codes.LINE_CONTINUATION, Span(self.source, at, token.end_pos))
        token.value, token.end_pos = text, at
        return bool(text)

    def take(self, token: Token) -> None:
        """Feeds one token, with whatever it needs in front of it."""
        if self.reports.full:
            raise _Stop
        match token.type:
            case "OPEN_BRACE" | "OPEN_BRACKET" if len(self.open) == DEPTH:
                self.reports(codes.TOO_DEEP, self.place(token), limit=DEPTH)
                raise _Stop
            case "SEMICOLON" | "OPEN_BRACE" | "CLOSE_BRACE" if self.in_list():
                if token.type == "SEMICOLON":
                    self.reports(codes.SEMICOLON_IN_LIST, self.place(token))
                    return
                self.close_list(token)
                self.take(token)
                return
            case "CLOSE_BRACE" if not self.open:
                self.stray_brace(token)
                return
            case "CLOSE_BRACKET" if not self.in_list():
                self.reports(codes.STRAY_BRACKET, self.place(token))
                return
            case "UNCLOSED_STRING":
                if "{" in token.value or "}" in token.value:
                    self.swallowed = True
                    self.sound = False
            case "UNCLOSED_TEXT":
                self.swallowed = True
                self.sound = False
            case _:
                pass
        if not self.machine.feed(token):
            self.mend(token)
            self.machine.feed(token)
        self.note(token)

    def note(self, token: Token) -> None:
        """Remembers what is open, what stands before and how far the line is indented."""
        match token.type:
            case "OPEN_BRACE" | "OPEN_BRACKET":
                self.open.append((token, self.indentation))
            case "CLOSE_BRACE":
                opening, indentation = self.open.pop()
                if self.suspect is None and self.indentation < indentation:
                    self.suspect = (opening, token)
            case "CLOSE_BRACKET":
                self.open.pop()
            case "NEWLINE":
                self.indentation = len(token.value) - token.value.rindex("\n") - 1
                return
            case "COMMENT":
                return
            case _:
                pass
        self.before = token

    def in_word(self, bracket: Token) -> bool:
        """Whether a bracket stands right behind a word, which has a message of its own."""
        before = self.source.text[bracket.start_pos - 1 : bracket.start_pos]
        return bracket.type == "OPEN_BRACKET" and before not in ("", *' \t\r\n"[]{};')

    def in_list(self) -> bool:
        return bool(self.open) and self.open[-1][0].type == "OPEN_BRACKET"

    def mend(self, token: Token) -> None:
        """Feeds what is missing in front of a token: the end of a statement, or a keyword."""
        if not self.machine.accepts("WORD"):
            self.reports(codes.BEHIND_BLOCK, self.place(token))
            self.machine.feed(self.machine.token("SEMICOLON", token.start_pos))
            if token.type == "WORD":
                return
        elif token.type == "OPEN_BRACE" and self.before is not None and self.before.type in _VALUE_ENDS:
            self.report_brace(token, self.before)
        elif token.type in _FOUND:
            self.reports(codes.NO_KEYWORD, self.place(token), found=_FOUND[token.type])
        self.machine.feed(self.machine.token("WORD", token.start_pos))

    def report_brace(self, brace: Token, before: Token) -> None:
        start = self.source.text.rfind("\n", 0, before.end_pos) + 1
        line = self.source.text[start : before.end_pos].strip()
        label = Label(self.point(before.end_pos), "here")
        short = line if len(line) <= 60 else None
        self.reports(codes.BRACE_ON_NEXT_LINE, self.place(brace), label, line=short)

    def close_list(self, token: Token) -> None:
        """Ends a list in front of a brace, which cannot stand in it."""
        opening, _ = self.open.pop()
        label = Label(self.place(token), f"a list holds no `{token.value}`")
        if not self.in_word(opening):
            self.reports(codes.UNCLOSED_LIST, self.place(opening), label)
        self.sound = False
        self.machine.feed(self.machine.token("CLOSE_BRACKET", token.start_pos))

    def stray_brace(self, token: Token) -> None:
        self.sound = False
        if not self.swallowed:
            self.reports(codes.STRAY_BRACE, self.place(token))

    def close_all(self, end: int) -> None:
        """Ends what is open at the end of the file; only the one that lacks its end is told of."""
        if not self.open:
            return
        self.sound = False
        if not self.swallowed:
            self.report_unclosed(end)
        for opening, _ in reversed(self.open):
            if opening.type == "OPEN_BRACKET":
                self.machine.feed(self.machine.token("CLOSE_BRACKET", end))
            else:
                self.machine.feed(self.machine.token("NEWLINE", end))
                self.machine.feed(self.machine.token("CLOSE_BRACE", end))

    def report_unclosed(self, end: int) -> None:
        opening, indentation = self.open[-1]
        if self.in_word(opening):
            return
        if opening.type == "OPEN_BRACE" and self.suspect is not None:
            opening, closing = self.suspect
            label = Label(self.place(closing), "closes it, but by its indentation belongs further out")
        else:
            label = self.would_end(opening, indentation, end)
        code = codes.UNCLOSED_LIST if opening.type == "OPEN_BRACKET" else codes.UNCLOSED_BLOCK
        self.reports(code, self.place(opening), label)

    def would_end(self, opening: Token, indentation: int, end: int) -> Label:
        """The first line behind an opening that stands no further right, or the end of the file."""
        text = self.source.text
        at = text.find("\n", opening.end_pos) + 1
        while at:
            stop = text.find("\n", at)
            line = text[at : len(text) if stop < 0 else stop]
            inside = line.lstrip(" \t\r")
            begin = len(line) - len(inside)
            if inside and begin <= indentation:
                return Label(Span(self.source, at + begin, at + len(line.rstrip())), "is still inside")
            at = stop + 1
        return Label(self.point(end), "the file ends here")
