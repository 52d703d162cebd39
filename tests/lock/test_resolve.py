"""The whole way on loopback: requests, a lock, the same lock again, a filled store, a build's inputs."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reproc import pipeline
from reproc.diagnostics.codes.lock import UNREACHABLE
from reproc.folder import Folder
from reproc.lock.archives import Site
from reproc.lock.debian.held import Held
from reproc.lock.debian.index import Index, Universe
from reproc.lock.debian.solver import Wish, solve
from reproc.lock.fetch import fetch
from reproc.lock.file import read, write
from reproc.lock.model import BootstrapBase, Lock
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import bootstrap
from reproc.lock.requests import (
    AptRequest,
    BootstrapRequest,
    LocalRequest,
    PythonRequest,
    TargetRequest,
    requests,
)
from reproc.lock.resolve import resolve
from reproc.lock.sections import LockFile
from reproc.lock.store import Store
from reproc.lock.update import EVERYTHING, NOTHING, Update
from reproc.lock.vendor import inputs, materialise
from reproc.source import SourceFile

from .conftest import PACKAGES, Recorder, Server, SmallArchive, item, span, suite_files
from .test_pypi import publish, wheel

NOW = 1_800_000_000


def target(*packages: str, name: str = "cpu") -> TargetRequest:
    python = PythonRequest("main", "3.11", "python3.11", "/opt/venv", (item("pure"),), (), (2, 36))
    layers = (AptRequest("system", None, tuple(map(item, packages or ("tool",)))),)
    code = LocalRequest("src", (), None, None, span())
    return TargetRequest(
        name,
        "linux/amd64",
        BootstrapRequest("debian", "bookworm", span()),
        layers,
        (python,),
        (("code x", code),),
    )


class World:
    """A spec's folder, and an mmdebstrap that packs a text (the real one is in test_bootstrap)."""

    def __init__(self, folder: Path, store: Store, site: Site) -> None:
        self.folder, self.store, self.site = folder, store, site
        self.made = 0

    def resolve(
        self,
        *requests: TargetRequest,
        now: int = NOW,
        previous: LockFile | None = None,
        update: Update = NOTHING,
    ) -> Lock:
        found = resolve(
            requests,
            self.folder,
            self.store,
            Recorder(),
            now=now,
            previous=previous,
            update=update,
            site=self.site,
        )
        assert found.value is not None, [d.message for d in found.diagnostics]
        return found.value

    def refused(self, *requests: TargetRequest) -> list[str]:
        found = resolve(requests, self.folder, self.store, Recorder(), now=NOW, site=self.site)
        assert found.value is None
        return [d.code.name for d in found.diagnostics]

    def file(self, lock: Lock, *requests: TargetRequest) -> LockFile:
        found = read(SourceFile("repro.lock", write(lock, requests))).value
        assert found is not None
        return found


