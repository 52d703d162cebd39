"""Downloads from servers that misbehave, through proxies, from hosts that a private authority vouches for."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reproc.lock.archives import Site
from reproc.lock.failures import NotServed, shown
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.store import Store

from .conftest import Server

CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def client() -> Client:
    return Client(wait=0.001, attempts=4, timeout=(2, 2))


def answer(
    status: int, headers: dict[str, str], body: bytes = b""
) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def in_turn(*answers: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    left = iter(answers)

    def send(handler: BaseHTTPRequestHandler) -> None:
        next(left)(handler)

    return send


def got(client: Client, store: Store, *urls: str) -> bool:
    return client.download(urls, DIGEST, store, "`file`").read_bytes() == CONTENT


def refused(client: Client, store: Store, *urls: str) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        client.download(urls, DIGEST, store, "`file`")
    (told,) = caught.value.diagnostics
    assert store.path(DIGEST) is None
    assert list((store.root / "partial").iterdir()) == []
    return told.code.name, told.message


# servers that misbehave


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "date"])
def test_a_server_says_how_long_to_wait(server: Server, store: Store, client: Client, date: bool) -> None:
    from email.utils import formatdate

    asked = formatdate(time.time() + 2, usegmt=True) if date else "1"
    server.answers["/f"] = in_turn(answer(429, {"Retry-After": asked}), answer(200, {}, CONTENT))
    start = time.monotonic()
    assert got(client, store, f"{server.address}/f")
    assert 0.9 < time.monotonic() - start < 8
    assert len(server.asked) == 2


def test_nobody_waits_for_an_hour(server: Server, store: Store, client: Client) -> None:
    server.answers["/f"] = answer(503, {"Retry-After": "3600"})
    server.files["/mirror"] = CONTENT
    assert got(client, store, f"{server.address}/f", f"{server.address}/mirror")
    assert server.asked == ["/f", "/mirror"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_passes(server: Server, store: Store, client: Client, status: int) -> None:
    server.answers["/f"] = in_turn(answer(status, {}), answer(status, {}), answer(200, {}, CONTENT))
    assert got(client, store, f"{server.address}/f")


def test_what_is_not_there_is_asked_for_once(server: Server, store: Store, client: Client) -> None:
    name, message = refused(client, store, f"{server.address}/f")
    assert (name, server.asked) == ("not-served", ["/f"])
    assert "HTTP status 404" in message


def test_redirects_are_followed(server: Server, store: Store, client: Client) -> None:
    server.files["/there"] = CONTENT
    server.answers["/f"] = answer(302, {"Location": f"{server.address}/there"})
    assert got(client, store, f"{server.address}/f")


def test_another_part_than_was_asked_for(server: Server, store: Store, client: Client) -> None:
    """A proxy that gives a part of its own liking; what is there already must not be spoilt by it."""
    whole = answer(200, {}, CONTENT)
    wrong = answer(206, {"Content-Range": f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT[5:])
    server.answers["/f"] = lambda handler: (wrong if handler.headers.get("Range") else whole)(handler)
    (store.root / "partial").mkdir(parents=True)
    (store.root / "partial" / DIGEST).write_bytes(CONTENT[:1000])
    assert got(client, store, f"{server.address}/f")
    assert len(server.asked) == 2


def test_a_server_that_cannot_resume(server: Server, store: Store, client: Client) -> None:
    server.answers["/f"] = answer(200, {}, CONTENT)
    (store.root / "partial").mkdir(parents=True)
    (store.root / "partial" / DIGEST).write_bytes(CONTENT[:1000])
    assert got(client, store, f"{server.address}/f")
    assert len(server.asked) == 1


def cut_off(chunked: bool) -> Callable[[BaseHTTPRequestHandler], None]:
    """Half a file, and then nothing more."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        half = CONTENT[: len(CONTENT) // 2]
        handler.send_response(200)
        handler.send_header(
            *(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(CONTENT))))
        )
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(half), half) if chunked else half)
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return send


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_a_transfer_that_breaks_off_again_and_again(
    server: Server, store: Store, client: Client, chunked: bool
) -> None:
    server.answers["/f"] = cut_off(chunked)
    with pytest.raises(Problem) as caught:
        client.download([f"{server.address}/f"], DIGEST, store, "`file`")
    (told,) = caught.value.diagnostics
    assert told.code.name == "no-network"
    assert "breaks off" in told.message
    assert (store.root / "partial" / DIGEST).stat().st_size == len(CONTENT) // 2  # for the next run
    server.files["/whole"] = CONTENT
    assert got(client, store, f"{server.address}/whole")


