"""The store: nothing half-written, nothing damaged, any number of processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from reproc.lock import presence
from reproc.lock.store import Mismatch, Store, default_root
from reproc.lock.tidy import Tidied, tidy, verify

from .conftest import Recorder

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


# looking after it


def tidied(store: Store, **options: float | bool) -> Tidied:
    found = tidy(store, **options)  # type: ignore[arg-type]
    assert found.value is not None, [each.message for each in found.diagnostics]
    assert found.diagnostics == ()
    return found.value


def age(path: Path, days: int = 100) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def test_nothing_is_looked_after_where_there_is_no_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert tidied(store) == Tidied((), 0, 0, (), ())
    assert verify(store, Recorder()).files == 0
    assert not store.root.exists()


def test_what_this_process_took_stays_until_it_is_done(store: Store) -> None:
    with store:
        store.add_stream([CONTENT])
        age(store.place(DIGEST))
        assert store.path(DIGEST) is not None  # it is used now
        assert tidied(Store(store.root)).removed == ()
    assert [each.name for each in tidied(Store(store.root)).removed] == [DIGEST]


def test_what_others_left_behind_goes(store: Store) -> None:
    with store:
        store.add_stream([CONTENT])
        own = store.root / "temporary"
        (own / "999999-0badcafe-1").mkdir()
        (own / "999999-0badcafe-1" / "file").write_bytes(b"12345")
        (store.root / "running" / "999999-0badcafe").touch()
        with store.temporary() as mine:
            mine.touch()
            found = tidied(Store(store.root))
            assert mine.exists()
        assert [(each.kind, each.size) for each in found.removed] == [("temporary", 5)]
        assert [path.name for path in (store.root / "running").iterdir()] != ["999999-0badcafe"]


def test_notes_last_longer(store: Store) -> None:
    with store:
        store.remember("area", "old", b"1")
        store.remember("area", "new", b"2")
    for path in (store.root / "index").glob("*/*/*"):
        age(path, 40)
    assert Store(store.root).recall("area", "new") == b"2"
    assert [each.kind for each in tidied(Store(store.root)).removed] == ["note"]
    assert (store.recall("area", "old"), store.recall("area", "new")) == (None, b"2")


def test_a_second_name_gives_nothing_back(store: Store, tmp_path: Path) -> None:
    with store:
        store.add_stream([CONTENT])
        store.link(DIGEST, tmp_path / "context")
    (removed,) = tidied(Store(store.root)).removed
    assert (removed.name, removed.size) == (DIGEST, 0)
    assert (tmp_path / "context").read_bytes() == CONTENT


def test_who_cannot_say_what_it_uses_stops_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process does that may read the store and not write there."""
    with store:
        store.add_stream([CONTENT])
    monkeypatch.setattr("reproc.lock.tidy._PATIENCE", 0.1)
    with presence.gate(store.root):
        (told,) = tidy(Store(store.root)).diagnostics
    assert told.code.name == "store-busy"
    assert store.place(DIGEST).exists()


READER = """
import os, sys
from pathlib import Path
from reproc.lock.store import Store
os.setresuid(65534, 65534, 65534)
with Store(Path(sys.argv[1])) as store:
    print(store.path(sys.argv[2]), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_reader_of_anothers_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as shared:
        os.chmod(shared, 0o755)
        with Store(Path(shared, "store")) as store:
            store.add_stream([CONTENT])
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(store.root), DIGEST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert reader.stdout is not None
        read = reader.stdout.readline().strip()
        assert read == str(store.place(DIGEST))
        monkeypatch.setattr("reproc.lock.tidy._PATIENCE", 0.1)
        assert [each.code.name for each in tidy(Store(store.root)).diagnostics] == ["store-busy"]
        reader.communicate("")
        assert [each.name for each in tidied(Store(store.root)).removed] == [DIGEST]


def test_an_unreadable_lock_protects_everything(store: Store, tmp_path: Path) -> None:
    with store:
        store.add_stream([CONTENT])
        store.keep(tmp_path / "repro.lock")
    (tmp_path / "repro.lock").mkdir()
    assert [each.code.name for each in tidy(Store(store.root)).diagnostics] == ["file-trouble"]
    assert store.place(DIGEST).exists()


def test_damaged_files_are_named(store: Store, tmp_path: Path) -> None:
    lock = tmp_path / "repro.lock"
    lock.write_text(json.dumps({"debs": [{"path": "pool/x.deb", "sha256": DIGEST}]}))
    with store:
        other = store.add_stream([b"other"])
        store.add_stream([CONTENT])
        store.keep(lock)
    place = store.place(DIGEST)
    place.chmod(0o644)
    place.write_bytes(CONTENT[1:])
    with Store(store.root) as again:
        found = verify(again, Recorder())
    (damaged,) = found.damaged
    assert (damaged.sha256, damaged.names, damaged.locks) == (DIGEST, ("pool/x.deb",), (str(lock),))
    assert (found.files, found.size) == (1, 5)
    assert not place.exists()
    assert verify(Store(store.root), Recorder()).damaged == ()
    assert {each.kind for each in tidied(Store(store.root)).removed} >= {"damaged"}
    assert not store.place(other).exists()
