"""From the JSON of a lock to its values, every type and form checked; nothing heavy is imported here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from reproc.lock.model import (
    AptLayer,
    Archive,
    ArchiveBase,
    BootstrapBase,
    BuildTools,
    CondaPackage,
    CondaTree,
    Deb,
    Download,
    GitTree,
    ImageBase,
    ImageTree,
    LargeFile,
    LocalTree,
    Lock,
    LockedBase,
    LockedTarget,
    PythonEnvironment,
    SourceTree,
    Submodule,
    SwhTree,
    TreeEntry,
    WebTree,
    Wheel,
)

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SNAPSHOT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:=@-]*")
_DEB = re.compile(r"([a-z0-9][a-z0-9+.-]*)_([A-Za-z0-9.+~:-]+)_([a-z0-9-]+)@([a-z0-9-]+)(?:#[0-9a-f]{64})?")
_WHEEL = re.compile(r"[A-Za-z0-9._+!-]+\.(whl|tar\.gz|zip|tar\.bz2)")
CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*")
CONDA_PATH = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)?/[A-Za-z0-9_][A-Za-z0-9._+!-]*\.(?:conda|tar\.bz2)")
_INTERPRETER = re.compile(r"(/opt/python/[0-9]+(\.[0-9]+)+/bin/)?python[0-9]+(\.[0-9]+)+")
_PROJECT = re.compile(r"(code )?[A-Za-z0-9][A-Za-z0-9._-]*")
_ADDRESS = re.compile(r"[a-z]+://[^\s\"'<>\\^`{|}\x00-\x1f\x7f]+")
_PURL = re.compile(r"pkg:[a-z]+/[A-Za-z0-9@%._~:/+?=&-]+")
_PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\x00-\x1f\x7f]*")
_FORM = re.compile(r"file|zip|tar|(tar\.)?(gz|bz2|xz|zst)")
_SWHID = re.compile(r"swh:1:(rev|dir|rel|snp|cnt):[0-9a-f]{40}(;[a-z]+=[^\s;]+)*")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")
_ABSOLUTE = re.compile(r"/[^\x00-\x1f\x7f]*")


Step: TypeAlias = str | int
"""A key of an object, or a place in a list."""


class Malformed(Exception):
    """Something is not of the type or form that it must have; says where."""

    def __init__(self, reason: str, path: tuple[Step, ...]) -> None:
        super().__init__(reason)
        self.path = path


def lock(content: Mapping[str, Any]) -> Lock:
    """The lock in a parsed file; raises `Malformed`."""
    top = _Reader(content, "the lock")
    debs = {key: _deb(key, each) for key, each in top.pairs("debs")}
    trees = {key: _tree(each) for key, each in top.pairs("trees")}
    return Lock(
        top.number("time"),
        tuple(_archive(each) for each in top.readers("archives")),
        tuple(_target(each, debs, trees) for each in top.readers("targets")),
        top.optional("as-of", top.number),
    )


def scheme(content: Mapping[str, Any]) -> int:
    """How the digests of `inputs` were made; raises `Malformed`."""
    return _Reader(content, "the lock").reader("inputs").number("scheme")


def inputs(content: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The digests of what every section was asked for; raises `Malformed`."""
    found = _Reader(content, "the lock").reader("inputs")
    return tuple(
        (name, tuple((s, each.text(s, _SHA256)) for s in each.names()))
        for name, each in found.pairs("targets")
    )


