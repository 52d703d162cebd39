"""Software Heritage: a stand-in for its vault, and identifiers that have to hold."""

from __future__ import annotations

import io
import json
import tarfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from reproc.diagnostics.codes import lock as codes
from reproc.lock.archives import Site
from reproc.lock.model import SwhTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import git, swh
from reproc.lock.requests import GitRequest, SwhRequest
from reproc.lock.store import Store
from reproc.record import replace

from .conftest import Server, span

FILES: dict[str, tuple[bytes, int]] = {
    "a.c": (b"int main;\n", 0o644),
    "bin/run": (b"#!/bin/sh\n", 0o755),
    "bin.d": (b"sorts before bin/", 0o644),
}


@pytest.fixture
def client() -> Client:
    return Client(wait=0.001, attempts=2, timeout=(2, 2))


@pytest.fixture
def here(server: Server) -> Site:
    return Site({"REPROC_MIRROR_SWH": server.address})


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str, str]:
    """A git repository of `FILES`, its commit and its tree: an oracle for the identifiers."""
    from dulwich import porcelain
    from dulwich.objects import Commit

    place = tmp_path / "repository"
    made = porcelain.init(str(place))
    for name, (content, mode) in FILES.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
        (place / name).chmod(mode)
    (place / "link").symlink_to("bin/run")
    porcelain.add(str(place), [str(place / name) for name in (*FILES, "link")])
    commit = porcelain.commit(str(place), message=b"x", author=b"A <a@x>", committer=b"A <a@x>")
    found = made[commit]
    assert isinstance(found, Commit)
    return place, commit.decode(), found.tree.decode()


def serve(server: Server, path: str, answer: object) -> None:
    server.files[f"/api/1/{path}"] = json.dumps(answer).encode()


