"""Why a file comes out differently from one build to the next: the usual suspects, and what helps against each.

Two versions of a file are looked at, one suspect after the other; one that explains the whole difference is named
before one that has only left its mark in it. The suspects are those that the reproducible-builds project has
found over the years (reproducible-builds.org/docs).
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import zip_longest

from reproc.record import record


@record
class Suspect:
    """A cause, in words that follow "it holds", and the remedy."""

    cause: str
    remedy: str


_PLACES = (
    ("var/log/*", "a log", "remove it in the step that writes it"),
    ("*.log", "a log", "remove it in the step that writes it"),
    ("var/cache/ldconfig/aux-cache", "times of libraries", "remove it in the step that calls ldconfig"),
    ("var/cache/*", "a cache", "remove it in the step that fills it"),
    ("var/lib/apt/*", "what apt fetched or noted", "let `system` install packages instead of a build"),
    ("var/lib/dpkg/*-old", "a backup of dpkg's", "let `system` install packages instead of a build"),
    ("etc/machine-id", "a number that was drawn for this machine", "empty it in the step that makes it"),
    ("*/.git/*", "git's own files", "remove `.git` in the step that clones"),
    ("*/config.log", "what configure found out, with times", "remove it, or let `keep` leave it out"),
    ("tmp/*", "a temporary file", "remove it in the step that makes it"),
    ("root/.*", "what a program noted in root's home", "remove it in the step that makes it"),
)
"""Places where what differs from build to build is written: pattern, cause, remedy."""

_EPOCH = "GCC takes it from SOURCE_DATE_EPOCH from version 7 on; an older one needs `-D__DATE__=` and `-D__TIME__=`"
_TIME = re.compile(
    rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
    rb"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]?[0-9],? (?:20)?[0-9][0-9]"
    rb"|\b20[0-9]{2}-[01][0-9]-[0-3][0-9]|\b[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9])?\b|\b1[5-9][0-9]{8}\b"
)
_TEMPORARY = re.compile(rb"/tmp/(?:cc|tmp|pip-|build-)[\w.-]{4,}")
_OF_NVCC = re.compile(rb"tmpxft_[0-9a-f]{8}_[0-9a-f]{8}-")
"""The symbol table names nvcc's intermediate files, and these the number of its process (seen of CUDA 13.0)."""
_PATH = re.compile(rb"/(?:home|build|work|tmp|mnt|root|srv|opt)/[\w.+/-]{3,}")
_JOBS = re.compile(rb"-j ?[0-9]+|[Pp]rocessors?:? [0-9]+|nproc|OMP_NUM_THREADS")


def suspect(path: str, first: bytes, second: bytes) -> Suspect | None:
    """The likely cause of a difference between two versions of a file; None if none is known."""
    for look in _LOOKS:
        if (found := look(path, first, second)) is not None:
            return found
    return None


def _place(path: str, first: bytes, second: bytes) -> Suspect | None:
    plain = path.lstrip("/")
    return next((Suspect(cause, remedy) for glob, cause, remedy in _PLACES if fnmatch(plain, glob)), None)


def _bytecode(path: str, first: bytes, second: bytes) -> Suspect | None:
    """Python's compiled modules: the source's time, or the order of a set (PEP 552 for the form)."""
    if not path.endswith(".pyc") or len(first) < 16 or len(second) < 16:
        return None
    if first[16:] == second[16:] and not first[4] & 1:
        return Suspect(
            "the time of the module's source",
            "compile with SOURCE_DATE_EPOCH set, or with `--invalidation-mode unchecked-hash`",
        )
    return Suspect(
        "compiled Python, in which sets have no fixed order", "set PYTHONHASHSEED in the build's `env`"
    )


def _archive(path: str, first: bytes, second: bytes) -> Suspect | None:
    """Static libraries: `ar` notes time and owner of each member (ar(5), header of 60 bytes)."""
    if not first.startswith(b"!<arch>\n") or not second.startswith(b"!<arch>\n"):
        return None
    if _members(first) and _members(first) == _members(second):
        return Suspect("times and owners of an archive's members", "call `ar` with `D`: `ARFLAGS=rcD`")
    if _members(first) and sorted(_members(first)) == sorted(_members(second)):
        return Suspect("an archive's members in the order of the file system", "sort what `ar` is given")
    return None


