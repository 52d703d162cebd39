"""Archives that are not the distribution's: their names in a lock, and the keys that sign them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]*:[^\r\n]*\r?\n)*\s*"
    rb"(?P<body>[A-Za-z0-9+/=\s]+?)\s*(?:=[A-Za-z0-9+/]{4}\s*)?-----END PGP PUBLIC KEY BLOCK-----"
)
"""RFC 9580, section 6.2: headers, an empty line, base64, perhaps a checksum."""


def name_of(address: str) -> str:
    """The archive's name in a lock: readable, and another one for every address."""
    words = re.sub(r"[^a-z0-9]+", "-", address.partition("://")[2].lower()).strip("-")
    return f"{words[:60]}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def keyring(key: bytes) -> bytes | None:
    """The keys of a file, armored or not, as the verifiers want them; None if there are none."""
    if key.lstrip().startswith(b"-----BEGIN"):
        key = b"".join(_unarmored(key))
    # the first octet of a packet has its highest bit set, and names a public key, tag 6 (RFC 9580, 4.2 and 5)
    first = key[0] if key else 0
    tag = first & 0x3F if first & 0x40 else (first & 0x3C) >> 2
    return key if first & 0x80 and tag == 6 else None


def _unarmored(text: bytes) -> Iterator[bytes]:
    for match in _ARMOR.finditer(text):
        try:
            yield base64.b64decode(b"".join(match["body"].split()), validate=True)
        except binascii.Error:
            return
