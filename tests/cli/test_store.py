"""`reproc fetch` and `reproc store` as processes: killed, interrupted, side by side, with bytes that are flipped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from reproc.lock.file import _own_digest

from ..lock.test_net import answer
from .conftest import PACKAGES, Paper

BIG = os.urandom(3 << 20)
FIRST = 1 << 20
"""What the server gives of it before it waits."""


@pytest.fixture
def stocked(paper: Paper) -> Paper:
    """A locked paper whose archive has its packages; what is fetched goes into a store of its own."""
    for name, (version, _) in PACKAGES.items():
        content = f"{name} {version}".encode()
        paper.server.files[f"/debian/pool/main/{name}_{version}.deb"] = content
    paper.server.files["/big.bin"] = BIG
    with (paper.folder / "repro.spec").open("a") as spec:
        digest = hashlib.sha256(BIG).hexdigest()
        spec.write(f'data big {{ url "{paper.server.address}/big.bin"; sha256 {digest} }}\n')
    paper.run("-q", "lock")
    paper.environment["REPROC_STORE"] = str(paper.folder.parent / "fetched")
    paper.server.asked.clear()
    return paper


def store_of(paper: Paper) -> Path:
    return Path(paper.environment["REPROC_STORE"])


def kept(paper: Paper) -> set[str]:
    return {path.parent.name + path.name for path in store_of(paper).glob("sha256/*/*")}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def start(paper: Paper, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reproc", *arguments],
        cwd=paper.folder,
        env={**os.environ, **paper.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# fetching


def test_what_is_told(stocked: Paper) -> None:
    said = stocked.run("-q", "fetch")
    assert re.fullmatch(r"fetched 9 files, 3\.\d MB \(.*debian 4, local 1, pypi 2\)\n", said), said
    assert stocked.run("-q", "fetch") == "nothing to fetch: 9 files there already\n"
    place = (
        store_of(stocked)
        / "sha256"
        / (digest := hashlib.sha256(b"viewer 1.0-1").hexdigest())[:2]
        / digest[2:]
    )
    place.unlink()
    document = json.loads(stocked.run("fetch", "--json"))
    assert document == {
        "store": str(store_of(stocked)),
        "files": [{"name": "viewer_1.0-1.deb", "sha256": digest, "size": 12, "source": "debian"}],
        "there": 8,
        "transferred": 12,
    }


class Slow:
    """A server that gives the first part of the big file and then waits, until it is told to go on."""

    def __init__(self, paper: Paper) -> None:
        self.paper, self.go_on = paper, threading.Event()
        self.starts: list[int] = []
        self.sent = 0
        paper.server.answers["/big.bin"] = self.answer

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        self.starts.append(start)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(BIG) - start))
        handler.end_headers()
        parts = [BIG[start:]] if self.go_on.is_set() else [BIG[start:FIRST], BIG[FIRST:]]
        for number, part in enumerate(parts):
            if number and not self.go_on.wait(60):
                return
            try:
                handler.wfile.write(part)
            except OSError:  # whoever asked is dead
                return
            self.sent += len(part)

    def wait(self) -> Path:
        """Until a process has the first part; the file that it is in."""
        path = store_of(self.paper) / "partial" / hashlib.sha256(BIG).hexdigest()
        until = time.monotonic() + 60
        while not path.exists() or path.stat().st_size < FIRST:
            assert time.monotonic() < until, "it has not come"
            time.sleep(0.02)
        return path


@pytest.fixture
def slow(stocked: Paper) -> Iterator[Slow]:
    made = Slow(stocked)
    yield made
    made.go_on.set()


@pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["kill", "^C"]
)
def test_a_stopped_fetch_goes_on_where_it_was(stocked: Paper, slow: Slow, signal_: int, code: int) -> None:
    process = start(stocked, "-q", "fetch")
    partial = slow.wait()
    process.send_signal(signal_)
    said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said[1]) == (code, False)
    assert partial.stat().st_size == FIRST
    slow.go_on.set()
    sent = slow.sent
    stocked.run("-q", "fetch")
    assert slow.starts == [0, FIRST]
    assert slow.sent - sent == len(BIG) - FIRST
    assert hashlib.sha256(BIG).hexdigest() in kept(stocked)


def test_bytes_and_rate_on_a_terminal(stocked: Paper) -> None:
    def dribble(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BIG)))
        handler.end_headers()
        for start in range(0, len(BIG), 1 << 19):
            handler.wfile.write(BIG[start : start + (1 << 19)])
            time.sleep(0.4)

    stocked.server.answers["/big.bin"] = dribble
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    environment = {**os.environ, **stocked.environment, "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "reproc", "--color", "never", "fetch"]
    process = subprocess.Popen(
        command, cwd=stocked.folder, env=environment, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while process.poll() is None:
        with suppress(BlockingIOError, OSError):
            said += os.read(ours, 1 << 16)
        time.sleep(0.01)
    with suppress(BlockingIOError, OSError):
        said += os.read(ours, 1 << 20)
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"[0-9.]+ MB of 3\.[0-9] MB, [0-9.]+ [kM]B/s", said), said


def test_two_processes_fetch_at_once(stocked: Paper, slow: Slow) -> None:
    processes = [start(stocked, "-q", "fetch") for _ in range(2)]
    slow.wait()
    slow.go_on.set()
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert (slow.starts, slow.sent) == ([0], len(BIG)), "the one waits for what the other fetches"
    assert stocked.run("-q", "fetch").startswith("nothing to fetch")
    assert "sound" in stocked.run("-q", "store", "verify")


def test_locking_and_fetching_at_once(stocked: Paper) -> None:
    processes = [start(stocked, "-q", *words) for words in (("lock", "--update-all"), ("fetch",)) * 2]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert "sound" in stocked.run("-q", "store", "verify")


# bytes that are flipped


def test_in_the_store(stocked: Paper) -> None:
    stocked.run("-q", "fetch")
    digest = hashlib.sha256(b"viewer 1.0-1").hexdigest()
    flip(store_of(stocked) / "sha256" / digest[:2] / digest[2:])
    said = stocked.run("-q", "store", "verify", code=1)
    assert digest in said
    assert f"  {stocked.folder / 'repro.lock'} names it" in said
    assert "viewer_1.0-1.deb" in said
    flip(store_of(stocked) / "sha256" / (other := hashlib.sha256(BIG).hexdigest())[:2] / other[2:])
    document = json.loads(stocked.run("store", "verify", "--json", code=1))
    assert [each["sha256"] for each in document["damaged"]] == [other]
    done = stocked.reproc("-q", "fetch", cwd=stocked.folder, env=stocked.environment)
    assert done.stdout.startswith("fetched 1 file,"), done.stderr
    stocked.run("-q", "store", "verify")


def test_in_the_store_while_fetching(stocked: Paper) -> None:
    stocked.run("-q", "fetch")
    digest = hashlib.sha256(b"viewer 1.0-1").hexdigest()
    flip(store_of(stocked) / "sha256" / digest[:2] / digest[2:])
    done = stocked.reproc("-q", "fetch", cwd=stocked.folder, env=stocked.environment)
    assert (
        done.returncode,
        f"warning[W0402]: the store held a damaged copy of `{digest}`" in done.stderr,
    ) == (0, True)
    assert done.stdout.startswith("fetched 1 file,")


@pytest.mark.parametrize(
    ("path", "variable", "named"),
    [
        ("/debian/pool/main/viewer_1.0-1.deb", "REPROC_MIRROR_DEBIAN", "viewer_1.0-1.deb"),
        ("/files/beta-1.0-py3-none-any.whl", "REPROC_MIRROR_PYPI", "beta-1.0-py3-none-any.whl"),
    ],
    ids=["package", "wheel"],
)
def test_in_a_mirrors_answer(stocked: Paper, path: str, variable: str, named: str) -> None:
    server = stocked.server
    path = next(each for each in server.files if each.endswith(path.rpartition("/")[2]))
    sound = server.files[path]
    server.files[path] = sound[:-1] + bytes([sound[-1] ^ 1])
    said = stocked.run("-q", "fetch", code=2)
    assert re.search(rf"error\[E0403\]: `{re.escape(named)}` has the sha256 `[0-9a-f]{{64}}`", said), said
    assert hashlib.sha256(sound).hexdigest() not in kept(stocked)
    # a second mirror, which has it as it should be
    for each, content in list(server.files.items()):
        server.files[f"/second{each}"] = content
    page = f'<a href="/second{path}#sha256={hashlib.sha256(sound).hexdigest()}">{named}</a>'
    server.answers["/second/simple/beta/"] = answer(200, {"Content-Type": "text/html"}, page.encode())
    server.files[f"/second{path}"] = sound
    root = stocked.environment[variable]
    stocked.environment[variable] = f"{root} {server.address}/second{root.removeprefix(server.address)}"
    done = stocked.reproc("-q", "fetch", cwd=stocked.folder, env=stocked.environment)
    assert done.returncode == 0, done.stderr
    assert "warning[W0403]" in done.stderr
    assert named in done.stderr
    assert hashlib.sha256(sound).hexdigest() in kept(stocked)


def test_in_the_lock(stocked: Paper) -> None:
    path = stocked.folder / "repro.lock"
    text = path.read_text()
    places = [match.start() for match in re.finditer(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", text)]
    assert len(places) > 10
    for place in (*places[::7], places[-1]):
        other = "0" if text[place] != "0" else "1"
        path.write_text(text[:place] + other + text[place + 1 :])
        assert "error[E0461]" in stocked.run("-q", "fetch", code=2)
    assert kept(stocked) == set()


def test_in_the_lock_by_someone_who_seals_it_again(stocked: Paper) -> None:
    """The lock's own digest is made to fit: then the file itself is what is found out."""
    path = stocked.folder / "repro.lock"
    document = json.loads(path.read_text())
    wheel = next(each for each in document["targets"][0]["python"][0]["wheels"] if each["name"] == "beta")
    changed = path.read_text().replace(wheel["sha256"], "0" * 64)
    content = json.loads(changed)
    del content["sha256"]
    path.write_text(changed.replace(document["sha256"], _own_digest(content)))
    said = stocked.run("-q", "fetch", code=2)
    assert "error[E0403]" in said
    assert "beta-1.0-py3-none-any.whl" in said