def _members(archive: bytes) -> list[bytes]:
    """Name and content of an ar archive's members, without the index of symbols, whose offsets follow from them."""
    found, at = [], 8
    while at + 60 <= len(archive):
        header = archive[at : at + 60]
        digits = header[48:58].strip()
        if not digits.isdigit():
            break  # damaged
        size = int(digits)
        name = header[:16].strip()
        if name not in (b"/", b"/SYM64/"):
            found.append(name + b"\0" + archive[at + 60 : at + 60 + size])
        at += 60 + size + size % 2
    return found


def _gzip(path: str, first: bytes, second: bytes) -> Suspect | None:
    """RFC 1952, section 2.3: four bytes of time behind magic, method and flags."""
    if first[:2] == second[:2] == b"\x1f\x8b" and first[8:] == second[8:] and first[:4] == second[:4]:
        return Suspect("the time of what was compressed", "call `gzip` with `-n`")
    return None


def _zip(path: str, first: bytes, second: bytes) -> Suspect | None:
    if not first.startswith(b"PK\3\4") or not second.startswith(b"PK\3\4"):
        return None
    try:
        ours, theirs = (zipfile.ZipFile(io.BytesIO(each)).infolist() for each in (first, second))
    except zipfile.BadZipFile:
        return None
    listed = [[(row.filename, row.CRC, row.file_size) for row in rows] for rows in (ours, theirs)]
    if listed[0] == listed[1]:
        return Suspect("the times of an archive's members", "touch them first, or call `zip` with `-X -o`")
    if sorted(listed[0]) == sorted(listed[1]):
        return Suspect("an archive's members in the order of the file system", "sort what `zip` is given")
    return None


def _order(path: str, first: bytes, second: bytes) -> Suspect | None:
    if b"\0" not in first and sorted(first.splitlines()) == sorted(second.splitlines()):
        return Suspect("the same lines in another order", "sort what a program lists before it is written")
    return None


def _traces(path: str, first: bytes, second: bytes) -> Suspect | None:
    """What has left its mark where the two differ."""
    ours, theirs = zip(*_differing(first, second), strict=True) if first != second else ((), ())
    both = [b"\n".join(each) for each in (ours, theirs)]

    def marks(pattern: re.Pattern[bytes]) -> bool:
        found = [pattern.findall(each) for each in both]
        return bool(found[0] and found[1]) and found[0] != found[1]

    if marks(_TEMPORARY):
        return Suspect("the name of a temporary file", "compile with `-frandom-seed=x`, or without `-g`")
    if marks(_OF_NVCC):
        return Suspect("the name of a temporary file of nvcc", "link with `-Xlinker -s`, or strip it")
    if marks(_TIME):
        return Suspect(
            "a time", _EPOCH if first.startswith(b"\x7fELF") else "take it from SOURCE_DATE_EPOCH instead"
        )
    if marks(_JOBS):
        return Suspect(
            "the number of processors", "write a number in place of `{{jobs}}` where it is noted down"
        )
    if marks(_PATH):
        return Suspect("the path of a build", "compile with `-ffile-prefix-map=$PWD=.`")
    return None


_STRING = re.compile(rb"[\x09\x20-\x7e]{4,}")


def _differing(first: bytes, second: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The lines of two texts, or the strings of two other files, that are not the same."""
    binary = b"\0" in first[:8192] or b"\0" in second[:8192]
    split: Callable[[bytes], list[bytes]] = _STRING.findall if binary else bytes.splitlines
    ours, theirs = split(first), split(second)
    if len(ours) != len(theirs):
        known = {*ours} & {*theirs}
        ours, theirs = ([each for each in rows if each not in known] for rows in (ours, theirs))
    yield from (pair for pair in zip_longest(ours, theirs, fillvalue=b"") if pair[0] != pair[1])
    yield b"", b""


def _identity(path: str, first: bytes, second: bytes) -> Suspect | None:
    """An ELF file in which only the build id differs (note type 3 of GNU, elf(5))."""
    if not first.startswith(b"\x7fELF") or len(first) != len(second):
        return None
    sign = struct.pack("<III4s", 4, 20, 3, b"GNU\0")
    blank = []
    for each in (first, second):
        at = each.find(sign)
        if at < 0:
            return None
        blank.append(each[: at + 16] + bytes(20) + each[at + 36 :])
    if blank[0] != blank[1]:
        return None
    return Suspect(
        "a build id of something that was stripped afterwards",
        "link with `-Wl,--build-id=none`, or keep debugging",
    )


_LOOKS = (_bytecode, _archive, _gzip, _zip, _identity, _place, _order, _traces)
"""What knows the form of a file comes before what knows only its place."""
