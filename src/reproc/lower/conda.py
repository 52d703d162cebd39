"""Installing a channel's packages within a standalone recipe, without conda: fetched, unpacked, relocated."""

from __future__ import annotations

import pkgutil

from reproc.graph import MOUNT, Run, WriteFile
from reproc.lock import conda
from reproc.lock.model import CondaTree
from reproc.lower.downloads import CANONICAL, CHECKED_BY_APT, PLACE
from reproc.source import Span
from reproc.target import quote

_RELOCATE = "/opt/reproc/relocate.py"
_INSTALL = (
    "add() {",
    '    fetch "SHA256:$1" "$channel/$2"',
    "    mkdir package",
    '    case "$2" in',
    "        *.conda)",
    "            python3 -m zipfile -e file parts",
    "            for part in parts/info-*.tar.zst parts/pkg-*.tar.zst; do",
    '                tar -C package --no-same-owner -I zstd -xf "$part"',
    "            done ;;",
    "        *) tar -C package --no-same-owner --bzip2 -xf file ;;",
    "    esac",
    f'    python3 {_RELOCATE} package "$place"',
    "    rm -rf package/info",
    '    cp -a package/. "$place"',
    "    rm -rf file parts package",
    "}",
)


def installed(key: str, tree: CondaTree, origin: Span) -> tuple[WriteFile, Run]:
    """The steps that make of the locked packages the tree that a vendored recipe unpacks."""
    given = quote(f"{MOUNT}/{tree.channel}")
    lines = (
        f"place={quote(tree.prefix)}",
        f"channel={quote(tree.address)}",
        f"if [ -s {given} ]; then channel=$(cat {given}); fi",
        *CHECKED_BY_APT,
        *_INSTALL,
        f'mkdir -p "$place" {PLACE}',
        f"cd {PLACE}",
        *(f"add {each.sha256} {quote(each.path)}" for each in tree.packages),
        'chown -hR 0:0 "$place"',
        f'{CANONICAL} "$place"',
        "cd /",
        f"rm -rf {PLACE}",
    )
    text = pkgutil.get_data(conda.__name__, "relocate.py")
    assert text is not None, "it is part of the package"
    return (
        WriteFile("what writes a package's place into its files", _RELOCATE, text.decode(), 0o644, origin),
        Run(f"tool chain {key}", lines, network=True, settings=(tree.channel,), origin=origin),
    )
