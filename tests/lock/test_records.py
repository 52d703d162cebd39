"""Records behind DOIs and identifiers of Software Heritage, from stand-ins that answer as the services document."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from dulwich.objects import Blob

from reproc.lock.archives import Site
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import doi, swh
from reproc.lock.requests import DoiRequest, FileRequest, SwhRequest
from reproc.lock.store import Store

from .conftest import Server, item, span
from .test_web import contents, tarball

TABLE = b"1,2\n"


def answer(server: Server, path: str, value: Any) -> None:
    server.files[path] = json.dumps(value).encode()


def elsewhere(server: Server) -> Site:
    """A machine that takes every service from the loopback server."""
    names = ("ZENODO", "FIGSHARE", "DOI", "SWH")
    return Site({f"REPROC_MIRROR_{name}": server.address for name in names})


def zenodo(server: Server, digest: str) -> None:
    """developers.zenodo.org, Records: `files` with key, size, checksum and links."""
    server.files |= {"/f/table.csv": TABLE, "/f/corpus.tar.gz": tarball({"corpus/a.txt": "a"})}
    files = [
        {"key": "table.csv", "size": 4, "checksum": f"md5:{digest}", "links": {"self": f"{server.address}/f/table.csv"}},
        {"key": "corpus.tar.gz", "links": {"self": f"{server.address}/f/corpus.tar.gz"}},
    ]  # fmt: skip
    answer(server, "/api/records/1234", {"id": 1234, "files": files})


def request(name: str, *files: str, unpack: bool = False, sha256: str | None = None) -> DoiRequest:
    members = tuple(FileRequest(each, item(sha256) if sha256 else None, None, span()) for each in files)
    return DoiRequest(name, members, None, None, unpack, span())


def test_zenodo_gives_the_files_that_are_named(server: Server, store: Store) -> None:
    zenodo(server, hashlib.md5(TABLE).hexdigest())
    asked = request("10.5281/zenodo.1234", "table.csv")
    tree = doi.lock(asked, Client(wait=0), elsewhere(server), store).value
    assert tree is not None and contents(tree.sha256, store) == {"content": "1,2\n"}


def test_all_files_of_a_record_unpacked(server: Server, store: Store) -> None:
    zenodo(server, hashlib.md5(TABLE).hexdigest())
    asked = request("10.5281/zenodo.1234", "corpus.tar.gz", unpack=True)
    tree = doi.lock(asked, Client(wait=0), elsewhere(server), store).value
    assert tree is not None and list(contents(tree.sha256, store).values()) == ["a"]


def test_dataverse_is_found_through_the_resolver(server: Server, store: Store) -> None:
    """guides.dataverse.org, Native API and Data Access API; doi.org's `/api/handles/DOI`."""
    page = f"{server.address}/dataset.xhtml?persistentId=doi:10.7910/DVN/X"
    answer(server, "/api/handles/10.7910/DVN/X", {"values": [{"type": "URL", "data": {"value": page}}]})
    file = {"id": 7, "filename": "table.csv", "filesize": 4, "md5": hashlib.md5(TABLE).hexdigest()}
    version = {"files": [{"label": "table.csv", "dataFile": file}]}
    answer(server, "/api/datasets/:persistentId/", {"data": {"latestVersion": version}})
    server.files["/api/access/datafile/7"] = TABLE
    asked = request("10.7910/DVN/X", "table.csv")
    tree = doi.lock(asked, Client(wait=0), elsewhere(server), store).value
    assert tree is not None and contents(tree.sha256, store) == {"content": "1,2\n"}


def test_figshare(server: Server, store: Store) -> None:
    """docs.figshare.com, public articles."""
    server.files["/f/1"] = TABLE
    file = {"name": "table.csv", "size": 4, "download_url": f"{server.address}/f/1", "is_link_only": False}
    answer(server, "/articles/55/versions/2", {"files": [file]})
    asked = request("10.6084/m9.figshare.55.v2", "table.csv")
    tree = doi.lock(asked, Client(wait=0), elsewhere(server), store).value
    assert tree is not None and contents(tree.sha256, store) == {"content": "1,2\n"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request("10.5281/zenodo.1234", "tabel.csv"), "tabel.csv"),
        (request("10.5281/zenodo.1234", "table.csv", sha256="0" * 64), "0000"),
        (request("10.5281/zenodo.99", "table.csv"), "404"),
        (request("10.9999/nowhere", "table.csv"), "10.9999/nowhere"),
    ],
    ids=["no such member", "digest", "no record", "no such DOI"],
)
def test_what_a_record_lacks_is_told(asked: DoiRequest, words: str, server: Server, store: Store) -> None:
    zenodo(server, hashlib.md5(TABLE).hexdigest())
    with pytest.raises(Problem, match=words):
        doi.lock(asked, Client(wait=0), elsewhere(server), store)


def test_a_record_whose_own_checksum_does_not_hold(server: Server, store: Store) -> None:
    zenodo(server, "0" * 32)
    with pytest.raises(Problem, match=r"table\.csv"):
        doi.lock(request("10.5281/zenodo.1234", "table.csv"), Client(wait=0), elsewhere(server), store)


def test_software_heritage_gives_what_its_identifier_says(server: Server, store: Store) -> None:
    name = Blob.from_string(TABLE).id.decode()
    server.files[f"/api/1/content/sha1_git:{name}/raw/"] = TABLE
    tree = swh.lock(SwhRequest(f"swh:1:cnt:{name}", span()), Client(wait=0), elsewhere(server), store)
    assert tree.single and contents(tree.sha256, store) == {"content": "1,2\n"}
    server.files[f"/api/1/content/sha1_git:{name}/raw/"] = b"something else"
    with pytest.raises(Problem, match="something else"):
        swh.lock(SwhRequest(f"swh:1:cnt:{name}", span()), Client(wait=0), elsewhere(server), store)
