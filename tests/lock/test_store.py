"""The store: nothing half-written, nothing damaged, any number of processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproc.lock.store import Mismatch, Store, default_root

CONTENT = b"content" * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_what_is_added_is_found(store: Store) -> None:
    assert store.path(DIGEST) is None
    assert store.add_stream([CONTENT[:10], CONTENT[10:]], DIGEST) == DIGEST
    path = store.path(DIGEST)
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert path.parts[-3:] == ("sha256", DIGEST[:2], DIGEST[2:])


def test_something_else_is_not_added(store: Store) -> None:
    with pytest.raises(Mismatch) as caught:
        store.add_stream([b"other"], DIGEST)
    assert caught.value.expected == DIGEST
    assert store.path(DIGEST) is None
    assert list((store.root / "temporary").iterdir()) == []


def test_a_flipped_byte_is_set_aside(store: Store) -> None:
    store.add_stream([CONTENT])
    place = store.place(DIGEST)
    place.chmod(0o644)
    place.write_bytes(b"C" + CONTENT[1:])
    fresh = Store(store.root)
    assert fresh.path(DIGEST) is None
    assert fresh.damaged == (DIGEST,)
    assert not place.exists()
    fresh.add_stream([CONTENT])
    assert fresh.path(DIGEST) is not None


def test_links_are_hard_and_replace(store: Store, tmp_path: Path) -> None:
    store.add_stream([CONTENT])
    there = tmp_path / "deep" / "er" / "file"
    there.parent.mkdir(parents=True)
    there.write_text("old")
    for _ in range(2):  # the second time both are one file already
        assert store.link(DIGEST, there)
        assert there.samefile(store.place(DIGEST))
        assert [p.name for p in there.parent.iterdir()] == ["file"]
    assert not store.link("0" * 64, there)


def test_copies_across_devices(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    store.add_stream([CONTENT])
    monkeypatch.setattr(os, "link", refuse)
    assert store.link(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT


ADD_MANY = """
import sys
from pathlib import Path
from reproc.lock.store import Store
store = Store(Path(sys.argv[1]))
for number in range(30):
    store.add_stream([b"%d" % (number % 10), b"content" * 100_000])
"""


def test_processes_share_it(store: Store) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ADD_MANY, str(store.root)]
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    kept = [p for p in (store.root / "sha256").rglob("*") if p.is_file()]
    assert len(kept) == 10
    assert all(store.path(p.parent.name + p.name) for p in kept)
    assert list((store.root / "temporary").iterdir()) == []


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROC_STORE", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.delenv("REPROC_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_root() == Path("/cache/reproc")


FULL = """
import sys
from pathlib import Path
from reproc.diagnostics import Outcome
from reproc.lock.problem import attempt
from reproc.lock.store import Store
store = Store(Path(sys.argv[1]))
found = attempt(lambda: Outcome(store.add_stream(b"x" * 65536 for _ in range(64))))
print(*(d.code.name for d in found.diagnostics), len(list(store.root.rglob("*.*"))), found.value)
"""


def test_a_full_device_is_told(tmp_path: Path) -> None:
    inside = tmp_path / "small"
    inside.mkdir()
    mount = f"mount -t tmpfs -o size=256k tmpfs '{inside}'"
    if (
        subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode
        != 0
    ):
        pytest.skip("a small file system cannot be mounted here")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && exec '{sys.executable}' -c '{FULL}' '{inside}/store'"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.split() == ["no-space-left", "0", "None"], done.stderr
