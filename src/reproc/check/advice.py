"""What to write instead: for slips that come from a shell, from a Dockerfile, or from how others say a thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set

from reproc.diagnostics.suggest import nearest
from reproc.model import SpecFile
from reproc.model.literals import Literal, Unfit
from reproc.model.schema import Block, schema_of
from reproc.source import Span
from reproc.syntax import tree

_SYSTEM = "`system {{ packages … }}` brings distribution packages"
_PYTHON = "`python 3.11 {{ packages … }}` brings Python packages"
_CODE = "`code NAME {{ … }}` brings code from beside the spec, from git, or from an archive"
_DATA = "`data NAME {{ url …; sha256 … }}` brings a file from an address"
_BUILD = '`build NAME {{ run "…" }}` runs commands'
_APP = '`app main {{ run "…" }}` is what runs when the image is given no command'
_TOOL = "`toolchain {word} VERSION` brings it"
_REMARK = "a comment begins with `#`"
_FOREIGN = {
    **dict.fromkeys("apt apt-get aptitude yum dnf apk dependencies".split(), _SYSTEM),
    **dict.fromkeys("pip pip3 install venv".split(), _PYTHON),
    **dict.fromkeys("COPY ADD %files copy add repo repository clone".split(), _CODE),
    **dict.fromkeys("wget curl download dataset".split(), _DATA),
    **dict.fromkeys("RUN %post %setup make cmake configure bash sh".split(), _BUILD),
    **dict.fromkeys("CMD ENTRYPOINT %runscript cmd command entrypoint".split(), _APP),
    **dict.fromkeys("FROM Bootstrap bootstrap image distro os".split(), "write for example `base debian bookworm`"),
    **dict.fromkeys("EXPOSE expose".split(), '`app NAME {{ run "…"; port 8080 }}` answers on a port'),
    **dict.fromkeys("VOLUME volume volumes mount".split(), "`data NAME {{ …; at run }}` is mounted when the image runs"),
    **dict.fromkeys("ARG arg var set const".split(), "`let NAME VALUE` names a constant"),
    **dict.fromkeys("%environment environment export setenv".split(), "`env {{ NAME VALUE }}` sets variables"),
    **dict.fromkeys("gcc clang gfortran openmpi mpich ninja rust go java".split(), _TOOL),
    "mpi": "`toolchain openmpi VERSION` brings it",
    **dict.fromkeys("// /* /** -- <!-- ; % !".split(), _REMARK),
}  # fmt: skip
"""What somebody at the top may have had in mind."""
_INSIDE = {
    **dict.fromkeys("command commands cmd exec".split(), "run"),
    **dict.fromkeys("to dest destination dst".split(), "into"),
    **dict.fromkeys("sha1 md5 checksum hash digest".split(), "sha256"),
    **dict.fromkeys("depends requires needs".split(), "after"),
    **dict.fromkeys("mem ram".split(), "memory"),
    **dict.fromkeys("walltime duration".split(), "time"),
    **dict.fromkeys("cores ncpus".split(), "cpus"),
    **dict.fromkeys("id".split(), "uid"),
    **dict.fromkeys("repo repository".split(), "git"),
    **dict.fromkeys("rev revision ref sha".split(), "commit"),
    **dict.fromkeys("path src folder dir".split(), "local"),
    **dict.fromkeys("ignore".split(), "exclude"),
}
"""What stands in some block under another name."""
_STRINGS = frozenset({"a string", "a text", "a shell command", "a value"})
_PLATFORMS = {"amd64": "linux/amd64", "x86_64": "linux/amd64", "x86-64": "linux/amd64"} | dict.fromkeys(
    ("arm64", "aarch64", "armv8"), "linux/arm64"
)


def of_keyword(cls: type[Block], statement: tree.Statement) -> str | None:
    """For a word that is no statement of the block: what somebody who wrote it may have meant."""
    word = statement.keyword.text
    if cls is SpecFile:
        word = re.split(r"[(:]", word)[0] or word
        return _FOREIGN[word].format(word=word) if word in _FOREIGN else None
    known = schema_of(cls).keywords
    if _INSIDE.get(word) in known:
        return f"did you mean `{_INSIDE[word]}`?"
    if word == "title" and "author" in known:
        return 'the title stands behind `paper`: `paper "…" { … }`'
    return None


def of_words(cls: type[Block], statement: tree.Statement) -> str | None:
    """For a line in a block that may be packages without `packages`, or a command without `run`."""
    known = schema_of(cls).keywords
    line = _line(statement)
    if "packages" in known and line:
        return f"packages stand behind `packages`: `packages {line}`"
    if "run" in known and line and '"' not in line:
        return f'a command stands behind `run`, between `"`: `run "{line}"`'
    return None


def of_extra(statement: tree.Statement, types: Sequence[Literal], cls: type[Block] | None) -> str | None:
    """For a statement with more values than its types: how to write what is too much."""
    values = list(statement.values)
    taken, rest = values[: len(types)], values[len(types) :]
    head = _text([statement.keyword, *taken])
    if cls is not None and statement.block is None and (inner := _inner(cls, rest)):
        return f"write `{head} {{ {inner} }}`"
    if not types or not all(isinstance(each, tree.Word) for each in (taken[-1], *rest)):
        return None
    others = _top() - {statement.keyword.text}
    ended = next((each.text for each in rest if isinstance(each, tree.Word) and each.text in others), None)
    if ended and types[-1].name != "a shell command":
        return f"`{ended}` begins a statement: a new line or a `;` stands before it"
    before = _text([statement.keyword, *taken[:-1]])
    last = _text([taken[-1], *rest])
    if types[-1].name in _STRINGS:
        return f'write `{before} "{last}"`'
    joined = last.replace(" ", "-")
    return f"a name has no blanks: `{before} {joined}`" if types[-1].name == "a name" else None


def _top() -> Set[str]:
    return schema_of(SpecFile).keywords.keys()


def _inner(cls: type[Block], rest: Sequence[tree.Value]) -> str | None:
    """The values as the block that they were meant to be."""
    schema = schema_of(cls)
    first = rest[0].text if isinstance(rest[0], tree.Word) else ""
    text = _text(rest)
    if first in schema.keywords:
        return text
    if schema.entries is not None and len(rest) == 2:
        return text
    for word, (name, _) in schema.keywords.items():
        if name in schema.required and len(rest) == 1:
            return f"{word} {text}"
    return None


def of_missing(statement: tree.Statement) -> str | None:
    """For a name and a version in one word, such as `gcc-9` or `debian:bookworm`: the two words."""
    last = statement.values[-1] if statement.values else None
    match = re.fullmatch(
        r"([A-Za-z]+)[-:=@/]?v?([0-9][0-9.]*|(?<=:)[a-z]+)", last.text if isinstance(last, tree.Word) else ""
    )
    if match is None:
        return None
    return _text([statement.keyword, *statement.values[:-1]]) + f" {match[1]} {match[2]}"


def likely(text: str, literal: Literal) -> str | None:
    """A value of the literal's form that somebody most likely meant who wrote `text`."""
    for candidate in _candidates(text, literal.name):
        try:
            literal.parse(candidate)
        except Unfit:
            continue
        if candidate != text:
            return candidate
    return None


