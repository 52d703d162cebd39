"""Folders and files beside the spec: a sorted list with digests, and the canonical archive of it."""

from __future__ import annotations

import os
import posixpath
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, error
from reproc.lock import tar
from reproc.lock.model import LocalTree, TreeEntry
from reproc.lock.problem import Problem, problem
from reproc.lock.requests import LocalRequest
from reproc.lock.store import Store, digest_like, sha256_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NEVER = frozenset({".git"})
"""Names that enter no image, wherever they stand."""
OURS = frozenset({"containers", ".reproc", "repro.lock"})
"""What reproc itself writes beside the spec; a lock that covered itself would never be up to date."""


def lock(request: LocalRequest, folder: Path, store: Store) -> LocalTree:
    """The tree as it is now, its archive put into the store; raises `Problem`."""
    members = list(scan(request, folder))
    if not members:
        raise problem(codes.EMPTY_SOURCE, request.origin, source=request.source)
    if request.sha256 is not None:
        _as_expected(request, folder, members)
    if request.size is not None and (found := sum(m.size for m in members)) != request.size:
        raise problem(
            codes.SOURCE_SIZE, request.origin, source=request.source, found=found, expected=request.size
        )
    entries = tuple(sorted((m.entry for m in members), key=lambda e: e.path))
    return LocalTree(request.source, entries, tar.write(members, store))


def _as_expected(request: LocalRequest, folder: Path, members: Sequence[tar.Member]) -> None:
    assert request.sha256 is not None, "asked by the caller"
    expected, whole = request.sha256.text.removeprefix("sha256:"), bool(members[0].entry.path)
    found = "of a whole folder" if whole else digest_like(folder / request.source, expected)
    if found != expected:
        at = request.sha256.origin
        raise problem(codes.SOURCE_DIGEST, at, source=request.source, found=found, expected=expected)


def scan(request: LocalRequest, folder: Path) -> Iterator[tar.Member]:
    """Every file and link of the source that is not left out; raises `Problem` with all that is wrong."""
    root = folder / request.source
    try:
        mode = root.stat().st_mode
        if not root.resolve().is_relative_to(folder.resolve()):
            raise problem(
                codes.OUTSIDE_LINK,
                request.origin,
                path=request.source,
                source="the spec's folder",
                link=root.resolve(),
            )
    except (FileNotFoundError, NotADirectoryError) as trouble:
        raise problem(codes.MISSING_SOURCE, request.origin, source=request.source) from trouble
    if stat.S_ISREG(mode):
        yield _file("", root)
        return
    if not stat.S_ISDIR(mode):
        raise problem(codes.SPECIAL_FILE, request.origin, path=request.source)
    walk = _Walk(root, request, _rules(folder, root, request.exclude))
    members = list(walk.members(""))
    if walk.mistakes:
        raise Problem(*walk.mistakes)
    yield from members


@dataclass
class _Walk:
    root: Path
    request: LocalRequest
    rules: _Rules

    def __post_init__(self) -> None:
        self.mistakes: list[Diagnostic] = []

    def members(self, folder: str) -> Iterator[tar.Member]:
        here = self.root / folder
        self.rules.enter(here)
        with os.scandir(here) as found:
            entries = sorted(found, key=lambda e: os.fsencode(e.name))
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name in NEVER or self.rules.leave_out(here / entry.name, is_folder):
                continue
            what = _bad(entry.name)
            if what is not None:
                self._mistake(codes.BAD_FILE_NAME, path=ascii(path), what=what)
            elif entry.is_symlink():
                yield from self._link(path)
            elif is_folder:
                yield from self.members(path)
            elif entry.is_file(follow_symlinks=False):
                yield _file(path, here / entry.name)
            else:
                self._mistake(codes.SPECIAL_FILE, path=f"{self.request.source}/{path}")

    def _link(self, path: str) -> Iterator[tar.Member]:
        link = os.readlink(self.root / path)
        place = posixpath.normpath(posixpath.join("/", "inside", posixpath.dirname(path), link))
        if (
            link.startswith("/")
            or not (place == "/inside" or place.startswith("/inside/"))
            or _climbs(path, link)
        ):
            self._mistake(codes.OUTSIDE_LINK, path=path, source=self.request.source, link=link)
        elif (what := _bad(link)) is not None:
            self._mistake(codes.BAD_FILE_NAME, path=ascii(link), what=what)
        else:
            yield tar.Member(TreeEntry(path, False, None, link), None)

    def _mistake(self, code: Code, **facts: str) -> None:
        self.mistakes.append(error(code, self.request.origin, **facts))


