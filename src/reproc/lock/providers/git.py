"""Commits of git repositories, without a git program: what a ref points at, a tree's canonical archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import tar
from reproc.lock.model import GitTree, TreeEntry
from reproc.lock.net import digest, host_of, plain
from reproc.lock.problem import problem
from reproc.lock.requests import GitRequest
from reproc.lock.store import Store

if TYPE_CHECKING:
    from dulwich.client import GitClient
    from dulwich.object_store import BaseObjectStore
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref
    from dulwich.repo import Repo

_LINK, _SUBMODULE, _FOLDER, _EXECUTABLE = 0o120000, 0o160000, 0o040000, 0o111


def lock(request: GitRequest, store: Store) -> Outcome[GitTree]:
    """The commit that is asked for, its archive put into the store; raises `Problem`."""
    try:
        return _fetched(request, store)
    except Exception as trouble:
        told = _told(request, trouble)
        if told is None:
            raise
        raise told from trouble


def fetch(tree: GitTree, store: Store) -> None:
    """Puts a locked tree's archive into the store; raises `Problem`, also where it is another one."""
    from reproc.source import SourceFile, Span

    nowhere = Span(SourceFile("", ""), 0, 0)
    found = lock(GitRequest(tree.url, "commit", tree.commit, nowhere), store).value
    if found is None or (found.tree, found.sha256) != (tree.tree, tree.sha256):
        raise problem(codes.GIT_CHANGED, None, commit=tree.commit, url=tree.url)


def _fetched(request: GitRequest, store: Store) -> Outcome[GitTree]:
    from dulwich.objects import Commit
    from dulwich.repo import Repo

    client, path = _client(request.url)
    with store.temporary() as folder, Repo.init_bare(str(folder), mkdir=True) as repository:
        commit = _commit(request, client, path, repository)
        found = repository.object_store[commit]
        if not isinstance(found, Commit):
            raise problem(
                codes.GIT_UNKNOWN, request.origin, url=request.url, kind=request.kind, ref=request.ref
            )
        walk = _Tree(repository.object_store)
        members = list(walk.members(found.tree, ""))
        if not members:
            raise problem(codes.EMPTY_SOURCE, request.origin, source=request.url)
        sha256 = tar.write(members, store)
        warnings: tuple[Diagnostic, ...] = ()
        if walk.submodules:
            paths = ", ".join(f"`{each}`" for each in walk.submodules)
            warnings = (error(codes.SUBMODULES, request.origin, url=request.url, paths=paths),)
        return Outcome(GitTree(request.url, commit.decode(), found.tree.decode(), sha256), warnings)


def _client(url: str) -> tuple[GitClient, str]:
    import ssl

    from dulwich.client import get_transport_and_path
    from dulwich.config import ConfigDict

    if urlsplit(url).scheme not in ("http", "https"):
        return get_transport_and_path(url, quiet=True)
    # the certificates of this machine, as for every other download; dulwich would take its own bundle
    settings = ConfigDict()
    bundle = os.environ.get("GIT_SSL_CAINFO") or ssl.get_default_verify_paths().cafile
    if bundle:
        settings.set((b"http",), b"sslCAInfo", bundle.encode())
    return get_transport_and_path(url, config=settings, quiet=True)


def _commit(request: GitRequest, client: GitClient, path: str, repository: Repo) -> ObjectID:
    """The commit's id, its tree having been fetched; the history is left out where the server can do that."""
    from dulwich.errors import GitProtocolError

    wanted = _wanted(request, client, path)

    def determine_wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
        return [wanted]

    try:
        client.fetch(path.encode(), repository, determine_wants=determine_wants, depth=1)
    except (GitProtocolError, AssertionError, KeyError):
        # an old server gives only what a ref points at: fetch everything, and look for the commit there
        client.fetch(path.encode(), repository)
    if wanted not in repository.object_store:
        client.fetch(path.encode(), repository)
    if wanted not in repository.object_store:
        raise problem(codes.GIT_UNKNOWN, request.origin, url=request.url, kind=request.kind, ref=request.ref)
    return _peeled(repository.object_store, wanted)


