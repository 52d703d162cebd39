"""What is in an archive that came from outside, as members of a canonical one; nothing in it is trusted."""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import shutil
import stat
import subprocess
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

from reproc.diagnostics.codes import lock as codes
from reproc.lock import tar
from reproc.lock.model import TreeEntry
from reproc.lock.problem import Problem, problem
from reproc.lock.store import Store
from reproc.record import record
from reproc.source import Span

_CHUNK = 1 << 20
_OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    "gz": cast("Callable[[Path], IO[bytes]]", gzip.open),
    "bz2": cast("Callable[[Path], IO[bytes]]", bz2.open),
    "xz": cast("Callable[[Path], IO[bytes]]", lzma.open),
}
_MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\x00", "zst": b"\x28\xb5\x2f\xfd", "zip": b"PK"}
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


@record
class Limits:
    """How much an archive may hold; more is a mistake or a trap."""

    size: int = 1 << 40
    """Bytes, all files together."""
    entries: int = 5_000_000
    ratio: int = 1000
    """How many times its own size: deflate's own limit is 1032, so that only nested tricks come near."""
    small: int = 1 << 30
    """Bytes that any archive may hold."""

    def bytes(self, packed: int) -> int:
        """The most bytes that an archive of `packed` bytes may hold."""
        return min(self.size, max(self.small, self.ratio * packed))


@record
class Source:
    """An archive and how the user knows it."""

    path: Path
    name: str
    """Its address or its name in a record."""
    origin: Span | None
    limits: Limits = Limits()

    def refused(self, reason: str) -> Problem:
        """That it cannot be read as what it should be."""
        return problem(codes.BAD_ARCHIVE, self.origin, source=self.name, reason=reason)

    def hostile(self, path: str, what: str) -> Problem:
        """That it holds something that no archive of code or data should hold."""
        return problem(
            codes.HOSTILE_ARCHIVE, self.origin, source=self.name, path=ascii(path)[1:-1], what=what
        )


def form_of(path: Path) -> str:
    """How a file is packed, told by what is in it: `tar.gz`, `zip`, `gz`, `file`, …"""
    with path.open("rb") as file:
        head = file.read(6)
    packing = next((name for name, magic in _MAGIC.items() if head.startswith(magic)), None)
    if packing == "zip":
        return "zip" if zipfile.is_zipfile(path) else "file"
    if packing is None:
        return "tar" if _is_tar(path.open("rb")) else "file"
    try:
        with _opened(path, packing) as content:
            return f"tar.{packing}" if _is_tar(content) else packing
    except (*_DAMAGED, OSError):
        return packing


def _is_tar(file: IO[bytes]) -> bool:
    with file:
        head = file.read(512)
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


