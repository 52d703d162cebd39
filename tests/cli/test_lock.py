"""`reproc lock` as a process: what moves, what stays, what is told, and when the network is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Paper

PYTHON = "python 3.11 { packages alpha }\n"
FIRST = {
    "python3.11-venv": "3.11.2-6", "viewer": "1.0-1", "libdraw": "2.0-1", "libink": "1.0-1",
    "alpha": "1.0", "beta": "1.0",
}  # fmt: skip


@pytest.fixture
def locked(paper: Paper) -> Paper:
    """Locked; then everything has a newer version."""
    paper.run("lock")
    assert paper.versions() == FIRST
    paper.offer(
        viewer=("1.1-1", "Depends: libdraw, libc6 (>= 2)\n"),
        libdraw=("2.1-1", "Depends: libink (>= 1.1)\n"),
        libink=("1.1-1", "Depends: libc6\n"),
        python3_11=("9", ""),
    )
    paper.index("alpha", "1.0", "1.1", requires="beta>=1")
    paper.index("beta", "1.0", "1.1")
    return paper


def both(paper: Paper, *changed: tuple[str, str]) -> dict[str, str]:
    return FIRST | dict(changed)


def test_nothing_changes_where_nothing_changed(locked: Paper) -> None:
    place = locked.folder / "repro.lock"
    before = (place.read_bytes(), place.stat().st_mtime_ns)
    locked.server.asked.clear()
    start = time.perf_counter()
    assert locked.run("lock").splitlines()[-1] == "repro.lock  (unchanged)"
    assert time.perf_counter() - start < 5  # a second on a machine that does nothing else
    assert (place.read_bytes(), place.stat().st_mtime_ns) == before
    assert locked.server.asked == []


def test_one_more_package_moves_nothing_else(locked: Paper) -> None:
    locked.offer(viewer=("1.0-1", "Depends: libdraw, libc6 (>= 2)\n"), libink=("1.1-1", "Depends: libc6\n"))
    locked.write(**{"packages viewer": "packages viewer other"})
    said = locked.run("lock")
    # the archive has one version of each name: what it dropped cannot stay
    assert locked.versions() == both(locked, ("other", "5"), ("libink", "1.1-1"))
    assert "+ package, other: 5" in said
    assert "↑ package, libink: 1.0-1 → 1.1-1" in said


def keep_old_too(paper: Paper) -> None:
    """Newer packages, and the ones that were locked as well."""
    paper.offer_beside(
        viewer=("1.1-1", "Depends: libdraw, libc6 (>= 2)\n"),
        libdraw=("2.1-1", "Depends: libink (>= 1.1)\n"),
        libink=("1.1-1", "Depends: libc6\n"),
    )


@pytest.mark.parametrize(
    ("names", "moved"),
    [
        (["viewer"], {"viewer": "1.1-1"}),
        (["libink"], {"libink": "1.1-1"}),
        # the new one needs a newer library than the lock has
        (["libdraw"], {"libdraw": "2.1-1", "libink": "1.1-1"}),
        (["system"], {"viewer": "1.1-1", "libdraw": "2.1-1", "libink": "1.1-1"}),
        (["Alpha"], {"alpha": "1.1"}),
        (["python main"], {"alpha": "1.1", "beta": "1.1"}),
        (["python", "libink"], {"alpha": "1.1", "beta": "1.1", "libink": "1.1-1"}),
        (["code model"], {}),
    ],
    ids=" ".join,
)
def test_only_what_is_named_moves(locked: Paper, names: list[str], moved: dict[str, str]) -> None:
    keep_old_too(locked)
    said = locked.run("lock", *(word for name in names for word in ("--update", name)))
    assert locked.versions() == FIRST | moved
    assert said.count("↑") == len(moved)
    assert locked.run("lock", "--check") == ""


def test_update_all_moves_everything(locked: Paper) -> None:
    keep_old_too(locked)
    new = locked.image(b"second")
    locked.run("lock", "--update-all")
    moved = {"viewer": "1.1-1", "libdraw": "2.1-1", "libink": "1.1-1", "alpha": "1.1", "beta": "1.1"}
    assert locked.versions() == FIRST | moved
    assert {target["base"]["digest"] for target in locked.lock["targets"]} == {new}


def test_a_tag_stays_at_its_digest_until_the_base_is_updated(locked: Paper) -> None:
    keep_old_too(locked)
    old = {target["base"]["digest"] for target in locked.lock["targets"]}
    new = locked.image(b"second")
    locked.run("lock", "--update", "viewer")
    assert {target["base"]["digest"] for target in locked.lock["targets"]} == old
    said = locked.run("lock", "--update", "base")
    assert {target["base"]["digest"] for target in locked.lock["targets"]} == {new}
    assert locked.versions() == FIRST | {"viewer": "1.1-1"}
    assert f"→ {locked.server.address.removeprefix('http://')}/lib/x:1 {new[:19]}…" in said


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("vewer", "viewer"), ("model", "code model"), ("pyton main", "python main"), ("alhpa", "alpha")],
)
def test_a_near_miss(locked: Paper, name: str, suggestion: str) -> None:
    before = (locked.folder / "repro.lock").read_bytes()
    said = locked.run("lock", "--update", name, code=2)
    assert f"error[E0465]: the lock holds nothing that is called `{name}`" in said
    assert f"did you mean `{suggestion}`?" in said
    assert (locked.folder / "repro.lock").read_bytes() == before


def test_diff_writes_nothing(locked: Paper) -> None:
    keep_old_too(locked)
    before = (locked.folder / "repro.lock").read_bytes()
    said = locked.run("lock", "--diff", "--update", "libdraw", "--update", "alpha")
    assert "targets one, two" in said
    assert "  ↑ package, libdraw: 2.0-1 → 2.1-1" in said
    assert "  ↑ python main, alpha: 1.0 → 1.1" in said
    assert "~ archive debian: " in said
    told = json.loads(locked.run("lock", "--diff", "--json", "--update", "libink"))
    assert [target["name"] for target in told["targets"]] == ["one", "two"]
    assert told["targets"][0]["changes"] == [
        {"kind": "up", "where": ["package", "libink"], "before": "1.0-1", "after": "1.1-1"}
    ]
    assert locked.run("lock", "--diff").splitlines()[-1] == "no difference"
    assert (locked.folder / "repro.lock").read_bytes() == before


def test_check_asks_no_network_and_names_what_is_stale(locked: Paper) -> None:
    locked.server.asked.clear()
    assert locked.run("lock", "--check") == ""
    locked.write(**{"packages viewer": "packages viewer other", "packages alpha": "packages alpha beta"})
    (locked.folder / "model/main.py").write_text("print(2)\n")
    (locked.folder / "model/new.py").write_text("")
    said = locked.run("lock", "--check", code=1)
    assert "error[E0464]: the lock does not answer `system` of `one`, `two` any more: `other` is new" in said
    assert "`python main` of `one`, `two` any more: it has other requirements" in said
    assert "`code model` of `one`, `two` any more: `main.py` has changed, and 1 more" in said
    assert "repro.spec:3:26" in said
    told = json.loads(locked.run("lock", "--check", "--json", code=1))
    assert {each["code"] for each in told} == {"E0464"} and len(told) == 3
    locked.write(**{"target two": "target three"})
    said = locked.run("lock", "--check", code=1)
    assert "`target three` any more: it is not in the lock" in said
    assert "`target two` any more: nothing asks for it any more" in said
    assert locked.server.asked == []


def test_check_without_a_sound_lock(paper: Paper) -> None:
    assert "error[E0702]" in paper.run("lock", "--check", code=1)
    place = paper.folder / "repro.lock"
    place.write_text("<<<<<<< HEAD\n{}\n")
    said = paper.run("lock", "--check", code=1)
    assert "error[E0460]: the lock cannot be read: it holds what a merge left behind" in said
    assert "repro.lock:1:1" in said
    assert "--update-all" in paper.run("lock", code=2)
    paper.run("lock", "--update-all")
    assert paper.versions() == FIRST


def test_a_lock_of_another_scheme_is_told(locked: Paper) -> None:
    from reproc.lock.file import _own_digest

    content = locked.lock
    content["inputs"]["scheme"] = 0
    content["sha256"] = _own_digest(content)
    (locked.folder / "repro.lock").write_text(json.dumps(content))
    said = locked.run("lock", "--check", code=1)
    assert "it was made by scheme 0, and this version of reproc compares by 1" in said
    keep_old_too(locked)
    locked.run("lock")
    assert locked.versions() == FIRST, "what was locked stays, whatever the scheme"
    assert locked.run("lock", "--check") == ""


def test_as_of_is_remembered(paper: Paper) -> None:
    paper.write(**{PYTHON: ""})
    paper.keep_snapshot("20240601T000000Z")
    paper.offer(viewer=("1.1-1", "Depends: libdraw\n"))
    paper.run("lock")
    assert paper.versions()["viewer"] == "1.1-1"
    said = paper.run("lock", "--as-of", "2024-06-01")
    assert "↓ package, viewer: 1.1-1 → 1.0-1" in said
    assert "as-of: 2024-06-01 00:00:00 UTC" in said
    assert (paper.lock["as-of"], paper.lock["time"]) == (1717200000, 1717200000)
    assert paper.run("lock", "--check") == ""
    assert "(unchanged)" in paper.run("lock")
    # also what is locked later is of that day
    paper.write(**{PYTHON: "", "packages viewer": "packages viewer other"})
    paper.run("lock")
    assert paper.versions()["viewer"] == "1.0-1"
    paper.run("lock", "--update-all")
    assert "as-of" not in paper.lock
    assert paper.versions()["viewer"] == "1.1-1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--as-of", "yesterday"), "is not a date such as"),
        (("--as-of", "2999-01-01"), "E0489"),
        (("--check", "--update", "viewer"), "changes nothing"),
        (("--check", "--resolver", "apt"), "changes nothing"),
    ],
)
def test_wrong_calls(paper: Paper, arguments: tuple[str, ...], said: str) -> None:
    assert said in paper.run("lock", *arguments, code=2)
    assert not (paper.folder / "repro.lock").exists()


@pytest.mark.parametrize("shape", [(), ("--standalone",)], ids=["vendored", "standalone"])
def test_what_is_amiss_in_every_target_is_told_once(paper: Paper, shape: tuple[str, ...]) -> None:
    paper.image(b"1")
    paper.write(**{PYTHON: "", "system { packages viewer }": "", 'local "model"': 'local "model/main.py"'})
    paper.run("lock")
    (paper.folder / "model/main.py").write_text("print(2)\n")
    said = paper.run("verify", *shape, code=2)
    assert said.count("E0437") == 1 and "`model/main.py` has changed since it was locked\n" in said


def test_source_date_epoch_is_the_moment(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    paper.write(**{PYTHON: ""})
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1717200000")
    paper.run("lock")
    assert paper.lock["time"] == 1717200000 and "as-of" not in paper.lock


@pytest.mark.parametrize("value", ["", "today", "-1", "1e9", "99999999999"])
def test_a_moment_that_is_none(paper: Paper, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    assert "E0708" in paper.run("lock", code=2)
    assert not (paper.folder / "repro.lock").exists()


def test_two_processes_at_once_into_one_store(paper: Paper, tmp_path: Path) -> None:
    """Of one day, so that both have to come to the same bytes."""
    paper.write(**{PYTHON: ""})
    paper.keep_snapshot("20240601T000000Z")
    paper.image(os.urandom(3_000_000))
    for name in ("again", "third"):
        (tmp_path / name).mkdir()
        for path in ("repro.spec", "model/main.py"):
            (tmp_path / name / path).parent.mkdir(exist_ok=True)
            (tmp_path / name / path).write_bytes((paper.folder / path).read_bytes())
    folders = [paper.folder, tmp_path / "again", tmp_path / "third"]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "reproc", "lock", "--as-of", "2024-06-01"],
            cwd=folder,
            env={**os.environ, **paper.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert len({(folder / "repro.lock").read_bytes() for folder in folders}) == 1
    assert list((tmp_path / "store/temporary").iterdir()) == []


def test_apt_as_the_resolver_comes_to_the_same_bytes(paper: Paper) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt is not installed")
    paper.write(**{PYTHON: ""})
    paper.keep_snapshot("20240601T000000Z")
    place = paper.folder / "repro.lock"
    found = []
    for resolver in ("apt", "python"):
        place.unlink(missing_ok=True)
        paper.run("lock", "--as-of", "2024-06-01", "--resolver", resolver)
        found.append(place.read_bytes())
    assert found[0] == found[1]
    # packages stay where they are with apt, too
    keep_old_too(paper)
    paper.write(**{PYTHON: "", "packages viewer": "packages viewer other"})
    paper.run("lock", "--update-all")
    paper.write(**{PYTHON: ""})
    paper.run("lock", "--resolver", "apt", "--update", "libink")
    assert paper.versions()["viewer"] == "1.1-1"


def test_what_apt_refuses_is_told_as_always(paper: Paper) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt is not installed")
    paper.offer(libink=("1.0-1", "Depends: libgone\n"))
    paper.write(**{PYTHON: ""})
    said = paper.run("-q", "lock", "--resolver", "apt", code=2)
    assert said == paper.run("-q", "lock", code=2)
    assert "error[E0416]: `viewer` cannot be installed" in said, said


def test_apt_as_the_resolver_where_there_is_none(paper: Paper, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("gpgv", "sqv"):
        if path := shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(path)
    paper.environment["PATH"] = str(tmp_path / "bin")
    paper.write(**{PYTHON: ""})
    said = paper.run("lock", "--resolver", "apt", code=3)
    assert "error[E0406]: resolving with apt itself needs `apt-get`, which is not installed" in said
    assert "reproc's own resolver needs no apt" in said
    paper.run("lock")
