"""Images from a registry on loopback: names, tokens, digests, layers put on top of each other."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import ImageBase
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import image
from reproc.lock.providers.registry import INDEXES, MANIFESTS, credentials, parsed
from reproc.lock.store import Store

from .conftest import Server, span

Entry = tuple[str, str | bytes | None]
"""Name, and content, or a link's target behind `->` or `=>` (hard), or None for a folder."""


def layer(*entries: Entry, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in entries:
            head = tarfile.TarInfo(name)
            head.uid, head.gid, head.mtime, head.mode = 3, 4, 77, 0o640
            if content is None:
                head.type, head.mode = tarfile.DIRTYPE, 0o750
            elif isinstance(content, str):
                head.type = tarfile.SYMTYPE if content.startswith("->") else tarfile.LNKTYPE
                head.linkname = content[2:]
            else:
                head.size = len(content)
                if name.endswith("cap"):
                    head.pax_headers = {"SCHILY.xattr.user.note": "kept"}
            archive.addfile(head, io.BytesIO(content if isinstance(content, bytes) else b""))
    return gzip.compress(out.getvalue()) if packed else out.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def publish(
    server: Server, *layers: bytes, architecture: str = "amd64", name: str = "lib/x", tag: str = "1"
) -> str:
    """Puts an image into the registry, behind an index; returns its manifest's digest."""
    config = json.dumps(
        {"architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/bin", "A=b=c"]}}
    ).encode()
    for blob in (config, *layers):
        server.files[f"/v2/{name}/blobs/{digest(blob)}"] = blob
    described = [{"digest": digest(blob), "size": len(blob)} for blob in layers]
    manifest = json.dumps(
        {"mediaType": MANIFESTS[0], "config": {"digest": digest(config)}, "layers": described}
    ).encode()
    entry = {"digest": digest(manifest), "platform": {"os": "linux", "architecture": architecture}}
    index = json.dumps({"mediaType": INDEXES[0], "manifests": [entry]}).encode()
    server.files[f"/v2/{name}/manifests/{digest(manifest)}"] = manifest
    server.files[f"/v2/{name}/manifests/{tag}"] = index
    return digest(manifest)


def lock(server: Server, store: Store, what: str = "lib/x:1", site: Site | None = None) -> ImageBase:
    reference = f"{server.address.removeprefix('http://')}/{what}"
    return image.lock(reference, span(), "linux/amd64", Client(wait=0), site or Site({}), store)


def tree(store: Store, base: ImageBase) -> dict[str, tuple[str, int, str]]:
    with tarfile.open(store.place(base.rootfs)) as archive:
        assert [m.name for m in archive.getmembers()] == sorted(m.name for m in archive.getmembers())
        found = {}
        for m in archive.getmembers():
            file = archive.extractfile(m) if m.isreg() else None
            text = file.read().decode() if file else m.linkname
            found[m.name] = (m.type.decode(), m.mode, text)
        return found


def told(server: Server, store: Store, what: str = "lib/x:1") -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        lock(server, store, what)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.name, diagnostic.message


def test_layers(server: Server, store: Store) -> None:
    publish(
        server,
        layer(
            ("./a", b"1"),
            ("d", None),
            ("d/x", b"x"),
            ("d/y", b"y"),
            ("o", None),
            ("o/gone", b""),
            ("l", "->a"),
            ("h", "=>./a"),
        ),
        layer(
            ("a", b"2"),
            ("d/.wh.x", b""),
            ("o/new", b"n"),
            ("o/.wh..wh..opq", b""),
            ("z.cap", b"c"),
            packed=False,
        ),
    )
    base = lock(server, store)
    assert base.environment == (("A", "b=c"), ("PATH", "/bin"))
    assert tree(store, base) == {
        "./a": ("0", 0o640, "2"),
        "./d": ("5", 0o750, ""), "./d/y": ("0", 0o640, "y"), "./h": ("0", 0o640, "1"),
        "./l": ("2", 0o640, "a"),
        "./o": ("5", 0o750, ""), "./o/new": ("0", 0o640, "n"), "./z.cap": ("0", 0o640, "c"),
    }  # fmt: skip
    with tarfile.open(store.place(base.rootfs)) as archive:
        member = archive.getmember("./z.cap")
        assert (member.uid, member.gid, member.mtime, member.pax_headers["SCHILY.xattr.user.note"]) == (
            3,
            4,
            77,
            "kept",
        )


def test_hard_links_stay_links(server: Server, store: Store) -> None:
    publish(server, layer(("b", b"same"), ("c", "=>b"), ("a", "=>b")))
    assert tree(store, lock(server, store)) == {
        "./a": ("0", 0o640, "same"), "./b": ("1", 0o640, "./a"), "./c": ("1", 0o640, "./a"),
    }  # fmt: skip


def test_a_folder_in_place_of_a_file_and_back(server: Server, store: Store) -> None:
    publish(
        server,
        layer(("p", b"file"), ("q", None), ("q/in", b"")),
        layer(("p", None), ("p/in", b"1"), ("q", b"now a file")),
    )
    assert list(tree(store, lock(server, store))) == ["./p", "./p/in", "./q"]