def _climbs(path: str, link: str) -> bool:
    """Whether a relative link steps above the folder on its way, even if it came back in."""
    depth = path.count("/")
    for part in link.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return True
    return False


def _file(path: str, place: Path) -> tar.Member:
    status = place.stat()
    entry = TreeEntry(path, bool(status.st_mode & stat.S_IXUSR), sha256_of(place))
    return tar.Member(entry, tar.of_file(place), status.st_size)


def _bad(name: str) -> str | None:
    """What a file name holds that no recipe can carry."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "bytes that are not UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "a control character"
    return None


@dataclass
class _Rules:
    """What is left out: nested `.gitignore` files, `.dockerignore` files, and the spec's own patterns."""

    folder: Path
    """The spec's folder."""
    root: Path
    own: GitIgnoreSpec
    git: dict[Path, GitIgnoreSpec]
    docker: dict[Path, GitIgnoreSpec]

    def enter(self, here: Path) -> None:
        """Reads the ignore files of a folder."""
        _read(here / ".gitignore", self.git, _git_lines)

    def leave_out(self, path: Path, is_folder: bool) -> bool:
        if path.parent == self.folder and path.name in OURS:
            return True
        inside = path.relative_to(self.root).as_posix() + ("/" if is_folder else "")
        if self.own.match_file(inside):
            return True
        if any(_matches(spec, base, path, is_folder) for base, spec in self.docker.items()):
            return True
        # the nearest .gitignore that says anything decides (gitignore(5))
        for base in (path.parent, *path.parent.parents):
            spec = self.git.get(base)
            if spec is None:
                continue
            told = spec.check_file(path.relative_to(base).as_posix() + ("/" if is_folder else "")).include
            if told is not None:
                return told
        return False


def _rules(folder: Path, root: Path, exclude: Sequence[str]) -> _Rules:
    from pathspec import GitIgnoreSpec

    rules = _Rules(folder, root, GitIgnoreSpec.from_lines(exclude), {}, {})
    for parent in _above(root, folder):
        _read(parent / ".gitignore", rules.git, _git_lines)
    for place in {folder, root}:
        _read(place / ".dockerignore", rules.docker, _docker_lines)
    return rules


def _above(root: Path, folder: Path) -> list[Path]:
    """The folders from `root` up to the top of its git checkout; up to the spec's folder if there is none."""
    chain: list[Path] = []
    for parent in (root, *root.parents):
        chain.append(parent)
        if (parent / ".git").exists():
            return chain
    return [parent for parent in chain if parent.is_relative_to(folder)]


def _read(path: Path, specs: dict[Path, GitIgnoreSpec], lines: Callable[[str], list[str]]) -> None:
    from pathspec import GitIgnoreSpec

    if path.parent in specs or not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    specs[path.parent] = GitIgnoreSpec.from_lines(lines(text))


def _matches(spec: GitIgnoreSpec, base: Path, path: Path, is_folder: bool) -> bool:
    if not path.is_relative_to(base):
        return False
    return spec.match_file(path.relative_to(base).as_posix() + ("/" if is_folder else ""))


def _git_lines(text: str) -> list[str]:
    return text.splitlines()


def _docker_lines(text: str) -> list[str]:
    """The patterns of a .dockerignore as .gitignore would say them: each is relative to the top."""
    lines = []
    for line in text.splitlines():
        pattern = line.strip()
        if pattern.startswith("#") or not pattern:
            continue
        mark = "!" if pattern.startswith("!") else ""
        lines.append(f"{mark}/{pattern.removeprefix('!').strip().strip('/')}")
    return lines
