"""How often the secret detector speaks up in texts that hold no secrets.

usage: python benchmarks/false_alarms.py [FOLDER…]

Without folders: the installed Python packages and the machine's documentation. Prints every finding, so that a person
can tell the examples of documentation, which look like secrets because they are to, from mistakes; then the counts.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from reproc.diagnostics.secrets import find

LARGEST = 2 << 20
"""Larger files are left out: no spec includes any (4 MiB are refused)."""


def texts(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    """The files that are UTF-8."""
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def main(arguments: list[str]) -> None:
    folders = list(map(Path, arguments)) or [Path(sysconfig.get_path("purelib")), Path("/usr/share/doc")]
    files = lines = found = 0
    for path, text in texts(folders):
        files, lines = files + 1, lines + text.count("\n")
        for secret in find(text):
            found += 1
            shown = text[secret.start : secret.end][:40]
            print(f"{path}:{text.count(chr(10), 0, secret.start) + 1}: {secret.kind}: {shown!r}")
    print(
        f"{found} in {files:,} files of {lines:,} lines: {1e6 * found / max(lines, 1):.1f} in a million lines"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
