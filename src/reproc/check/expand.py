"""Statements that stand for others: `include`, `let` and `each`, replaced before the rest is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reproc import model
from reproc.check.constants import in_order
from reproc.check.read import Reader, heading
from reproc.check.rules.inputs import exists
from reproc.diagnostics import Label
from reproc.diagnostics.codes import schema as codes
from reproc.diagnostics.codes.rules import UNREADABLE_FILE
from reproc.folder import Folder
from reproc.record import record, replace
from reproc.source import SourceFile, Span
from reproc.syntax import decode, parse
from reproc.syntax.decode import LIMIT
from reproc.syntax.tree import Hole, List, SpecTree, Statement, String, Text, Value, Word

MOST = 20_000
"""A spec may grow to so many statements; nested `each` multiply."""

DEEPEST = 32
"""Files may include each other so deep, as blocks may nest."""


@record
class Expanded:
    """A spec's statements without `include`, `let` and `each`."""

    statements: tuple[Statement, ...]
    lets: tuple[model.Let, ...]
    files: tuple[tuple[str, SpecTree], ...]
    """Every included file: its path relative to the spec, and what stands in it."""


def expand(tree: SpecTree, folder: Folder, reader: Reader) -> Expanded:
    """The statements that the reader is to read; it keeps the constants, and what is wrong."""
    expander = _Expander(folder, reader)
    root = _Open(tree.span.source, "")
    flat = tuple(expander.included(tree.statements, (root,)))
    written = in_order([each for each in flat if each.keyword.text == "let"], reader)
    lets = tuple(let for each in written if (let := reader.constant(each)))
    rest = [each for each in flat if each.keyword.text != "let"]
    statements = tuple(expander.repeated(rest, inside=(), top=True))
    if expander.stopped:
        statements = tuple(each for each in rest if each.keyword.text != "each")
    return Expanded(statements, lets, tuple(expander.files.items()))


@record
class _Open:
    """A file that is being read: the spec, or what it includes."""

    source: SourceFile
    path: str
    """Relative to the spec; empty for the spec itself."""


@dataclass
class _Expander:
    folder: Folder
    reader: Reader
    files: dict[str, SpecTree] = field(default_factory=dict)
    places: dict[Path, Span] = field(default_factory=dict)
    """Where each file was included first, by its real path."""
    grown: int = 0
    stopped: bool = False

    def included(self, statements: Sequence[Statement], chain: tuple[_Open, ...]) -> Iterator[Statement]:
        """The statements, with those of included files in the place of `include`."""
        for statement in statements:
            if statement.keyword.text == "include":
                yield from self._include(statement, chain)
            elif statement.keyword.text == "reproc" and len(chain) > 1:
                self.reader.report(codes.SECOND_VERSION, heading(statement))
            else:
                yield statement

    def _include(self, statement: Statement, chain: tuple[_Open, ...]) -> Iterator[Statement]:
        include = self.reader.block(model.Include, statement)
        if include is None:
            return
        item = include.path
        problems = tuple(exists(item, self.folder, wanted="file"))
        self.reader.diagnostics.extend(problems)
        if problems or not self._is_new(item, chain):
            return
        root = PurePosixPath(chain[0].source.path)
        try:
            data = self.folder.read(item.text, LIMIT + 1)
        except OSError as problem:
            reason = f"cannot be read: {problem.strerror}"
            self.reader.report(UNREADABLE_FILE, item.origin, path=item.text, problem=reason)
            return
        source = decode((root.parent / item.text).as_posix(), data)
        self.reader.diagnostics.extend(source.diagnostics)
        parsed = parse(source.value) if source.value else None
        if parsed is None:
            return
        self.reader.diagnostics.extend(parsed.diagnostics)
        if parsed.value is not None:
            inner = _Open(parsed.value.span.source, item.text)
            self.files[item.text] = parsed.value
            self.reader.folders[inner.source] = item.text.rpartition("/")[0]
            yield from self.included(parsed.value.statements, (*chain, inner))

    def _is_new(self, item: model.Item, chain: tuple[_Open, ...]) -> bool:
        """Whether the file was not included before: in a circle, or a second time; and not too deep."""
        real = self.folder.path(item.text)
        root = self.folder.path(chain[0].source.name)
        opened = [root, *(self.folder.path(each.path) for each in chain[1:])]
        if real in opened:
            names = [each.path or each.source.name for each in chain[opened.index(real) :]]
            self.reader.report(codes.INCLUDE_CYCLE, item.origin, chain=" → ".join((*names, item.text)))
            return False
        if real in self.places:
            first = Label(self.places[real], "the first one")
            self.reader.report(codes.INCLUDED_TWICE, item.origin, first, path=item.text)
            return False
        self.places[real] = item.origin
        if len(chain) > DEEPEST:
            self.reader.report(codes.INCLUDED_TOO_DEEP, item.origin, limit=DEEPEST)
            return False
        return True

    def repeated(
        self, statements: Sequence[Statement], inside: tuple[str, ...], *, top: bool
    ) -> Iterator[Statement]:
        """The statements, with those of `each` once a value; `inside` names the ones around them."""
        for statement in statements:
            word, block = statement.keyword.text, statement.block
            if word == "each":
                yield from self._each(statement, inside, top=top)
            elif inside and word in ("let", "include", "reproc"):
                self.reader.report(codes.NOT_IN_EACH, statement.keyword.span, keyword=word)
            elif top and word == "target" and block is not None:
                inner = tuple(self.repeated(block.statements, inside, top=False))
                yield replace(statement, block=replace(block, statements=inner))
            else:
                yield statement

    def _each(self, statement: Statement, inside: tuple[str, ...], *, top: bool) -> Iterator[Statement]:
        each = self.reader.block(model.Each, replace(statement, block=None))
        if statement.block is None:
            self.reader.report(codes.MISSING_BLOCK, heading(statement), keyword="each")
        if each is None or statement.block is None or not self._is_free(each, inside):
            return
        for item in each.values:
            copies = [self._copy(inner, each.name, item.text) for inner in statement.block.statements]
            if self.grown > MOST:
                if not self.stopped:
                    self.reader.report(codes.TOO_MANY_STATEMENTS, heading(statement), limit=MOST)
                self.stopped = True
                return
            yield from self.repeated(copies, (*inside, each.name), top=top)

    def _is_free(self, each: model.Each, inside: tuple[str, ...]) -> bool:
        if each.name == "jobs":
            self.reader.report(codes.RESERVED_NAME, each.origin, name=each.name)
        elif each.name in self.reader.constants or each.name in inside:
            self.reader.report(codes.NAME_IN_USE, each.origin, name=each.name)
        else:
            return True
        return False

    def _copy(self, statement: Statement, name: str, text: str) -> Statement:
        """The statement with `{{name}}` replaced in all of it."""
        self.grown += 1
        if self.grown > MOST:
            return statement
        block = statement.block
        values = tuple(_filled(value, name, text) for value in statement.values)
        if block is not None:
            block = replace(block, statements=tuple(self._copy(s, name, text) for s in block.statements))
        return replace(statement, values=values, block=block)


def _filled(value: Value, name: str, text: str) -> Value:
    match value:
        case Word():
            return value
        case List():
            return replace(value, items=tuple(_filled(item, name, text) for item in value.items))
        case String() | Text():
            parts = tuple(
                text if isinstance(part, Hole) and part.name == name else part for part in value.parts
            )
            return value if parts == value.parts else replace(value, parts=parts)
