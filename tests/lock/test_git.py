"""Commits read from repositories on this machine."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproc.lock.model import GitTree, LargeFile, Submodule
from reproc.lock.net import Client, digest
from reproc.lock.problem import Problem
from reproc.lock.providers import git, local
from reproc.lock.requests import GitRequest, LocalRequest
from reproc.lock.store import Store

from ..upstream import Upstream, commit, link, pointer, upstream
from ..upstream import git as run_git
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


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Upstream]:
    with upstream(tmp_path / "host") as served:
        yield served


def whole(url: str, store: Store, *, submodules: bool = False, lfs: bool = False) -> GitTree:
    request = GitRequest(url, "branch", "main", span(), submodules, lfs)
    found = git.lock(request, store, Client(wait=0)).value
    assert found is not None
    return found


def told(url: str, store: Store, *, submodules: bool = False, lfs: bool = False) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        whole(url, store, submodules=submodules, lfs=lfs)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.name, diagnostic.message


def content(tree: GitTree, store: Store) -> dict[str, bytes | None]:
    """What the archive holds, by path; folders hold nothing."""
    with tarfile.open(store.place(tree.sha256)) as archive:
        files = {m.name[2:]: archive.extractfile(m) if m.isreg() else None for m in archive}
        return {name: file.read() if file else None for name, file in files.items()}


def test_submodules_are_taken_along_at_the_commits_that_are_recorded(host: Upstream, store: Store) -> None:
    deep, inner, outer = (host.repository(f"{name}.git") for name in ("deep", "group/inner", "outer"))
    first = commit(deep, {"d": b"1"})
    commit(deep, {"d": b"2"})
    commit(inner, {"i": b"i"})
    link(inner, "sub/deep", first, "../../deep.git")
    at = run_git(inner, "rev-parse", "HEAD")
    commit(outer, {"own": b"x"})
    # an address without `.git`, in a name that is to lead elsewhere
    link(outer, "ext/in", at, host.url("group/inner"), "../../../evil")
    tree = whole(host.url("outer.git"), store, submodules=True)
    assert tree.submodules == (
        Submodule("ext/in", host.url("group/inner.git"), at),
        Submodule("ext/in/sub/deep", host.url("deep.git"), first),
    )
    found = content(tree, store)
    assert (found["own"], found["ext/in/i"], found["ext/in/sub/deep/d"]) == (b"x", b"i", b"1")
    alone = whole(host.url("outer.git"), store)
    assert alone.left_out == ("ext/in",) and content(alone, store)["ext/in"] is None
    assert alone.commit == tree.commit and "ext/in/i" not in content(alone, store)
    store.place(tree.sha256).unlink()
    git.fetch(tree, store)
    assert store.path(tree.sha256) is not None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("-u./evil", "which is none"),
        ("ext::sh -c evil", "which is none"),
        ("ext::sh", "of no use to others"),
        ("file:///etc", "of no use to others"),
        ("/etc", "of no use to others"),
        ("git@example.org:a/b.git", "of no use to others"),
        ("https://me:secret@example.org/a.git", "of no use to others"),
        ("../../../../etc", "which leads out of its server"),
        (None, "has no address in `.gitmodules`"),
    ],
)
def test_addresses_that_nothing_is_fetched_from(
    host: Upstream, store: Store, address: str | None, reason: str
) -> None:
    outer = host.repository("outer.git")
    commit(outer, {"own": b"x"})
    link(outer, "in", "1" * 40, address)
    name, message = told(host.url("outer.git"), store, submodules=True)
    assert name == "submodule-address" and reason in message, message
    assert whole(host.url("outer.git"), store).left_out == ("in",)


def test_a_commit_that_is_gone_and_a_repository_that_is_gone(host: Upstream, store: Store) -> None:
    inner, outer = host.repository("inner.git"), host.repository("outer.git")
    commit(inner, {"i": b"i"})
    commit(outer, {"own": b"x"})
    link(outer, "in", "1" * 40, "../inner.git")
    name, message = told(host.url("outer.git"), store, submodules=True)
    assert name == "submodule-address" and f"is at commit `{'1' * 40}`, which" in message
    shutil.rmtree(inner)
    assert told(host.url("outer.git"), store, submodules=True)[0] == "git-trouble"


def test_what_names_submodules_is_a_file_that_can_be_read(host: Upstream, store: Store) -> None:
    outer = host.repository("outer.git")
    commit(outer, {"other": b'[submodule "in"]\npath = in\nurl = ../outer.git\n'})
    link(outer, "in", "1" * 40, None)
    rows = run_git(outer, "ls-tree", "HEAD")
    # git itself refuses to add them
    for mode, text, reason in (("120000", "other", "symbolic link"), ("100644", "[x\n", "cannot be read")):
        (outer / "text").write_text(text)
        blob = run_git(outer, "hash-object", "-w", "text")
        tree = run_git(outer, "mktree", stdin=f"{rows}\n{mode} blob {blob}\t.gitmodules\n")
        run_git(outer, "update-ref", "refs/heads/main", run_git(outer, "commit-tree", tree, "-m", "x"))
        assert reason in told(host.url("outer.git"), store, submodules=True)[1]


def test_repositories_that_nest_without_end(host: Upstream, store: Store) -> None:
    place = host.repository("r.git")
    at = commit(place, {"a": b"a"})
    for _ in range(33):
        link(place, "in", at, "../r.git")
        at = run_git(place, "rev-parse", "HEAD")
        (place / ".gitmodules").unlink()
    assert "one of too many" in told(host.url("r.git"), store, submodules=True)[1]


def test_large_files_stand_where_their_pointers_were(host: Upstream, store: Store) -> None:
    place = host.repository("model.git")
    weights = b"w" * 3000
    other = pointer(b"x").replace(b"oid", b"ext-0-foo sha256:00\noid")
    commit(place, {"w.bin": host.keep(weights), "d/v.bin": host.keep(b"v"), "own": b"x", "other": other})
    tree = whole(host.url("model.git"), store, lfs=True)
    assert [(each.path, each.size) for each in tree.large] == [("d/v.bin", 1), ("w.bin", 3000)]
    found = content(tree, store)
    assert (found["w.bin"], found["d/v.bin"], found["own"], found["other"]) == (weights, b"v", b"x", other)
    plain = whole(host.url("model.git"), store)
    assert plain.large == () and content(plain, store)["w.bin"] == pointer(weights)
    for each in (tree.sha256, *(file.sha256 for file in tree.large)):
        store.place(each).unlink()
    git.fetch(tree, store)
    assert store.path(tree.sha256) is not None


def test_large_files_of_a_submodule_and_of_another_service(host: Upstream, store: Store) -> None:
    inner, outer = host.repository("inner.git"), host.repository("outer.git")
    config = f"[lfs]\n\turl = {host.address}/elsewhere/info/lfs\n".encode()
    at = commit(inner, {"w": host.keep(b"www"), ".lfsconfig": config})
    commit(outer, {"own": b"x"})
    link(outer, "in", at, "../inner.git")
    tree = whole(host.url("outer.git"), store, submodules=True, lfs=True)
    assert tree.large == (LargeFile("in/w", digest(b"www"), 3),)
    assert "/elsewhere/info/lfs/objects/batch" in host.asked


def test_large_files_that_cannot_be_had(host: Upstream, store: Store) -> None:
    place = host.repository("model.git")
    host.keep(b"abc")
    commit(place, {"w": pointer(b"abc")})
    url = host.url("model.git")
    host.large[digest(b"abc")] = b"abd"
    assert "comes with the digest" in told(url, store, lfs=True)[1]
    host.large[digest(b"abc")] = b"abcdef"
    assert "larger than the 3 bytes" in told(url, store, lfs=True)[1]
    del host.large[digest(b"abc")]
    assert told(url, store, lfs=True) == (
        "lfs-trouble",
        f"the Git LFS files of `{url}` cannot be fetched: `w`: Object does not exist",
    )
    commit(place, {".lfsconfig": b"[lfs]\nurl = file:///etc\n"})
    assert "`file:///etc` is no address" in told(url, store, lfs=True)[1]
    commit(place, {".lfsconfig": f"[lfs]\nurl = {host.address}/nothing\n".encode()})
    assert "HTTP status 404" in told(url, store, lfs=True)[1]
    assert told(f"file://{place}", store, lfs=True)[0] == "lfs-trouble"
