"""Git repositories behind HTTP on loopback, as a hosting service has them, with Git LFS beside them."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LFS = "application/vnd.git-lfs+json"


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    """What git prints, free of whatever this machine's user has configured."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "X", f"GIT_{who}_EMAIL": "x@example.org"}
    command = ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, env=environment, input=stdin, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def pointer(content: bytes) -> bytes:
    """What a repository holds in the place of a large file (git-lfs, docs/spec.md)."""
    digest, size = sha256(content).hexdigest(), len(content)
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n".encode()


@dataclass
class Upstream:
    """The service: every repository below `folder` by its path."""

    folder: Path
    address: str = ""
    large: dict[str, bytes] = field(default_factory=dict)
    """What its LFS store holds, by digest."""
    token: str = "let me in"
    """What its LFS store wants to see of who fetches a file, as it tells who asks for the address."""
    plain: dict[str, bytes] = field(default_factory=dict)
    """Files beside the repositories, by name."""
    asked: list[str] = field(default_factory=list)

    def repository(self, name: str) -> Path:
        """A new repository, served as `NAME`."""
        place = self.folder / name
        place.mkdir(parents=True)
        git(place, "init", "-q", "-b", "main")
        return place

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def keep(self, content: bytes) -> bytes:
        """Puts a large file into the LFS store; its pointer."""
        self.large[sha256(content).hexdigest()] = content
        return pointer(content)


def commit(place: Path, files: dict[str, bytes] | None = None) -> str:
    """A commit of everything that is there, and of these files."""
    for name, content in (files or {}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    git(place, "add", ".")
    git(place, "commit", "-qm", "x")
    return git(place, "rev-parse", "HEAD")


def link(place: Path, path: str, commit: str, url: str | None, name: str | None = None) -> None:
    """Makes a submodule without fetching it, which also makes those that nobody could fetch."""
    git(place, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    if url is not None:
        with (place / ".gitmodules").open("a", encoding="utf-8") as file:
            file.write(f'[submodule "{name or path}"]\n\tpath = {path}\n\turl = {url}\n')
        git(place, "add", ".gitmodules")
    git(place, "commit", "-qm", f"submodule {path}")


@contextmanager
def upstream(folder: Path) -> Iterator[Upstream]:
    """The service while it lasts."""
    served = Upstream(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            served.asked.append(self.path)
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if path.endswith("/info/lfs/objects/batch"):
                self._batch(body)
            elif path[1:] in served.plain:
                self._send(200, served.plain[path[1:]], "application/octet-stream")
            elif path.startswith("/large/"):
                self._large(path.removeprefix("/large/"))
            else:
                self._git(path, query, body)

        do_POST = do_GET

        def _batch(self, body: bytes) -> None:
            rows: list[dict[str, Any]] = []
            for each in json.loads(body)["objects"]:
                row = {"oid": each["oid"], "size": each["size"]}
                if each["oid"] in served.large:
                    href = f"{served.address}/large/{each['oid']}"
                    row["actions"] = {"download": {"href": href, "header": {"X-Token": served.token}}}
                else:
                    row["error"] = {"code": 404, "message": "Object does not exist"}
                rows.append(row)
            self._send(200, json.dumps({"transfer": "basic", "objects": rows}).encode(), LFS)

        def _large(self, digest: str) -> None:
            if self.headers.get("X-Token") != served.token or digest not in served.large:
                self._send(403, b"", "text/plain")
            else:
                self._send(200, served.large[digest], "application/octet-stream")

        def _git(self, path: str, query: str, body: bytes) -> None:
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(served.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
                "GIT_CONFIG_VALUE_0": "true",
                "GIT_CONFIG_KEY_1": "safe.directory",
                "GIT_CONFIG_VALUE_1": "*",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                ["git", "http-backend"], env=environment, input=body, capture_output=True, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            status = int(headers.pop("Status", "200").split()[0])
            self._send(status, content, headers.get("Content-Type", "text/plain"))

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield served
        http.shutdown()
        thread.join()
