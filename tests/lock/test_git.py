"""Commits read from repositories on this machine."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from reproc.lock.model import GitTree
from reproc.lock.problem import Problem
from reproc.lock.providers import git, local
from reproc.lock.requests import GitRequest, LocalRequest
from reproc.lock.store import Store

from .conftest import Server, span

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    command[3:3] = ["-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "d").mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main")
    (folder / "d/prog").write_text("#!/bin/sh\n")
    (folder / "d/prog").chmod(0o755)
    (folder / "link").symlink_to("d/prog")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "one")
    run(folder, "tag", "-a", "v1", "-m", "one")
    (folder / "later").write_text("x")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "two")
    return folder


def lock(url: str, kind: str, ref: str, store: Store) -> GitTree:
    found = git.lock(GitRequest(url, kind, ref, span()), store).value
    assert found is not None
    return found


def refused(url: str, kind: str, ref: str, store: Store) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        lock(url, kind, ref, store)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.name, diagnostic.help or diagnostic.message


def test_commit_tag_and_branch(repository: Path, store: Store) -> None:
    url = f"file://{repository}"
    first, head = run(repository, "rev-parse", "v1^{commit}"), run(repository, "rev-parse", "main")
    tagged = lock(url, "tag", "v1", store)
    assert (tagged.commit, tagged.tree) == (first, run(repository, "rev-parse", "v1^{tree}"))
    assert lock(url, "commit", first, store) == tagged
    assert lock(url, "branch", "main", store).commit == head
    with tarfile.open(store.place(tagged.sha256)) as archive:
        found = [(m.name, oct(m.mode), m.linkname) for m in archive]
    assert found == [("./d", "0o755", ""), ("./d/prog", "0o755", ""), ("./link", "0o777", "d/prog")]


def test_the_same_archive_as_of_a_folder(repository: Path, store: Store) -> None:
    head = lock(f"file://{repository}", "branch", "main", store)
    here = local.lock(LocalRequest("repository", (), None, None, span()), repository.parent, store)
    assert here.sha256 == head.sha256


def test_what_is_not_there(repository: Path, store: Store, tmp_path: Path) -> None:
    url = f"file://{repository}"
    assert refused(url, "tag", "v2", store)[0] == "unknown-git-ref"
    assert refused(url, "branch", "mian", store) == ("unknown-git-ref", "did you mean `main`?")
    assert refused(url, "commit", "0" * 40, store)[0] == "unknown-git-ref"
    assert refused(f"file://{tmp_path}/none", "tag", "v1", store)[0] == "git-trouble"


def test_servers(store: Store, server: Server) -> None:
    assert refused(f"{server.address}/none.git", "tag", "v1", store)[0] == "git-trouble"
    assert refused("http://127.0.0.1:9/none.git", "tag", "v1", store)[0] == "no-network"


def test_submodules_are_told(repository: Path, store: Store, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    run(outer, "init", "-q", "-b", "main")
    (outer / "own").write_text("x")
    run(outer, "submodule", "add", "-q", str(repository), "inner")
    run(outer, "add", ".")
    run(outer, "commit", "-qm", "one")
    found = git.lock(GitRequest(f"file://{outer}", "branch", "main", span()), store)
    assert [d.code.name for d in found.diagnostics] == ["submodules-left-out"]
    assert "`inner`" in found.diagnostics[0].message
    assert found.value is not None


def test_fetching_again(repository: Path, store: Store) -> None:
    tree = lock(f"file://{repository}", "tag", "v1", store)
    store.place(tree.sha256).unlink()
    git.fetch(tree, store)
    assert store.path(tree.sha256) is not None
    with pytest.raises(Problem) as caught:
        git.fetch(GitTree(tree.url, tree.commit, tree.tree, "0" * 64), store)
    assert caught.value.diagnostics[0].code.name == "git-tree-changed"
