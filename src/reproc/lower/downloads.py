"""Fetching files by their addresses within a standalone recipe, as commands that both engines run alike."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import basename, dirname

from reproc.graph import MOUNT, Run
from reproc.lock.model import Download, WebTree
from reproc.lock.requests import WebRequest
from reproc.source import Span
from reproc.target import quote

PLACE = f"{MOUNT}/fetched"
"""Where a step has what it fetches, until it is done."""
_TREE = f"{PLACE}/tree"
_APT = "/usr/lib/apt/apt-helper"
CANONICAL = "chmod -R u=rwX,go=rX,a-st"
"""Gives a tree the modes that the vendored one has."""
_UNPACKERS = {"bz2": "bzip2", "xz": "xz", "zst": "zstd", "zip": "unzip"}
"""Programs that a small base lacks; tar and gzip are in every one."""
_PACKAGES = {"bzip2": "bzip2", "xz": "xz-utils", "zstd": "zstd", "unzip": "unzip"}

# apt-helper is in every Debian base, which has neither certificates nor curl; a base that says nothing of
# itself has one of the others, or nothing is fetched.
CHECKED_BY_APT = (
    "# what comes is compared with its digest, so that nobody's certificate has to be trusted",
    f'fetch() {{ {_APT} -qq -o Acquire::https::Verify-Peer=false download-file "$2" file "$1"; }}',
)
_CHECKED = (
    "fetch() {",
    '    if command -v curl > /dev/null; then curl -fsSL -o file "$2"; else wget -q -O file "$2"; fi',
    '    case "$1" in SHA512:*) sum=sha512sum ;; *) sum=sha256sum ;; esac',
    '    echo "${1#*:}  file" | "$sum" --quiet -c -',
    "}",
)
_FLOATING = (
    "fetch() {",
    "    if command -v curl > /dev/null; then",
    '        curl -fsSL -o file "$1"',
    f"    elif [ -x {_APT} ]; then",
    f'        {_APT} -qq download-file "$1" file',
    "    else",
    '        wget -q -O file "$1"',
    "    fi",
    "}",
)


def fetch_locked(key: str, where: str, tree: WebTree, apt: bool, origin: Span) -> Run:
    """Fetches exactly the locked files and gives the same tree as the vendored archive.

    `apt` says that the base is one that apt keeps.
    """
    lines = list(CHECKED_BY_APT if apt else _CHECKED)
    for each in tree.downloads:
        fetched = _first_of(each.urls, f"fetch SHA256:{each.sha256}")
        lines += [*fetched, *_unpacked(each, key, each.strip)]
    return _placed(key, where, lines, tree.downloads[0].name if tree.single else None, origin)


def fetch_floating(key: str, where: str, asked: WebRequest, apt: bool, origin: Span) -> Run:
    """Fetches what the address gives on the day of the build; checked where the spec has a digest."""
    download = floating(asked)
    if asked.sha256 is None:
        lines = [*_FLOATING, *_first_of(asked.urls, "fetch")]
    else:
        algorithm, _, digest = asked.sha256.text.rpartition(":")
        command = f"fetch {algorithm.upper() or 'SHA256'}:{digest}"
        lines = [*(CHECKED_BY_APT if apt else _CHECKED), *_first_of(asked.urls, command)]
    lines += _unpacked(download, key, asked.strip)
    return _placed(key, where, lines, download.name if download.single else None, origin)


def floating(asked: WebRequest) -> Download:
    """What an address gives, as far as it says so itself; of mirrors the first one names the file."""
    from urllib.parse import unquote, urlsplit

    name = unquote(basename(urlsplit(asked.urls[0]).path))
    form = form_by_name(name) if asked.unpack else "file"
    return Download("", name.removesuffix(f".{form}"), asked.urls, "", 0, form, 0)


def _placed(key: str, where: str, lines: Sequence[str], name: str | None, origin: Span) -> Run:
    """The step; `name` is the file's, where it is one file."""
    if name is None:
        last = _tree_placed(where.rstrip("/"))
    else:
        last = _file_placed(where + name if where.endswith("/") else where)
    head = (f"mkdir -p {_TREE}", f"cd {PLACE}")
    return Run(key, (*head, *lines, *last, "cd /", f"rm -rf {PLACE}"), network=True, origin=origin)


