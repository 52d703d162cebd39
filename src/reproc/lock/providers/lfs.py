"""Files that Git LFS keeps beside a repository: what points at them, and fetching them by the batch API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.lock.failures import NotServed, Unreachable, host_of, plain
from reproc.lock.model import LargeFile
from reproc.lock.net import Client
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.store import Mismatch, Store
from reproc.source import Span

LONGEST = 1023
"""Bytes of the longest pointer: one is shorter than 1024 (git-lfs, docs/spec.md)."""
CONFIGURATION = ".lfsconfig"
_FORM = "application/vnd.git-lfs+json"
_AT_ONCE = 100
_CHUNK = 1 << 16
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n"
)
_EXTENDED = re.compile(rb"(?m)^ext-")


def pointed(path: str, content: bytes) -> LargeFile | None:
    """The file that a repository's file stands for; None if it stands for itself."""
    if len(content) > LONGEST or _EXTENDED.search(content):
        return None
    match = _POINTER.fullmatch(content)
    return LargeFile(path, match[1].decode(), int(match[2])) if match else None


def service(url: str, configuration: bytes | None, origin: Span | None) -> str:
    """Where a repository's files are asked for: what its `.lfsconfig` says, or beside it; raises `Problem`."""
    from io import BytesIO

    from dulwich.config import ConfigFile

    said = b""
    if configuration is not None:
        try:
            said = ConfigFile.from_file(BytesIO(configuration)).get((b"lfs",), b"url")
        except KeyError:
            pass  # it says something else
        except ValueError as trouble:
            raise _trouble(url, f"its `{CONFIGURATION}` cannot be read", origin) from trouble
    address = said.decode("utf-8", "replace") or f"{url.rstrip('/').removesuffix('.git')}.git/info/lfs"
    if urlsplit(address).scheme not in ("http", "https"):
        raise _trouble(url, f"`{address}` is no address that answers without a login", origin)
    return address.rstrip("/")


def fetch(
    files: Sequence[LargeFile],
    url: str,
    endpoints: Sequence[str],
    client: Client,
    store: Store,
    origin: Span | None,
) -> None:
    """Puts these files of the repository `url` into the store, from the first service that has them; raises `Problem`."""
    first_of(endpoints, lambda endpoint: _of_service(files, url, endpoint, client, store, origin))


def _of_service(
    files: Sequence[LargeFile], url: str, endpoint: str, client: Client, store: Store, origin: Span | None
) -> None:
    wanted = {each.sha256: each for each in files if store.path(each.sha256) is None}
    rows = list(wanted.values())
    try:
        for start in range(0, len(rows), _AT_ONCE):
            for file, action in _located(rows[start : start + _AT_ONCE], url, endpoint, client, origin):
                _transfer(file, action, url, client, store, origin)
    except NotServed as trouble:
        raise _trouble(url, f"{trouble.host} answers with {trouble.reason}", origin) from trouble
    except Unreachable as trouble:
        raise problem(codes.NETWORK, origin, host=trouble.host, reason=trouble.reason) from trouble


def _located(
    files: Sequence[LargeFile], url: str, endpoint: str, client: Client, origin: Span | None
) -> Iterator[tuple[LargeFile, Mapping[str, Any]]]:
    """For each file how to fetch it (git-lfs, docs/api/batch.md)."""
    question = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": each.sha256, "size": each.size} for each in files],
    }
    answer = client.object(f"{endpoint}/objects/batch", question=question, form=_FORM)
    rows = answer.get("objects") if isinstance(answer, dict) else None
    found = {row.get("oid"): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
    for each in files:
        row = found.get(each.sha256, {})
        actions = row.get("actions")
        action = actions.get("download") if isinstance(actions, dict) else None
        if not isinstance(action, dict):
            said = row.get("error")
            reason = said.get("message") if isinstance(said, dict) else "the service does not say where it is"
            raise _trouble(url, f"`{each.path}`: {_shown(reason)}", origin)
        yield each, action


def _transfer(
    file: LargeFile,
    action: Mapping[str, Any],
    url: str,
    client: Client,
    store: Store,
    origin: Span | None,
) -> None:
    import requests

    address, headers = action.get("href"), action.get("header") or {}
    if not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https"):
        raise _trouble(url, f"`{file.path}`: the service gives no address", origin)
    known = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    try:
        with client.request(address, {**known, "Accept-Encoding": "identity"}, stream=True) as response:
            if response.status_code != 200:
                raise NotServed(address, f"HTTP status {response.status_code}")
            store.add_stream(_at_most(response.iter_content(_CHUNK), file, url, origin), file.sha256)
    except requests.exceptions.RequestException as trouble:
        raise problem(codes.NETWORK, origin, host=host_of(address), reason=plain(trouble)) from trouble
    except Mismatch as trouble:
        reason = (
            f"`{file.path}` comes with the digest {trouble.found}, and its pointer says {trouble.expected}"
        )
        raise _trouble(url, reason, origin) from trouble


def _at_most(chunks: Iterator[bytes], file: LargeFile, url: str, origin: Span | None) -> Iterator[bytes]:
    left = file.size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise _trouble(url, f"`{file.path}` is larger than the {file.size} bytes of its pointer", origin)
        yield chunk


def _trouble(url: str, reason: str, origin: Span | None) -> Problem:
    return problem(codes.LFS_TROUBLE, origin, url=url, reason=reason)


def _shown(text: object) -> str:
    """Foreign words, as a message can show them."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()[:200].rstrip(".")