@pytest.fixture
def world(tmp_path: Path, store: Store, site: Site, server: Server, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "spec"
    (folder / "src").mkdir(parents=True)
    (folder / "src/main.c").write_text("int main(void) { return 0; }\n")
    publish(server, "pure", {"pure-2.0-py3-none-any.whl": wheel("pure", "2.0")})
    here = World(folder, store, site)

    def make(recipe: bootstrap.Recipe, store: Store, progress: object) -> tuple[str, int]:
        here.made += 1
        missing = [d.name for d in recipe.debs if store.path(d.sha256) is None]
        assert not missing
        content = recipe.script().encode()
        return store.add_stream([content]), len(content)

    monkeypatch.setattr(bootstrap, "make", make)
    monkeypatch.setattr(bootstrap, "tool", lambda: "mmdebstrap test")
    return here


def test_lock_and_again(world: World, server: Server) -> None:
    asked = (target(), target("helper", name="small"))
    lock = world.resolve(*asked)
    assert lock.time == NOW
    assert [a.name for a in lock.archives] == ["debian", "debian-security"]
    assert world.made == 1
    file = world.file(lock, *asked)
    server.asked.clear()
    assert world.resolve(*asked, now=NOW + 99, previous=file) == lock
    assert server.asked == []
    assert world.resolve(*asked, now=NOW + 99, previous=file, update=EVERYTHING) == lock
    assert world.made == 1
    assert world.resolve(*reversed(asked), now=NOW + 99, previous=file) == lock


def test_a_mirror_that_lies_while_locking_is_told_of(world: World, server: Server) -> None:
    for path, content in list(server.files.items()):
        if path.startswith("/debian/"):
            lies = path.endswith(".deb")
            server.files[path.replace("/debian/", "/liar/", 1)] = content[:-1] + b"?" if lies else content
    mirrors = f"{server.address}/liar {server.address}/debian"
    site = replace(world.site, environment={**world.site.environment, "REPROC_MIRROR_DEBIAN": mirrors})
    found = resolve([target()], world.folder, world.store, Recorder(), now=NOW, site=site)
    assert found.value == World(world.folder, world.store, world.site).resolve(target())
    told = [each.message for each in found.diagnostics]
    assert {each.code.name for each in found.diagnostics} == {"mirror-passed-over"}
    assert all(f"{server.address}/liar/" in each for each in told)
    assert len(told) == len(set(told))


def test_only_what_is_stale_is_asked_for(world: World, server: Server) -> None:
    lock = world.resolve(target())
    file = world.file(lock, target())
    server.asked.clear()
    (world.folder / "src/main.c").write_text("int main(void) { return 1; }\n")
    changed = world.resolve(target(), now=NOW + 99, previous=file)
    assert server.asked == []
    assert (changed.time, changed.targets[0].base) == (NOW, lock.targets[0].base)
    assert changed.targets[0].trees != lock.targets[0].trees
    more = target("tool", "helper")
    assert (
        world.resolve(more, now=NOW + 99, previous=file).time == NOW
    )  # helper was there before, as a dependency
    assert any("InRelease" in path for path in server.asked)
    assert not any("simple" in path for path in server.asked)


def test_a_new_package_moves_the_moment(world: World, server: Server, small_archive: SmallArchive) -> None:
    file = world.file(world.resolve(target()), target())
    new = (
        b"Package: new\nVersion: 1\nArchitecture: amd64\nFilename: pool/n.deb\nSize: 1\nSHA256: "
        + b"a" * 64
        + b"\n"
    )
    for path, content in suite_files(small_archive.key, "bookworm-updates", new).items():
        server.files[f"/debian/{path}"] = content
    lock = world.resolve(target("tool", "new"), now=NOW + 99, previous=file)
    assert lock.time == NOW + 99
    assert lock.archives != file.lock.archives
    assert world.made == 2


def test_a_preview_makes_no_base(world: World) -> None:
    found = resolve(
        (target(),), world.folder, world.store, Recorder(), now=NOW, site=world.site, preview=True
    )
    assert found.value is not None
    base = found.value.targets[0].base
    assert isinstance(base, BootstrapBase) and base.debs and not base.sha256
    assert world.made == 0


def test_mistakes_of_all_kinds_come_together(world: World, server: Server) -> None:
    broken = target("nosuch", "helpr")
    python = replace(broken.python[0], requirements=(item("nosuch-either"),))
    code = LocalRequest("missing", (), None, None, span())
    broken = replace(broken, python=(python,), trees=(("code x", code),))
    assert sorted(world.refused(broken)) == [
        "missing-source", "unknown-package", "unknown-package", "unknown-python-package",
    ]  # fmt: skip


def test_no_network_is_one_diagnostic(world: World) -> None:
    dead = {k: "http://127.0.0.1:9/x" if "MIRROR" in k else v for k, v in world.site.environment.items()}
    found = resolve(
        (target(),),
        world.folder,
        world.store,
        Recorder(),
        now=NOW,
        site=replace(world.site, environment=dead),
    )
    assert found.value is None
    (diagnostic,) = found.diagnostics
    assert diagnostic.code in UNREACHABLE


def test_unknown_platform_and_release(world: World) -> None:
    assert world.refused(replace(target(), platform="linux/s390x")) == ["platform-not-known"]
    other = replace(target(), base=BootstrapRequest("debian", "slink", span()))
    assert world.refused(other) == ["release-not-known-here"]


def test_fetch_and_vendor(world: World, tmp_path: Path) -> None:
    lock = world.resolve(target())
    fresh = Store(tmp_path / "fresh")
    found = fetch(lock, lock.targets[0], world.folder, fresh, Recorder(), site=world.site)
    assert found.diagnostics == ()
    wanted = inputs(lock.targets[0])
    assert [i.path for i in wanted] == [
        "base.tar", "debs/system/helper_2.1_amd64.deb", "debs/system/libtool-b_1_amd64.deb",
        "debs/system/tool_1.0_amd64.deb", "trees/code-x.tar", "wheels/main/pure-2.0-py3-none-any.whl",
    ]  # fmt: skip
    context = tmp_path / "vendored"
    (context / "inputs/debs/old").mkdir(parents=True)
    (context / "inputs/debs/old/x.deb").write_text("old")
    (context / "inputs/base.tar").mkdir()
    (context / "inputs/trees").symlink_to(tmp_path)
    for _ in range(2):
        assert materialise(wanted, fresh, context).diagnostics == ()
        there = {
            p.relative_to(context / "inputs").as_posix()
            for p in (context / "inputs").rglob("*")
            if p.is_file()
        }
        assert there == {i.path for i in wanted}
        assert not (context / "inputs/trees").is_symlink()
    for each in wanted:
        assert hashlib.sha256((context / "inputs" / each.path).read_bytes()).hexdigest() == each.sha256
    again = fetch(lock, lock.targets[0], world.folder, fresh, Recorder(), site=Site({}, tmp_path / "none"))
    assert again.diagnostics == ()  # everything is there: no network is needed


def test_an_empty_store_is_told(world: World, tmp_path: Path) -> None:
    lock = world.resolve(target())
    found = materialise(inputs(lock.targets[0]), Store(tmp_path / "empty"), tmp_path / "context")
    assert {d.code.name for d in found.diagnostics} == {"store-lacks"}


def test_what_goes_wrong_while_fetching(world: World, server: Server, tmp_path: Path) -> None:
    lock = world.resolve(target())
    deb, gone = (
        "/debian/pool/main/t/tool/tool_1.0_amd64.deb",
        "/debian/pool/main/h/helper/helper_2.1_amd64.deb",
    )
    server.files[deb] = server.files[deb][:-1] + b"?"
    del server.files[gone]
    (world.folder / "src/main.c").write_text("changed")
    fresh = Store(tmp_path / "fresh")
    found = fetch(lock, lock.targets[0], world.folder, fresh, Recorder(), site=world.site)
    told = {d.code.name: d.message for d in found.diagnostics}
    assert set(told) == {"digest-mismatch", "not-served", "source-changed"}
    assert "tool_1.0_amd64.deb" in told["digest-mismatch"]
    assert "helper_2.1_amd64.deb" in told["not-served"]
    assert fresh.path(next(d for d in lock.targets[0].apt[0].debs if d.name == "tool").sha256) is None


def test_a_damaged_store_heals_and_says_so(world: World) -> None:
    lock = world.resolve(target())
    fetch(lock, lock.targets[0], world.folder, world.store, Recorder(), site=world.site)
    place = world.store.place(lock.targets[0].apt[0].debs[0].sha256)
    place.chmod(0o644)
    place.write_bytes(b"?" + place.read_bytes()[1:])
    again = Store(world.store.root)
    found = fetch(lock, lock.targets[0], world.folder, again, Recorder(), site=world.site)
    assert [d.code.name for d in found.diagnostics] == ["store-damaged"]
    assert materialise(inputs(lock.targets[0]), again, world.folder / "v").diagnostics == ()


def test_a_broken_transfer_is_resumed(server: Server, store: Store) -> None:
    content = os.urandom(300_000)
    sha256 = hashlib.sha256(content).hexdigest()
    starts: list[int] = []

    def half(handler: object) -> None:
        wanted = handler.headers.get("Range", "bytes=0-")  # type: ignore[attr-defined]
        start = int(wanted[6:-1])
        starts.append(start)
        rest = content[start:]
        handler.send_response(206 if start else 200)  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(rest)))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(rest if len(starts) > 2 else rest[:100_000])  # type: ignore[attr-defined]
        handler.wfile.flush()  # type: ignore[attr-defined]
        handler.connection.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]

    server.answers["/big"] = half
    path = Client(wait=0).download([f"{server.address}/big"], sha256, store, "`big`")
    assert path.read_bytes() == content
    assert starts[0] == 0
    assert all(later > earlier for earlier, later in zip(starts, starts[1:], strict=False))


