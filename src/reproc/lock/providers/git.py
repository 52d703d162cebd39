"""Commits of git repositories, without a git program: what a ref points at, a tree's canonical archive.

A tree comes as the author asks for it: with the submodules at the commits that it records, and with what Git LFS
keeps in the place of what points there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.failures import host_of, plain
from reproc.lock.model import GitTree, LargeFile, Submodule, TreeEntry
from reproc.lock.net import Client, digest
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.providers import lfs, submodules, swh
from reproc.lock.requests import GitRequest, SwhRequest
from reproc.lock.store import Store
from reproc.record import replace
from reproc.source import SourceFile, Span

if TYPE_CHECKING:
    from dulwich.client import GitClient
    from dulwich.object_store import BaseObjectStore
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref
    from dulwich.repo import Repo

_EXECUTABLE = 0o111


def lock(
    request: GitRequest, store: Store, client: Client | None = None, site: Site | None = None
) -> Outcome[GitTree]:
    """The commit that is asked for, its archive put into the store; raises `Problem`."""
    from dulwich.repo import Repo

    with store.temporary() as folder, Repo.init_bare(str(folder), mkdir=True) as repository:
        return _Checkout(request, repository, client or Client(), store, site or Site()).locked()


def fetch(tree: GitTree, store: Store, client: Client | None = None, site: Site | None = None) -> None:
    """Puts a locked tree's archive into the store; raises `Problem`, also where it is another one.

    What the repository does not give any more, Software Heritage may have kept.
    """
    nowhere = Span(SourceFile("", ""), 0, 0)
    client, site = client or Client(), site or Site()
    asked = GitRequest(tree.url, "commit", tree.commit, nowhere, bool(tree.submodules), bool(tree.large))
    try:
        found = lock(asked, store, client, site).value
    except Problem:
        if not _inherited(tree, nowhere, store, client, site):
            raise
        return
    if found is None or (found.tree, found.sha256) != (tree.tree, tree.sha256):
        raise problem(codes.GIT_CHANGED, None, commit=tree.commit, url=tree.url)


def _inherited(tree: GitTree, origin: Span, store: Store, client: Client, site: Site) -> bool:
    """Whether Software Heritage gives the tree; other repositories and large files are not part of what it keeps."""
    if tree.swhid is None or tree.submodules or tree.left_out or tree.large:
        return False
    try:
        found = swh.lock(SwhRequest(tree.swhid, origin), client, site, store)
    except Problem:
        return False
    if found.sha256 != tree.sha256:
        return False
    client.told.append(error(codes.FROM_HERITAGE, None, url=tree.url, commit=tree.commit))
    return True


@dataclass
class _Checkout:
    """A commit with all that belongs to it, on its way into the store."""

    request: GitRequest
    repository: Repo
    """Holds the objects of the submodules as well."""
    client: Client
    store: Store
    site: Site
    submodules: list[Submodule] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    large: list[LargeFile] = field(default_factory=list)

    def locked(self) -> Outcome[GitTree]:
        request = self.request
        commit = self._commit(request)
        tree = _tree_of(self.repository, commit)
        if tree is None:
            raise _unknown(request)
        members = self._members(request.url, tree, "")
        if not members:
            raise problem(codes.EMPTY_SOURCE, request.origin, source=request.url)
        sha256 = tar.write(members, self.store)
        warnings: tuple[Diagnostic, ...] = ()
        if self.left_out:
            paths = ", ".join(f"`{each}`" for each in self.left_out)
            warnings = (error(codes.SUBMODULES, request.origin, url=request.url, paths=paths),)
        found = GitTree(
            request.url,
            commit.decode(),
            tree.decode(),
            sha256,
            tuple(sorted(self.submodules, key=lambda each: each.path)),
            tuple(sorted(self.left_out)),
            tuple(sorted(self.large, key=lambda each: each.path)),
        )
        return Outcome(found, warnings)

    def _commit(self, request: GitRequest) -> ObjectID:
        """The commit that is asked for, fetched from the first place that has it: mirrors, then its address."""
        places = [replace(request, url=place) for place in self.site.around(request.url)]
        return first_of(places, lambda place: _with_told(place, self.repository))

    def _members(self, url: str, tree: ObjectID, place: str, depth: int = 0) -> list[tar.Member]:
        """The members of a repository's tree, which stands at `place`; empty for the outermost one."""
        walk = _Tree(self.repository.object_store)
        try:
            members = list(walk.members(tree, ""))
        except KeyError as trouble:
            facts = {"url": url, "reason": "what its server gives is not whole"}
            raise problem(codes.GIT_TROUBLE, self.request.origin, **facts) from trouble
        if self.request.lfs:
            members = self._with_large(url, walk, members, place)
        found = [tar.moved(each, f"{place}{each.entry.path}") for each in members]
        if not self.request.submodules:
            self.left_out += walk.submodules
            return found + [_empty_folder(path) for path in walk.submodules]
        if walk.submodules:
            for path, inner, commit in self._addressed(url, walk, depth):
                whole = f"{place}{path}"
                found.append(_empty_folder(whole))
                found += self._submodule(url, inner, commit, whole, depth)
        return found

    def _addressed(self, url: str, walk: _Tree, depth: int) -> Iterator[tuple[str, str, str]]:
        """Each submodule of a repository: its path there, its address, its commit."""
        origin, paths = self.request.origin, tuple(walk.submodules)
        if depth >= submodules.DEEPEST or len(self.submodules) + len(paths) > submodules.MOST:
            raise submodules.refused(paths[0], url, "is one of too many, one in the other", origin)
        if submodules.FILE in walk.links:
            reason = f"is named in a `{submodules.FILE}` that is a symbolic link"
            raise submodules.refused(paths[0], url, reason, origin)
        said = submodules.addresses(walk.small.get(submodules.FILE), url, paths, origin)
        yield from ((path, said[path], commit) for path, commit in walk.submodules.items())

    def _submodule(self, parent: str, url: str, commit: str, place: str, depth: int) -> list[tar.Member]:
        request = GitRequest(url, "commit", commit, self.request.origin)
        url, tree = self._reached(request, parent, place)
        self.submodules.append(Submodule(place, url, commit))
        return self._members(url, tree, f"{place}/", depth + 1)

    def _reached(self, request: GitRequest, parent: str, place: str) -> tuple[str, ObjectID]:
        """Where a submodule is to be had, and its tree.

        Most services serve a repository at its address with `.git` too, by which recipes know what it is.
        """
        plain = request.url.rstrip("/")
        urls = [plain] if plain.endswith(".git") or plain.startswith("file:") else [f"{plain}.git", plain]
        for number, url in enumerate(urls, 1):
            try:
                commit = self._commit(replace(request, url=url))
                tree = _tree_of(self.repository, commit)
                if tree is None:
                    raise _unknown(request)
                return url, tree
            except Problem as trouble:
                if number < len(urls) and trouble.diagnostics[0].code is not codes.NETWORK:
                    continue
                if trouble.diagnostics[0].code is not codes.GIT_UNKNOWN:
                    raise
                reason = f"is at commit `{request.ref}`, which `{plain}` does not have"
                raise submodules.refused(place, parent, reason, request.origin) from trouble
        raise AssertionError("the last address returns or raises")

    def _with_large(self, url: str, walk: _Tree, members: list[tar.Member], place: str) -> list[tar.Member]:
        """The members, with what Git LFS keeps in the place of what points there."""
        found = {path: file for path, text in walk.small.items() if (file := lfs.pointed(path, text))}
        if not found:
            return members
        origin = self.request.origin
        service = lfs.service(url, walk.small.get(lfs.CONFIGURATION), origin)
        services = self.site.around(service)
        lfs.fetch(tuple(found.values()), url, services, self.client, self.store, origin)
        self.large += (replace(each, path=f"{place}{path}") for path, each in found.items())
        return [self._filled(each, found.get(each.entry.path)) for each in members]

    def _filled(self, member: tar.Member, file: LargeFile | None) -> tar.Member:
        if file is None:
            return member
        entry = replace(member.entry, sha256=file.sha256)
        path = self.store.place(file.sha256)
        return tar.Member(entry, tar.of_file(path), path.stat().st_size)