def _wanted(request: GitRequest, client: GitClient, path: str) -> ObjectID:
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref

    if request.kind == "commit":
        return ObjectID(request.ref.encode())
    refs = client.get_refs(path.encode()).refs
    folder = "tags" if request.kind == "tag" else "heads"
    found = refs.get(Ref(f"refs/{folder}/{request.ref}".encode()))
    if found is None:
        prefix = f"refs/{folder}/"
        names = [n.removeprefix(prefix) for r in refs if (n := r.decode(errors="replace")).startswith(prefix)]
        near = get_close_matches(request.ref, [n for n in names if not n.endswith("^{}")], 1)
        raise problem(
            codes.GIT_UNKNOWN,
            request.origin,
            url=request.url,
            kind=request.kind,
            ref=request.ref,
            suggestion=next(iter(near), None),
        )
    return found


def _peeled(objects: BaseObjectStore, wanted: ObjectID) -> ObjectID:
    """The commit that an annotated tag stands for."""
    from dulwich.objects import Tag

    for _ in range(8):
        found = objects[wanted]
        if not isinstance(found, Tag):
            break
        wanted = found.object[1]
    return wanted


class _Tree:
    """Walks a tree; notes the submodules that it passes."""

    def __init__(self, objects: BaseObjectStore) -> None:
        self._objects = objects
        self.submodules: list[str] = []

    def members(self, tree: ObjectID, folder: str) -> Iterator[tar.Member]:
        from dulwich.objects import Blob, Tree

        found = self._objects[tree]
        assert isinstance(found, Tree)
        for entry in found.items():
            name, mode = entry.path.decode("utf-8", "surrogateescape"), entry.mode
            path = f"{folder}/{name}" if folder else name
            if name in ("", ".", "..", ".git") or "/" in name or not path.isprintable():
                raise problem(
                    codes.BAD_FILE_NAME, None, path=ascii(path), what="what no file name should hold"
                )
            if mode & 0o170000 == _SUBMODULE:
                self.submodules.append(path)
            elif mode & 0o170000 == _FOLDER:
                yield from self.members(entry.sha, path)
            else:
                blob = self._objects[entry.sha]
                assert isinstance(blob, Blob)
                content = blob.as_raw_string()
                if mode & 0o170000 == _LINK:
                    yield tar.Member(
                        TreeEntry(path, False, None, content.decode("utf-8", "surrogateescape")), None
                    )
                else:
                    kept = TreeEntry(path, bool(mode & _EXECUTABLE), digest(content))
                    yield tar.Member(kept, tar.of_bytes(content), len(content))


def _told(request: GitRequest, trouble: Exception) -> Exception | None:
    """What a failure of the git library or the connection means to the user; None if it is our bug."""
    import urllib3
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import GitProtocolError, HangupException, NotGitRepository

    at, url = request.origin, request.url
    match trouble:
        case NotGitRepository():
            return problem(codes.GIT_TROUBLE, at, url=url, reason="there is no git repository")
        case HTTPUnauthorized():
            return problem(codes.GIT_TROUBLE, at, url=url, reason="it asks for a login")
        case urllib3.exceptions.HTTPError():
            return problem(codes.NETWORK, at, host=host_of(url), reason=plain(trouble))
        case HangupException():
            return problem(
                codes.GIT_TROUBLE, at, url=url, reason="the connection was closed by the other side"
            )
        case GitProtocolError() if "ConnectionPool" in str(trouble):
            return problem(codes.NETWORK, at, host=host_of(url), reason=plain(trouble))
        case GitProtocolError():
            return problem(
                codes.GIT_TROUBLE, at, url=url, reason=str(trouble).strip() or "the protocol broke down"
            )
        case FileNotFoundError() if trouble.filename in ("ssh", b"ssh"):
            return problem(
                codes.TOOL_MISSING,
                at,
                tool="ssh",
                purpose=f"reading `{url}`",
                advice="install the package `openssh-client`",
            )
        case ConnectionError() | TimeoutError():
            return problem(codes.NETWORK, at, host=host_of(url), reason=plain(trouble))
        case _:
            return None