def test_a_partial_file_of_a_killed_run_is_taken_up(server: Server, store: Store) -> None:
    content = os.urandom(50_000)
    sha256 = hashlib.sha256(content).hexdigest()
    server.files["/f"] = content
    partial = store.root / "partial" / sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content[:20_000])
    assert Client(wait=0).download([f"{server.address}/f"], sha256, store, "`f`").read_bytes() == content
    assert list(partial.parent.iterdir()) == []


@pytest.mark.parametrize("size", [100, 50_000, 90_000])
def test_rubbish_of_a_killed_run_is_dropped(server: Server, store: Store, size: int) -> None:
    content = os.urandom(50_000)
    sha256 = hashlib.sha256(content).hexdigest()
    server.files["/f"] = content
    (store.root / "partial").mkdir(parents=True)
    (store.root / "partial" / sha256).write_bytes(b"?" * size)
    assert Client(wait=0).download([f"{server.address}/f"], sha256, store, "`f`").read_bytes() == content
    server.files["/f"] = content[1:]
    other = hashlib.sha256(content + b"x").hexdigest()
    with pytest.raises(Problem) as caught:
        Client(wait=0).download([f"{server.address}/f"], other, store, "`f`")
    assert caught.value.diagnostics[0].code.name == "digest-mismatch"


