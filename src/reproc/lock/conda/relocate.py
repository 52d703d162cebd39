"""Writes the place at which a conda package comes to lie into its files, over the one that it was built at.

As `info/paths.json` says, or `info/has_prefix` of older packages (docs.conda.io, "Package specification"). It needs
nothing but Python, as standalone recipes hold it as it stands: `python3 relocate.py PACKAGE PLACE`.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

OLDEST = "/opt/anaconda1anaconda2anaconda3"
"""Where packages were built that do not say it."""


def placeholders(paths: bytes | None, has_prefix: bytes | None) -> dict[str, tuple[str, bytes]]:
    """For each file with a place in it, how that is written, `text` or `binary`, and the place."""
    found = {}
    if paths is not None:
        for each in json.loads(paths)["paths"]:
            if each.get("prefix_placeholder"):
                found[each["_path"]] = (each.get("file_mode") or "text", each["prefix_placeholder"].encode())
        return found
    for line in (has_prefix or b"").decode().splitlines():
        if words := shlex.split(line):
            place, mode, path = words if len(words) == 3 else (OLDEST, "text", words[0])
            found[path] = (mode, place.encode())
    return found


def relocated(content: bytes, mode: str, old: bytes, new: bytes) -> bytes:
    """A file's content with another place in it; where offsets count, each text keeps its length."""
    if mode != "binary":
        return content.replace(old, new)
    if len(new) > len(old):
        raise ValueError(f"there is no room for {new.decode()}")

    def filled(text: re.Match[bytes]) -> bytes:
        return text[0].replace(old, new).ljust(len(text[0]), b"\0")

    return re.sub(re.escape(old) + rb"[^\0]*", filled, content)


def main(package: Path, new: str) -> None:
    """Relocates an unpacked package."""
    paths, has_prefix = package / "info/paths.json", package / "info/has_prefix"
    found = placeholders(
        paths.read_bytes() if paths.exists() else None,
        has_prefix.read_bytes() if has_prefix.exists() else None,
    )
    for path, (mode, old) in found.items():
        file = package / path
        file.write_bytes(relocated(file.read_bytes(), mode, old, new.encode()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