@contextmanager
def _opened(path: Path, packing: str) -> Iterator[IO[bytes]]:
    """What is inside of one layer of compression."""
    if packing != "zst":
        with _OPENERS[packing](path) as file:
            yield file
        return
    program = shutil.which("zstd")
    if program is None:
        raise problem(
            codes.TOOL_MISSING,
            None,
            tool="zstd",
            purpose="unpacking what is compressed with zstd",
            advice="install the package `zstd`",
        )
    command = [program, "-dcq", "--", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield cast("IO[bytes]", _Output(process))
        finally:
            process.terminate()


@dataclass
class _Output:
    """What a program writes; that it failed is known at the end."""

    process: subprocess.Popen[bytes]

    def read(self, size: int) -> bytes:
        assert self.process.stdout is not None, "it is read from here"
        content = self.process.stdout.read(size)
        if not content and self.process.wait() != 0:
            raise EOFError("it ends too early or holds something else")
        return content

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        """The program is ended by whoever started it."""


@contextmanager
def unpacked(
    source: Source, form: str, strip: int | None, store: Store, *, empty: bool = False
) -> Iterator[tuple[list[tar.Member], int]]:
    """The members of what a download holds, which can be read inside, and how many top folders were left out.

    An archive that holds nothing is a mistake unless it may be `empty`. Raises `Problem` for what is damaged, hostile
    or too large.
    """
    try:
        if form == "file":
            yield [_plain(source.path)], 0
        elif form == "zip":
            with zipfile.ZipFile(source.path) as packed:
                yield _arranged(_of_zip(packed, source), strip, source, empty)
        else:
            with store.temporary() as temporary:
                _decompress(source, form, temporary)
                if not form.startswith("tar"):
                    yield [_plain(temporary)], 0
                else:
                    with tarfile.open(temporary, "r:", encoding="utf-8") as archive:
                        yield _arranged(_of_tar(archive, source), strip, source, empty)
    except (*_DAMAGED, gzip.BadGzipFile) as trouble:
        raise source.refused(f"it is damaged ({str(trouble) or 'it ends too early'})") from trouble
    except RuntimeError as trouble:  # how zipfile says that a password is wanted
        raise source.refused("it is encrypted") from trouble


@contextmanager
def unpacked_inside(source: Source, form: str, path: str, store: Store) -> Iterator[tuple[Source, str]]:
    """The archive that lies at a path of another one, and how it is packed; raises `Problem`."""
    with unpacked(source, form, 0, store) as (members, _):
        found = next((each for each in members if each.entry.path == path), None)
        if found is None or found.open is None:
            raise source.refused(f"there is no file `{path}` in it")
        with store.temporary() as temporary:
            with found.open() as content, temporary.open("wb") as out:
                shutil.copyfileobj(content, out, _CHUNK)
            yield (
                Source(temporary, f"{source.name}, {path}", source.origin, source.limits),
                form_of(temporary),
            )


def _plain(path: Path) -> tar.Member:
    return tar.Member(TreeEntry("", False, None), tar.of_file(path), path.stat().st_size)


def _decompress(source: Source, form: str, to: Path) -> None:
    """Writes what is inside, bounded; members are read in another order than they stand in."""
    packing = form.rpartition(".")[2]
    if packing == "tar":
        to.hardlink_to(source.path)
        return
    most, size = source.limits.bytes(source.path.stat().st_size), 0
    with to.open("wb") as out:
        try:
            with _opened(source.path, packing) as content:
                while chunk := content.read(_CHUNK):
                    size += len(chunk)
                    if size > most:
                        raise problem(
                            codes.ARCHIVE_TOO_LARGE, source.origin, source=source.name, limit=f"{most} bytes"
                        )
                    out.write(chunk)
        except OSError as trouble:
            if trouble.errno is None:  # the decompressors' own words; the system's have a number
                raise source.refused(f"it is damaged ({trouble})") from trouble
            raise


@dataclass
class _Entry:
    """A member as the archive has it."""

    path: str
    kind: str
    """`file`, `folder` or `link`."""
    executable: bool = False
    size: int = 0
    link: str = ""
    open: Callable[[], BinaryIO] | None = field(default=None, repr=False)


def _of_tar(archive: tarfile.TarFile, source: Source) -> Iterator[_Entry]:
    members = {}
    for head in archive:
        members[posixpath.normpath(head.name)] = head
        yield _tar_entry(archive, head, members, source)


def _tar_entry(
    archive: tarfile.TarFile, head: tarfile.TarInfo, members: dict[str, tarfile.TarInfo], source: Source
) -> _Entry:
    if head.isdir():
        return _Entry(head.name, "folder")
    if head.issym():
        return _Entry(head.name, "link", link=head.linkname)
    found: tarfile.TarInfo | None = head
    if head.islnk():
        found = members.get(posixpath.normpath(head.linkname))
        for _ in range(16):
            if found is None or not found.islnk():
                break
            found = members.get(posixpath.normpath(found.linkname))
        if found is not None and found.issym():
            return _Entry(head.name, "link", link=found.linkname)
        if found is None or not found.isreg():
            raise source.hostile(head.name, f"is a hard link to `{head.linkname}`, which is not in it")
    assert found is not None, "a head that is no hard link stays"
    if not found.isreg():
        raise source.hostile(head.name, "is a device or a pipe")
    regular = found

    def read() -> BinaryIO:
        content = archive.extractfile(regular)
        assert content is not None, "a regular file has a content"
        return cast("BinaryIO", content)

    return _Entry(head.name, "file", bool(regular.mode & 0o111), regular.size, open=read)


def _of_zip(packed: zipfile.ZipFile, source: Source) -> Iterator[_Entry]:
    for info in packed.infolist():
        # the upper half holds the mode where the archive was made on Unix (APPNOTE.TXT, 4.4.15)
        mode = info.external_attr >> 16 if info.create_system == 3 else 0
        if info.flag_bits & 1:
            raise source.refused("it is encrypted")
        if info.is_dir():
            yield _Entry(info.filename, "folder")
        elif stat.S_ISLNK(mode):
            if info.file_size > 4096:
                raise source.hostile(info.filename, "is a link without an end")
            target = packed.read(info).decode("utf-8", "surrogateescape")
            yield _Entry(info.filename, "link", link=target)
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise source.hostile(info.filename, "is a device or a pipe")
        else:
            yield _Entry(
                info.filename,
                "file",
                bool(mode & 0o111),
                info.file_size,
                open=lambda info=info: cast("BinaryIO", packed.open(info)),  # type: ignore[misc]
            )


def _arranged(
    entries: Iterator[_Entry], strip: int | None, source: Source, empty: bool
) -> tuple[list[tar.Member], int]:
    """The members below the top folders that are left out; of two of one name the later counts, as in tar."""
    tree: dict[str, _Entry] = {}
    size, most = 0, source.limits.bytes(source.path.stat().st_size)
    for number, entry in enumerate(entries, 1):
        entry.path = _inside(entry.path, source)
        size += entry.size
        if size > most or number > source.limits.entries:
            limit = f"{most} bytes" if size > most else f"{source.limits.entries} entries"
            raise problem(codes.ARCHIVE_TOO_LARGE, source.origin, source=source.name, limit=limit)
        if entry.path:
            tree[entry.path] = entry
    depth = (1 if _one_top(tree) else 0) if strip is None else strip
    kept = {path.split("/", depth)[depth]: e for path, e in tree.items() if path.count("/") >= depth}
    if not kept and not empty:
        reason = "it is empty" if not tree else f"without {depth} top folders nothing is left of it"
        raise source.refused(reason)
    return [_member(path, entry, kept, source) for path, entry in kept.items()], depth


def _one_top(tree: dict[str, _Entry]) -> bool:
    """Whether everything is in one folder."""
    tops = {path.partition("/")[0] for path in tree}
    return len(tops) == 1 and any("/" in path for path in tree)


def _inside(name: str, source: Source) -> str:
    """A member's path, without `./`; refuses what leads out or what no recipe can carry."""
    if name.startswith("/"):
        raise source.hostile(name, "has an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise source.hostile(name, "leads out of it")
    path = "/".join(parts)
    _carried(path, name, source)
    return path


def _carried(text: str, name: str, source: Source) -> None:
    """Refuses a name that no recipe can carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise source.hostile(name, "has a name that is not UTF-8") from None
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise source.hostile(name, "has a control character in its name")


def _member(path: str, entry: _Entry, tree: dict[str, _Entry], source: Source) -> tar.Member:
    folder = path
    while folder := posixpath.dirname(folder):
        if folder in tree and tree[folder].kind != "folder":
            raise source.hostile(entry.path, f"lies below `{folder}`, which is no folder")
    if entry.kind == "folder":
        return tar.Member(TreeEntry(path, False, None), None)
    if entry.kind == "link":
        if not link_stays(path, entry.link):
            raise source.hostile(
                entry.path, f"is a link that leads out of it, to `{ascii(entry.link)[1:-1]}`"
            )
        _carried(entry.link, entry.path, source)
        return tar.Member(TreeEntry(path, False, None, entry.link), None)
    return tar.Member(TreeEntry(path, entry.executable, None), entry.open, entry.size)


def link_stays(path: str, link: str) -> bool:
    """Whether a symbolic link never steps above the tree that holds it."""
    if not link or link.startswith("/"):
        return False
    depth = path.count("/")
    for part in link.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return False
    return True


def together(parts: Sequence[tuple[str, list[tar.Member]]], source: Source) -> list[tar.Member]:
    """The members of several downloads, each at its path; two of one name are a mistake, folders may meet."""
    found: dict[str, tar.Member] = {}
    for prefix, members in parts:
        for member in members:
            path = "/".join(each for each in (prefix, member.entry.path) if each)
            moved = tar.moved(member, path)
            before = found.get(path)
            if before is not None and not (tar.is_folder(before) and tar.is_folder(moved)):
                raise source.hostile(path, "is in it twice")
            found[path] = moved
    return list(found.values())