def form_by_name(name: str) -> str:
    """How a file is packed, as far as its name says so."""
    parts = name.lower().rsplit(".", 2)
    last = {"tgz": "gz", "tbz": "bz2", "tbz2": "bz2", "txz": "xz", "tzst": "zst"}.get(parts[-1])
    if last:
        return f"tar.{last}"
    if parts[-1] in ("gz", "bz2", "xz", "zst"):
        return f"tar.{parts[-1]}" if len(parts) > 2 and parts[-2] == "tar" else parts[-1]
    return parts[-1] if parts[-1] in ("tar", "zip") else "file"


def _first_of(urls: Sequence[str], command: str) -> list[str]:
    """Lines that fetch a file from the first address that gives it."""
    if len(urls) == 1:
        return [f"{command} {quote(urls[0])}"]
    return [
        f"for url in {' '.join(map(quote, urls))}; do",
        f'    if {command} "$url"; then break; fi',
        "    rm -f file",
        "done",
        "test -f file",
    ]


def _unpacked(each: Download, key: str, strip: int | None) -> list[str]:
    """Lines that put what was fetched below the place where the tree grows."""
    packing = each.form.rpartition(".")[2]
    lines = _needed(packing, key)
    if each.single:
        path = f"{_TREE}/{each.path or 'content'}"
        folder = [] if dirname(path) == _TREE else [f"mkdir -p {quote(dirname(path))}"]
        if each.form == "file":
            return [*folder, f"mv file {quote(path)}"]
        program = _UNPACKERS.get(packing, "gzip")
        return [*lines, *folder, f"{program} -dc < file > {quote(path)}", "rm file"]
    lines += ["mkdir unpacked", *_opened(packing)]
    depth = str((strip or 0) + 1)
    if strip is None:
        depth = "$depth"
        lines += [
            "top=$(find unpacked -mindepth 1 -maxdepth 1)",
            'if [ -d "$top" ]; then depth=2; else depth=1; fi',
        ]
    move = f"find unpacked -mindepth {depth} -maxdepth {depth} -exec cp -a -t {_TREE} {{}} +"
    return [*lines, move, "rm -rf file unpacked"]


def _opened(packing: str) -> list[str]:
    if packing == "zip":
        return ["unzip -q file -d unpacked"]
    option = {"gz": "--gzip ", "bz2": "--bzip2 ", "xz": "--xz ", "zst": "--zstd "}.get(packing, "")
    return [f"tar -C unpacked --no-same-owner {option}-xf file"]


def _needed(packing: str, key: str) -> list[str]:
    """A line that says what is missing instead of failing obscurely."""
    program = _UNPACKERS.get(packing)
    if program is None:
        return []
    said = quote(f"reproc: {key} needs {program}: add `packages {_PACKAGES[program]}` to `system`")
    return [f"command -v {program} > /dev/null || {{ echo {said} >&2; exit 1; }}"]


def _file_placed(path: str) -> list[str]:
    parent = dirname(path)
    return [
        *([f"mkdir -p {quote(parent)}"] if parent != "/" else []),
        f"cat {_TREE}/content > {quote(path)}",
        f"chmod 644 {quote(path)}",
    ]


def _tree_placed(where: str) -> list[str]:
    into = quote(where)
    return [
        f"chown -hR 0:0 {_TREE}",
        f"{CANONICAL} {_TREE}",
        f"mkdir -p {into}",
        f"cp -a {_TREE}/. {into}",
    ]