# looking after the store


def test_where_it_is(stocked: Paper) -> None:
    assert stocked.run("store", "path") == f"{store_of(stocked)}\n"
    digest = hashlib.sha256(b"viewer 1.0-1").hexdigest()
    assert "does not hold" in stocked.run("store", "path", digest, code=1)
    stocked.run("-q", "fetch")
    for word in (digest, f"sha256:{digest}"):
        assert Path(stocked.run("store", "path", word).strip()).read_bytes() == b"viewer 1.0-1"
    assert json.loads(stocked.run("store", "path", digest, "--json"))["path"].endswith(digest[2:])


@pytest.mark.parametrize(
    "words",
    [
        ("path", "abc"),
        ("verify", "0" * 64),
        ("verify", "--dry-run"),
        ("gc", "--older-than", "1"),
        ("prune",),
        (),
    ],
)
def test_wrong_calls(stocked: Paper, words: tuple[str, ...]) -> None:
    stocked.run("store", *words, code=2)


def test_what_a_lock_uses_stays(stocked: Paper) -> None:
    stocked.run("-q", "fetch")
    used = kept(stocked)
    stray = hashlib.sha256(b"stray").hexdigest()
    place = store_of(stocked) / "sha256" / stray[:2] / stray[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"stray")
    long_ago = time.time() - 10 * 86_400
    os.utime(place, (long_ago, long_ago))
    assert "removed" not in stocked.run("store", "gc", "--older-than", "30d")
    assert "would remove" in stocked.run("store", "gc", "--dry-run")
    assert place.exists()
    document = json.loads(stocked.run("store", "gc", "--older-than", "8d", "--json"))
    assert document["removed"] == [{"kind": "file", "name": stray, "bytes": 5}]
    assert document["locks"] == [str(stocked.folder / "repro.lock")]
    assert kept(stocked) >= used - document["removed"][0].keys()
    stocked.run("store", "gc")
    assert stocked.run("-q", "fetch").startswith("nothing to fetch")
    (stocked.folder / "repro.lock").rename(stocked.folder / "gone.lock")
    said = stocked.run("store", "gc")
    assert "repro.lock is not there any more" in said
    assert kept(stocked) == set()
    assert "0 locks are known" in stocked.run("store", "gc")


