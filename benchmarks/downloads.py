"""Measures `reproc fetch`'s downloads over loopback against `curl --parallel`, alone and with `sha256sum` after it.

Three loads: as many files as specs/quickstart takes from outside, of the same sizes; a few large ones; many
small ones, of which the requests are the larger part. The server is a process of
its own that hands files to the kernel (sendfile), so that the clients are what is measured. Both have as many
connections as reproc takes. What counts is the time on the clock from the first request to the last file:
Python's start and imports are left out, curl's start is a few milliseconds. The store's 256 folders are there
already, as they are in every store that is in use.

curl alone checks nothing, so that on a machine without a free core reproc's digests (some 0.6 s a gigabyte) come on
top; with `sha256sum` after it, it does what reproc does.

All run interleaved, and the result is the median of the ratios within a round: throughput of reproc over throughput
of curl, so that more is better. The first round fills the caches and does not count.

usage: python benchmarks/downloads.py [--rounds N] [--json FILE] [--limit RATIO]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from reproc.lock.archives import Site
from reproc.lock.fetch import WORKERS, fetch
from reproc.lock.model import AptLayer, Archive, ArchiveBase, Deb, Lock, LockedTarget
from reproc.lock.store import Store
from reproc.progress import Silent

LOCK = Path(__file__).resolve().parent.parent / "specs" / "quickstart" / "repro.lock"
BASE = b"a base that is there already"


@dataclass(frozen=True)
class Load:
    """Files by name, with their digests and their size in all."""

    name: str
    files: Mapping[str, str]
    size: int


def loads(folder: Path) -> tuple[Load, ...]:
    """The loads, written below the folder."""
    return (
        _written(folder, "quickstart", sorted(_sizes(json.loads(LOCK.read_text(encoding="utf-8"))).values())),
        _written(folder, "6 large", [48 << 20] * 6),
        _written(folder, "400 small", [40_000] * 400),
    )


def _sizes(value: Any) -> dict[str, int]:
    """The size of every file in a lock, by digest."""
    found: dict[str, int] = {}
    if isinstance(value, dict):
        if "sha256" in value and isinstance(value.get("size"), int):
            found[value["sha256"]] = value["size"]
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        found |= _sizes(each)
    return found


def _written(folder: Path, name: str, sizes: list[int]) -> Load:
    files = {}
    for number, size in enumerate(sizes):
        content = random.Random(f"{name} {number}").randbytes(min(size, 1 << 20))
        content = (content * (size // len(content) + 1))[:size]
        path = f"pool/{name.replace(' ', '-')}-{number}.deb"
        (folder / "pool").mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        files[path] = hashlib.sha256(content).hexdigest()
    return Load(name, files, sum(sizes))


def serve(folder: Path, port: socket.socket) -> None:
    """Answers GET requests for files below the folder, a thread a connection, for ever."""
    while True:
        connection, _ = port.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(folder, connection), daemon=True).start()


def _answer(folder: Path, connection: socket.socket) -> None:
    asked = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in asked:
                more = connection.recv(1 << 16)
                if not more:
                    return
                asked += more
            head, _, asked = asked.partition(b"\r\n\r\n")
            with (folder / head.split()[1].decode().lstrip("/")).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, socket.MSG_MORE)
                at = 0
                while at < size:
                    at += os.sendfile(connection.fileno(), file.fileno(), at, size - at)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the folder, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as port:
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        command = [sys.executable, __file__, "--serve", str(folder), str(port.fileno())]
        process = subprocess.Popen(command, pass_fds=[port.fileno()])
    try:
        yield address
    finally:
        process.kill()
        process.wait()


def by_curl(load: Load, address: str, folder: Path) -> float:
    """Seconds that curl takes."""
    folder.mkdir()
    listed = "".join(
        f'url = "{address}/{path}"\noutput = "{folder / Path(path).name}"\n' for path in load.files
    )
    command = [
        "curl",
        "--silent",
        "--no-progress-meter",
        "--fail",
        "--parallel",
        "--parallel-max",
        str(WORKERS),
        "--config",
        "-",
    ]
    start = monotonic()
    subprocess.run(command, input=listed.encode(), check=True)
    seconds = monotonic() - start
    assert sum(path.stat().st_size for path in folder.iterdir()) == load.size
    return seconds


def by_curl_checked(load: Load, address: str, folder: Path) -> float:
    """Seconds that curl and then sha256sum take."""
    seconds = by_curl(load, address, folder)
    listed = "".join(f"{sha256}  {folder / Path(path).name}\n" for path, sha256 in load.files.items())
    start = monotonic()
    subprocess.run(["sha256sum", "--quiet", "--check"], input=listed.encode(), check=True)
    return seconds + monotonic() - start


def by_reproc(load: Load, address: str, folder: Path) -> float:
    """Seconds that reproc takes, in a process of its own, its start left out."""
    asked = json.dumps({"address": address, "folder": str(folder), "files": dict(load.files)})
    command = [sys.executable, __file__, "--fetch"]
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def fetch_here() -> None:
    """Fetches what is asked for on the standard input; prints the seconds that it took."""
    asked = json.load(sys.stdin)
    store = Store(Path(asked["folder"]))
    there = store.add_stream([BASE])
    base = ArchiveBase("base.tar", there, there, len(BASE), (), plain=True)
    debs = tuple(
        Deb(Path(path).stem, "1", "amd64", "debian", path, 0, sha256)
        for path, sha256 in asked["files"].items()
    )
    target = LockedTarget("x", "linux/amd64", base, (AptLayer("system", None, (), debs),), (), ())
    lock = Lock(0, (Archive("debian", "20240601T000000Z", (), True),), (target,))
    site = Site({"REPROC_MIRROR_DEBIAN": asked["address"]}, apt=Path("/nonexistent"))
    for number in range(256):
        (store.root / "sha256" / f"{number:02x}").mkdir(exist_ok=True)
    importlib.import_module("requests")
    start = monotonic()
    found = fetch(lock, target, Path("."), store, Silent(), site=site)
    seconds = monotonic() - start
    assert not found.diagnostics, found.diagnostics
    print(seconds)


def measured(load: Load, address: str, folder: Path, rounds: int) -> dict[str, Any]:
    """The medians of all rounds but the first."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds + 1):
        order = list(WAYS.items())
        for name, way in order if turn % 2 else reversed(order):
            place = folder / name
            taken = way(load, address, place)
            shutil.rmtree(place)
            if turn:
                seconds[name].append(taken)

    def ratio(name: str) -> float:
        return statistics.median(
            curl / own for curl, own in zip(seconds[name], seconds["reproc"], strict=True)
        )

    return {
        "load": load.name,
        "bytes": load.size,
        "seconds": {name: statistics.median(each) for name, each in seconds.items()},
        "ratio": ratio("curl"),
        "ratio-checked": ratio("curl-checked"),
    }


WAYS = {"curl": by_curl, "curl-checked": by_curl_checked, "reproc": by_reproc}


def main() -> int:
    """Prints a row a load; 1 if a ratio is below the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9, help="how many rounds count (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    parser.add_argument("--limit", type=float, metavar="RATIO", help="exit with 1 below this ratio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reproc-bench-") as name:
        folder = Path(name)
        (folder / "served").mkdir()
        made = loads(folder / "served")
        with served(folder / "served") as address:
            rows = [measured(load, address, folder, options.rounds) for load in made]
    for row in rows:
        rates = {name: row["bytes"] / taken / 1e6 for name, taken in row["seconds"].items()}
        told = "".join(f"   {name} {rate:4.0f} MB/s" for name, rate in rates.items())
        print(
            f"{row['load']:<10} {row['bytes'] / 1e6:4.0f} MB{told}   "
            f"reproc/curl {row['ratio']:.2f}, checked {row['ratio-checked']:.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    worst = min(row["ratio"] for row in rows)
    return int(options.limit is not None and worst < options.limit)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
    elif sys.argv[1:] == ["--fetch"]:
        fetch_here()
    else:
        sys.exit(main())