class _Reader:
    """A JSON object whose members are asked for by name and type."""

    def __init__(self, value: object, where: str, path: tuple[Step, ...] = ()) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{where} is not an object", path)
        self._value: dict[str, Any] = value
        self.where = where
        self.path = path

    def names(self) -> list[str]:
        return list(self._value)

    def wrong(self, name: str, words: str) -> Malformed:
        """That a member is not as it must be."""
        return Malformed(f"`{name}` of {self.where} {words}", (*self.path, name))

    def _get(self, name: str, kind: type[T], words: str) -> T:
        value = self._value.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(name, f"is not {words}")
        return value

    def text(self, name: str, form: re.Pattern[str] = _PLAIN) -> str:
        value = self._get(name, str, "a text")
        if not form.fullmatch(value):
            raise self.wrong(name, "has not the form that it must have")
        return value

    def number(self, name: str) -> int:
        value = self._get(name, int, "a number")
        if not 0 <= value < 1 << 53:
            raise self.wrong(name, "is out of range")
        return value

    def flag(self, name: str) -> bool:
        return self._get(name, bool, "true or false")

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return None if self._value.get(name) is None else read(name)

    def reader(self, name: str) -> _Reader:
        return _Reader(self._value.get(name), f"`{name}` of {self.where}", (*self.path, name))

    def readers(self, name: str) -> list[_Reader]:
        found = self._get(name, list, "a list")
        return [
            _Reader(each, f"item {number + 1} of `{name}` of {self.where}", (*self.path, name, number))
            for number, each in enumerate(found)
        ]

    def pairs(self, name: str) -> list[tuple[str, _Reader]]:
        inner = self.reader(name)
        return [
            (key, _Reader(value, f"`{ascii(key)[1:-1]}`", (*inner.path, key)))
            for key, value in inner._value.items()
        ]

    def texts(self, name: str) -> list[str]:
        found = self._get(name, list, "a list")
        if not all(isinstance(each, str) and _PLAIN.fullmatch(each) for each in found):
            raise self.wrong(name, "is not a list of plain texts")
        return found

    def named(self, name: str, known: Mapping[str, T]) -> tuple[T, ...]:
        """The values that a list of keys stands for."""
        try:
            return tuple(known[key] for key in self.texts(name))
        except KeyError as trouble:
            raise self.wrong(name, f"names {trouble}, which is not there") from trouble


def _archive(at: _Reader) -> Archive:
    suites = at.reader("suites")
    pairs = tuple((suite, suites.text(suite, _SHA256)) for suite in suites.names())
    address = at.optional("address", lambda name: at.text(name, _ADDRESS))
    return Archive(
        at.text("name", _WORD), at.text("snapshot", _SNAPSHOT), pairs, at.flag("confirmed"), address
    )


def _deb(key: str, at: _Reader) -> Deb:
    match = _DEB.fullmatch(key)
    if match is None:
        raise Malformed(f"{ascii(key)} is not a package with its version, architecture and archive", at.path)
    name, version, architecture, archive = match.groups()
    return Deb(
        name,
        version,
        architecture,
        archive,
        at.text("path", _PATH),
        at.number("size"),
        at.text("sha256", _SHA256),
    )


def _tree(at: _Reader) -> SourceTree:
    match at.text("kind"):
        case "local":
            entries = tuple(_entry(each) for each in at.readers("entries"))
            return LocalTree(at.text("source"), entries, at.text("sha256", _SHA256))
        case "git":
            return GitTree(
                at.text("url"),
                at.text("commit", _OBJECT),
                at.text("tree", _OBJECT),
                at.text("sha256", _SHA256),
                tuple(_submodule(each) for each in at.optional("submodules", at.readers) or ()),
                tuple(at.optional("left-out", at.texts) or ()),
                tuple(_large(each) for each in at.optional("large", at.readers) or ()),
            )
        case "web":
            downloads = tuple(_download(each) for each in at.readers("downloads"))
            return WebTree(at.text("source"), downloads, at.text("sha256", _SHA256))
        case "swh":
            return SwhTree(
                at.text("swhid", _SWHID),
                at.text("tree", _OBJECT),
                at.flag("single"),
                at.text("sha256", _SHA256),
            )
        case "image":
            return ImageTree(
                at.text("reference"),
                at.text("digest", _DIGEST),
                at.text("folder", _ABSOLUTE),
                at.text("sha256", _SHA256),
            )
        case "conda":
            return CondaTree(
                at.text("channel", _WORD),
                at.text("address", _ADDRESS),
                at.text("prefix", _ABSOLUTE),
                tuple(_conda(each) for each in at.readers("packages")),
                at.text("sha256", _SHA256),
            )
        case other:
            raise Malformed(f"{at.where} is of an unknown kind, `{other}`", (*at.path, "kind"))


def _conda(at: _Reader) -> CondaPackage:
    return CondaPackage(
        at.text("name", CONDA_NAME),
        at.text("version", CONDA_NAME),
        at.text("build", CONDA_NAME),
        at.text("path", CONDA_PATH),
        at.number("size"),
        at.text("sha256", _SHA256),
    )


