"""Images from a registry on loopback: names, tokens, digests, layers put on top of each other."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests

from reproc.lock.archives import Site
from reproc.lock.model import ImageBase
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import image
from reproc.lock.providers.credentials import known
from reproc.lock.providers.registry import INDEXES, MANIFESTS, parsed
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
    assert told(server, Store(tmp_path / "fresh"))[0] == "registry-trouble"
    server.answers["/token"] = lambda handler: answer(handler, None, {})
    assert told(server, Store(tmp_path / "fresh"))[0] == "registry-refused"


def status(code: int, **headers: str) -> Any:
    """An answer without content."""

    def serve(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for key, value in (headers | {"Content-Length": "0"}).items():
            handler.send_header(key.replace("_", "-"), value)
        handler.end_headers()

    return serve


def test_an_identity_token_buys_another_token(server: Server, store: Store, tmp_path: Path) -> None:
    publish(server, layer(("a", b"1")))
    plain = dict(server.files)
    server.files.clear()
    challenge = f'Bearer realm="{server.address}/token",service="s",scope="repository:lib/x:pull"'
    forms: list[str] = []

    def guarded(path: str) -> Any:
        def serve(handler: BaseHTTPRequestHandler) -> None:
            good = handler.headers.get("Authorization") == "Bearer bought"
            handler.send_response(200 if good else 401)
            content = plain[path] if good else b""
            handler.send_header("Content-Length", str(len(content)))
            handler.send_header("WWW-Authenticate", challenge)
            handler.end_headers()
            handler.wfile.write(content)

        return serve

    def token(handler: BaseHTTPRequestHandler) -> None:
        forms.append(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        content = b'{"access_token": "bought"}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.answers |= {path: guarded(path) for path in plain} | {"/token": token}
    host = server.address.removeprefix("http://")
    (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"identitytoken": "mine"}}}))
    lock(server, store, site=Site({"DOCKER_CONFIG": str(tmp_path)}))
    assert len(forms) == 1
    assert "grant_type=refresh_token" in forms[0] and "refresh_token=mine" in forms[0]


@pytest.mark.parametrize(
    ("code", "config", "name", "said"),
    [
        (401, {}, "registry-refused", "it asks for a login"),
        (401, {"auth": "bWU6d29yZA=="}, "registry-refused", "it does not accept the login of `me`"),
        (403, {}, "registry-refused", "it is not open to everyone"),
        (403, {"username": "me", "password": "w"}, "registry-refused", "`me` may not read it"),
        (429, {}, "registry-limit", "no more requests"),
        (500, {}, "registry-trouble", "500"),
    ],
)
def test_refusals(
    server: Server, store: Store, tmp_path: Path, code: int, config: dict[str, str], name: str, said: str
) -> None:
    basic = {"WWW_Authenticate": 'Basic realm="r"'} if code == 401 else {"Retry_After": "77"}
    server.answers["/v2/lib/x/manifests/1"] = status(code, **basic)
    host = server.address.removeprefix("http://")
    (tmp_path / "config.json").write_text(json.dumps({"auths": {f"https://{host}/v1/": config}}))
    with pytest.raises(Problem) as caught:
        lock(server, store, site=Site({"DOCKER_CONFIG": str(tmp_path)}))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code.name, said in diagnostic.message) == (name, True), diagnostic.message
    if code == 429:
        assert "77 seconds" in (diagnostic.help or "") and "docker login" in (diagnostic.help or "")


def test_a_login_that_has_run_out_is_made_again(server: Server, store: Store) -> None:
    publish(server, layer(("a", b"1")))
    plain = dict(server.files)
    server.files.clear()
    tickets = iter(f"ticket-{number}" for number in range(9))
    valid: list[str] = []

    def guarded(path: str) -> Any:
        def serve(handler: BaseHTTPRequestHandler) -> None:
            good = bool(valid) and handler.headers.get("Authorization") == f"Bearer {valid[-1]}"
            content = plain[path] if good else b""
            handler.send_response(200 if good else 401)
            handler.send_header("WWW-Authenticate", f'Bearer realm="{server.address}/token"')
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
            if good:
                valid.append("nothing")  # each token is good for one request

        return serve

    def token(handler: BaseHTTPRequestHandler) -> None:
        valid.append(next(tickets))
        content = json.dumps({"token": valid[-1]}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.answers |= {path: guarded(path) for path in plain} | {"/token": token}
    assert tree(store, lock(server, store)) == {"./a": ("0", 0o640, "1")}
    assert "ticket-3" in valid


def test_each_platform_of_an_index_has_its_digest(server: Server, store: Store) -> None:
    entries = []
    for architecture, content in (("amd64", b"a"), ("arm64", b"b")):
        found = publish(server, layer(("which", content)), architecture=architecture, tag=architecture)
        entries.append({"digest": found, "platform": {"os": "linux", "architecture": architecture}})
    # attestations stand beside the platforms, and are of none
    entries.append({"digest": entries[0]["digest"], "platform": {"os": "unknown", "architecture": "unknown"}})
    index = json.dumps({"mediaType": INDEXES[0], "manifests": entries}).encode()
    server.files["/v2/lib/x/manifests/1"] = server.files[f"/v2/lib/x/manifests/{digest(index)}"] = index
    host = server.address.removeprefix("http://")
    found = {
        (platform, name): image.lock(f"{host}/{name}", span(), platform, Client(wait=0), Site({}), store)
        for platform in ("linux/amd64", "linux/arm64")
        for name in ("lib/x:1", f"lib/x@{digest(index)}")
    }
    for (platform, _), base in found.items():
        number = ("linux/amd64", "linux/arm64").index(platform)
        assert base.digest == entries[number]["digest"]
        assert tree(store, base)["./which"][2] == "ab"[number]
        assert image.digest(f"{host}/lib/x:1", None, platform, Client(wait=0), Site({})) == base.digest


HELPER = """\
#!/bin/sh
read server
echo "$1 $server" >> "$0.log"
case "$server" in
    {known}) echo '{{"ServerURL": "x", "Username": "{name}", "Secret": "{secret}"}}' ;;
    *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


