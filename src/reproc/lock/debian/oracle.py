"""What an installation brings in, as apt itself says: the resolver that ours imitates.

apt runs in folders of its own on the indexes that were verified before, and only simulates: nothing of the
machine's state or configuration is read or written, and neither privileges nor a network are needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.lock.debian.control import Package
from reproc.lock.debian.held import Held
from reproc.lock.debian.index import Universe
from reproc.lock.debian.solver import Failure, Solution, Wish, asked, solve
from reproc.lock.problem import problem

_FOLDERS = ("etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial", "dpkg")
_SECTION = re.compile(
    r"^The following .*?(NEW|upgraded|DOWNGRADED|REMOVED)[^\n]*:\n((?:   [^\n]*\n)+)", re.MULTILINE
)
_ENTRY = re.compile(r"^   (\S+) \((?:\S+ => )?(\S+)\)$", re.MULTILINE)
# what a file's place and size are is no property of what is installed
_OF_FILES = frozenset(("filename", "size", "md5sum", "sha1", "sha256", "sha512", "status"))


class Apt:
    """apt as a `Resolver`; what it makes of a universe is kept for the next question."""

    def __init__(self) -> None:
        self._oracles: dict[int, Oracle] = {}
        self._guard = threading.Lock()

    def __call__(
        self,
        universe: Universe,
        installed: Mapping[str, Package],
        wishes: Sequence[Wish],
        *,
        recommends: bool = False,
    ) -> Solution:
        """The packages that apt would install for all the wishes; raises `Problem` where there is no apt."""
        with self._guard:  # apt has one status file
            if id(universe) not in self._oracles:
                self._oracles[id(universe)] = Oracle(universe)
            return self._oracles[id(universe)].solve(installed, wishes, recommends=recommends)


class Oracle:
    """apt on the packages of one universe; raises `Problem` where there is no apt."""

    def __init__(self, universe: Universe) -> None:
        program = shutil.which("apt-get")
        if program is None:
            facts = {"tool": "apt-get", "purpose": "resolving with apt itself"}
            raise problem(codes.TOOL_MISSING, None, **facts, advice="reproc's own resolver needs no apt")
        self.universe = universe
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="reproc-apt-")).resolve()
        weakref.finalize(self, shutil.rmtree, self._folder)
        self._prepare()

    def solve(
        self, installed: Mapping[str, Package], wishes: Sequence[Wish], *, recommends: bool = False
    ) -> Solution:
        """The packages that apt would install for all the wishes, on top of what is installed."""
        meant, failures = asked(self.universe, installed, wishes)
        names = [f"{p.name}={p.version}" if wish.version else p.name for wish, p in meant.items()]
        found, said = self.simulate(installed, names, recommends=recommends)
        if found is None and meant:
            failures += self._refusal(installed, tuple(meant), said, recommends=recommends)
        added = tuple(self._package(name, version) for name, version in found or ())
        after = {**installed, **{p.name: p for p in added}}
        if found is not None and not {p.name for p in meant.values()} <= after.keys():
            raise problem(codes.TOOL_FAILED, None, output=said, tool="apt-get", doing="resolving packages")
        return Solution(after, added, failures)

    def simulate(
        self, installed: Mapping[str, Package], words: Sequence[str], *, recommends: bool = False
    ) -> tuple[list[tuple[str, str]] | None, str]:
        """What `apt-get install` would install, by name, or None if it refuses; and what it says.

        Removing something that is installed counts as refusing: a layer only adds.
        """
        self._install(installed.values())
        choice = "--install-recommends" if recommends else "--no-install-recommends"
        # printing addresses changes as little as `--simulate`, which also orders everything and takes seconds
        done = self._run("--print-uris", "--verbose-versions", choice, "install", "--", *words)
        if done.returncode != 0:
            return None, done.stderr
        found = {word: _ENTRY.findall(entries) for word, entries in _SECTION.findall(done.stdout)}
        removed = ", ".join(name for name, _ in found.pop("REMOVED", ()))
        if removed:
            return None, f"it would remove {removed}\n"
        return sorted(entry for entries in found.values() for entry in entries), done.stdout

    def _refusal(
        self, installed: Mapping[str, Package], wishes: Sequence[Wish], said: str, *, recommends: bool
    ) -> tuple[Failure, ...]:
        """Why apt refuses: what our own resolver finds, since it names the chain; else apt's last line."""
        ours = solve(self.universe, installed, wishes, recommends=recommends).failures
        last = said.strip().rpartition("\n")[2].removeprefix("E: ").rstrip(".")
        reason = f"apt refuses: {last}" if last else "apt refuses"
        return ours or (Failure(wishes[0], "unsatisfiable", reason, (wishes[0].name,)),)

    def _package(self, name: str, version: str) -> Package:
        return next(p for p in self.universe.versions(name) if p.version == version)

    def _prepare(self) -> None:
        for name in _FOLDERS:
            (self._folder / name).mkdir(parents=True)
        sources = []
        for number, index in enumerate(self.universe.indexes):
            place = self._folder / "archives" / str(number)
            place.mkdir(parents=True)
            (place / "Packages").write_bytes(index.text.lstrip(b"\n"))
            sources.append(f"deb [trusted=yes allow-insecure=yes] file:{place} ./\n")
        (self._folder / "etc/sources.list").write_text("".join(sources))
        (self._folder / "etc/preferences").write_text(_preferences(self.universe))
        (self._folder / "apt.conf").write_text(self._settings())
        self._install(())
        done = self._run("update")
        if done.returncode != 0:
            raise problem(
                codes.TOOL_FAILED, None, output=done.stderr, tool="apt-get", doing="reading the indexes"
            )

    def _settings(self) -> str:
        here, architecture = self._folder, self.universe.architecture
        return (
            f'Dir::Etc "{here}/etc"; Dir::Etc::parts "{here}/etc/apt.conf.d"; Dir::Etc::main "{here}/etc/none";'
            f'Dir::State "{here}/state"; Dir::State::status "{here}/dpkg/status"; Dir::Cache "{here}/cache";'
            f'Dir::Log "{here}/log"; APT::Architecture "{architecture}";'
            f'APT::Architectures {{"{architecture}";}}; APT::Sandbox::User "root"; Acquire::Languages "none";'
            'APT::Solver "internal"; APT::Get::Show-User-Simulation-Note "false";'
        )

    def _install(self, packages: Iterable[Package]) -> None:
        """Says to apt what is installed."""
        status = b"\n".join(p.stanza(_OF_FILES) + b"Status: install ok installed\n" for p in packages)
        (self._folder / "dpkg/status").write_bytes(status)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("APT_", "DPKG_"))}
        environment = kept | {"APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C"}
        return subprocess.run(
            [self._program, *words], env=environment, capture_output=True, text=True, check=False
        )


def _preferences(universe: Universe) -> str:
    """The versions at which packages stay, before every newer one."""
    held = universe.held.items() if isinstance(universe, Held) else ()
    return "\n".join(
        f"Package: {name}\nPin: version {package.version}\nPin-Priority: 990\n"
        for name, package in sorted(held)
    )