def test_a_slow_server_that_gets_further_each_time(server: Server, store: Store, client: Client) -> None:
    """Each connection gives a tenth: more attempts than a transfer has that never gets anywhere."""
    step = len(CONTENT) // 10 + 1

    def send(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(CONTENT) - start))
        handler.end_headers()
        handler.wfile.write(CONTENT[start : start + step])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    server.answers["/f"] = send
    assert got(client, store, f"{server.address}/f")
    assert len(server.asked) == 10


# mirrors


def flipped() -> bytes:
    return CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])


def test_a_mirror_that_lies_is_named_and_the_next_one_taken(
    server: Server, store: Store, client: Client
) -> None:
    server.files |= {"/bad": flipped(), "/good": CONTENT}
    assert got(client, store, f"{server.address}/bad?token=secret", f"{server.address}/good")
    (told,) = client.told
    assert told.code.name == "mirror-passed-over"
    assert f"`{server.address}/bad`" in told.message
    assert DIGEST in told.message
    assert "secret" not in told.message


def test_if_all_lie_nothing_is_taken(server: Server, store: Store, client: Client) -> None:
    server.files |= {"/bad": flipped(), "/short": CONTENT[:-1]}
    urls = [f"{server.address}/{name}" for name in ("bad", "gone", "short")]
    name, message = refused(client, store, *urls)
    assert name == "digest-mismatch"
    assert hashlib.sha256(flipped()).hexdigest() in message


def test_a_dead_mirror_is_asked_once(server: Server, store: Store, client: Client) -> None:
    for number in range(3):
        content = b"%d" % number
        server.files[f"/{number}"] = content
        urls = [f"http://127.0.0.1:9/{number}", f"{server.address}/{number}"]
        client.download(urls, hashlib.sha256(content).hexdigest(), store, "`file`")
    assert len(server.asked) == 3


def test_addresses_are_shown_without_secrets() -> None:
    assert shown("https://" + "me:word" + "@example.org:8443/a/b?key=1#x") == "https://example.org:8443/a/b"
    assert shown("file:///srv/debian/x") == "/srv/debian/x"


def test_the_environment_names_several_mirrors() -> None:
    site = Site({"REPROC_MIRROR_DEBIAN": " http://a.example.org/d/  http://b.example.org "})
    assert site.mirrors("debian") == ("http://a.example.org/d", "http://b.example.org") == site.live("debian")
    assert [each.mirror("debian") for each in site.each("debian")] == list(site.mirrors("debian"))


