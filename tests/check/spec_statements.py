"""Hypothesis strategies for specs made of the schema's own statements, right and wrong ones mixed."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from reproc.model import SpecFile
from reproc.model.literals import Literal
from reproc.model.schema import Block, Keyword, Value, schema_of

_WORDS = [
    "a", "b", "main", "gcc", "12", "11", "3.11", "numpy==1.26.4", "debian", "bookworm", "bullseye", "image", "cpu",
    "gpu", "/opt/a", "/opt/src/a", "/", "/opt/a/", "yes", "no", "build", "run", "bootstrap", "exit", "stdout",
    "contains", "0", "60s", "2GB", "0644", "src", "requirements.txt", "tools.spec", "circle.spec", "x86-64-v2",
    "sm_70", "base", "system", "toolchain", "PATH", "root", "https://example.org/a.tar.gz", "10.5281/zenodo.1",
    "a" * 64, "a" * 40, "2024-06-01", '"{{a}}"', '"{{jobs}}"', '"x y"', '"$PATH:/x"', '""', "[a b]", "[]",
    '"""\n  make\n  """', "swh:1:rev:" + "a" * 40, ">=450", "linux/arm64", "docker", "1e-3",
]  # fmt: skip
any_value = st.sampled_from(_WORDS)


def _fitting(literal: Literal) -> SearchStrategy[str]:
    """Mostly values of the literal's form."""
    example = literal.example if "…" not in literal.example else '"a"'
    right = st.sampled_from([*literal.choices, example])
    return st.one_of(right, right, right, any_value)


@st.composite
def statement(draw: st.DrawFn, word: str, kind: Literal | type[Block], depth: int) -> str:
    if isinstance(kind, Literal):
        count = 0 if kind.name == "nothing" else draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
        return " ".join((word, *(draw(_fitting(kind)) for _ in range(count))))
    schema = schema_of(kind)
    parts = [word, *(draw(_header(value)) for _, value in schema.values)]
    if draw(st.integers(0, 19)) == 0:
        parts.append(draw(any_value))
    if not schema.empty and depth < 4 and draw(st.integers(0, 5)):
        parts.append("{\n" + draw(body(kind, depth + 1)) + "\n}")
    return " ".join(part for part in parts if part)


def _header(value: Value) -> SearchStrategy[str]:
    given = _fitting(value.type)
    if value.many:
        return st.lists(given, min_size=0 if value.optional else 1, max_size=3).map(" ".join)
    return st.one_of(given, given, given, st.just("")) if value.optional else given


@cache
def _choices(block: type[Block]) -> tuple[Keyword, ...]:
    schema = schema_of(block)
    return (*(keyword for _, keyword in schema.keywords.values()), *schema.replaced.values())


@st.composite
def body(draw: st.DrawFn, block: type[Block], depth: int) -> str:
    lines: list[str] = []
    schema = schema_of(block)
    for _ in range(draw(st.integers(0, 4 if depth else 10))):
        if schema.entries is not None:
            lines.append(
                f"{draw(st.sampled_from(['A', 'PATH', 'prepend PATH', 'at run B']))} {draw(any_value)}"
            )
        elif choices := _choices(block):
            keyword = draw(st.sampled_from(choices))
            word = f"{keyword.word} {keyword.then}".strip()
            if keyword.word == "each":
                inner = draw(body(block, depth + 1)) if depth < 3 else ""
                lines.append(f"each n {draw(any_value)} {draw(any_value)} {{\n{inner}\n}}")
            elif keyword.word != "reproc":
                lines.append(draw(statement(word, keyword.type, depth)))
    return "\n".join(lines)


specs: SearchStrategy[str] = body(SpecFile, 0).map(
    lambda text: f"reproc 1\nbase debian bookworm\nlet a 1\n{text}\n"
)
