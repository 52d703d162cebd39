"""The parser made from the grammar: generated when reproc was built, or by lark in a bare checkout."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol, cast


class Token(Protocol):
    """What the lexer finds, with its place in characters."""

    type: str
    value: str
    start_pos: int
    end_pos: int


class Node(Protocol):
    """What a rule of the grammar matched."""

    data: str
    children: list[Node | Token]


class Machine:
    """One parse, token by token, so that its driver can mend the stream."""

    def __init__(self, text: str) -> None:
        lark, self._library = _parser()
        self._run = lark.parse_interactive(text)

    def tokens(self) -> Iterator[Token]:
        """The tokens of the text; every text has some, as the grammar knows mistakes too."""
        thread = self._run.lexer_thread
        return cast("Iterator[Token]", thread.lex(self._run.parser_state))

    def token(self, type: str, at: int) -> Token:
        """A token that does not stand in the text."""
        return cast(Token, self._library.Token(type, "", start_pos=at, end_pos=at))

    def feed(self, token: Token) -> bool:
        """Whether `token` may stand next; if so it has been taken."""
        try:
            self._run.feed_token(token)
        except self._library.UnexpectedToken:
            return False
        return True

    def accepts(self, type: str) -> bool:
        """Whether the table has an action for such a token here."""
        return type in self._run.choices()

    def finish(self, at: int) -> Node | None:
        """The whole tree, or None where the text must go on."""
        try:
            return cast(Node, self._run.feed_token(self.token("$END", at)))
        except self._library.UnexpectedToken:
            return None


@cache
def _parser() -> tuple[Any, Any]:
    """The parser and the module that it comes from; the generated one starts faster and means the same."""
    from importlib import import_module

    try:
        library = import_module("reproc_grammar._standalone")
    except ModuleNotFoundError as missing:
        if missing.name != "reproc_grammar._standalone":
            raise
        return _parser_by_lark()
    return library.Lark_StandAlone(), library


def _parser_by_lark() -> tuple[Any, Any]:
    import lark

    from reproc_grammar import START, grammar

    return lark.Lark(grammar(), parser="lalr", lexer="basic", start=START), lark