STATEMENTS = (
    "base debian bookworm { from bootstrap }",
    "system { packages tool helper; packages libtool-b }",
    "toolchain gcc 12",
    "toolchain gcc 11",
    "toolchain cmake 3.25",
    "python 3.11 { packages pure extra }",
    "python 3.11 { name other; packages extra }",
    'code x { local "src" }',
    'data d { local "data.csv" }',
    'build x { using gcc 12; run "true"; keep /opt/x }',
    'build y { using gcc 11; in /opt/src/x; run "true"; keep /opt/y }',
    'build z { using cmake 3.25; in /opt/src/x; run "true"; keep /opt/z }',
    "target cpu",
    "target gpu { system { packages libbase } }",
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(STATEMENTS))
@example(list(reversed(STATEMENTS)))
def test_the_order_of_statements_does_not_matter(
    world: World, server: Server, small_archive: SmallArchive, order: list[str]
) -> None:
    """Locked anew each time, into an empty store, from the same indexes: the same bytes."""
    publish(server, "extra", {"extra-1.0-py3-none-any.whl": wheel("extra", "1.0", "pure")})
    (world.folder / "data.csv").write_text("1,2\n")
    first = asked_by(world, STATEMENTS)
    wanted = {item.text for request in first for layer in request.apt for item in layer.packages}
    stubs = "\n".join(
        f"Package: {name}\nVersion: 1\nArchitecture: amd64\nFilename: pool/{name}.deb\nSize: 1\n"
        f"SHA256: {hashlib.sha256(name.encode()).hexdigest()}\n"
        for name in sorted(wanted - {name for name, _, _ in PACKAGES})
    )
    for path, content in suite_files(small_archive.key, "bookworm-updates", stubs.encode()).items():
        server.files[f"/debian/{path}"] = content
    texts = []
    for statements in (STATEMENTS, order):
        asked = asked_by(world, statements)
        with Store(world.folder.parent / f"store-{len(texts)}-{os.urandom(4).hex()}") as world.store:
            texts.append(write(world.resolve(*asked), asked))
    assert texts[0] == texts[1]
    assert [target["name"] for target in json.loads(texts[0])["targets"]] == ["cpu", "gpu"]
    assert read(SourceFile("repro.lock", texts[1])).value is not None


