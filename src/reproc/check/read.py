"""From statements to the model's blocks, by the schema that the model's classes describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from reproc import model
from reproc.check import advice
from reproc.check.names import elsewhere, nearest, place_of
from reproc.diagnostics import Code, Diagnostic, Label, error
from reproc.diagnostics.codes import schema as codes
from reproc.diagnostics.codes.rules import SAME_PLACE
from reproc.model.literals import Literal, Unfit
from reproc.model.schema import Block, Keyword, Value, schema_of
from reproc.record import replace
from reproc.source import SourceFile, Span
from reproc.syntax import tree
from reproc.version import VERSION

B = TypeVar("B", bound=Block)
MOST = 16 * 1024 * 1024
"""The most characters that constants may bring into a spec: a few lines could name each other to any length."""


@dataclass
class Reader:
    """Reads blocks; what is wrong gathers in `diagnostics`, and reading goes on."""

    constants: dict[str, str] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)
    """Where each constant was written."""
    folders: dict[SourceFile, str] = field(default_factory=dict)
    """Where an included file lies, relative to the spec."""
    diagnostics: list[Diagnostic] = field(default_factory=list)
    grown: int = 0
    """Characters that constants have brought in."""

    def report(self, code: Code, span: Span, *labels: Label, **facts: object) -> None:
        self.diagnostics.append(error(code, span, *labels, output="", **facts))

    def spec(self, statements: Sequence[tree.Statement], whole: tree.SpecTree) -> model.SpecFile:
        """The whole spec; `statements` are those of `whole` after includes, constants and repetitions."""
        start = Span(whole.span.source, whole.span.start, whole.span.start)
        first = whole.statements[0] if whole.statements else None
        if first is None or first.keyword.text != "reproc":
            self.report(codes.NO_VERSION, first.keyword.span if first else start)
            statements = [each for each in statements if each.keyword.text != "reproc"]
        values: dict[str, Any] = {"version": model.Version(number="1", origin=start)}
        values.update(self._statements(model.SpecFile, statements))
        version = cast(model.Version, values["version"])
        if version.number != "1":
            self.report(codes.UNKNOWN_VERSION, version.origin, number=version.number)
        return model.SpecFile(origin=whole.span, **values)

    def constant(self, statement: tree.Statement) -> model.Let | None:
        """The `let`, whose value every later string may name."""
        let = self.block(model.Let, statement)
        if let is None:
            return None
        if let.name == "jobs":
            self.report(codes.RESERVED_NAME, let.origin, name=let.name)
        elif let.name in self.constants:
            label = Label(self.places.get(let.name, let.origin), "the first one")
            self.report(codes.DUPLICATE_NAME, let.origin, label, keyword="let", name=let.name)
        else:
            self.constants[let.name] = let.text
            self.places[let.name] = let.origin
        return let

    def block(self, cls: type[B], statement: tree.Statement) -> B | None:
        """The statement as a block of class `cls`; None if something that cannot be left out is wrong."""
        schema = schema_of(cls)
        header = self._header(cls, statement)
        body: dict[str, Any] = {}
        if statement.block is not None:
            if schema.empty:
                self.report(codes.NO_BLOCK_HERE, statement.block.span, keyword=statement.keyword.text)
            else:
                body = self._statements(cls, statement.block.statements)
        present = header is not None and self._require(cls, body, statement)
        return cls(origin=heading(statement), **(header or {}), **body) if present else None

    def _header(self, cls: type[Block], statement: tree.Statement) -> dict[str, Any] | None:
        """The values behind the keyword, by field name."""
        values = list(statement.values)
        read: dict[str, Any] = {}
        complete = True
        wanted_values = schema_of(cls).values
        needed = sum(not each.optional for _, each in wanted_values)
        if needed == 2 and len(values) == 1 and (meant := advice.of_missing(statement)):
            self._missing(statement, wanted_values[1][1], meant)
            return None
        for name, wanted in wanted_values:
            if wanted.many and (values or wanted.optional):
                read[name] = self._many(values, wanted.type, statement)
                values = []
            elif values:
                read[name] = self._one(values.pop(0), wanted.type, statement)
                complete = complete and read[name] is not None
            elif not wanted.optional:
                self._missing(statement, wanted)
                complete = False
        if values:
            hint = advice.of_extra(statement, [each.type for _, each in wanted_values], cls)
            self.report(codes.EXTRA_VALUE, values[0].span, keyword=statement.keyword.text, hint=hint)
        return read if complete else None

    def _missing(
        self,
        statement: tree.Statement,
        wanted: Value | Literal,
        meant: str | None = None,
        *,
        several: bool = False,
    ) -> None:
        literal = wanted.type if isinstance(wanted, Value) else wanted
        what = wanted.doc if isinstance(wanted, Value) else literal.name
        keyword = statement.keyword.text
        there = heading(statement).text
        self.report(
            codes.MISSING_VALUE,
            heading(statement),
            keyword=keyword,
            what=what,
            type=literal.name,
            suggestion=meant,
            example=f"{there} {literal.example}"
            + (f"`, or on several lines `{there} [ … ]" if several else ""),
        )

    def _require(self, cls: type[Block], body: dict[str, Any], statement: tree.Statement) -> bool:
        schema = schema_of(cls)
        missing = schema.required - body.keys()
        inside = statement.block.statements if statement.block else ()
        there = {each.keyword.text for each in inside}
        misspelt = not there <= schema.keywords.keys() or len(statement.values) > len(schema.values)
        for field_name in sorted(missing):
            word, keyword = next((w, k) for w, (f, k) in schema.keywords.items() if f == field_name)
            if word in there or misspelt:
                continue  # what is said of the other word is enough
            example = keyword.type.example if isinstance(keyword.type, Literal) else "…"
            self.report(
                codes.MISSING_STATEMENT,
                heading(statement),
                place=f"`{statement.keyword.text}`",
                keyword=word,
                example=f"{word} {example}",
            )
        return not missing

    def _statements(self, cls: type[Block], statements: Sequence[tree.Statement]) -> dict[str, Any]:
        """The statements of a block, gathered by field name."""
        schema = schema_of(cls)
        gathered: dict[str, Any] = {}
        first: dict[str, Span] = {}
        names: dict[tuple[str, ...], Block] = {}
        for statement in statements:
            word = statement.keyword.text
            if word not in schema.keywords or word in schema.later:
                if schema.entries is not None:
                    self._entry(gathered, schema.entries[0], statement, names)
                else:
                    self._unknown(cls, statement)
                continue
            name, keyword = schema.keywords[word]
            if not keyword.repeat and word in first:
                label = Label(first[word], "the first one")
                self.report(
                    codes.DUPLICATE_STATEMENT,
                    statement.keyword.span,
                    label,
                    keyword=word,
                    place=place_of(cls),
                )
                continue
            first.setdefault(word, statement.keyword.span)
            self._fill(gathered, name, keyword, statement, names)
        return gathered

    def _fill(
        self,
        gathered: dict[str, Any],
        name: str,
        keyword: Keyword,
        statement: tree.Statement,
        names: dict[tuple[str, ...], Block],
    ) -> None:
        if isinstance(keyword.type, Literal):
            value = self._literal(keyword, statement)
        else:
            rest = self._behind(keyword.then, statement) if keyword.then else statement
            value = self.block(keyword.type, rest) if rest else None
            if value is not None and keyword.repeat and self._named_twice(keyword.word, value, names):
                return
        if keyword.many:
            gathered[name] = (*gathered.get(name, ()), *cast("tuple[Any, ...]", value))
        elif keyword.repeat:
            gathered[name] = (*gathered.get(name, ()), *(() if value is None else (value,)))
        elif value is not None:
            gathered[name] = value

    def _behind(self, word: str, statement: tree.Statement) -> tree.Statement | None:
        """The statement without the word that has to stand behind its keyword."""
        first = statement.values[0] if statement.values else None
        if first is not None and _word(first) == word:
            return replace(statement, values=statement.values[1:])
        keyword = statement.keyword.text
        self.report(
            codes.MISSING_VALUE,
            first.span if first else statement.keyword.span,
            keyword=keyword,
            what=f"`{word}` behind it",
            type=f"`{word}`",
            example=f"{keyword} {word} …",
        )
        return None

    def _named_twice(self, word: str, value: Block, names: dict[tuple[str, ...], Block]) -> bool:
        if not value.named_by:
            return False
        key = (word, *value.identity)
        first = names.setdefault(key, value)
        if first is value:
            return False
        name = " ".join(value.identity)
        label = Label(first.origin, "the first one")
        if first.origin == value.origin:
            self.report(codes.SAME_IN_EACH, value.origin, keyword=word, name=name)
        elif isinstance(first, model.File) and isinstance(value, model.File):
            titles = {"first": f"file {first.path}", "second": f"file {value.path}"}
            self.report(SAME_PLACE, value.origin, label, **titles, path=name)
        else:
            self.report(codes.DUPLICATE_NAME, value.origin, label, keyword=word, name=name)
        return True

    def _literal(self, keyword: Keyword, statement: tree.Statement) -> Any:
        """What a statement without a block says: one value, a tuple of many, or True for a bare keyword."""
        literal = cast(Literal, keyword.type)
        values = list(statement.values)
        if statement.block is not None:
            self.report(codes.NO_BLOCK_HERE, statement.block.span, keyword=keyword.word)
        if keyword.many:
            if not values:
                self._missing(statement, literal, several=True)
            return self._many(values, literal, statement)
        if literal.name == "nothing":
            if values:
                self.report(
                    codes.EXTRA_VALUE, values[0].span, keyword=keyword.word, hint="write the keyword alone"
                )
            return True
        if not values:
            self._missing(statement, literal)
            return None
        if len(values) > 1:
            whole = self._in_one(values, literal)
            if whole is not None:
                return self._one(whole, literal, statement)
            hint = advice.of_extra(statement, (literal,), None)
            self.report(codes.EXTRA_VALUE, values[1].span, keyword=keyword.word, hint=hint)
        return self._one(values[0], literal, statement)

    def _in_one(self, values: Sequence[tree.Value], literal: Literal) -> tree.Word | None:
        """Words as one, such as `2 GB`, where the first alone is no value either: that is one mistake."""
        words = [each.text for each in values if isinstance(each, tree.Word)]
        if len(words) < len(values):
            return None
        try:
            literal.parse(words[0])
        except Unfit:
            return tree.Word(" ".join(words), values[0].span.to(values[-1].span))
        return None

    def _many(
        self, values: Sequence[tree.Value], literal: Literal, statement: tree.Statement
    ) -> tuple[Any, ...]:
        flat = [
            item for value in values for item in (value.items if isinstance(value, tree.List) else (value,))
        ]
        read = [self._one(item, literal, statement) for item in flat]
        return tuple(value for value in read if value is not None)

    def _one(self, value: tree.Value, literal: Literal, statement: tree.Statement) -> Any:
        """The value as `literal` has it; None if it is not of its form."""
        keyword = statement.keyword.text
        if isinstance(value, tree.List):
            self.report(codes.NO_LIST_HERE, value.span, keyword=keyword, type=literal.name)
            return None
        if isinstance(value, tree.Text) and not literal.multiline:
            self.report(codes.NO_TEXT_HERE, value.span, keyword=keyword, type=literal.name)
            return None
        parts = (
            (value.text,) if isinstance(value, tree.Word) else self._resolve(value.parts, shell=literal.shell)
        )
        if parts is None:
            return None
        if literal.shell:
            return parts
        text = "".join(cast("tuple[str, ...]", parts))
        try:
            parsed = literal.parse(text)
        except Unfit as problem:
            suggestion = nearest(text, literal.choices) or advice.likely(text, literal)
            self.report(
                codes.WRONG_VALUE,
                value.span,
                value=text,
                problem=problem,
                type="one of these" if len(literal.choices) > 1 else literal.name,
                suggestion=suggestion,
                advice=advice.of_value(text, literal),
                example=None if literal.choices else literal.example,
            )
            return None
        if literal.beside and (folder := self.folders.get(value.span.source)):
            parsed = f"{folder}/{parsed}" if parsed != "." else folder
        return model.Item(parsed, value.span) if literal.located else parsed

    def _resolve(self, parts: Sequence[str | tree.Hole], *, shell: bool) -> model.ShellText | None:
        """The parts with constants put in and joined; None if one is not known."""
        joined: list[str | model.Jobs] = []
        known = True
        for part in parts:
            piece: str | model.Jobs
            if isinstance(part, str):
                piece = part
            elif part.name == "jobs":
                piece = model.Jobs()
                if not shell:
                    self.report(codes.JOBS_ELSEWHERE, part.span)
                    known = False
            elif part.name in self.constants:
                piece = self.constants[part.name]
                if self._is_too_much(piece, part.span):
                    return None
            else:
                suggestion = nearest(part.name, tuple(self.constants))
                self.report(codes.UNKNOWN_LET, part.span, name=part.name, suggestion=suggestion)
                known = False
                continue
            if joined and isinstance(joined[-1], str) and isinstance(piece, str):
                joined[-1] += piece
            else:
                joined.append(piece)
        return tuple(joined) if known else None

    def _is_too_much(self, piece: str, span: Span) -> bool:
        """Whether constants have made the spec larger than any can be meant to be; said once."""
        before, self.grown = self.grown, self.grown + len(piece)
        if before <= MOST < self.grown:
            self.report(codes.TOO_MUCH_TEXT, span, limit=MOST)
        return self.grown > MOST

    def _entry(
        self,
        gathered: dict[str, Any],
        name: str,
        statement: tree.Statement,
        names: dict[tuple[str, ...], Block],
    ) -> None:
        """`NAME value`, `prepend NAME value`, `append NAME value`, either behind `at build` or `at run`."""
        words: list[tree.Value] = [statement.keyword, *statement.values]
        action, scope = "set", "both"
        if _word(words[0]) == "at" and len(words) > 2:
            scope = self._one(words[1], model.SCOPE, statement) or "both"
            words = words[2:]
        if _word(words[0]) in ("prepend", "append") and len(words) > 2:
            action = _word(words[0])
            words = words[1:]
        variable = self._one(words[0], model.VARIABLE, statement)
        if len(words) < 2:
            self._missing(statement, model.VARIABLE_VALUE)
            return
        text = self._one(words[1], model.VARIABLE_VALUE, statement)
        if len(words) > 2:
            line = words[0].span.to(words[-1].span)
            bare = isinstance(words[1], tree.Word) and '"' not in line.text
            said = Span(line.source, words[1].span.start, line.end).text
            hint = f'write `{_word(words[0])} "{said}"`' if bare else None
            if _word(words[0]) in ("export", "set", "setenv"):
                hint = f"write `{said}`"
            self.report(codes.EXTRA_VALUE, words[2].span, keyword=_word(words[0]), hint=hint)
        if variable is not None and text is not None:
            entry = model.EnvironmentEntry(
                name=variable, value=text, action=action, scope=scope, origin=heading(statement)
            )
            if not self._named_twice("env", entry, names):
                gathered[name] = (*gathered.get(name, ()), entry)

    def _unknown(self, cls: type[Block], statement: tree.Statement) -> None:
        word, span = statement.keyword.text, statement.keyword.span
        schema = schema_of(cls)
        place = place_of(cls)
        if word in model.RESERVED:
            self.report(codes.NOT_IN_THIS_VERSION, span, keyword=word)
        elif word in schema.later:
            self.report(codes.NOT_SUPPORTED_YET, span, keyword=word, place=place, version=VERSION)
        else:
            meant = advice.of_keyword(cls, statement)
            suggestion = nearest(word, schema.words)
            other = None if suggestion else elsewhere(word)
            if not (suggestion or other):
                meant = meant or advice.of_words(cls, statement)
            self.report(
                codes.UNKNOWN_STATEMENT,
                span,
                keyword=word,
                place=place,
                advice=meant,
                suggestion=suggestion,
                elsewhere=other,
                known=", ".join(f"`{each}`" for each in schema.words if each not in schema.later),
            )


def heading(statement: tree.Statement) -> Span:
    """The keyword and its values, without the block."""
    last = statement.values[-1].span if statement.values else statement.keyword.span
    return statement.keyword.span.to(last)


def _word(value: tree.Value) -> str:
    return value.text if isinstance(value, tree.Word) else ""