def _empty_folder(path: str) -> tar.Member:
    return tar.Member(TreeEntry(path, False, None), None)


def _with_told(request: GitRequest, repository: Repo) -> ObjectID:
    """The commit that is asked for, fetched; what goes wrong with git or the connection is a `Problem`."""
    try:
        client, path = _client(request.url)
        return _commit(request, client, path, repository)
    except Exception as trouble:
        told = _told(request, trouble)
        if told is None:
            raise
        raise told from trouble


def _tree_of(repository: Repo, commit: ObjectID) -> ObjectID | None:
    from dulwich.objects import Commit

    found = repository.object_store[commit]
    return found.tree if isinstance(found, Commit) else None


def _unknown(request: GitRequest) -> Problem:
    facts = {"url": request.url, "kind": request.kind, "ref": request.ref}
    return problem(codes.GIT_UNKNOWN, request.origin, **facts)


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
    if wanted in repository.object_store:
        return _peeled(repository.object_store, wanted)

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
        raise _unknown(request)
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
    """Walks a tree; notes what it passes."""

    def __init__(self, objects: BaseObjectStore) -> None:
        self._objects = objects
        self.submodules: dict[str, str] = {}
        """The commit of each by its path."""
        self.links: set[str] = set()
        self.small: dict[str, bytes] = {}
        """Files that may say something of others: short ones, and `.gitmodules`."""

    def members(self, tree: ObjectID, folder: str) -> Iterator[tar.Member]:
        from dulwich.objects import Tree

        found = self._objects[tree]
        assert isinstance(found, Tree)
        for entry in found.items():
            name, mode = entry.path.decode("utf-8", "surrogateescape"), entry.mode
            path = f"{folder}/{name}" if folder else name
            if name in ("", ".", "..", ".git") or "/" in name or not path.isprintable():
                raise problem(
                    codes.BAD_FILE_NAME, None, path=ascii(path), what="what no file name should hold"
                )
            match mode & 0o170000:
                case 0o160000:
                    self.submodules[path] = entry.sha.decode()
                case 0o040000:
                    yield from self.members(entry.sha, path)
                case kind:
                    yield self._file(path, entry.sha, mode, link=kind == 0o120000)

    def _file(self, path: str, blob: ObjectID, mode: int, *, link: bool) -> tar.Member:
        from dulwich.objects import Blob

        found = self._objects[blob]
        assert isinstance(found, Blob)
        content = found.as_raw_string()
        if link:
            self.links.add(path)
            return tar.Member(TreeEntry(path, False, None, content.decode("utf-8", "surrogateescape")), None)
        if len(content) <= lfs.LONGEST or path == submodules.FILE:
            self.small[path] = content
        return tar.Member(
            TreeEntry(path, bool(mode & _EXECUTABLE), digest(content)), tar.of_bytes(content), len(content)
        )


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