def helper(folder: Path, known_server: str, name: str = "me", secret: str = "word") -> Path:
    program = folder / "docker-credential-test"
    program.write_text(HELPER.format(known=known_server, name=name, secret=secret))
    program.chmod(0o755)
    return program


def test_credential_helpers(tmp_path: Path) -> None:
    program = helper(tmp_path, "r.example.org")
    machine = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def login(registry: str, settings: object) -> tuple[str, str] | str | None:
        (tmp_path / "config.json").write_text(json.dumps(settings))
        found = known(registry, machine)
        return (found.login.name, found.login.secret) if found.login else found.trouble

    assert login("r.example.org", {"credHelpers": {"r.example.org": "test"}}) == ("me", "word")
    assert login("other.example.org", {"credHelpers": {"r.example.org": "test"}}) is None
    assert login("r.example.org", {"credsStore": "test"}) == ("me", "word")
    plain = {"auths": {"other.example.org": {"auth": base64.b64encode(b"you:a:b").decode()}}}
    assert login("other.example.org", {"credsStore": "test"} | plain) == ("you", "a:b")
    assert login("r.example.org", {"credsStore": "not-installed"}) == (
        "`docker-credential-not-installed` is not installed"
    )
    assert login("r.example.org", {"credsStore": "../../bin/sh"}) is None
    assert login("r.example.org", ["nonsense"]) is None
    assert login("r.example.org", {"auths": {"r.example.org": {"auth": "%%%"}}}) is None
    helper(tmp_path, "https://index.docker.io/v1/", "<token>", "t")
    assert login("docker.io", {"credHelpers": {"https://index.docker.io/v1/": "test"}}) == ("<token>", "t")
    assert login("docker.io", {"credsStore": "test"}) == ("<token>", "t")
    assert "get https://index.docker.io/v1/" in Path(f"{program}.log").read_text()
    (tmp_path / "config.json").write_text("nonsense")
    assert known("r.example.org", machine).login is None


@pytest.fixture
def guarded_registry(tmp_path: Path) -> Iterator[str]:
    """A real registry that lets in `me` with the password `word`, and has the image `lib/x:1`."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "htpasswd").write_text("me:$2y$05$abcdefghijklmnopqrstuuQDoL5Sa/TtfS/XN4AY/jgq.HBbO1BTu\n")
    settings = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
        "auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen([program, "serve", str(tmp_path / "registry.yml")], stdout=log, stderr=log)
        try:
            push(address)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def push(address: str) -> None:
    """Puts an image there, once the registry answers."""
    session = requests.Session()
    session.auth = ("me", "word")
    for _ in range(100):
        try:
            if session.get(f"http://{address}/v2/", timeout=5).status_code == 200:
                break
        except requests.ConnectionError:
            time.sleep(0.1)
    root = f"http://{address}/v2/lib/x"
    content = layer(("a", b"1"))
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}}).encode()
    for blob in (content, config):
        place = session.post(f"{root}/blobs/uploads/", timeout=5).headers["Location"]
        done = session.put(place, params={"digest": digest(blob)}, data=blob, timeout=5)
        assert done.status_code == 201, done.text
    described = [
        {"mediaType": kind, "digest": digest(blob), "size": len(blob)}
        for kind, blob in (
            ("application/vnd.oci.image.config.v1+json", config),
            ("application/vnd.oci.image.layer.v1.tar+gzip", content),
        )
    ]
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFESTS[0], "config": described[0], "layers": described[1:],
    }  # fmt: skip
    done = session.put(
        f"{root}/manifests/1",
        data=json.dumps(manifest),
        headers={"Content-Type": MANIFESTS[0]},
        timeout=5,
    )
    assert done.status_code == 201, done.text


def test_a_real_registry_that_asks_for_a_password(
    guarded_registry: str, store: Store, tmp_path: Path
) -> None:
    machine = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def locked(settings: object) -> ImageBase | str:
        (tmp_path / "config.json").write_text(json.dumps(settings))
        try:
            return image.lock(
                f"{guarded_registry}/lib/x:1", span(), "linux/amd64", Client(wait=0), Site(machine), store
            )
        except Problem as trouble:
            return trouble.diagnostics[0].message

    assert "it asks for a login" in str(locked({}))
    wrong = base64.b64encode(b"me:wrong").decode()
    assert "does not accept the login of `me`" in str(locked({"auths": {guarded_registry: {"auth": wrong}}}))
    right = base64.b64encode(b"me:word").decode()
    base = locked({"auths": {guarded_registry: {"auth": right}}})
    assert isinstance(base, ImageBase) and tree(store, base) == {"./a": ("0", 0o640, "1")}
    helper(tmp_path, guarded_registry)
    assert locked({"credHelpers": {guarded_registry: "test"}}) == base
    assert locked({"credsStore": "test"}) == base


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