def _candidates(text: str, name: str) -> Iterator[str]:
    match name:
        case "a size":
            plain = text.replace(" ", "").replace("b", "B").upper().replace("I", "i")
            yield from (plain, "" if plain.isdecimal() else f"{plain}B")
        case "a duration":
            yield from _durations(text)
        case "a date":
            yield text.replace("/", "-").replace(".", "-")
            if found := re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})", text):
                yield f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
            yield re.sub(r"T?\s?[0-9:.]+Z?$", "", text)
        case "a version":
            yield re.sub(r"^[^0-9]+|[^0-9]+$", "", text)
        case "a full git commit" | "a sha256 digest":
            yield text.lower()
        case "a DOI":
            yield re.sub(r"^(https?://(dx\.)?doi\.org/|doi:)\s*", "", text, flags=re.IGNORECASE)
        case "an ORCID":
            yield re.sub(r"^orcid:\s*", "", text, flags=re.IGNORECASE)
        case "a tolerance":
            yield text.lower().lstrip("±+")
        case "an absolute path" if "/" in text.strip("/") and not text.startswith((".", "~", "$")):
            yield f"/{text}"
        case "a compute capability":
            yield "sm_" + re.sub(r"[^0-9]", "", text)
        case "`yes` or `no`":
            yield {"true": "yes", "on": "yes", "1": "yes", "false": "no", "off": "no", "0": "no"}.get(
                text.lower(), ""
            )
        case "a name":
            yield nearest(text, (re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-_."),)) or ""
        case _ if name.startswith("one of `linux/"):
            yield _PLATFORMS.get(text.lower(), "")
        case _:
            pass


def _durations(text: str) -> Iterator[str]:
    if found := re.fullmatch(r"([0-9]+)\s?(s|m|h)[a-z]*", text.lower()):
        yield found[1] + found[2]
    if found := re.fullmatch(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])", text):
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
        unit, size = next((u, s) for u, s in (("h", 3600), ("m", 60), ("s", 1)) if seconds % s == 0)
        yield f"{seconds // size}{unit}"


def of_value(text: str, literal: Literal) -> str | None:
    """For a value that nobody can guess: how to come by the right one."""
    match literal.name:
        case "a full git commit" if re.fullmatch(r"[0-9a-f]{4,63}", text):
            return f"`git rev-parse {text}` prints all of it"
        case "a full git commit":
            return f"write `tag {text}` or `branch {text}`, and the lock pins the commit"
        case "a sha256 digest":
            return "`sha256sum FILE` prints it; where it is left out, the lock has it"
        case "a tolerance" if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?%", text):
            return f"write `within {float(text[:-1]) / 100:g} relative`"
        case "a file beside the spec" if text.startswith(("/", "~", "..")):
            return "put it into the spec's folder, and write its path from there"
        case "a value" if "\n" in text or "\r" in text:
            return "put the lines into a file of their own, and name that in the variable"
        case "a value":
            return "a script can make the character when it runs, with `printf`"
        case _:
            return None


def _line(statement: tree.Statement) -> str:
    """The statement as it was written, where it has no block."""
    if statement.block is not None or not all(
        isinstance(v, tree.Word | tree.String) for v in statement.values
    ):
        return ""
    return _text([statement.keyword, *statement.values])


def _text(values: Sequence[tree.Value]) -> str:
    """The values as they were written, from the first to the last."""
    return _span(values).text if values else ""


def _span(values: Sequence[tree.Value]) -> Span:
    return values[0].span.to(values[-1].span)