def _submodule(at: _Reader) -> Submodule:
    return Submodule(at.text("path", _PATH), at.text("url"), at.text("commit", _OBJECT))


def _large(at: _Reader) -> LargeFile:
    return LargeFile(at.text("path", _PATH), at.text("sha256", _SHA256), at.number("size"))


def _download(at: _Reader) -> Download:
    urls = tuple(at.texts("urls"))
    if not urls or not all(_ADDRESS.fullmatch(url) or _PURL.fullmatch(url) for url in urls):
        raise at.wrong("urls", "is not a list of addresses")
    return Download(
        at.text("path", _PATH),
        at.text("name", _PATH),
        urls,
        at.text("sha256", _SHA256),
        at.number("size"),
        at.text("form", _FORM),
        at.number("strip"),
        at.optional("inside", lambda name: at.text(name, _PATH)) or "",
    )


def _entry(at: _Reader) -> TreeEntry:
    link = at.optional("link", at.text)
    if link is not None:
        return TreeEntry(at.text("path", _PATH), False, None, link)
    executable = bool(at.optional("executable", at.flag))
    return TreeEntry(at.text("path", _PATH), executable, at.text("sha256", _SHA256))


def _target(at: _Reader, debs: Mapping[str, Deb], trees: Mapping[str, SourceTree]) -> LockedTarget:
    inside = at.reader("trees")
    found = []
    for name in inside.names():
        key = inside.text(name)
        if key not in trees:
            raise inside.wrong(name, "names a tree that is not there")
        found.append((name, trees[key]))
    return LockedTarget(
        at.text("name", _WORD),
        at.text("platform"),
        _base(at.reader("base"), debs),
        tuple(_layer(each, debs) for each in at.readers("apt")),
        tuple(_python(each) for each in at.readers("python")),
        tuple(found),
        tuple(_target(each, debs, {}) for each in at.optional("further", at.readers) or ()),
    )


def _base(at: _Reader, debs: Mapping[str, Deb]) -> LockedBase:
    match at.text("kind"):
        case "bootstrap":
            return BootstrapBase(
                at.text("distribution", _WORD),
                at.text("release", _WORD),
                at.named("debs", debs),
                at.text("tool"),
                at.text("sha256", _SHA256),
                at.number("size"),
            )
        case "image":
            variables = at.reader("environment")
            environment = tuple((name, variables.text(name)) for name in variables.names())
            return ImageBase(
                at.text("reference"),
                at.text("digest", _DIGEST),
                at.text("rootfs", _SHA256),
                at.number("size"),
                environment,
            )
        case "archive":
            variables = at.reader("environment")
            return ArchiveBase(
                at.text("path", _PATH),
                at.text("sha256", _SHA256),
                at.text("rootfs", _SHA256),
                at.number("size"),
                tuple((name, variables.text(name)) for name in variables.names()),
                at.flag("plain"),
            )
        case other:
            raise Malformed(f"{at.where} is of an unknown kind, `{other}`", (*at.path, "kind"))


def _layer(at: _Reader, debs: Mapping[str, Deb]) -> AptLayer:
    after = at.optional("after", lambda name: at.text(name, _WORD))
    return AptLayer(at.text("name", _WORD), after, tuple(at.texts("requested")), at.named("debs", debs))


def _python(at: _Reader) -> PythonEnvironment:
    tools = at.optional("tools", at.readers) or []
    return PythonEnvironment(
        at.text("name", _WORD),
        at.text("interpreter", _INTERPRETER),
        at.text("prefix", _ABSOLUTE),
        _wheels(at),
        tuple(BuildTools(each.text("project", _PROJECT), _wheels(each)) for each in tools),
        at.optional("index", lambda name: at.text(name, _ADDRESS)),
    )


def _wheels(at: _Reader) -> tuple[Wheel, ...]:
    return tuple(
        Wheel(
            w.text("name", _WORD),
            w.text("version"),
            w.text("filename", _WHEEL),
            w.number("size"),
            w.text("sha256", _SHA256),
        )
        for w in at.readers("wheels")
    )
