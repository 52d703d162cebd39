"""Commands in `run`, `script` and `activate` that will fail, or give something else on another day or machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reproc.check.hints.look import Seen, Spec, body, first, text_of, texts, values
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import warnings as codes
from reproc.folder import Folder
from reproc.source import Span
from reproc.syntax.tree import Statement, String, Text, Value, Word

if TYPE_CHECKING:
    from reproc.check.hints.shell import Command

_SYSTEM = "`system { packages … }` brings distribution packages"
_PYTHON = "`python 3.11 { packages … }` brings Python packages"
_CODE = "`code NAME { git …; commit … }` brings a repository"
_FILES = "`data NAME { url …; sha256 … }` or `code NAME { archive …; sha256 … }` brings a file"
_OTHER = "bring what it fetches as `code` or `data`, which the lock pins"

_INSTALLERS: dict[str, tuple[frozenset[str], str]] = {
    **dict.fromkeys(
        ("apt", "apt-get", "aptitude"),
        (frozenset("install update upgrade dist-upgrade build-dep".split()), _SYSTEM),
    ),
    "apk": (frozenset({"add", "update"}), _SYSTEM),
    **dict.fromkeys(
        ("yum", "dnf", "microdnf", "zypper"), (frozenset({"install", "update", "upgrade"}), _SYSTEM)
    ),
    **dict.fromkeys(
        ("conda", "mamba", "micromamba"),
        (frozenset({"install", "create", "update"}), "`conda { packages … }` brings conda packages"),
    ),
    **dict.fromkeys(("npm", "yarn", "pnpm"), (frozenset({"install", "ci", "add"}), _OTHER)),
    "cargo": (frozenset({"install", "fetch"}), _OTHER),
    "gem": (frozenset({"install"}), _OTHER),
}
_R_INSTALLS = r"\b(install\.packages|BiocManager::install|install_github|install_version)\s*\("
_REMOTE = r"(?:https?|ftp)://(?!localhost\b|127\.|\[::1\])"
_NATIVE = r"-m(?:arch|cpu)=native\b|-xHost\b|target-cpu=native\b"
_HOME = r"(?<![A-Za-z0-9_.$}/-])/(?:home|Users)/[A-Za-z0-9_.-]+"
_STATE = {
    "cd": "write `cd …; …` in one `run`, use `script` for several lines, or say `in /path` for the whole build",
    "export": "use `env { NAME value }`, or `script` for several lines",
    "": "use `env { NAME value }`, or `script` for several lines",
}
_LOSES = frozenset("cd pushd popd export unset source . alias umask ulimit set module".split())
_BASH = {
    "source": ".",
    "[[": "[ … ]",
    "declare": "local",
    "typeset": "local",
    "pushd": "cd",
    "popd": "cd",
    "shopt": None,
    "mapfile": None,
    "readarray": None,
}

_BEGINS = tuple(f"{word} " for word in _LOSES)
_WORTH = (
    *("sudo", "apt", "apk", "yum", "dnf", "zypper", "conda", "mamba", "npm", "yarn", "cargo", "gem", "pip"),
    *("curl", "wget", "aria2c", "git ", "go install", *_BASH),
    *("install.packages", "BiocManager", "install_"),
)


def check(spec: Spec, folder: Folder) -> Iterator[Diagnostic]:
    homes = _homes(spec)
    for each in spec.all:
        if each.word in ("run", "script") and each.inside("build", "app", "test", "experiment"):
            yield from _shell(each, homes)
        elif each.word == "activate" and each.at_top:
            for value in values(each.statement):
                yield from _texts(value, homes, native=False)
        elif each.inside("env"):
            for value in values(each.statement):
                yield from _texts(value, homes)


def _shell(each: Seen, homes: tuple[str, ...] | None) -> Iterator[Diagnostic]:
    owner = each.within[-1]
    place = owner.keyword.text
    posix = first(body(owner).get("shell")) != "bash"
    for value in values(each.statement):
        found = _commands(text_of(value))
        told: set[str] = set()
        for command in found:
            for diagnostic in _network(command, value, owner):
                # `apt-get update` and `apt-get install` are one mistake
                if (diagnostic.help or "") not in told:
                    told.add(diagnostic.help or "")
                    yield diagnostic
            if command.sudo:
                reason = "builds run as root" if place == "build" else "nothing here runs as root"
                yield error(codes.SUDO, _span(value, command, "sudo"), reason=reason)
            word = command.words[0] if command.words else ""
            if posix and word in _BASH:
                where = _span(value, command, word)
                yield error(codes.NOT_POSIX, where, command=word, instead=_BASH[word])
        if place == "build" and each.word == "run":
            yield from _lost(value, found)
        yield from _texts(value, homes, native=place == "build")


def _commands(text: str) -> tuple[Command, ...]:
    """The commands of a text, where any word in it makes it worth while to tell them apart."""
    if not (any(word in text for word in _WORTH) or text.lstrip().startswith(_BEGINS) or _sets(text)):
        return ()
    from reproc.check.hints.shell import commands

    return tuple(commands(text))


def _sets(text: str) -> bool:
    head = text.split(maxsplit=1)[:1]
    return bool(head) and "=" in head[0]


def _lost(value: Value, found: tuple[Command, ...]) -> Iterator[Diagnostic]:
    """A `run` that only changes its own shell."""
    if found and all(each.name in _LOSES or (each.assignments and not each.words) for each in found):
        name = found[0].name
        instead = _STATE.get(name, "use `script` for several lines that need it")
        yield error(codes.LOST_STATE, value.span, command=name or "assignment", instead=instead)


def _network(command: Command, value: Value, owner: Statement) -> Iterator[Diagnostic]:
    fetches = _fetches(command)
    if fetches is None:
        return
    what, instead, installs = fetches
    span = _span(value, command)
    inside = body(owner)
    match owner.keyword.text:
        case "build" if first(inside.get("network")) != "yes":
            yield error(codes.NO_NETWORK, span, command=what, place="build", instead=instead)
        case "test" if not _needs_network(owner):
            yield error(
                codes.NO_NETWORK, span, command=what, place="test", instead=_for_tests(installs, instead)
            )
        case "build":
            yield error(codes.UNPINNED_DOWNLOAD, span, command=what, instead=instead)
        case "app" | "experiment" if installs:
            yield error(codes.UNPINNED_DOWNLOAD, span, command=what, instead=instead)
        case _:
            pass


def _needs_network(test: Statement) -> bool:
    inner = test.block.statements if test.block else ()
    return any(each.keyword.text == "needs" and "network" in texts(each) for each in inner)


def _for_tests(installs: bool, instead: str) -> str:
    return instead if installs else f"add `needs network`; or {instead}"


def _fetches(command: Command) -> tuple[str, str, bool] | None:
    """What a command is called that fetches something, what to write instead, and whether it installs."""
    name, words = command.name, command.words[1:]
    if re.fullmatch(r"python[0-9.]*", name) and words[:2] == ("-m", "pip"):
        name, words = "pip", words[2:]
    elif name == "uv" and words[:1] == ("pip",):
        name, words = "pip", words[1:]
    verb = next((each for each in words if not each.startswith("-")), "")
    if name in _INSTALLERS and verb in _INSTALLERS[name][0]:
        return f"{name} {verb}", _INSTALLERS[name][1], True
    if re.fullmatch(r"pip[0-9.]*", name) and verb in ("install", "download") and _from_an_index(words):
        return f"{name} {verb}", _PYTHON, True
    if name == "git":
        if verb == "clone" and any("://" in each or re.match(r"[\w.-]+@[\w.-]+:", each) for each in words):
            return "git clone", _CODE, False
        if verb == "submodule" and "update" in words:
            return "git submodule update", "`submodules` in the `code` brings them along", False
    if name in ("curl", "wget", "aria2c") and any(re.match(_REMOTE, each) for each in words):
        return name, _FILES, False
    if name in ("R", "Rscript") and any(re.search(_R_INSTALLS, each) for each in words):
        return "install.packages", "`r { packages … }` brings R packages", True
    if name == "go" and verb == "install" and any("@" in each for each in words):
        return "go install", _OTHER, True
    return None


def _from_an_index(words: tuple[str, ...]) -> bool:
    """Whether pip is asked for more than what lies beside it."""
    if "--no-index" in words:
        return False
    named = [each for each in words if not each.startswith("-")][1:]
    if any(each in ("-r", "--requirement") or each.startswith("--requirement=") for each in words):
        return True
    return any(not re.match(r"[./~$]|file:|.*\.(?:whl|tar\.gz|zip)$", each) and each != "." for each in named)


def _texts(value: Value, homes: tuple[str, ...] | None, *, native: bool = True) -> Iterator[Diagnostic]:
    """What is wrong with a text wherever it stands in it, each thing once."""
    text = text_of(value)
    match = re.search(_NATIVE, text) if native and ("native" in text or "-xHost" in text) else None
    if match:
        instead = "target-cpu=x86-64-v2" if "target" in match[0] else "-march=x86-64-v2"
        where = _place(value, match[0], match.start())
        yield error(codes.NATIVE_CODE, where, flag=match[0], instead=instead)
    if homes is not None and ("/home/" in text or "/Users/" in text):
        for found in re.finditer(_HOME, text):
            if not any(found[0] == home or home.startswith(f"{found[0]}/") for home in homes):
                where = _place(value, found[0], found.start())
                yield error(codes.HOME_PATH, where, path=found[0])
                return


def _homes(spec: Spec) -> tuple[str, ...] | None:
    """Home directories that the spec makes itself; None where the base is an image, which may have its own."""
    found: list[str] = []
    for each in spec.all:
        words = texts(each.statement)
        if each.word == "base" and words[:1] not in (("debian",), ("ubuntu",)):
            return None
        if each.word == "user" and words:
            found.append(f"/home/{words[0]}")
        if each.word in ("into", "home", "directory", "workdir", "in", "keep", "venv", "prefix"):
            found += [word.rstrip("/") for word in words if word.startswith(("/home/", "/Users/"))]
    return tuple(found)


def _span(value: Value, command: Command, word: str = "") -> Span:
    """Where a command stands in the source, or a word of it."""
    text = text_of(value)
    said = text[command.start : command.end]
    offset = said.find(word) if word else 0
    if offset < 0:
        return _place(value, said, command.start)
    return _place(value, word or said, command.start + offset)


def _place(value: Value, said: str, offset: int) -> Span:
    """Where a part of a value's text stands in the source: exactly, else its line, else the whole value.

    A text keeps its lines, and only its indentation and escaped braces differ from what is written.
    """
    span = value.span
    source = span.source
    said = said.partition("\n")[0]
    start, end = span.start, span.end
    if isinstance(value, Text):
        line = source.position(span.start).line + 1 + text_of(value).count("\n", 0, offset)
        if line > len(source.line_starts):
            return span
        start = source.line_starts[line - 1]
        end = min(start + len(source.line(line)), span.end)
    elif isinstance(value, String):
        said = said.replace("\\", "\\\\").replace('"', '\\"')
        start = min(start + 1 + offset, end)
        if source.text[start : start + len(said)] != said:
            start = span.start + 1
    elif isinstance(value, Word):
        start += offset
    at = source.text.find(said, start, end)
    if at >= 0 and said:
        return Span(source, at, at + len(said))
    line_text = source.text[start:end]
    if isinstance(value, Text) and line_text.strip():
        lead = len(line_text) - len(line_text.lstrip())
        return Span(source, start + lead, start + len(line_text.rstrip()))
    return span
