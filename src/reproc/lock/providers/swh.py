"""What Software Heritage keeps under an identifier: fetched from its vault, checked against the identifier.

Sources: docs.softwareheritage.org, "SoftWare Heritage persistent IDentifiers" and the Web API's endpoints
`content`, `directory`, `release`, `revision`, `snapshot` and `vault/flat`.
"""

from __future__ import annotations

import time
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.failures import NotServed, Unreachable
from reproc.lock.model import SwhTree, TreeEntry
from reproc.lock.net import Client
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.requests import SwhRequest
from reproc.lock.store import Store
from reproc.lock.unpack import Source, form_of, unpacked
from reproc.source import SourceFile, Span

_ROOT = "https://archive.softwareheritage.org"
_PATIENCE = 900
"""How often the vault is asked whether a folder is ready."""
_STEPS = {"revision": "rev", "release": "rel", "snapshot": "snp", "directory": "dir", "content": "cnt"}


def lock(request: SwhRequest, client: Client, site: Site, store: Store) -> SwhTree:
    """The folder or file, its canonical archive put into the store; raises `Problem`."""
    return first_of(site.around(_ROOT), lambda root: _of(root, request, client, store))


def _of(root: str, request: SwhRequest, client: Client, store: Store) -> SwhTree:
    try:
        return _Heritage(request, client, root, store).tree()
    except Unreachable as trouble:
        facts = {"host": trouble.host, "reason": trouble.reason, "variable": "REPROC_MIRROR_SWH"}
        raise problem(codes.NETWORK, request.origin, **facts) from trouble
    except NotServed as trouble:
        unknown = "status 404" in trouble.reason
        reason = "Software Heritage has nothing of that name" if unknown else trouble.reason
        raise _trouble(request, reason) from trouble
    except (KeyError, TypeError, AttributeError) as trouble:
        raise _trouble(request, "the answer is not as documented") from trouble


def fetch(tree: SwhTree, client: Client, site: Site, store: Store) -> None:
    """Puts a locked tree's archive into the store; raises `Problem`, also where it is another one."""
    if store.path(tree.sha256) is not None:
        return
    nowhere = Span(SourceFile("", ""), 0, 0)
    if lock(SwhRequest(tree.swhid, nowhere), client, site, store) != tree:
        raise problem(codes.WEB_CHANGED, None, source=tree.swhid)


def _trouble(request: SwhRequest, reason: str, advice: str | None = None) -> Problem:
    return problem(codes.SWH_TROUBLE, request.origin, swhid=request.swhid, reason=reason, advice=advice)


class _Heritage:
    """One identifier."""

    def __init__(self, request: SwhRequest, client: Client, root: str, store: Store) -> None:
        self.request, self.client, self.store = request, client, store
        self.root = f"{root}/api/1"

    def tree(self) -> SwhTree:
        """The tree, checked."""
        # what follows the identifier says where it was met, not what it is
        _, _, kind, name = self.request.swhid.partition(";")[0].split(":")
        kind, name = self._resolved(kind, name)
        if kind == "cnt":
            return self._content(name)
        return self._folder(name)

    def _resolved(self, kind: str, name: str) -> tuple[str, str]:
        """The folder or the content that a snapshot, a release or a revision stands for."""
        for _ in range(16):
            match kind:
                case "rev":
                    return "dir", str(self._ask(f"revision/{name}/")["directory"])
                case "rel":
                    answer = self._ask(f"release/{name}/")
                    kind, name = _STEPS[answer["target_type"]], str(answer["target"])
                case "snp":
                    branches = self._ask(f"snapshot/{name}/")["branches"]
                    head = branches["HEAD"]
                    while head["target_type"] == "alias":
                        head = branches.pop(head["target"])
                    kind, name = _STEPS[head["target_type"]], str(head["target"])
                case _:
                    return kind, name
        raise _trouble(self.request, "it leads from release to release without an end")

    def _ask(self, path: str, *, post: bool = False) -> Any:
        return self.client.object(f"{self.root}/{path}", post=post)

    def _content(self, name: str) -> SwhTree:
        from dulwich.objects import Blob

        url = f"{self.root}/content/sha1_git:{name}/raw/"
        file = self.store.place(self.client.obtain(url, None, self.store))
        if Blob.from_string(file.read_bytes()).id.decode() != name:
            raise _trouble(self.request, "what came is something else")
        member = tar.Member(TreeEntry("", False, None), tar.of_file(file), file.stat().st_size)
        return SwhTree(self.request.swhid, name, True, tar.write([member], self.store))

    def _folder(self, name: str) -> SwhTree:
        file = self.store.place(self.client.obtain(self._cooked(name), None, self.store))
        source = Source(file, self.request.swhid, self.request.origin)
        with unpacked(source, form_of(file), 1, self.store) as (members, _):
            kept = [member for member in members if not tar.is_folder(member)]
            if _tree_id(kept) != name:
                empty = len(kept) < len(members)
                reason = "what came is something else" + (", or it has submodules" if empty else "")
                raise _trouble(self.request, reason)
            return SwhTree(self.request.swhid, name, False, tar.write(kept, self.store))

    def _cooked(self, name: str) -> str:
        """The address of the folder as an archive, which the vault makes when it is asked to."""
        path = f"vault/flat/swh:1:dir:{name}/"
        answer = self._ask(path, post=True)
        for _ in range(_PATIENCE):
            if answer["status"] == "done":
                return f"{self.root}/{path}raw/"
            if answer["status"] == "failed":
                raise _trouble(self.request, f"its vault failed: {answer.get('progress_message')}")
            time.sleep(self.client.wait * 4)
            answer = self._ask(path)
        raise _trouble(self.request, "its vault takes too long", "try again later: it goes on by itself")


def _tree_id(members: list[tar.Member]) -> str:
    """Git's id of the folder that holds these files and links (git-mktree)."""
    from dulwich.objects import Blob, Tree

    folders: dict[str, Tree] = {"": Tree()}
    for member in members:
        *above, name = member.entry.path.split("/")
        for depth in range(len(above) + 1):
            folders.setdefault("/".join(above[:depth]), Tree())
        if member.entry.link is not None:
            mode, content = 0o120000, member.entry.link.encode()
        else:
            assert member.open is not None, "folders are left out"
            mode = 0o100755 if member.entry.executable else 0o100644
            with member.open() as file:
                content = file.read()
        folders["/".join(above)].add(name.encode(), mode, Blob.from_string(content).id)
    for path in sorted(folders, key=lambda p: p.count("/") if p else -1, reverse=True):
        if path:
            above_path, _, name = path.rpartition("/")
            folders[above_path].add(name.encode(), 0o040000, folders[path].id)
    return folders[""].id.decode()