def test_twice_the_same_bytes(server: Server, tmp_path: Path) -> None:
    publish(server, layer(("a", b"1"), ("é" * 80, b"long")))
    assert lock(server, Store(tmp_path / "1")).rootfs == lock(server, Store(tmp_path / "2")).rootfs


def test_by_digest(server: Server, store: Store) -> None:
    manifest = publish(server, layer(("a", b"1")))
    base = lock(server, store, f"lib/x@{manifest}")
    assert base.digest == manifest
    image.fetch(base, "linux/amd64", Client(wait=0), Site({}), Store(store.root / "other"))
    server.files[f"/v2/lib/x/manifests/{manifest}"] += b" "
    assert told(server, store, f"lib/x@{manifest}")[0] == "digest-mismatch"


def test_a_flipped_byte_in_a_layer(server: Server, store: Store) -> None:
    content = layer(("a", b"1"))
    publish(server, content)
    server.files[f"/v2/lib/x/blobs/{digest(content)}"] = content[:-1] + b"?"
    assert told(server, store)[0] == "digest-mismatch"


@pytest.mark.parametrize(
    "content",
    [b"no archive", layer(("../up", b"")), layer(("h", "=>nothing")), layer(("a", "=>b"), ("b", "=>a"))],
    ids=["no archive", "leads out", "dangling", "circle"],
)
def test_hostile_layers(server: Server, store: Store, content: bytes) -> None:
    publish(server, content)
    assert told(server, store)[0] == "registry-trouble"


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"manifests": 1}', b'{"layers": [1], "config": {}}', b"[" * 100_000, b"\xff"],
)
def test_hostile_manifests(server: Server, store: Store, answer: bytes) -> None:
    server.files["/v2/lib/x/manifests/1"] = answer
    assert told(server, store)[0] in ("registry-trouble", "image-lacks-platform")


def test_what_is_not_there(server: Server, store: Store) -> None:
    assert told(server, store)[0] == "unknown-image"
    publish(server, layer(("a", b"")), architecture="arm64")
    name, message = told(server, store)
    assert (name, "linux/amd64" in message) == ("image-lacks-platform", True)
    with pytest.raises(Problem) as caught:
        image.lock("localhost:9/x", span(), "linux/amd64", Client(wait=0), Site({}), store)
    assert caught.value.diagnostics[0].code.name == "no-network"


def test_tokens(server: Server, store: Store, tmp_path: Path) -> None:
    publish(server, layer(("a", b"1")))
    plain = dict(server.files)
    server.files.clear()
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler, content: bytes | None, headers: dict[str, str]) -> None:
        handler.send_response(200 if content is not None else 401)
        for key, value in (headers | {"Content-Length": str(len(content or b""))}).items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(content or b"")

    challenge = f'Bearer realm="{server.address}/token",service="s",scope="repository:lib/x:pull"'

    def guarded(path: str) -> Any:
        def serve(handler: BaseHTTPRequestHandler) -> None:
            good = handler.headers.get("Authorization") == "Bearer ticket"
            answer(handler, plain[path] if good else None, {} if good else {"WWW-Authenticate": challenge})

        return serve

    def token(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization", ""))
        answer(handler, b'{"token": "ticket"}', {})

    server.answers |= {path: guarded(path) for path in plain} | {"/token": token}
    host = server.address.removeprefix("http://")
    secret = base64.b64encode(b"me:word").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": secret}}}))
    lock(server, store, site=Site({"DOCKER_CONFIG": str(tmp_path)}))
    assert seen == [f"Basic {secret}"]
    assert "scope=repository%3Alib%2Fx%3Apull" in next(p for p in server.asked if p.startswith("/token"))
    server.answers["/token"] = lambda handler: answer(handler, b"{}", {})
    assert told(server, Store(tmp_path / "fresh"))[0] == "registry-refused"


def test_credential_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        '#!/bin/sh\nread server\necho "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    settings = {"DOCKER_CONFIG": str(tmp_path)}
    (tmp_path / "config.json").write_text('{"credHelpers": {"r.example.org": "test"}}')
    assert credentials("r.example.org", settings) == base64.b64encode(b"r.example.org:s").decode()
    assert credentials("other.example.org", settings) is None
    (tmp_path / "config.json").write_text('{"credsStore": "not-installed"}')
    assert credentials("r.example.org", settings) is None
    (tmp_path / "config.json").write_text("nonsense")
    assert credentials("r.example.org", settings) is None


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim"),
        ("a/b", "docker.io/a/b:latest"),
        ("docker.io/library/debian:12", "docker.io/library/debian:12"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("r.example.org/a/b/c", "r.example.org/a/b/c:latest"),
        ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
        ("a:1@sha256:" + "0" * 64, "docker.io/library/a:1@sha256:" + "0" * 64),
    ],
)
def test_names(text: str, full: str) -> None:
    assert str(parsed(text, None)) == full


@pytest.mark.parametrize(
    "text", ["", "A", "a:", "a:b c", "a@sha256:12", "a b", "a/../b", "-a", "a:1:2", "a\nb", "r.example.org/"]
)
def test_bad_names(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parsed(text, None)
    assert caught.value.diagnostics[0].code.name == "unreadable-image-reference"