def vault(server: Server, tree: str, files: dict[str, tuple[bytes, int]] = FILES, wait: int = 2) -> None:
    """A vault that needs a while (docs.softwareheritage.org, Web API, `vault/flat`)."""
    out = io.BytesIO()
    top = f"swh:1:dir:{tree}"
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, (content, mode) in files.items():
            head = tarfile.TarInfo(f"{top}/{name}")
            head.size, head.mode = len(content), mode
            archive.addfile(head, io.BytesIO(content))
        link = tarfile.TarInfo(f"{top}/link")
        link.type, link.linkname = tarfile.SYMTYPE, "bin/run"
        archive.addfile(link)
    path = f"/api/1/vault/flat/{top}/"
    server.files[f"{path}raw/"] = out.getvalue()
    states = ["new", *["pending"] * wait, "done"]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        state = states.pop(0) if len(states) > 1 else states[0]
        content = json.dumps({"swhid": top, "status": state, "progress_message": state}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.answers[path] = answer


def asked(swhid: str) -> SwhRequest:
    return SwhRequest(swhid, span())


def told(swhid: str, client: Client, here: Site, store: Store) -> str:
    with pytest.raises(Problem) as caught:
        swh.lock(asked(swhid), client, here, store)
    (only,) = caught.value.diagnostics
    return f"{only.code.id} {only.message}"


def test_a_folder_is_the_commit_s_tree(
    server: Server,
    client: Client,
    here: Site,
    store: Store,
    repository: tuple[Path, str, str],
    tmp_path: Path,
) -> None:
    place, commit, tree = repository
    vault(server, tree)
    found = swh.lock(asked(f"swh:1:dir:{tree};origin=https://example.org/x"), client, here, store)
    assert (found.tree, found.single) == (tree, False)
    same = git.lock(GitRequest(f"file://{place}", "commit", commit, span()), store).value
    assert same is not None and same.sha256 == found.sha256
    other = Store(tmp_path / "other")
    swh.fetch(found, client, here, other)
    assert other.path(found.sha256) is not None


def test_what_a_lost_repository_gave(
    server: Server,
    client: Client,
    here: Site,
    store: Store,
    repository: tuple[Path, str, str],
    tmp_path: Path,
) -> None:
    place, commit, tree = repository
    url = f"file://{place}"
    locked = git.lock(GitRequest(url, "commit", commit, span()), store).value
    assert locked is not None
    assert locked.swhid == f"swh:1:dir:{tree};origin={url};anchor=swh:1:rev:{commit}"
    place.rename(tmp_path / "gone")
    other = Store(tmp_path / "other")
    with pytest.raises(Problem) as caught:  # as long as nobody has it, the repository is what is told of
        git.fetch(locked, other, client, here)
    assert url in caught.value.diagnostics[0].message and client.told == []
    vault(server, tree)
    git.fetch(locked, other, client, here)
    assert other.path(locked.sha256) is not None
    assert [each.code for each in client.told] == [codes.FROM_HERITAGE]
    changed = replace(locked, sha256="0" * 64)
    with pytest.raises(Problem):
        git.fetch(changed, Store(tmp_path / "third"), client, here)


def test_what_leads_to_a_folder(
    server: Server, client: Client, here: Site, store: Store, repository: tuple[Path, str, str]
) -> None:
    _, commit, tree = repository
    vault(server, tree)
    release, snapshot = "a" * 40, "b" * 40
    serve(server, f"revision/{commit}/", {"id": commit, "directory": tree})
    serve(server, f"release/{release}/", {"target": commit, "target_type": "revision"})
    head = {"HEAD": {"target": "refs/heads/main", "target_type": "alias"}}
    main = {"refs/heads/main": {"target": release, "target_type": "release"}}
    serve(server, f"snapshot/{snapshot}/", {"branches": head | main})
    for name in (f"rev:{commit}", f"rel:{release}", f"snp:{snapshot}"):
        assert swh.lock(asked(f"swh:1:{name}"), client, here, store).tree == tree


def test_a_file(server: Server, client: Client, here: Site, store: Store) -> None:
    name = "257cc5642cb1a054f08cc83f2d943e56fd3ebe99"  # what `git hash-object` says of "foo\n"
    server.files[f"/api/1/content/sha1_git:{name}/raw/"] = b"foo\n"
    assert swh.lock(asked(f"swh:1:cnt:{name}"), client, here, store).single
    server.files[f"/api/1/content/sha1_git:{name}/raw/"] = b"fox\n"
    assert "what came is something else" in told(f"swh:1:cnt:{name}", client, here, store)


def test_a_vault_that_gives_something_else(
    server: Server, client: Client, here: Site, store: Store, repository: tuple[Path, str, str]
) -> None:
    tree = repository[2]
    vault(server, tree, FILES | {"a.c": (b"int main; \n", 0o644)})
    assert "what came is something else" in told(f"swh:1:dir:{tree}", client, here, store)
    vault(server, tree, FILES | {"bin/run": (b"#!/bin/sh\n", 0o644)})
    assert "what came is something else" in told(f"swh:1:dir:{tree}", client, here, store)


def test_what_it_does_not_have(server: Server, client: Client, here: Site, store: Store) -> None:
    assert "E0448" in (said := told("swh:1:dir:" + "0" * 40, client, here, store))
    assert "has nothing of that name" in said
    serve(server, "vault/flat/swh:1:dir:" + "1" * 40 + "/", {"status": "failed", "progress_message": "no"})
    assert "its vault failed" in told("swh:1:dir:" + "1" * 40, client, here, store)
    serve(server, "revision/" + "2" * 40 + "/", ["x"])
    assert "not as documented" in told("swh:1:rev:" + "2" * 40, client, here, store)
    again = {"branches": {"HEAD": {"target": "HEAD", "target_type": "alias"}}}
    serve(server, "snapshot/" + "3" * 40 + "/", again)
    assert "not as documented" in told("swh:1:snp:" + "3" * 40, client, here, store)
    nowhere = Site({"REPROC_MIRROR_SWH": "http://127.0.0.1:9"})
    assert told("swh:1:dir:" + "0" * 40, client, nowhere, store).startswith("E0401")


def test_another_tree_than_was_locked(
    server: Server, client: Client, here: Site, store: Store, repository: tuple[Path, str, str]
) -> None:
    tree = repository[2]
    vault(server, tree)
    wrong = SwhTree(f"swh:1:dir:{tree}", tree, False, "0" * 64)
    with pytest.raises(Problem) as caught:
        swh.fetch(wrong, client, here, store)
    assert caught.value.diagnostics[0].code.id == "E0447"
