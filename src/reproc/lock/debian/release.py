"""A suite's signed `InRelease` file: who signed it, and the digests of the indexes that it vouches for."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
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
    if shutil.which("gpgv"):
        signed = _gpgv(content, keys, signature)
    elif shutil.which("sqv"):
        signed = _sqv(content, keys, signature)
    else:
        raise problem(
            codes.TOOL_MISSING,
            None,
            tool="gpgv",
            purpose="checking an archive's signature",
            advice="install the package `gpgv` (or `sqv`)",
        )
    if isinstance(signed, str):
        raise problem(codes.BAD_SIGNATURE, None, archive=archive, suite=suite, output=signed)
    return _read(signed, digest(content))


def _gpgv(content: bytes, keys: Sequence[Path], signature: bytes | None) -> bytes | str:
    """The text that a good signature covers, or what the verifier says against it.

    A signature by a key that has expired since counts: old releases are signed by nothing else.
    """
    options = [option for key in keys for option in ("--keyring", str(key.absolute()))]
    with tempfile.TemporaryDirectory(prefix="reproc-gpgv-") as home:
        covered = Path(home, "covered")
        files = ["--output", str(covered), "-"]
        if signature is not None:
            Path(home, "signature").write_bytes(signature)
            covered.write_bytes(content)
            files = [str(Path(home, "signature")), str(covered)]
        done = subprocess.run(
            ["gpgv", "--homedir", home, "--status-fd", "1", *options, *files],
            input=content,
            capture_output=True,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        good = {line.split()[1] for line in said.splitlines() if line.startswith("[GNUPG:] ")}
        if "VALIDSIG" not in good or good & {"BADSIG", "REVKEYSIG"} or not covered.exists():
            return done.stderr.decode(errors="replace") or "no valid signature"
        return covered.read_bytes()


def _sqv(content: bytes, keys: Sequence[Path], beside: bytes | None) -> bytes | str:
    parts = _parted(content) if beside is None else (content, beside)
    if parts is None:
        return "it is not a clear-signed text"
    text, signature = parts
    options = [option for key in keys for option in ("--keyring", str(key.absolute()))]
    with tempfile.TemporaryDirectory(prefix="reproc-sqv-") as folder:
        covered, detached = Path(folder, "covered"), Path(folder, "signature.asc")
        covered.write_bytes(text)
        detached.write_bytes(signature)
        done = subprocess.run(
            ["sqv", *options, str(detached), str(covered)], capture_output=True, check=False
        )
        if done.returncode != 0:
            return done.stderr.decode(errors="replace") or "no valid signature"
    return text


def _parted(content: bytes) -> tuple[bytes, bytes] | None:
    """The text of a clear-signed message (RFC 9580, section 7) and its signature block."""
    begin, middle, end = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\n",
        b"\n-----BEGIN PGP SIGNATURE-----\n",
        b"\n-----END PGP SIGNATURE-----",
    )
    content = content.replace(b"\r\n", b"\n")
    if not content.startswith(begin) or content.count(middle) != 1 or end not in content:
        return None
    head, _, body = content.partition(b"\n\n")
    text, _, rest = body.partition(middle)
    if head.count(b"\n") > 4:
        return None
    lines = (line.removeprefix(b"- ").rstrip(b" \t") for line in text.split(b"\n"))
    return b"\n".join(lines), middle.lstrip(b"\n") + rest


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
