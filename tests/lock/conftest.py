"""A loopback server, a small signed archive made of packages built here, and short ways to write requests."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reproc.lock.archives import Site
from reproc.lock.store import Store
from reproc.model import Item
from reproc.source import SourceFile, Span


class Recorder:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.statuses: list[str] = []

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        self.said.append(title)
        yield

    def note(self, text: str) -> None:
        self.said.append(text)

    def status(self, text: str) -> None:
        self.statuses.append(text)


def item(text: str) -> Item:
    """A word of a spec that holds nothing else."""
    return Item(text, span(text))


def span(text: str = "x") -> Span:
    """The whole of a small spec."""
    return Span(SourceFile("repro.spec", text), 0, len(text))


@dataclass
class Server:
    """Files by path on a loopback port; a test may change them, and sees what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def add_folder(self, folder: Path, prefix: str = "") -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.files[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            served.asked.append(self.path)
            if path in served.answers:
                served.answers[path](self)
                return
            content = served.files.get(path)
            if content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send(content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def _send(self, content: bytes) -> None:
            start = 0
            wanted = self.headers.get("Range", "")
            if wanted.startswith("bytes=") and wanted.endswith("-"):
                start = int(wanted[6:-1])
            if start and start >= len(content):
                start, content = 0, b""
                self.send_response(416)
            else:
                self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[start:])

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield served
        http.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@dataclass(frozen=True)
class Key:
    """A throw-away key for signing, and its public half as a keyring."""

    home: Path
    keyring: Path

    def sign(self, text: bytes) -> bytes:
        done = subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--quiet", "--clear-sign"],
            input=text,
            capture_output=True,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    for tool in ("gpg", "gpgv", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    home = tmp_path_factory.mktemp("g")  # short: the agent's socket lies in it
    home.chmod(0o700)
    gpg = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--quiet",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
    ]
    subprocess.run(
        [*gpg, "--quick-gen-key", "Test <test@example.org>", "ed25519", "sign", "never"], check=True
    )
    keyrings = home / "keyrings"
    keyrings.mkdir()
    keyring = keyrings / "debian-archive-keyring.gpg"
    exported = subprocess.run([*gpg, "--export"], capture_output=True, check=True).stdout
    keyring.write_bytes(exported)
    yield Key(home, keyring)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


SUITES = ("bookworm", "bookworm-updates", "bookworm-security")
PACKAGES = (
    # name, version, fields
    ("base-thing", "1.0", "Essential: yes\nPriority: required\nPre-Depends: libbase (>= 1)\n"),
    ("libbase", "1:1.5-2", "Multi-Arch: same\n"),
    ("apt", "2.0", "Depends: libbase\n"),
    ("needed", "3", "Priority: required\n"),
    ("tool", "1.0", "Depends: libtool-a | libtool-b, helper (>= 2)\n"),
    ("libtool-a", "1", "Conflicts: base-thing\n"),
    ("libtool-b", "1", ""),
    ("helper", "2.1", "Provides: virtual-help (= 2)\n"),
    ("broken", "1", "Depends: nothing-has-this (>= 4)\n"),
)


def build_deb(folder: Path, name: str, version: str, fields: str) -> Path:
    """A small real package."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share/doc" / name).mkdir(parents=True)
    (tree / "usr/share/doc" / name / "copyright").write_text(f"{name}\n")
    head = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: T <t@example.org>\n"
    (tree / "DEBIAN/control").write_text(head + fields + f"Description: {name}\n long text\n")
    path = folder / f"{name}_{version.partition(':')[2] or version}_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(path)],
        check=True,
        capture_output=True,
    )
    return path


@dataclass
class SmallArchive:
    """A Debian archive of a few packages, as files by path."""

    key: Key
    files: dict[str, bytes]

    def publish(self, server: Server, pool: Sequence[str] = ()) -> None:
        for path, content in self.files.items():
            archive = "debian-security" if "security" in path else "debian"
            server.files[f"/{archive}/{path}"] = content


@pytest.fixture(scope="session")
def small_archive(key: Key, tmp_path_factory: pytest.TempPathFactory) -> SmallArchive:
    folder = tmp_path_factory.mktemp("debs")
    stanzas: list[str] = []
    files: dict[str, bytes] = {}
    for name, version, fields in PACKAGES:
        content = build_deb(folder, name, version, fields).read_bytes()
        path = f"pool/main/{name[0]}/{name}/{name}_{version.partition(':')[2] or version}_amd64.deb"
        files[path] = content
        stanzas.append(
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}Filename: {path}\n"
            f"Size: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\nDescription: {name}\n"
        )
    for suite in SUITES:
        files |= suite_files(key, suite, "\n".join(stanzas if suite == "bookworm" else ()).encode())
    return SmallArchive(key, files)


def suite_files(key: Key, suite: str, packages: bytes) -> dict[str, bytes]:
    """The index of a suite and its signed release file."""
    name = "main/binary-amd64/Packages"
    forms = {name: packages, f"{name}.xz": lzma.compress(packages), f"{name}.gz": gzip.compress(packages)}
    lines = "".join(f" {hashlib.sha256(c).hexdigest()} {len(c)} {n}\n" for n, c in forms.items())
    signed = key.sign(f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nSHA256:\n{lines}".encode())
    return {f"dists/{suite}/InRelease": signed, f"dists/{suite}/{name}.xz": forms[f"{name}.xz"]}


@pytest.fixture
def site(server: Server, small_archive: SmallArchive, tmp_path: Path) -> Site:
    """A machine whose archives are the loopback server's."""
    small_archive.publish(server)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REPROC_", "UV_", "PIP_"))}
    return Site(
        environment
        | {
            "REPROC_MIRROR_DEBIAN": f"{server.address}/debian",
            "REPROC_MIRROR_DEBIAN_SECURITY": f"{server.address}/debian-security",
            "REPROC_MIRROR_PYPI": f"{server.address}/simple",
            "REPROC_KEYRINGS": str(small_archive.key.keyring.parent),
            "HOME": str(tmp_path / "home"),
            "UV_CACHE_DIR": str(tmp_path / "uv"),
        },
        apt=tmp_path / "no-apt",
    )
