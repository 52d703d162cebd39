"""What a run of jobs tells while it goes on, and what it says has come."""

from __future__ import annotations

import hashlib
import re
import time
from http.server import BaseHTTPRequestHandler

from reproc.lock.archives import Site
from reproc.lock.fetch import Fetching, Meter
from reproc.lock.model import Archive, Deb
from reproc.lock.net import Client
from reproc.lock.store import Store
from reproc.progress import amount

from .conftest import Recorder, Server

NOWHERE = Archive("debian", "20240601T000000Z", (), True)


def deb(content: bytes, name: str = "x") -> Deb:
    digest = hashlib.sha256(content).hexdigest()
    return Deb(name, "1", "amd64", "debian", f"pool/{name}.deb", len(content), digest)


def fetching(server: Server, store: Store, progress: Recorder) -> Fetching:
    site = Site({"REPROC_MIRROR_DEBIAN": server.address})
    return Fetching(store, site, Client(wait=0), progress)


def test_what_came_and_what_was_there(server: Server, store: Store) -> None:
    server.files |= {"/pool/a.deb": b"aa", "/pool/b.deb": b"bbb"}
    store.add_stream([b"aa"])
    progress = Recorder()
    work = fetching(server, store, progress)
    work.run("title", list(work.debs([deb(b"aa", "a"), deb(b"bbb", "b"), deb(b"bbb", "b")], [NOWHERE])))
    (came,) = work.fetched.files
    assert (came.name, came.size, came.source) == ("b.deb", 3, "debian")
    assert work.fetched.there == {hashlib.sha256(b"aa").hexdigest()}
    assert work.fetched.transferred == 3
    assert (progress.said, server.asked) == (["title", "b.deb"], ["/pool/b.deb"])


def test_bytes_and_rate_are_told_as_they_come(server: Server, store: Store) -> None:
    content = bytes(400_000)

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for start in range(0, len(content), 100_000):
            handler.wfile.write(content[start : start + 100_000])
            handler.wfile.flush()
            time.sleep(0.25)

    server.answers["/pool/x.deb"] = slowly
    progress = Recorder()
    work = fetching(server, store, progress)
    work.run("title", list(work.debs([deb(content)], [NOWHERE])))
    assert len(progress.statuses) >= 2
    for text in progress.statuses:
        assert re.fullmatch(r"[0-9.]+ kB of 400\.0 kB, [0-9.]+ [kM]?B/s", text), text


def test_more_than_was_expected_has_no_total() -> None:
    progress = Recorder()
    meter = Meter(progress, 10)
    time.sleep(0.21)
    meter.add(5_000_000)
    assert re.fullmatch(r"5\.0 MB, [0-9.]+ [kMG]?B/s", progress.statuses[0])


def test_amounts() -> None:
    told = [amount(size) for size in (0, 999, 1000, 1_234_567, 5e9)]
    assert told == ["0 B", "999 B", "1.0 kB", "1.2 MB", "5.0 GB"]
