"""From statements to the model's blocks, by the schema that the model's classes describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from reproc import model
from reproc.check.names import elsewhere, nearest, place_of
from reproc.diagnostics import Code, Diagnostic, Label, error
from reproc.diagnostics.codes import schema as codes
from reproc.model.literals import Literal, Unfit
from reproc.model.schema import Block, Keyword, Value, schema_of
from reproc.model.spec import RESERVED
from reproc.source import Span
from reproc.syntax import tree
from reproc.version import VERSION

B = TypeVar("B", bound=Block)


@dataclass
class Reader:
    """Reads blocks; what is wrong gathers in `diagnostics`, and reading goes on."""

    constants: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def report(self, code: Code, span: Span, *labels: Label, **facts: object) -> None:
        self.diagnostics.append(error(code, span, *labels, output="", **facts))

    def spec(self, parsed: tree.SpecTree) -> model.SpecFile | None:
        """The whole spec; constants first, so that a string may stand before its `let`."""
        start = Span(parsed.span.source, parsed.span.start, parsed.span.start)
        first = parsed.statements[0] if parsed.statements else None
        if first is None or first.keyword.text != "reproc":
            self.report(codes.NO_VERSION, first.keyword.span if first else start)
            parsed = tree.SpecTree(
                tuple(s for s in parsed.statements if s.keyword.text != "reproc"), parsed.span
            )
        for statement in parsed.statements:
            if statement.keyword.text == "let":
                self._constant(statement)
        rest = tuple(s for s in parsed.statements if s.keyword.text != "let")
        values: dict[str, Any] = {"version": model.Version(number="1", origin=start)}
        values.update(self._statements(model.SpecFile, rest, parsed.span))
        version = cast(model.Version, values["version"])
        if version.number != "1":
            self.report(codes.UNKNOWN_VERSION, version.origin, number=version.number)
        return model.SpecFile(origin=parsed.span, **values)

    def _constant(self, statement: tree.Statement) -> None:
        let = self.block(model.Let, statement)
        if let is None:
            return
        if let.name == "jobs":
            self.report(codes.RESERVED_NAME, let.origin, name=let.name)
        elif let.name in self.constants:
            self.report(codes.DUPLICATE_NAME, let.origin, keyword="let", name=let.name)
        else:
            self.constants[let.name] = let.text

    def block(self, cls: type[B], statement: tree.Statement) -> B | None:
        """The statement as a block of class `cls`; None if something that cannot be left out is wrong."""
        schema = schema_of(cls)
        header = self._header(cls, statement)
        body: dict[str, Any] | None = {}
        if statement.block is not None:
            if not schema.keywords and schema.entries is None and not schema.later:
                self.report(codes.NO_BLOCK_HERE, statement.block.span, keyword=statement.keyword.text)
            else:
                body = self._statements(cls, statement.block.statements, statement.block.span)
        assert body is not None
        present = header is not None and self._require(cls, body, statement)
        return cls(origin=heading(statement), **(header or {}), **body) if present else None

    def _header(self, cls: type[Block], statement: tree.Statement) -> dict[str, Any] | None:
        """The values behind the keyword, by field name."""
        values = list(statement.values)
        read: dict[str, Any] = {}
        complete = True
        for name, wanted in schema_of(cls).values:
            if wanted.many:
                read[name] = self._many(values, wanted.type, statement)
                values = []
            elif values:
                read[name] = self._one(values.pop(0), wanted.type, statement)
                complete = complete and read[name] is not None
            elif not wanted.optional:
                self._missing(statement, wanted)
                complete = False
        if values:
            self.report(codes.EXTRA_VALUE, values[0].span, keyword=statement.keyword.text)
        return read if complete else None

    def _missing(self, statement: tree.Statement, wanted: Value | Literal) -> None:
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
            example=f"{there} {literal.example}",
        )

    def _require(self, cls: type[Block], body: dict[str, Any], statement: tree.Statement) -> bool:
        schema = schema_of(cls)
        for field_name in sorted(schema.required - body.keys()):
            word, keyword = next((w, k) for w, (f, k) in schema.keywords.items() if f == field_name)
            example = keyword.type.example if isinstance(keyword.type, Literal) else "…"
            self.report(
                codes.MISSING_STATEMENT,
                heading(statement),
                place=f"`{statement.keyword.text}`",
                keyword=word,
                example=f"{word} {example}",
            )
        return not schema.required - body.keys()

    def _statements(
        self, cls: type[Block], statements: Sequence[tree.Statement], where: Span
    ) -> dict[str, Any]:
        """The statements of a block, gathered by field name."""
        schema = schema_of(cls)
        gathered: dict[str, Any] = {}
        first: dict[str, Span] = {}
        names: dict[tuple[str, object], Span] = {}
        for statement in statements:
            word = statement.keyword.text
            if word not in schema.keywords:
                if schema.entries is not None:
                    self._entry(gathered, schema.entries[0], statement)
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
        names: dict[tuple[str, object], Span],
    ) -> None:
        if isinstance(keyword.type, Literal):
            value = self._literal(keyword, statement)
        else:
            value = self.block(keyword.type, statement)
            if value is not None and keyword.repeat and self._named_twice(keyword, value, names):
                return
        if keyword.many:
            gathered[name] = (*gathered.get(name, ()), *cast("tuple[Any, ...]", value))
        elif keyword.repeat:
            gathered[name] = (*gathered.get(name, ()), *(() if value is None else (value,)))
        elif value is not None:
            gathered[name] = value

    def _named_twice(self, keyword: Keyword, value: Block, names: dict[tuple[str, object], Span]) -> bool:
        name = getattr(value, "name", None)
        if name is None or isinstance(value, (model.Using, model.Needs, model.EnvironmentEntry)):
            return False
        key = (keyword.word, (str(name), value.version) if isinstance(value, model.Toolchain) else str(name))
        if key in names:
            label = Label(names[key], "the first one")
            self.report(codes.DUPLICATE_NAME, value.origin, label, keyword=keyword.word, name=str(name))
            return True
        names[key] = value.origin
        return False

    def _literal(self, keyword: Keyword, statement: tree.Statement) -> Any:
        """What a statement without a block says: one value, a tuple of many, or True for a bare keyword."""
        literal = cast(Literal, keyword.type)
        values = list(statement.values)
        if statement.block is not None:
            self.report(codes.NO_BLOCK_HERE, statement.block.span, keyword=keyword.word)
        if keyword.many:
            if not values:
                self._missing(statement, literal)
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
            hint = 'put a value with blanks between `"`' if isinstance(values[1], tree.Word) else None
            self.report(codes.EXTRA_VALUE, values[1].span, keyword=keyword.word, hint=hint)
        return self._one(values[0], literal, statement)

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
            suggestion = nearest(text, literal.choices)
            example = None if suggestion or literal.choices else literal.example
            self.report(
                codes.WRONG_VALUE,
                value.span,
                value=text,
                problem=problem,
                type=literal.name,
                suggestion=suggestion,
                example=example,
            )
            return None
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

    def _entry(self, gathered: dict[str, Any], name: str, statement: tree.Statement) -> None:
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
            self.report(
                codes.EXTRA_VALUE,
                words[2].span,
                keyword=_word(words[0]),
                hint='put a value with blanks between `"`',
            )
        if variable is not None and text is not None:
            entry = model.EnvironmentEntry(
                name=variable, value=text, action=action, scope=scope, origin=heading(statement)
            )
            gathered[name] = (*gathered.get(name, ()), entry)

    def _unknown(self, cls: type[Block], statement: tree.Statement) -> None:
        word, span = statement.keyword.text, statement.keyword.span
        schema = schema_of(cls)
        place = place_of(cls)
        if word in RESERVED:
            self.report(codes.NOT_IN_THIS_VERSION, span, keyword=word)
        elif word in schema.later:
            self.report(codes.NOT_SUPPORTED_YET, span, keyword=word, place=place, version=VERSION)
        else:
            known = tuple(sorted({*schema.keywords, *schema.later}))
            suggestion = nearest(word, known)
            other = None if suggestion else elsewhere(word)
            self.report(
                codes.UNKNOWN_STATEMENT,
                span,
                keyword=word,
                place=place,
                suggestion=suggestion,
                elsewhere=other,
                known=", ".join(f"`{each}`" for each in sorted(schema.keywords)),
            )


def heading(statement: tree.Statement) -> Span:
    """The keyword and its values, without the block."""
    last = statement.values[-1].span if statement.values else statement.keyword.span
    return statement.keyword.span.to(last)


def _word(value: tree.Value) -> str:
    return value.text if isinstance(value, tree.Word) else ""
