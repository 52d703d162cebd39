"""A suite's signed `InRelease` file: who signed it, and the digests of the indexes that it vouches for."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.lock.debian.signature import Refusal, covered
from reproc.lock.net import digest
from reproc.lock.problem import problem
from reproc.record import record

KEYRINGS = {
    "debian": ("debian-archive-keyring", ("debian-archive-keyring.gpg", "debian-archive-removed-keys.gpg")),
    "ubuntu": ("ubuntu-keyring", ("ubuntu-archive-keyring.gpg", "ubuntu-archive-removed-keys.gpg")),
}
"""For a distribution: the package that brings its keyrings, and their file names, the current one first."""


@record
class InRelease:
    """What a suite's signed file says."""

    sha256: str
    """Of the file itself."""
    by_hash: bool
    digests: dict[str, tuple[str, int]]
    """sha256 and size of every file below the suite."""
    time: int | None = None
    """When it was made, in seconds since 1970-01-01 UTC."""


def keyrings(distribution: str, folders: Sequence[Path]) -> tuple[Path, ...]:
    """The distribution's keyrings on this machine, the current one first; raises `Problem` without any."""
    package, names = KEYRINGS.get(
        distribution, (f"{distribution}-keyring", (f"{distribution}-archive-keyring.gpg",))
    )
    found = tuple(path for name in names for folder in folders if (path := folder / name).is_file())
    if not found:
        raise problem(codes.NO_KEYRING, None, distribution=distribution, package=package, keyring=names[0])
    return found


def verified(
    content: bytes, keys: Sequence[Path], archive: str, suite: str, signature: bytes | None = None
) -> InRelease:
    """What the file says, its signature, in it or beside it, having been checked; raises `Problem`."""
    signed = covered(content, keys, signature)
    if isinstance(signed, Refusal):
        facts = {"archive": archive, "suite": suite, "advice": signed.advice}
        raise problem(codes.BAD_SIGNATURE, None, output=signed.output, **facts)
    return _read(signed, digest(content))


def _read(text: bytes, sha256: str) -> InRelease:
    digests: dict[str, tuple[str, int]] = {}
    section, by_hash, time = b"", False, None
    for line in text.split(b"\n"):
        if not line.startswith(b" "):
            section, _, value = line.partition(b":")
            by_hash = by_hash or (section.lower() == b"acquire-by-hash" and value.strip() == b"yes")
            if section.lower() == b"date":
                time = _time(value.decode("ascii", "replace").strip())
        elif section.lower() == b"sha256":
            parts = line.split()
            if len(parts) == 3 and len(parts[0]) == 64 and parts[1].isdigit():
                digests[parts[2].decode("utf-8", "replace")] = (
                    parts[0].decode("ascii", "replace"),
                    int(parts[1]),
                )
    return InRelease(sha256, by_hash, digests, time)


def _time(value: str) -> int | None:
    try:
        return int(parsedate_to_datetime(value).timestamp())
    except ValueError:
        return None
