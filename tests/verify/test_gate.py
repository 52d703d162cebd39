"""What standalone builds reach through the gate: mirrors of public services, the lock's own files, nothing else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import (
    Archive,
    BuildTools,
    CondaPackage,
    CondaTree,
    ImageBase,
    Lock,
    LockedTarget,
    PythonEnvironment,
    Wheel,
)
from reproc.lock.store import Store
from reproc.verify.gate import needed, opened
from reproc.verify.plan import Access

WHEEL, TOOL, PACKAGE = b"a wheel", b"a tool", b"a package"
BASE = ImageBase("docker.io/library/debian", f"sha256:{'a' * 64}", "b" * 64, 1, ())


def wheel(name: str, content: bytes) -> Wheel:
    filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    return Wheel(name, "1.0", filename, len(content), sha256(content).hexdigest())


def lock(*archives: Archive) -> Lock:
    tools = BuildTools("code x", (wheel("build-tool", TOOL),))
    python = PythonEnvironment("main", "python3.11", "/opt/venv", (wheel("My_Pkg", WHEEL),), (tools,))
    path = "linux-64/gcc-9.5.0-h0_0.conda"
    package = CondaPackage("gcc", "9.5.0", "h0_0", path, len(PACKAGE), sha256(PACKAGE).hexdigest())
    tree = CondaTree("conda-forge", "https://127.0.0.1:1/x", "/opt/gcc", (package,), "c" * 64)
    trees = (("toolchain gcc", tree),)
    return Lock(1, archives, (LockedTarget("default", "linux/amd64", BASE, (), (python,), trees),))


DEBIAN = Archive("debian", "20240601T000000Z", (("bookworm", "0" * 64),), True)
THIRD = Archive("example.org", "20240601T000000Z", (("stable", "0" * 64),), False, "https://example.org/apt")


@dataclass
class Mirror:
    """A server that says what it was asked for; `/gone` is not there."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    found = Mirror()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            content = b"0123456789"
            start = int((self.headers["Range"] or "bytes=0-")[6:-1])
            self.send_response(404 if self.path.endswith("/gone") else 206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        found.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield found
        http.shutdown()
        thread.join()


@pytest.fixture
def access(mirror: Mirror, tmp_path: Path) -> Iterator[Access]:
    site = Site(environment={"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": f"{mirror.url}/debian-mirror"})
    (tmp_path / "settings").mkdir()
    with Store(tmp_path / "store") as store:
        for content in (WHEEL, TOOL, PACKAGE):
            store.add_stream((content,), sha256(content).hexdigest())
        with opened(lock(DEBIAN), store, tmp_path / "settings", site) as found:
            yield found


@pytest.fixture
def through(access: Access) -> OpenerDirector:
    """What fetches as a build does: by the proxy."""
    return build_opener(ProxyHandler({"http": access.proxy}))


def test_a_public_service_is_asked_at_its_mirror(through: OpenerDirector, mirror: Mirror) -> None:
    address = "http://snapshot.debian.org/archive/debian/20240601T000000Z/pool/x%2By.deb"
    assert through.open(address).read() == b"0123456789"
    assert mirror.asked == ["/debian-mirror/archive/debian/20240601T000000Z/pool/x%2By.deb"]
    partly = through.open(Request(address, headers={"Range": "bytes=4-"}))
    assert (partly.status, partly.read()) == (206, b"456789")


def test_other_hosts_are_asked_themselves(through: OpenerDirector, mirror: Mirror) -> None:
    assert through.open(f"{mirror.url}/a?b=c").read() == b"0123456789"
    assert mirror.asked == ["/a?b=c"]
    with pytest.raises(HTTPError) as failure:
        through.open(f"{mirror.url}/gone")
    assert failure.value.code == 404
    with pytest.raises(HTTPError) as failure:
        through.open("http://127.0.0.1:1/x")
    assert failure.value.code == 502


def test_the_index_holds_the_files_of_the_lock(
    access: Access, through: OpenerDirector, mirror: Mirror
) -> None:
    index = (access.settings / "pip.conf").read_text().partition("index-url = ")[2].strip()
    assert index.startswith("http://127.0.0.1:")
    for opener in (through, build_opener(ProxyHandler({}))):
        for name, content in (("my-pkg", WHEEL), ("build-tool", TOOL)):
            page = opener.open(f"{index}{name}/").read().decode()
            digest = sha256(content).hexdigest()
            assert page.count("<a ") == 1
            assert f"#sha256={digest}" in page
            path = page.partition('href="')[2].partition("#")[0]
            assert opener.open(f"{access.proxy}{path}").read() == content
        for missing in ("simple/numpy/", f"files/{'0' * 64}/x.whl", "", "etc/passwd"):
            with pytest.raises(HTTPError) as failure:
                opener.open(f"{access.proxy}/{missing}")
            assert failure.value.code == 404
    assert mirror.asked == []


def test_a_channel_holds_the_packages_of_the_lock(access: Access, mirror: Mirror) -> None:
    channel = (access.settings / "conda-forge").read_text().strip()
    assert channel == f"{access.proxy}/channels/conda-forge"
    plain = build_opener(ProxyHandler({}))
    assert plain.open(f"{channel}/linux-64/gcc-9.5.0-h0_0.conda").read() == PACKAGE
    for missing in ("linux-64/gcc-9.4.0-h0_0.conda", "linux-64/repodata.json", "", "../simple/my-pkg/"):
        with pytest.raises(HTTPError) as failure:
            plain.open(f"{channel}/{missing}")
        assert failure.value.code == 404
    assert mirror.asked == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"REPROC_MIRROR_CONDA_FORGE": "http://m"}, True),
        ({"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": "http://m"}, True),
        ({"REPROC_MIRROR_SNAPSHOT_UBUNTU_COM": "http://m"}, False),
        ({"REPROC_MIRROR_DEBIAN": "http://m"}, False),
        ({"REPROC_MIRROR_PYPI": "http://m"}, True),
        ({"SSL_CERT_FILE": "/ca.pem"}, True),
        ({"SSL_CERT_FILE": ""}, False),
    ],
)
def test_it_stands_only_where_the_site_has_something_of_its_own(
    environment: dict[str, str], expected: bool
) -> None:
    assert needed(lock(DEBIAN, THIRD), Site(environment=environment)) is expected
