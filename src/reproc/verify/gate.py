"""A server on loopback through which standalone recipes fetch on a machine that has mirrors or certificates of its own.

A standalone recipe names the public services and nothing else, and where it is built by hand it asks them. Verifying
it must not change its text. So what it asks for in plain HTTP comes by way of this proxy, which asks the site's mirror
of that host, and pip's index and conda's channels are here, made of the lock's own files: all fetched as `reproc fetch`
does, with the site's mirrors, proxies and certificates, and checked by the recipe's own digests.
"""

from __future__ import annotations

import html
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from reproc.lock.archives import Site, snapshot_address
from reproc.lock.failures import NotServed, Unreachable, host_of
from reproc.lock.model import CondaTree, Lock, LockedTarget, PythonEnvironment, Wheel
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import conda, pypi
from reproc.lock.store import Store
from reproc.verify.plan import Access

_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_CHUNK = 1 << 16
_PASSED_ON = ("Range", "If-Range", "Accept", "Content-Type", "Content-Encoding", "Git-Protocol")
"""Headers of a question that change its answer."""


def needed(lock: Lock, site: Site) -> bool:
    """Whether this machine reaches what the lock names in another way than the bare image would."""
    own = [each for each in lock.archives if each.address is None]
    hosts = {host_of(snapshot_address(each.name, each.snapshot)) for each in own}
    channels = {tree.channel for tree in _conda(lock)}
    mirrored = any(site.mirror(name) for name in (*hosts, *channels, "pypi"))
    return mirrored or any(site.environment.get(name) for name in _CERTIFICATES)


@contextmanager
def opened(lock: Lock, store: Store, folder: Path, site: Site) -> Iterator[Access]:
    """How builds get through; files for them are put into the folder, which is theirs alone."""
    with _Gate(lock, store, site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            (folder / "pip.conf").write_text(
                f"[global]\nindex-url = {server.url}/simple/\n", encoding="ascii"
            )
            for channel in {tree.channel for tree in _conda(lock)}:
                (folder / channel).write_text(f"{server.url}/channels/{channel}\n", encoding="ascii")
            yield Access(server.url, folder)
        finally:
            server.shutdown()
            thread.join()


def _conda(lock: Lock) -> Iterator[CondaTree]:
    """The trees of channels' packages in a lock."""
    trees = (tree for target in lock.targets for _, tree in target.trees)
    return (tree for tree in trees if isinstance(tree, CondaTree))


class _Gate(ThreadingHTTPServer):
    """The server; one object serves one run."""

    daemon_threads = True

    def __init__(self, lock: Lock, store: Store, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.site, self.store, self.client = site, store, Client()
        self.wheels: dict[str, tuple[Wheel, PythonEnvironment, LockedTarget]] = {}
        for target in lock.targets:
            for each in target.python:
                tools = (wheel for build in each.tools for wheel in build.wheels)
                self.wheels |= {wheel.sha256: (wheel, each, target) for wheel in (*each.wheels, *tools)}
        self.packages = {
            (tree.channel, each.path): (tree, each) for tree in _conda(lock) for each in tree.packages
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def mirrored(self, url: str) -> str:
        """The address on this site of what stands at a public address."""
        host = host_of(url)
        mirror = self.site.mirror(host)
        return mirror + url.partition(host)[2] if mirror else url

    def page(self, name: str) -> bytes | None:
        """The index's page of a project, with the files that the lock names (PEP 503)."""
        listed = [wheel for wheel, _, _ in self.wheels.values() if _normal(wheel.name) == _normal(name)]
        links = (
            f'<a href="/files/{each.sha256}/{quote(each.filename)}#sha256={each.sha256}">'
            f"{html.escape(each.filename)}</a>\n"
            for each in listed
        )
        return f"<!DOCTYPE html>\n{''.join(links)}".encode() if listed else None

    def package(self, channel: str, path: str) -> Path | None:
        """A package of the lock, fetched if need be; raises `Problem`."""
        if (channel, path) not in self.packages:
            return None
        tree, package = self.packages[channel, path]
        conda.download(tree, package, self.client, self.site, self.store)
        return self.store.path(package.sha256)

    def file(self, sha256: str) -> Path | None:
        """A wheel of the lock, fetched if need be; raises `Problem`."""
        if sha256 not in self.wheels:
            return None
        wheel, environment, target = self.wheels[sha256]
        version = environment.version
        asked = (wheel,), version, target.platform
        pypi.fetch(*asked, self.client, self.site, self.store, environment.index)
        return self.store.path(sha256)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class _Answer(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Gate
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        own = f"{self.server.url}/"
        if not self.path.startswith("http://") or self.path.startswith(own):
            self._own(self.path.removeprefix(own).lstrip("/").split("/"))
            return
        try:
            self._passed_on(self.server.mirrored(self.path))
        except (Unreachable, NotServed) as failure:
            self.send_error(HTTPStatus.BAD_GATEWAY, explain=failure.reason)

    def do_POST(self) -> None:
        """Passes a question on: git asks by `POST` for what it fetches."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.startswith("http://") or self.path.startswith(f"{self.server.url}/"):
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            return
        try:
            self._passed_on(self.server.mirrored(self.path), content)
        except (Unreachable, NotServed) as failure:
            self.send_error(HTTPStatus.BAD_GATEWAY, explain=failure.reason)

    def _own(self, path: list[str]) -> None:
        match path:
            case ["simple", name, *_]:
                self._say(self.server.page(unquote(name)), "text/html; charset=utf-8")
            case ["files", sha256, *_]:
                self._send_file(lambda: self.server.file(sha256))
            case ["channels", channel, *parts]:
                self._send_file(lambda: self.server.package(channel, unquote("/".join(parts))))
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _say(self, content: bytes | None, kind: str) -> None:
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._head(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _send_file(self, found: Callable[[], Path | None]) -> None:
        try:
            path = found()
        except Problem as failure:
            self.send_error(HTTPStatus.BAD_GATEWAY, explain=failure.diagnostics[0].message)
            return
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._head(HTTPStatus.OK, {"Content-Length": str(path.stat().st_size)})
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile, _CHUNK)

    def _passed_on(self, url: str, content: bytes | None = None) -> None:
        asked = {"Accept-Encoding": "identity"}
        asked |= {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        post = content is not None
        with self.server.client.request(url, asked, stream=True, post=post, content=content) as answer:
            kept = ("Content-Type", "Content-Length", "Content-Range", "Last-Modified")
            headers = {name: answer.headers[name] for name in kept if name in answer.headers}
            whole = "Content-Length" in headers
            self._head(answer.status_code, headers if whole else {**headers, "Connection": "close"})
            self.close_connection = self.close_connection or not whole
            for chunk in answer.iter_content(_CHUNK):
                self.wfile.write(chunk)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Says nothing: what matters is in the engine's log."""