def test_configuration_files(tmp_path: Path) -> None:
    own, for_all = tmp_path / "home/.config/reproc/config.toml", tmp_path / "etc.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[mirrors]\npypi = "https://own.example.org/simple/"\n')
    for_all.write_text(
        '[mirrors]\npypi = "https://all.example.org/simple"\n'
        'debian = ["https://a.example.org", "https://b.example.org"]\n"data.example.org" = "http://near.example.org/x"\n'
    )
    site = Site({"HOME": str(tmp_path / "home")}, configuration=for_all)
    assert site.mirrors("pypi") == ("https://own.example.org/simple",)
    assert site.mirrors("debian") == ("https://a.example.org", "https://b.example.org")
    assert site.around("https://data.example.org/a/b?c") == (
        "http://near.example.org/x/a/b?c",
        "https://data.example.org/a/b?c",
    )
    nearer = Site({**site.environment, "REPROC_MIRROR_DEBIAN": "http://c.example.org"}, configuration=for_all)
    assert nearer.mirrors("debian") == ("http://c.example.org",)
    alone = Site({**site.environment, "REPROC_CONFIG": str(for_all)}, configuration=own)
    assert alone.mirrors("pypi") == ("https://all.example.org/simple",)
    elsewhere = Site({"XDG_CONFIG_HOME": str(tmp_path / "home/.config")}, configuration=tmp_path / "none")
    assert elsewhere.mirrors("pypi") == ("https://own.example.org/simple",)


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ('mirror = "x"\n', "unknown-setting", "mirror"),
        ('[mirrors]\ndebain = "https://a.example.org"\n', "unknown-setting", "debain"),
        ("[mirrors]\npypi = []\n[proxy]\nx = 1\n", "unknown-setting", "proxy"),
        ('[mirrors]\n"a.example.org" = "b.example.org"\n', "unreadable-configuration", "a.example.org"),
        ("[mirrors]\ndebian = [1]\n", "unreadable-configuration", "debian"),
        ("mirrors = 3\n", "unreadable-configuration", "mirrors"),
        ("[mirrors]\ndebian = nothing\n", "unreadable-configuration", "n"),
        ("[mirrors\n", "unreadable-configuration", "\n"),
    ],
)
def test_mistakes_in_it_have_a_place(tmp_path: Path, text: str, name: str, place: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(Problem) as caught:
        Site({"REPROC_CONFIG": str(path)}).mirrors("debian")
    told = caught.value.diagnostics[0]
    assert told.code.name == name
    assert told.span is not None
    assert (told.span.source.path, told.span.text) == (str(path), place)


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        Site({"REPROC_CONFIG": str(tmp_path / "none")}).mirrors("debian")
    assert caught.value.diagnostics[0].code.name == "unreadable-configuration"


# proxies and certificates


class Proxy:
    """An HTTP proxy that knows one host, whatever its name, and remembers what it was asked for."""

    def __init__(self, server: Server) -> None:
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self.server, self.address = server, ""

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.asked.append(self.path)
                proxy.authorizations.append(self.headers.get("Proxy-Authorization"))
                answer(200, {}, CONTENT)(self)

            def do_CONNECT(self) -> None:
                proxy.asked.append(f"CONNECT {self.path}")
                port = int(proxy.server.address.rpartition(":")[2])
                self.send_response(200)
                self.end_headers()
                with socket.create_connection(("127.0.0.1", port)) as other:
                    threading.Thread(target=_pump, args=(other, self.connection), daemon=True).start()
                    _pump(self.connection, other)

            def log_message(self, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            self.address = f"127.0.0.1:{http.server_address[1]}"
            threading.Thread(target=http.serve_forever, daemon=True).start()
            yield self
            http.shutdown()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one of the two has hung up
        return


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server).running() as running:
        yield running


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def test_through_a_proxy(
    server: Server, store: Store, client: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:word@{proxy.address}")
    assert got(client, store, "http://files.example.org/a%20b?c=d")
    assert proxy.asked == ["http://files.example.org/a%20b?c=d"]
    assert proxy.authorizations == ["Basic bWU6d29yZA=="]
    assert server.asked == []


def test_past_the_proxy(
    server: Server, store: Store, client: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.files["/f"] = CONTENT
    assert got(client, store, f"{server.address}/f")
    assert (proxy.asked, server.asked) == ([], ["/f"])


def test_a_proxy_that_is_not_there(store: Store, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    name, message = refused(client, store, "http://files.example.org/f")
    assert name == "no-network"
    assert "proxy" in message


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private authority's certificate, and beside it one of files.example.org and localhost that it signed."""
    folder = tmp_path_factory.mktemp("ca")
    names = folder / "names"
    names.write_text("subjectAltName=DNS:files.example.org,DNS:localhost")
    new = "openssl req -newkey rsa:2048 -nodes -subj"
    for command in (
        f"{new} /CN=Test -x509 -days 2 -keyout ca.key -out ca.pem",
        f"{new} /CN=files.example.org -keyout host.key -out host.csr",
        "openssl x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out host.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem"


@pytest.fixture
def secure(authority: Path) -> Iterator[Server]:
    """A server that speaks TLS as files.example.org and localhost."""
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            answer(200, {}, CONTENT)(self)

        def log_message(self, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("host.pem"), authority.with_name("host.key"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True)
        served.address = f"https://localhost:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield served
        http.shutdown()


def test_nobody_vouches_for_a_private_host(secure: Server, store: Store, client: Client) -> None:
    name, message = refused(client, store, f"{secure.address}/f")
    assert (name, secure.asked) == ("no-network", [])
    assert "its certificate is not trusted" in message


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_authority(
    secure: Server, store: Store, authority: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(authority))
    assert got(Client(wait=0), store, f"{secure.address}/f")


def test_tls_through_a_proxy(
    secure: Server, store: Store, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(secure).running() as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert got(Client(wait=0), store, "https://files.example.org/f")
        assert proxy.asked == ["CONNECT files.example.org:443"]
        assert secure.asked == ["/f"]


def test_json_is_asked_for_patiently(server: Server, client: Client) -> None:
    server.answers["/api"] = in_turn(answer(503, {"Retry-After": "0"}), answer(200, {}, b'{"a": 1}'))
    assert client.object(f"{server.address}/api") == {"a": 1}
    server.answers["/api"] = answer(200, {}, b"<html>")
    with pytest.raises(NotServed):
        client.object(f"{server.address}/api")
