"""Records behind DOIs, from stand-ins that answer as the sites document it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import WebTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import doi
from reproc.lock.requests import DoiRequest, FileRequest
from reproc.lock.store import Store

from .conftest import Server, item, span

A, B = b"a,b\n1,2\n", b"# read me\n"


def packed() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        head = tarfile.TarInfo("c/d")
        head.size = 1
        archive.addfile(head, io.BytesIO(b"d"))
    return out.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def client() -> Client:
    return Client(wait=0.001, attempts=2, timeout=(2, 2))


@pytest.fixture
def here(server: Server) -> Site:
    """A machine for which every site is the loopback server."""
    names = {
        f"REPROC_MIRROR_{name}": f"http://127.0.0.1:9 {server.address}"
        for name in ("DOI", "ZENODO", "FIGSHARE")
    }
    return Site(names)


def serve(server: Server, path: str, answer: object) -> None:
    server.files[path] = json.dumps(answer).encode()


def zenodo(server: Server, files: dict[str, bytes], number: int = 1234) -> str:
    """A record as Zenodo answers it (developers.zenodo.org, "Records", Retrieve)."""
    listed = []
    for name, content in files.items():
        path = f"/api/records/{number}/files/{name}/content"
        server.files[path] = content
        listed.append(
            {
                "id": "00000000-0000-0000-0000-000000000000",
                "key": name,
                "size": len(content),
                "checksum": f"md5:{md5(content)}",
                "links": {"self": server.address + path},
            }
        )
    serve(server, f"/api/records/{number}", {"id": number, "state": "done", "files": listed})
    return f"10.5281/zenodo.{number}"


def figshare(server: Server, files: dict[str, bytes], path: str = "/articles/77") -> None:
    """An article as Figshare answers it (docs.figshare.com, "View article details")."""
    listed: list[dict[str, Any]] = [
        {
            "id": 1,
            "name": "elsewhere",
            "is_link_only": True,
            "download_url": "https://example.org/",
            "size": 0,
        }
    ]
    for number, (name, content) in enumerate(files.items(), 2):
        server.files[f"/files/{number}"] = content
        listed.append(
            {
                "id": number,
                "name": name,
                "size": len(content),
                "is_link_only": False,
                "download_url": f"{server.address}/files/{number}",
                "supplied_md5": "",
                "computed_md5": md5(content),
            }
        )
    serve(server, path, {"id": 77, "doi": "10.6084/m9.figshare.77", "files": listed})


def handle(server: Server, name: str, page: str) -> None:
    """What doi.org's REST interface says of a DOI (Handle.Net Technical Manual, "REST API")."""
    values = [
        {"index": 100, "type": "HS_ADMIN", "data": {"format": "admin", "value": {}}},
        {"index": 1, "type": "URL", "data": {"format": "string", "value": page}},
    ]
    serve(server, f"/api/handles/{name}", {"responseCode": 1, "handle": name, "values": values})