def asked_by(world: World, statements: Sequence[str]) -> tuple[TargetRequest, ...]:
    """What a spec of these statements asks for."""
    path = world.folder / "repro.spec"
    path.write_text("\n".join(("reproc 1", *statements)) + "\n")
    checked = pipeline.checked(path, "repro.spec")
    assert checked.value is not None, [d.message for d in checked.diagnostics]
    found = requests(checked.value[1], Folder(world.folder))
    assert found.value is not None, [d.message for d in found.diagnostics]
    return found.value


def packages(**versions: tuple[str, str]) -> Index:
    """An index of packages, each with its version and further fields."""
    stanzas = (
        f"Package: {name.replace('_', '-')}\nVersion: {version}\nArchitecture: amd64\n{fields}"
        for name, (version, fields) in versions.items()
    )
    return Index("debian", ["\n".join(stanzas).encode()])


OLD = packages(
    app=("1", "Depends: lib (>= 1), tool | other\n"),
    lib=("1", "Depends: data (= 1)\n"),
    data=("1", ""),
    tool=("1", "Depends: virtual\n"),
    provider=("1", "Provides: virtual\n"),
)
NEW = packages(
    app=("2", "Depends: lib (>= 1), tool | other\n"),
    lib=("2", "Depends: data (= 2)\n"),
    data=("2", "Breaks: lib (<< 2)\n"),
    tool=("2", "Depends: virtual\n"),
    fresh=("1", "Depends: middle\n"),
    middle=("1", "Depends: lib (>= 2)\n"),
)


@pytest.mark.parametrize(
    ("free", "asked", "moved"),
    [
        ([], [], ""),
        (["app"], [], "app"),
        (["tool"], [], "tool"),
        (["lib"], [], "lib data"),
        (["data"], [], "lib data"),
        (["app", "lib"], [], "app lib data"),
        # what is new needs a newer library, two steps away
        ([], ["fresh"], "lib data fresh middle"),
        ([], ["nothing-has-this"], ""),
        (["app", "lib", "data", "tool", "provider"], [], "app lib data tool"),
    ],
)
def test_what_moves_takes_along_only_what_it_must(free: list[str], asked: list[str], moved: str) -> None:
    universe = Universe("amd64", (OLD, NEW))
    locked = {name: frozenset() if name in free else frozenset({"1"}) for name in OLD.names}
    held = Held(universe, locked, asked)
    newest = {name: p.version for name in universe.names if (p := held.newest(name)) is not None}
    expected = {name: "2" if name in moved.split() else "1" for name in OLD.names}
    assert {name: newest[name] for name in OLD.names} == expected
    wishes = [Wish(name) for name in (*OLD.names, *asked) if name in universe.names]
    solution = solve(held, {}, wishes)
    assert solution.failures == ()
    assert {p.name: p.version for p in solution.added if p.name in expected} == expected


def test_a_version_that_the_archive_dropped_cannot_stay() -> None:
    held = Held(Universe("amd64", (NEW, packages(provider=("1", "Provides: virtual\n")))), {"tool": {"1"}})
    newest = held.newest("tool")
    assert newest is not None and newest.version == "2"
