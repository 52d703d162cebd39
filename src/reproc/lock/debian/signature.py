"""Whether a release file is signed by one of the archive's keys, as gpgv or sqv says.

What counts is the moment of signing: a key that has expired since is as good as before, since old releases are
signed by nothing else, and one that had expired by then, or was revoked, is none. One good signature is enough,
as for apt; a wrong one is never passed over. Only the text that is covered comes out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.lock.problem import problem
from reproc.record import record

_WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}
"""The digests that can be forged, by their numbers in OpenPGP (RFC 9580, section 9.5)."""
# what sqv says
_MISSING_KEY = re.compile(r"^Missing key ([0-9A-F]{16,})", re.MULTILINE)
_WEAK_DIGEST = re.compile(r"because: (\S+) is not considered secure")
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
_MIDDLE = b"\n-----BEGIN PGP SIGNATURE-----\n"
_END = b"\n-----END PGP SIGNATURE-----\n"


@record
class Refusal:
    """Why a signature does not count."""

    advice: str | None
    output: str = ""
    """The verifier's own words."""


def covered(content: bytes, keys: Sequence[Path], signature: bytes | None = None) -> bytes | Refusal:
    """The text of a file that a good signature, in it or beside it, covers; raises `Problem` without a verifier."""
    verifier = next((each for each in ("gpgv", "sqv") if shutil.which(each)), None)
    if verifier is None:
        raise problem(
            codes.TOOL_MISSING,
            None,
            tool="gpgv",
            purpose="checking an archive's signature",
            advice="install the package `gpgv` (or `sqv`)",
        )
    parts = _parted(content) if signature is None else (content, signature)
    if parts is None:
        return Refusal("the file is not one signed text and nothing else: a proxy may have changed it")
    options = [option for key in keys for option in ("--keyring", str(key.absolute()))]
    with tempfile.TemporaryDirectory(prefix="reproc-signature-") as folder:
        place = Path(folder)
        (place / "covered").write_bytes(parts[0])
        (place / "signature.asc").write_bytes(parts[1])
        files = [str(place / "signature.asc"), str(place / "covered")]
        if verifier == "gpgv":
            own = ["--homedir", folder, "--status-fd", "1"]
            refusal = _of_gpgv(_run(["gpgv", *own, *options, *files]))
        else:
            refusal = _of_sqv(_run(["sqv", *options, *files]))
    return refusal or parts[0]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _parted(content: bytes) -> tuple[bytes, bytes] | None:
    """The text of a clear-signed message (RFC 9580, section 7) and its signatures; None if anything else is there.

    The line break before the signatures is not part of the text, nor are spaces at the end of a line.
    """
    content = content.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    head, _, body = content.partition(b"\n\n")
    text, _, signatures = body.partition(_MIDDLE)
    headers = head.split(b"\n")[1:]
    if (
        not content.startswith(_BEGIN)
        or not all(line.startswith(b"Hash: ") for line in headers)
        or signatures.count(_END) != 1
        or not signatures.endswith(_END)
        or b"-----BEGIN" in signatures
    ):
        return None
    lines = text.split(b"\n")
    if any(line.startswith(b"-") and not line.startswith(b"- ") for line in lines):
        return None
    plain = (line.removeprefix(b"- ").rstrip(b" \t") for line in lines)
    return b"\n".join(plain), _MIDDLE.lstrip(b"\n") + signatures


def _of_gpgv(done: subprocess.CompletedProcess[str]) -> Refusal | None:
    """What is wrong, by gpgv's status lines (GnuPG's doc/DETAILS); None if a signature is good."""
    found = list(_signatures(done.stdout))
    if any("BADSIG" in lines for lines in found):
        return Refusal("it was changed after it was signed: a mirror or a proxy may be at fault", done.stderr)
    troubles = [_trouble(lines) for lines in found]
    if None in troubles:
        return None
    return Refusal(next(iter(troubles), None), done.stderr)


def _signatures(status: str) -> Iterator[dict[str, list[str]]]:
    """What is said about each signature: the words behind each keyword."""
    lines: dict[str, list[str]] = {}
    for words in (line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")):
        if words[:1] == ["NEWSIG"]:
            if lines:
                yield lines
            lines = {}
        elif words:
            lines[words[0]] = words[1:]
    if lines:
        yield lines


def _trouble(lines: dict[str, list[str]]) -> str | None:
    """Why one signature does not count; None if it does."""
    if "VALIDSIG" not in lines:
        # ERRSIG ends with the fingerprint where the signature names it, and begins with the short name
        names = lines.get("ERRSIG") or lines.get("NO_PUBKEY") or [""]
        return _unknown(names[-1] if len(names[-1]) == 40 else names[0])
    fingerprint, _, made, *rest = lines["VALIDSIG"]
    digest = _WEAK.get(rest[4]) if len(rest) > 4 else None
    if digest is not None:
        return _forgeable(digest)
    if "REVKEYSIG" in lines:
        return f"it is signed by the key `{fingerprint}`, which was revoked"
    if "EXPSIG" in lines:
        return f"the signature by the key `{fingerprint}` has expired"
    ended = lines.get("KEYEXPIRED", [""])[0]
    if "EXPKEYSIG" in lines and not (ended.isdigit() and made.isdigit() and int(made) <= int(ended)):
        return f"it was signed by the key `{fingerprint}` when that had expired"
    return None


def _of_sqv(done: subprocess.CompletedProcess[str]) -> Refusal | None:
    """What is wrong; None if a signature is good, which sqv judges as of the moment of signing."""
    if done.returncode == 0:
        return None
    if missing := _MISSING_KEY.search(done.stderr):
        return Refusal(_unknown(missing[1]), done.stderr)
    weak = _WEAK_DIGEST.search(done.stderr)
    return Refusal(_forgeable(weak[1]) if weak else None, done.stderr)


def _unknown(key: str) -> str:
    named = f"the key `{key}`" if key else "a key"
    return f"it is signed by {named} that no keyring here has: update the archive's keyring package"


def _forgeable(name: str) -> str:
    return f"it is signed with the digest {name}, which can be forged"