def dataverse(server: Server, files: dict[str, bytes], folder: str = "") -> None:
    """A dataset as Dataverse answers it (guides.dataverse.org, "Native API", Get JSON Representation)."""
    listed = []
    for number, (name, content) in enumerate(files.items(), 5):
        server.files[f"/api/access/datafile/{number}"] = content
        file: dict[str, Any] = {"id": number, "filename": name, "filesize": len(content)}
        file["checksum"] = {
            "type": "SHA-1",
            "value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        }
        if name.endswith(".tab"):
            file |= {"originalFileName": name.replace(".tab", ".csv"), "originalFileSize": len(content)}
            file |= {"filesize": 999, "checksum": {"type": "MD5", "value": "0" * 32}}
        listed.append({"label": name, "directoryLabel": folder, "dataFile": file})
    serve(
        server,
        "/api/datasets/:persistentId/",
        {"status": "OK", "data": {"id": 1, "latestVersion": {"versionState": "RELEASED", "files": listed}}},
    )


def asked(name: str, *files: FileRequest, unpack: bool = False, sha256: str | None = None) -> DoiRequest:
    return DoiRequest(name, files, item(sha256) if sha256 else None, None, unpack, span())


def member(name: str, sha256: str | None = None, size: int | None = None) -> FileRequest:
    return FileRequest(name, item(sha256) if sha256 else None, size, span())


def locked(request: DoiRequest, client: Client, here: Site, store: Store) -> tuple[WebTree, dict[str, bytes]]:
    tree = doi.lock(request, client, here, store).value
    assert tree is not None
    with tarfile.open(store.place(tree.sha256)) as archive:
        found = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
        return tree, {name: file.read() for name, file in found.items() if file}


def told(request: DoiRequest, client: Client, here: Site, store: Store) -> list[str]:
    with pytest.raises(Problem) as caught:
        doi.lock(request, client, here, store)
    return [f"{each.code.id} {each.message}" for each in caught.value.diagnostics]


def test_zenodo(server: Server, client: Client, here: Site, store: Store) -> None:
    name = zenodo(server, {"a.csv": A, "README.md": B})
    tree, files = locked(asked(name), client, here, store)
    assert files == {"./a.csv": A, "./README.md": B}
    assert [each.path for each in tree.downloads] == ["README.md", "a.csv"] and not tree.single
    tree, files = locked(asked(name, member("a.csv")), client, here, store)
    assert tree.single and (tree.downloads[0].name, files) == ("a.csv", {"./content": A})


def test_an_invenio_site(server: Server, client: Client, here: Site, store: Store) -> None:
    handle(server, "10.1234/x", f"{server.address}/records/abcde-12345")
    server.files["/content"] = A
    entry = {"key": "a.csv", "size": len(A), "checksum": f"md5:{md5(A)}"}
    entry["links"] = {"content": f"{server.address}/content"}  # type: ignore[assignment]
    serve(server, "/api/records/abcde-12345", {"files": {"enabled": True, "entries": {"a.csv": entry}}})
    assert locked(asked("10.1234/x"), client, here, store)[1] == {"./content": A}


def test_figshare(server: Server, client: Client, here: Site, store: Store) -> None:
    figshare(server, {"a.csv": A, "b.md": B})
    _, files = locked(asked("10.6084/m9.figshare.77"), client, here, store)
    assert files == {"./a.csv": A, "./b.md": B}
    figshare(server, {"a.csv": B}, "/articles/77/versions/2")
    assert locked(asked("10.6084/m9.figshare.77.v2"), client, here, store)[1] == {"./content": B}


def test_dataverse(server: Server, client: Client, here: Site, store: Store) -> None:
    handle(server, "10.7910/DVN/X", f"{server.address}/citation?persistentId=doi:10.7910/DVN/X")
    dataverse(server, {"a.tab": A, "b.md": B}, "deep/er")
    tree, files = locked(asked("10.7910/DVN/X"), client, here, store)
    assert files == {"./deep/er/a.csv": A, "./deep/er/b.md": B}
    assert tree.downloads[0].urls[0].endswith("/api/access/datafile/5?format=original")
    assert f"{server.asked[1]}" == "/api/datasets/:persistentId/?persistentId=doi:10.7910/DVN/X"


def test_a_single_file_of_dataverse(server: Server, client: Client, here: Site, store: Store) -> None:
    handle(server, "10.7910/DVN/X/Y", f"{server.address}/file.xhtml?persistentId=doi:10.7910/DVN/X/Y")
    server.files["/api/access/datafile/9"] = A
    file = {"id": 9, "filename": "a.csv", "filesize": len(A), "md5": md5(A)}
    serve(server, "/api/files/:persistentId/", {"status": "OK", "data": {"label": "a.csv", "dataFile": file}})
    assert locked(asked("10.7910/DVN/X/Y"), client, here, store)[1] == {"./content": A}


def test_archives_in_a_record(server: Server, client: Client, here: Site, store: Store) -> None:
    name = zenodo(server, {"c.tar.gz": packed(), "README.md": B})
    tree, files = locked(asked(name, unpack=True), client, here, store)
    assert files == {"./c/d": b"d", "./README.md": B}
    assert locked(asked(name, member("c.tar.gz"), unpack=True), client, here, store)[1] == {"./c/d": b"d"}
    assert set(locked(asked(name), client, here, store)[1]) == {"./c.tar.gz", "./README.md"}
    assert {each.form for each in tree.downloads} == {"tar.gz", "file"}


def test_files_that_are_not_there(server: Server, client: Client, here: Site, store: Store) -> None:
    name = zenodo(server, {"a.csv": A, "README.md": B})
    found = told(asked(name, member("b.csv"), member("zzz")), client, here, store)
    assert found == [f"E0446 the record of `{name}` has no file `{each}`" for each in ("b.csv", "zzz")]


def test_digests(server: Server, client: Client, here: Site, store: Store) -> None:
    name = zenodo(server, {"a.csv": A, "README.md": B})
    good = hashlib.sha256(A).hexdigest()
    assert locked(asked(name, member("a.csv"), sha256=good), client, here, store)
    assert told(asked(name, member("a.csv", "0" * 64)), client, here, store)[0].startswith("E0435")
    assert told(asked(name, member("a.csv", good, 7)), client, here, store)[0].startswith("E0436")
    assert "one digest or size stands for one" in told(asked(name, sha256=good), client, here, store)[0]


def test_what_came_is_not_what_the_record_says(
    server: Server, client: Client, here: Site, store: Store
) -> None:
    name = zenodo(server, {"a.csv": A})
    server.files["/api/records/1234/files/a.csv/content"] = A.replace(b"1", b"7")
    (found,) = told(asked(name), client, here, store)
    assert found.startswith("E0445") and "and its record says" in found
    server.files["/api/records/1234/files/a.csv/content"] = A + b"more"
    assert told(asked(name), client, here, store)[0].startswith("E0436")


@pytest.mark.parametrize(
    "answer", [[], {}, {"files": 3}, {"files": [{"size": 1}]}, {"files": {"entries": []}}, None, "x"]
)
def test_answers_without_sense(
    answer: object, server: Server, client: Client, here: Site, store: Store
) -> None:
    serve(server, "/api/records/1234", answer)
    assert told(asked("10.5281/zenodo.1234"), client, here, store)[0].startswith("E0445")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "a\nb", "a/", ""])