def test_what_a_running_process_uses_stays(stocked: Paper, slow: Slow) -> None:
    process = start(stocked, "-q", "fetch")
    partial = slow.wait()
    (stocked.folder / "repro.lock").rename(stocked.folder / "away")  # no lock protects anything now
    before = kept(stocked)
    assert before
    document = json.loads(stocked.run("store", "gc", "--json"))
    assert document["removed"] == []
    assert (kept(stocked) >= before, partial.exists()) == (True, True)
    process.kill()
    process.communicate(timeout=60)
    document = json.loads(stocked.run("store", "gc", "--json"))
    assert {each["kind"] for each in document["removed"]} >= {"file", "partial"}
    assert next(each["bytes"] for each in document["removed"] if each["kind"] == "partial") == FIRST
    assert (kept(stocked), partial.exists(), list((store_of(stocked) / "running").iterdir())) == (
        set(),
        False,
        [],
    )


def test_tidying_up_while_others_fetch(stocked: Paper) -> None:
    """Whatever the order: no fetch fails, and what it has fetched is there and sound."""
    for _ in range(2):
        words: tuple[tuple[str, ...], ...] = (
            ("-q", "fetch"),
            ("store", "gc"),
            ("-q", "fetch"),
            ("store", "gc"),
        )
        processes = [start(stocked, *each) for each in words]
        said = [process.communicate(timeout=120) for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, said
    assert stocked.run("-q", "fetch").startswith("nothing to fetch")
    assert "sound" in stocked.run("-q", "store", "verify")
