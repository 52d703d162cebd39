"""`reproc outdated` as a process: what is newer than the lock, and what keeps it there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import GitTree, ImageBase, Lock, LockedTarget
from reproc.lock.outdated import newer, newest_tag
from reproc.lock.requests import GitRequest, ImageRequest, TargetRequest
from reproc.lock.store import Store
from reproc.progress import Silent

from ..lock.conftest import span
from .conftest import Paper


def renew(paper: Paper) -> str:
    """Everything has a newer version; the digest of the new image."""
    paper.offer_beside(
        viewer=("1.1-1", "Depends: libdraw\n"), libdraw=("2.1-1", "Depends: libink\n"), other=("6", "")
    )
    paper.index("alpha", "1.0", "1.1", "2.0", requires="beta>=1")
    paper.index("beta", "1.0", "1.5")
    return paper.image(b"second")


def test_nothing_is_newer(paper: Paper) -> None:
    paper.run("lock")
    assert paper.run("outdated") == "nothing is newer than the lock\n"
    assert json.loads(paper.run("outdated", "--json")) == []


def test_what_is_newer_and_what_holds_it(paper: Paper) -> None:
    paper.write(
        **{"packages viewer": "packages viewer libdraw=2.0-1", "packages alpha": 'packages "alpha<2"'}
    )
    paper.run("lock")
    before = (paper.folder / "repro.lock").read_bytes()
    digest = renew(paper)
    told = {each["name"]: each for each in json.loads(paper.run("outdated", "--json"))}
    assert {name: (e["section"], e["locked"], e["within"], e["newest"]) for name, e in told.items()} == {
        "viewer": ("packages", "1.0-1", "1.1-1", "1.1-1"),
        "libdraw": ("packages", "2.0-1", "2.0-1", "2.1-1"),
        "alpha": ("python main", "1.0", "1.1", "2.0"),
        "beta": ("python main", "1.0", "1.5", "1.5"),
        f"{paper.server.address[7:]}/lib/x:1": ("base", old(paper), digest, digest),
    }
    assert told["libdraw"]["held"] == "pinned to 2.0-1"
    assert told["alpha"]["held"] == "kept by what is asked for"
    assert told["viewer"]["held"] is None
    assert all(each["targets"] == ["one", "two"] for each in told.values())
    said = [line.split() for line in paper.run("outdated").splitlines()]
    assert ["libdraw", "2.0-1", "–", "2.1-1", "pinned", "to", "2.0-1"] in said
    assert ["viewer", "1.0-1", "1.1-1", "1.1-1"] in said
    assert (paper.folder / "repro.lock").read_bytes() == before
    # and an update takes exactly what is promised
    paper.run("lock", "--update-all")
    versions = paper.versions()
    assert {n: versions[n] for n in ("viewer", "libdraw", "alpha", "beta")} == {
        n: told[n]["within"] for n in ("viewer", "libdraw", "alpha", "beta")
    }
    assert old(paper) == digest


def old(paper: Paper) -> str:
    return str(paper.lock["targets"][0]["base"]["digest"])


def test_a_day_holds_everything(paper: Paper) -> None:
    paper.write(**{"python 3.11 { packages alpha }\n": ""})
    paper.keep_snapshot("20240601T000000Z")
    paper.run("lock", "--as-of", "2024-06-01")
    renew(paper)
    told = {each["name"]: each["held"] for each in json.loads(paper.run("outdated", "--json"))}
    assert told["viewer"] == told["libdraw"] == "as of 2024-06-01"


def test_what_cannot_be_asked_is_told(paper: Paper) -> None:
    paper.run("lock")
    renew(paper)
    gone = {
        "REPROC_MIRROR_DEBIAN": "http://127.0.0.1:9",
        "REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": "http://127.0.0.1:9",
    }
    paper.environment |= gone
    said = paper.run("outdated", code=3)
    assert "error[E0401]" in said
    assert "beta" in said, "what can be asked is told all the same"


@pytest.mark.parametrize(
    ("own", "tags", "newest"),
    [
        ("v1.2", ["v1.2", "v1.10", "v1.9", "v2-rc1", "release-3"], "v1.10"),
        ("v1.10", ["v1.2", "v1.10"], None),
        ("1.0", ["v2.0", "1.0"], None),
        ("nightly", ["nightly", "v1"], None),
        ("rel-1", ["rel-2", "rel-10"], "rel-10"),
    ],
)
def test_tags_that_are_versions(own: str, tags: list[str], newest: str | None) -> None:
    assert newest_tag(own, tags) == newest


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_branches_and_tags(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments: str) -> str:
        settings = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(folder), *settings, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "one")
    git("tag", "-a", "v1.0", "-m", "one")
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    git("tag", "v1.1")
    second = git("rev-parse", "HEAD")
    asked = {
        "code branch": ("branch", "main"),
        "code commit": ("commit", first),
        "code current": ("tag", "v1.1"),
        "code tag": ("tag", "v1.0"),
    }
    commits = {"code current": second}
    trees = tuple(
        (name, GitTree(str(folder), commits.get(name, first), "0" * 40, "0" * 64)) for name in sorted(asked)
    )
    requests = tuple((name, GitRequest(str(folder), *asked[name], span())) for name in sorted(asked))
    base = ImageBase("localhost:9/x:1", f"sha256:{'0' * 64}", "0" * 64, 0, ())
    lock = Lock(0, (), (LockedTarget("t", "linux/amd64", base, (), (), trees),))
    wanted = TargetRequest("t", "linux/amd64", ImageRequest("x", None, None, span()), (), (), requests)
    found = newer(lock, (wanted,), Store(tmp_path / "store"), Silent(), now=0, site=Site({}))
    assert [d.code.name for d in found.diagnostics] == ["no-network"], "there is no registry"
    assert [(e.section, e.name, e.locked, e.within, e.newest, e.held) for e in found.value or ()] == [
        ("code branch", "main", first, second, second, ""),
        ("code commit", "tag", "v1.0", "v1.0", "v1.1", "pinned to a commit"),
        ("code tag", "tag", "v1.0", "v1.0", "v1.1", "pinned to a tag"),
    ]