def test_names_that_lead_out(name: str, server: Server, client: Client, here: Site, store: Store) -> None:
    file = {"key": name, "links": {"self": f"{server.address}/x"}}
    serve(server, "/api/records/1234", {"files": [file]})
    assert "it has a file with the name" in told(asked("10.5281/zenodo.1234"), client, here, store)[0]


def test_records_that_cannot_be_had(server: Server, client: Client, here: Site, store: Store) -> None:
    assert "HTTP status 404" in told(asked("10.5281/zenodo.9"), client, here, store)[0]
    handle(server, "10.1234/y", "https://example.org/paper")
    assert "`example.org` is no site whose records" in told(asked("10.1234/y"), client, here, store)[0]
    server.files["/api/records/1234"] = b"<html>"
    assert "what it gives is not JSON" in told(asked("10.5281/zenodo.1234"), client, here, store)[0]

    def refuse(handler: Any) -> None:
        handler.send_response(403)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers["/api/records/1234"] = refuse
    assert "does not show it to everyone" in told(asked("10.5281/zenodo.1234"), client, here, store)[0]
    nowhere = Site({"REPROC_MIRROR_ZENODO": "http://127.0.0.1:9"})
    assert told(asked("10.5281/zenodo.1"), client, nowhere, store)[0].startswith("E0401")
