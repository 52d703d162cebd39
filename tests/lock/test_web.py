"""Files and archives by address: mirrors, digests, what servers answer instead."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic
from reproc.lock.archives import Site
from reproc.lock.model import WebTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import web
from reproc.lock.requests import WebRequest
from reproc.lock.store import Store

from .conftest import Server, item, span


@pytest.fixture
def client() -> Client:
    return Client(wait=0.001, attempts=3, timeout=(2, 2))


def archive(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in names.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def request(
    *urls: str,
    digest: str | None = None,
    size: int | None = None,
    unpack: bool = True,
    strip: int | None = None,
) -> WebRequest:
    return WebRequest(urls, item(digest) if digest else None, size, unpack, strip, span())


def told(asked: WebRequest, client: Client, store: Store) -> list[str]:
    with pytest.raises(Problem) as caught:
        web.lock(asked, client, store)
    return [f"{each.code.id} {each.message}" for each in caught.value.diagnostics]


def locked(asked: WebRequest, client: Client, store: Store) -> tuple[WebTree, tuple[Diagnostic, ...]]:
    found = web.lock(asked, client, store)
    assert found.value is not None
    return found.value, found.diagnostics


CODE = archive({"x-1/a.c": b"int main;\n", "x-1/doc/b": b"b"})


def test_an_archive(server: Server, client: Client, store: Store) -> None:
    server.files["/x-1.tar.gz"] = CODE
    url = f"{server.address}/x-1.tar.gz"
    tree, said = locked(request(url), client, store)
    (only,) = tree.downloads
    assert (only.sha256, only.size, only.form, only.strip) == (sha256(CODE), len(CODE), "tar.gz", 1)
    assert (tree.source, only.urls, tree.single, said) == (url, (url,), False, ())
    assert locked(request(url, digest=sha256(CODE)), client, store)[0] == tree
    assert locked(request(url, strip=0), client, store)[0].sha256 != tree.sha256


def test_the_same_again_from_the_lock(server: Server, client: Client, store: Store, tmp_path: Path) -> None:
    server.files["/x-1.tar.gz"] = CODE
    tree, _ = locked(request(f"{server.address}/x-1.tar.gz"), client, store)
    other = Store(tmp_path / "other")
    web.fetch(tree, client, other)
    assert other.path(tree.sha256) is not None
    server.files["/x-1.tar.gz"] = CODE[:-1] + b"\1"
    with pytest.raises(Problem) as caught:
        web.fetch(tree, client, Store(tmp_path / "third"))
    assert [each.code.id for each in caught.value.diagnostics] == ["E0403"]


def test_a_file_stays_a_file(server: Server, client: Client, store: Store) -> None:
    server.files["/d/x%20y.csv.gz"] = gzip.compress(b"1,2\n", mtime=0)
    url = f"{server.address}/d/x%20y.csv.gz"
    tree, _ = locked(request(url, unpack=False), client, store)
    assert tree.single and (tree.downloads[0].name, tree.downloads[0].form) == ("x y.csv.gz", "file")
    tree, _ = locked(request(url), client, store)
    assert tree.single and (tree.downloads[0].name, tree.downloads[0].form) == ("x y.csv", "gz")
    with tarfile.open(store.place(tree.sha256)) as kept:
        (head,) = kept.getmembers()
        content = kept.extractfile(head)
        assert content is not None and (head.name, content.read()) == ("./content", b"1,2\n")


def test_a_program_in_a_zip_is_a_file(server: Server, client: Client, store: Store) -> None:
    server.files["/x.jar"] = b"PK\x05\x06" + bytes(18)
    tree, _ = locked(request(f"{server.address}/x.jar"), client, store)
    assert tree.downloads[0].form == "file"


def test_the_spec_s_digest_must_match(server: Server, client: Client, store: Store) -> None:
    server.files["/x.tar.gz"] = CODE
    url = f"{server.address}/x.tar.gz"
    assert told(request(url, digest="0" * 64), client, store) == [
        f"E0435 `{url}` has the sha256 `{sha256(CODE)}`, and `{'0' * 64}` was expected"
    ]
    good = "sha512:" + hashlib.sha512(CODE).hexdigest()
    assert locked(request(url, digest=good), client, store)[0].downloads[0].sha256 == sha256(CODE)
    assert told(request(url, digest="sha512:" + "0" * 128), client, store)[0].startswith("E0435")
    assert store.path("0" * 64) is None


def test_the_size_must_match(server: Server, client: Client, store: Store) -> None:
    server.files["/d"] = b"12345"
    url = f"{server.address}/d"
    assert told(request(url, size=6, unpack=False), client, store) == [
        f"E0436 `{url}` has 5 bytes, and 6 were expected"
    ]
    assert locked(request(url, size=5, unpack=False), client, store)


def test_mirrors_in_turn(server: Server, client: Client, store: Store) -> None:
    server.files |= {"/wrong": b"other", "/short": b"right"[:4], "/right": b"right"}
    urls = [f"{server.address}/{name}" for name in ("missing", "wrong", "short", "right")]
    tree, said = locked(request(*urls, digest=sha256(b"right"), unpack=False), client, store)
    assert [each.code.id for each in said] == ["W0403"] * 3
    assert "HTTP status 404" in said[0].message and "`" + urls[0] in said[0].message
    assert sha256(b"other") in said[1].message
    assert tree.downloads[0].urls == (urls[3], *urls[:3])
    tree, said = locked(request(*urls[1:], size=5, unpack=False), client, Store(store.root / "b"))
    assert (tree.downloads[0].urls[0], len(said)) == (urls[1], 0)


def test_no_mirror_has_it(server: Server, client: Client, store: Store) -> None:
    server.files["/wrong"] = b"other"
    urls = [f"{server.address}/missing", f"{server.address}/wrong"]
    found = told(request(*urls, digest=sha256(b"right"), unpack=False), client, store)
    assert [each[:5] for each in found] == ["E0402", "E0435"]


def test_a_host_that_is_not_there(client: Client, store: Store) -> None:
    found = told(request("http://127.0.0.1:9/x.tar.gz"), client, store)
    assert found == ["E0401 `127.0.0.1:9` cannot be reached: it refuses connections"]


def test_a_page_instead_of_the_file(server: Server, client: Client, store: Store) -> None:
    server.files |= {"/x.tar.gz": b"\n<!DOCTYPE html><title>Log in</title>", "/x.html": b"<html></html>"}
    url = f"{server.address}/x.tar.gz"
    assert told(request(url), client, store) == [f"E0444 `{url}` gives a web page, not a file"]
    assert locked(request(f"{server.address}/x.html", unpack=False), client, store)


def test_a_redirect_to_another_host(server: Server, client: Client, store: Store) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", server.address.replace("127.0.0.1", "localhost") + "/real")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers["/x.tar.gz"] = elsewhere
    server.files["/real"] = CODE
    url = f"{server.address}/x.tar.gz"
    tree, _ = locked(request(url, digest=sha256(CODE)), client, store)
    assert tree.downloads[0].urls == (url,)


def test_what_is_hostile_is_not_kept(server: Server, client: Client, store: Store) -> None:
    server.files["/x.tar.gz"] = archive({"a/../../x": b""})
    found = told(request(f"{server.address}/x.tar.gz"), client, store)
    assert [each[:5] for each in found] == ["E0442"]


@pytest.mark.parametrize(
    "url, name",
    [
        ("https://example.org/a/b.tar.gz?download=1", "b.tar.gz"),
        ("https://example.org/a%2Fb", "content"),
        ("https://example.org/%2e%2e", "content"),
        ("https://example.org", "content"),
        ("https://example.org/a%0Ab", "content"),
    ],
)
def test_names(url: str, name: str) -> None:
    assert web.file_name(url) == name


def test_a_mirror_of_the_site_comes_before_the_address(server: Server, client: Client, store: Store) -> None:
    site = Site({"REPROC_MIRROR_FILES_INVALID": f"{server.address}/a {server.address}/b {server.address}/c"})
    server.files |= {"/b/x-1.tar.gz": b"another", "/c/x-1.tar.gz": CODE}
    url = "https://files.invalid/x-1.tar.gz"
    found = web.lock(request(url, digest=sha256(CODE)), client, store, site)
    assert found.value is not None
    assert found.value.downloads[0].urls == (url,)
    # the first has nothing, as mirrors may; the second has something else
    (said,) = found.diagnostics
    assert said.code is codes.MIRROR_PASSED_OVER
    assert f"{server.address}/b/x-1.tar.gz" in said.message


def test_what_no_mirror_has_is_told_of_the_address(server: Server, client: Client, store: Store) -> None:
    site = Site({"REPROC_MIRROR_FILES_INVALID": server.address})
    with pytest.raises(Problem) as caught:
        web.lock(request("https://files.invalid/x-1.tar.gz"), client, store, site)
    (said,) = caught.value.diagnostics
    assert "`files.invalid` cannot be reached" in said.message
    assert "`REPROC_MIRROR_FILES_INVALID`" in (said.help or "")
