"""Stands in for the snapshot services of Debian and Ubuntu, on loopback.

It knows one moment: whatever the time in an address, it serves what the machine's own apt sources do, and keeps what
it was asked for.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reproc.lock.archives import Site
from reproc.lock.net import Client
from reproc.lock.problem import Problem

_ADDRESS = re.compile(r"/(?:archive/(debian|debian-security)|(ubuntu))/(\d{8}T\d{6}Z)/([^?]+)")


@dataclass
class Snapshots:
    """The service; `asked` holds the path of every request."""

    url: str
    cache: Path
    asked: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    """Ends of paths whose content comes with one byte more."""
    _client: Client = field(default_factory=Client)
    _site: Site = field(default_factory=lambda: Site(environment={}))

    def content(self, path: str) -> bytes | None:
        """The file at a path of the service; None if there is none."""
        self.asked.append(path)
        found = _ADDRESS.fullmatch(path)
        if found is None:
            return None
        archive = found[1] or found[2]
        kept = self.cache / hashlib.sha256(f"{archive}/{found[4]}".encode()).hexdigest()
        if not kept.exists():
            addresses = [f"{root}/{found[4]}" for root in self._site.live(archive)]
            try:
                kept.write_bytes(self._client.get(addresses, path))
            except Problem:
                return None
        extra = b"\n" if any(path.endswith(each) for each in self.changed) else b""
        return kept.read_bytes() + extra

    def environment(self) -> dict[str, str]:
        """What sends reproc to it instead of to the real services."""
        names = ("SNAPSHOT_DEBIAN_ORG", "SNAPSHOT_UBUNTU_COM")
        return {f"REPROC_MIRROR_{name}": self.url for name in names}


@contextmanager
def snapshots(cache: Path) -> Iterator[Snapshots]:
    """The running service."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = service.content(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        service = Snapshots(f"http://127.0.0.1:{http.server_address[1]}", cache)
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield service
        http.shutdown()
        thread.join()
