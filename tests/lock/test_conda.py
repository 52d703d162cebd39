"""Packages of a conda channel from a server on loopback: solved, installed, fetched again; and what is refused."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproc.check import check
from reproc.diagnostics import Diagnostic
from reproc.folder import Folder
from reproc.lock.archives import Site
from reproc.lock.conda import relocate
from reproc.lock.difference import difference
from reproc.lock.fetch import fetch
from reproc.lock.file import read, write
from reproc.lock.model import AptLayer, Archive, BootstrapBase, CondaTree, Deb, Lock, LockedTarget
from reproc.lock.net import Client
from reproc.lock.outdated import newer
from reproc.lock.problem import Problem
from reproc.lock.providers import conda
from reproc.lock.requests import ArchiveRequest, CondaRequest, TargetRequest, requests
from reproc.lock.resolve import resolve
from reproc.lock.store import Store
from reproc.lock.toolchains import instead_of
from reproc.lock.update import EVERYTHING
from reproc.lock.vendor import inputs
from reproc.lower.conda import installed
from reproc.progress import Silent
from reproc.record import replace
from reproc.source import SourceFile
from reproc.syntax import parse

from .conda_channel import BUILT_AT, Channel, File
from .conftest import Server, span

PREFIX = "/opt/reproc/toolchains/gcc-9.5.0-conda-bookworm"
GCC: dict[str, File] = {
    "bin/x86_64-conda-linux-gnu-gcc": b"\x7fELF\0"
    + BUILT_AT
    + b"/lib\0\0after\0"
    + BUILT_AT
    + b":"
    + BUILT_AT,
    "bin/x86_64-conda-linux-gnu-cc": "x86_64-conda-linux-gnu-gcc",
    "lib/gcc/specs": b"-rpath " + BUILT_AT + b"/lib\n",
    "share/plain": b"nothing of a place\n",
}
PROGRAM = frozenset({"bin/x86_64-conda-linux-gnu-gcc"})


def channel() -> Channel:
    """GCC 9.4.0 and 9.5.0 with what they need, as conda-forge arranges it, in archives of both forms."""
    made = Channel()
    for version, day in (("9.4.0", 1_600_000_000), ("9.5.0", 1_700_000_000)):
        needs = ["binutils_impl_linux-64 >=2.39", f"libgcc-devel_linux-64 {version}.*", "sysroot_linux-64"]
        made.add("gcc_impl_linux-64", version, GCC, depends=needs, day=day, executable=PROGRAM)
        devel = {f"lib/gcc/{version}/crtbegin.o": b"start"}
        made.add("libgcc-devel_linux-64", version, devel, subdir="noarch", noarch="generic", day=day)
        made.add("gxx_impl_linux-64", version, {}, depends=[f"gcc_impl_linux-64 {version}"], day=day)
    linker: dict[str, File] = {"bin/x86_64-conda-linux-gnu-ld": b"#!" + BUILT_AT + b"/bin/sh\n"}
    made.add("binutils_impl_linux-64", "2.39", linker, form="tar.bz2", executable=frozenset(linker))
    libc: dict[str, File] = {"x86_64-conda-linux-gnu/sysroot/lib64": "lib"}
    for version in ("2.17", "2.39"):
        needs = [f"__glibc >={version}"]
        made.add("sysroot_linux-64", version, libc, subdir="noarch", depends=needs)
    return made


def asked(**more: Any) -> CondaRequest:
    names = ("gcc_impl_linux-64",)
    made = CondaRequest("conda-forge", names, "9.5.0", PREFIX, "linux/amd64", (2, 36), None, None, span())
    return replace(made, **more)


def site(server: Server) -> Site:
    return Site({"REPROC_MIRROR_CONDA_FORGE": server.address})


def lock(server: Server, made: Channel, store: Store, form: str = "zst", **more: Any) -> CondaTree:
    server.files |= {f"/{path}": content for path, content in made.served(form).items()}
    return conda.lock(asked(**more), Client(wait=0), site(server), store)


def refused(server: Server, made: Channel, store: Store, **more: Any) -> Diagnostic:
    with pytest.raises(Problem) as caught:
        lock(server, made, store, **more)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def holds(store: Store, tree: CondaTree) -> dict[str, tuple[int, bytes | str]]:
    found: dict[str, tuple[int, bytes | str]] = {}
    with tarfile.open(store.place(tree.sha256)) as archive:
        for head in archive:
            assert (head.uid, head.gid) == (0, 0)
            if not head.isdir():
                file = archive.extractfile(head) if head.isreg() else None
                found[head.name.removeprefix("./")] = (head.mode, file.read() if file else head.linkname)
    return found


@pytest.mark.parametrize("form", ["zst", "bz2", "plain"])
def test_what_belongs_together_is_installed_at_its_place(server: Server, store: Store, form: str) -> None:
    tree = lock(server, channel(), store, form)
    assert [(each.name, each.version, each.path) for each in tree.packages] == [
        ("binutils_impl_linux-64", "2.39", "linux-64/binutils_impl_linux-64-2.39-h0_0.tar.bz2"),
        ("gcc_impl_linux-64", "9.5.0", "linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda"),
        ("libgcc-devel_linux-64", "9.5.0", "noarch/libgcc-devel_linux-64-9.5.0-h0_0.conda"),
        ("sysroot_linux-64", "2.17", "noarch/sysroot_linux-64-2.17-h0_0.conda"),
    ]
    place = PREFIX.encode()
    room = b"\0" * (len(BUILT_AT) - len(place))
    assert holds(store, tree) == {
        "bin/x86_64-conda-linux-gnu-cc": (0o777, "x86_64-conda-linux-gnu-gcc"),
        "bin/x86_64-conda-linux-gnu-gcc": (
            0o755,
            b"\x7fELF\0" + place + b"/lib" + room + b"\0\0after\0" + place + b":" + place + room * 2,
        ),
        "bin/x86_64-conda-linux-gnu-ld": (0o755, b"#!" + place + b"/bin/sh\n"),
        "lib/gcc/9.5.0/crtbegin.o": (0o644, b"start"),
        "lib/gcc/specs": (0o644, b"-rpath " + place + b"/lib\n"),
        "share/plain": (0o644, b"nothing of a place\n"),
        "x86_64-conda-linux-gnu/sysroot/lib64": (0o777, "lib"),
    }
    assert tree.address.startswith("https://"), "where everybody finds it, whatever mirror was asked"


def test_a_standalone_recipe_s_commands_give_the_same_tree(
    server: Server, store: Store, tmp_path: Path
) -> None:
    """Run here as they stand, but for the folders and for the program that fetches."""
    place = tmp_path / "there"
    tree = lock(server, channel(), store, prefix=str(place))
    script, run = installed("gcc", tree, span())
    (tmp_path / "relocate.py").write_text(script.content)
    text = "\n".join(run.lines).replace(script.path, str(tmp_path / "relocate.py"))
    text = text.replace("/mnt/fetched", str(tmp_path / "fetched")).replace("chown", ": chown")
    text = text.replace("/mnt/conda-forge", str(tmp_path / "mirror"))
    (tmp_path / "mirror").write_text(f"{server.address}\n")
    fetching = next(line for line in run.lines if line.startswith("fetch()"))
    plain = 'fetch() { curl -sf -o file "$2"; echo "${1#*:}  file" | sha256sum --quiet -c -; }'
    text = text.replace(fetching, plain)
    done = subprocess.run(
        ["/bin/sh", "-eu"], input=text, text=True, capture_output=True, env={**os.environ, "no_proxy": "*"}
    )
    assert done.returncode == 0, done.stderr
    found = {
        path.relative_to(place).as_posix(): (
            0o777 if path.is_symlink() else path.stat().st_mode & 0o7777,
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in place.rglob("*")
        if path.is_symlink() or path.is_file()
    }
    assert found == holds(store, tree)
    assert not (tmp_path / "fetched").exists()


def test_of_binaries_each_text_keeps_its_length() -> None:
    old, new = b"/a/long/place", b"/b"
    assert relocate.relocated(b"\0" + old + b"/x:" + old + b"\0y", "binary", old, new) == (
        b"\0/b/x:/b" + b"\0" * 22 + b"\0y"
    )
    assert relocate.relocated(old + b"\n" + old, "text", old, new) == b"/b\n/b"
    with pytest.raises(ValueError, match="no room"):
        relocate.relocated(old, "binary", old, old + b"/longer")


def test_the_recipes_program_runs_with_the_python_of_old_bases() -> None:
    text = Path(relocate.__file__).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
    assert "from __future__ import annotations" in text


def test_lists_of_places() -> None:
    assert relocate.placeholders(None, b'"/a b" text "bin/x y"\nbin/old\n') == {
        "bin/x y": ("text", b"/a b"),
        "bin/old": ("text", relocate.OLDEST.encode()),
    }
    assert relocate.placeholders(None, None) == {}


def test_as_of_an_earlier_day(server: Server, store: Store) -> None:
    made = channel()
    before = 1_650_000_000
    assert lock(server, made, store, version="9.4.0", as_of=before).packages[1].version == "9.4.0"
    found = refused(server, made, store, as_of=before)
    assert found.code.id == "E0470"
    assert found.help == "as of 2022-04-15; of other versions it had `9.4.0`"


def test_a_version_that_is_not_there(server: Server, store: Store) -> None:
    found = refused(server, channel(), store, version="9.2.0")
    assert (found.code.id, found.help) == ("E0470", "of other versions it has `9.4.0`, `9.5.0`")
    arm = refused(server, channel(), store, packages=("gcc_impl_linux-aarch64",), platform="linux/arm64")
    assert (arm.code.id, arm.help) == ("E0470", "it has no version of it: take another provider")
    assert "for `linux-aarch64`" in arm.message
    assert refused(server, channel(), store, platform="linux/s390x").code.id == "E0408"


def test_what_does_not_go_together(server: Server, store: Store) -> None:
    made = channel()
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("nobody")
    found = refused(server, made, store)
    assert found.code.id == "E0471" and "nobody" in found.output
    old = refused(server, channel(), store, libc=(2, 12))
    assert old.code.id == "E0471" and "glibc 2.12" in old.message


def test_a_package_can_ask_for_a_processor(server: Server, store: Store) -> None:
    made = channel()
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("__archspec * x86_64_v3")
    assert refused(server, made, store).code.id == "E0471"
    assert lock(server, made, store, cpu="x86_64_v3").packages


@pytest.mark.parametrize(
    ("files", "code", "reason"),
    [
        ({"../x": b""}, "E0442", "leads out"),
        ({"/x": b""}, "E0442", "absolute"),
        ({"x": "/etc/passwd"}, "E0442", "link that leads out"),
        ({"x": "../../etc"}, "E0442", "link that leads out"),
        ({"x\n": b""}, "E0442", "control character"),
        ({"bin/.libx-post-link.sh": b"rm"}, "E0472", "has a command"),
        ({"bin/.libx-pre-link.sh": b"rm"}, "E0472", "has a command"),
        ({"share/plain": b"another"}, "E0472", "is another than that of `gcc_impl_linux-64-9.5.0"),
        ({"share": b"a file"}, "E0472", "lies below `share`"),
    ],
)
@pytest.mark.parametrize("form", ["conda", "tar.bz2"])
def test_hostile_packages(
    server: Server, store: Store, files: dict[str, File], code: str, reason: str, form: str
) -> None:
    made = channel()
    made.add("libx", "1", files, form=form)
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("libx")
    found = refused(server, made, store)
    assert found.code.id == code and reason in found.message


MESSAGES = (
    b'#!/bin/bash\n\ncat << EOF >> "${PREFIX}/.messages.txt"\n\nOpen MPI is built with CUDA, which is off:\n'
    b"mpiexec --mca opal_cuda_support 1 ...\n\nEOF\n",
    b'#!/bin/bash\necho " " >> $PREFIX/.messages.txt\n\necho "It has two words." >> $PREFIX/.messages.txt\n',
    b"",
)
"""What openmpi, ucx and ucc run when they are installed (conda-forge/NAME-feedstock)."""


@pytest.mark.parametrize("command", MESSAGES)
def test_a_command_that_only_tells_something(server: Server, store: Store, command: bytes) -> None:
    assert len(with_command(server, store, command).packages) == 5


@pytest.mark.parametrize(
    "command",
    [
        b"#!/bin/sh\nldconfig\n",
        MESSAGES[0] + b"rm -r $PREFIX/lib\n",
        MESSAGES[0].replace(b"two", b"").replace(b"which", b"$(rm -r $PREFIX/lib)"),
        MESSAGES[1].replace(b"two", b"`rm -r $PREFIX/lib`"),
        MESSAGES[1].replace(b"/.messages.txt", b"/etc/profile"),
        MESSAGES[1].replace(b"/.messages.txt", b"/.messages.txt; rm x"),
        b"\xff\xfe",
    ],
)
def test_a_command_that_does_more(server: Server, store: Store, command: bytes) -> None:
    with pytest.raises(Problem) as caught:
        with_command(server, store, command)
    assert caught.value.diagnostics[0].code.id == "E0472"


def with_command(server: Server, store: Store, command: bytes) -> CondaTree:
    made = channel()
    made.add("openmpi", "1", {"bin/.openmpi-post-link.sh": command})
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("openmpi")
    return lock(server, made, store)


def test_the_same_file_may_come_twice(server: Server, store: Store) -> None:
    made = channel()
    again = ("share/plain", "bin/x86_64-conda-linux-gnu-cc")
    made.add("libx", "1", {path: GCC[path] for path in again})
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("libx")
    assert len(lock(server, made, store).packages) == 5


def changed(**more: Any) -> Callable[[Channel], None]:
    def change(made: Channel) -> None:
        record = made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")
        record |= more
        for name in [name for name, value in more.items() if value is None]:
            del record[name]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(sha256=None), "does not say its sha256"),
        (changed(noarch="python"), "a Python package"),
        (changed(build="h0;rm"), "characters"),
    ],
)
def test_what_no_lock_can_hold(
    server: Server, store: Store, change: Callable[[Channel], None], reason: str
) -> None:
    made = channel()
    change(made)
    found = refused(server, made, store)
    assert found.code.id == "E0472" and reason in found.message


def test_no_room_for_the_place(server: Server, store: Store) -> None:
    found = refused(server, channel(), store, prefix="/opt/" + "long/" * 60)
    assert found.code.id == "E0472" and "no room" in found.message


def test_a_package_with_another_content(server: Server, store: Store) -> None:
    made = channel()
    made.files["linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda"] += b"more"
    assert refused(server, made, store).code.id == "E0403"


def test_a_damaged_package_and_a_damaged_list(server: Server, store: Store) -> None:
    for content in (b"PK\3\4 no archive", b"no archive at all"):
        made = channel()
        path = "linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda"
        made.files[path] = content
        made.record(path).update(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        assert refused(server, made, store).code.id == "E0441"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (
            {"paths": [{"_path": "bin/no", "prefix_placeholder": BUILT_AT.decode()}]},
            "`bin/no`, which is not in it",
        ),
        ({"paths": [{"_path": "x", "prefix_placeholder": "a"}]}, "is `a`, which may be anywhere in it"),
        ({"paths": [{"_path": ["x"], "prefix_placeholder": "/a"}]}, "its list of files cannot be read"),
        ({"paths": 5}, "its list of files cannot be read"),
        ([], "its list of files cannot be read"),
    ],
)
def test_lists_that_lie(server: Server, store: Store, listed: object, reason: str) -> None:
    made = channel()
    files: dict[str, File] = {"x": b"a", "info/paths.json": json.dumps(listed).encode()}
    made.add("libx", "1", files, form="tar.bz2")
    made.record("linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda")["depends"].append("libx")
    found = refused(server, made, store)
    assert found.code.id == "E0441" and reason in found.message


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        '{"packages": 5}',
        '{"packages": {"gcc_impl_linux-64-9.5.0-0.tar.bz2": {"name": "gcc_impl_linux-64", "version": "!!"}}}',
        '{"packages": {"gcc_impl_linux-64-9.5.0-0.tar.bz2": {"name": "gcc_impl_linux-64", "depends": 5}}}',
    ],
)
def test_an_index_that_is_none(server: Server, store: Store, text: str) -> None:
    server.files |= {f"/{each}/repodata.json": text.encode() for each in ("linux-64", "noarch")}
    with pytest.raises(Problem) as caught:
        conda.lock(asked(), Client(wait=0), site(server), store)
    assert caught.value.diagnostics[0].code.id == "E0402"
    assert "no index" in caught.value.diagnostics[0].message


def test_mirrors_in_turn_from_a_configuration_file(server: Server, store: Store, tmp_path: Path) -> None:
    """One is silent, one has nothing, one has the old form of the index, and lacks a package that the last one has."""
    made = channel()
    path = "linux-64/gcc_impl_linux-64-9.5.0-h0_0.conda"
    server.files |= {f"/part/{each}": content for each, content in made.served("bz2").items() if each != path}
    server.files |= {f"/whole/{each}": content for each, content in made.files.items()}
    places = ["http://127.0.0.1:9", *(f"{server.address}/{each}" for each in ("none", "part", "whole"))]
    (tmp_path / "config.toml").write_text(f"[mirrors]\nconda-forge = {json.dumps(places)}\n")
    here = Site({"REPROC_CONFIG": str(tmp_path / "config.toml")})
    tree = conda.lock(asked(), Client(wait=0), here, store)
    assert len(tree.packages) == 4
    assert f"/whole/{path}" in server.asked and "/none/linux-64/repodata.json" in server.asked


def test_a_channel_that_is_silent(store: Store) -> None:
    nowhere = Site({"REPROC_MIRROR_CONDA_FORGE": "http://127.0.0.1:9"})
    with pytest.raises(Problem) as caught:
        conda.lock(asked(), Client(wait=0, timeout=(1, 1)), nowhere, store)
    (found,) = caught.value.diagnostics
    assert found.code.id == "E0401" and "REPROC_MIRROR_CONDA_FORGE" in (found.help or "")
    base = ArchiveRequest("root.tar", None, "debian", "bookworm", span())
    target = TargetRequest("default", "linux/amd64", base, (), (), ())
    (other,) = instead_of("toolchain gcc-9.5.0-conda-bookworm", asked(), target, (found,))
    assert (other.code.id, other.facts["next"]) == ("E0499", "image")


class World:
    """A target with GCC of a channel."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, self.site = server, folder, site(server)
        with tarfile.open(folder / "root.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo("etc"))
        self.store = Store(folder / "store")
        base = ArchiveRequest("root.tar", None, "debian", "bookworm", span())
        self.key = "toolchain gcc-9.5.0-conda-bookworm"
        self.request = TargetRequest("default", "linux/amd64", base, (), (), ((self.key, asked()),))

    def lock(self, made: Channel, **more: Any) -> Lock:
        self.server.files |= {f"/{path}": content for path, content in made.served().items()}
        found = resolve(
            (self.request,), self.folder, self.store, Silent(), now=1_800_000_000, site=self.site, **more
        )
        assert found.value is not None, found.diagnostics
        return found.value

    def tree(self, lock: Lock) -> CondaTree:
        tree = dict(lock.targets[0].trees)[self.key]
        assert isinstance(tree, CondaTree)
        return tree


def test_from_a_request_to_a_filled_store(server: Server, tmp_path: Path) -> None:
    world = World(server, tmp_path)
    lock = world.lock(channel())
    text = write(lock, (world.request,))
    file = read(SourceFile("repro.lock", text)).value
    assert file is not None and file.lock == lock
    asked_before = len(server.asked)
    assert world.lock(channel(), previous=file) == lock
    assert len(server.asked) == asked_before, "what did not change asks nobody"
    other = Store(tmp_path / "other")
    done = fetch(lock, lock.targets[0], tmp_path, other, Silent(), site=world.site)
    assert done.diagnostics == () and done.value is not None
    assert ("conda-forge", world.key) in {(each.source, each.name) for each in done.value.files}
    assert other.path(world.tree(lock).sha256) is not None
    assert not any("repodata" in each for each in server.asked[asked_before:]), "a lock needs no index"


def test_what_installs_packages_comes_for_standalone_recipes_alone(tmp_path: Path) -> None:
    text = (
        "reproc 1\nbase debian bookworm { from bootstrap }\ntoolchain gcc 9.5 { provider conda }\n"
        'build a { using gcc 9.5; in /a; run "make"; keep /opt/a }\n'
        "build b { on base debian bullseye { from bootstrap }\n"
        'using gcc 9.5; in /b; run "make"; keep /opt/b }\n'
    )
    parsed = parse(SourceFile("repro.spec", text))
    assert parsed.value is not None
    checked = check(parsed.value, Folder(tmp_path))
    assert checked.value is not None, checked.diagnostics
    (request,) = requests(checked.value, Folder(tmp_path)).value or ()
    installing = "toolchain-gcc-9-5-0-conda"
    assert request.alone == {f"{installing}-bookworm", f"on-debian-bullseye-{installing}-bullseye"}
    store = Store(tmp_path / "store")

    def kept(name: str) -> str:
        (tmp_path / "file").write_text(name)
        return store.add_file(tmp_path / "file")

    def system(asked: TargetRequest) -> LockedTarget:
        """With one package a layer, which the store has unless it is for standalone recipes."""
        layers = (
            (each.name, hashlib.sha256(each.name.encode()).hexdigest() if each.alone else kept(each.name))
            for each in asked.apt
        )
        debs = ((name, Deb(name, "1", "all", "debian", "pool/x.deb", 1, sha256)) for name, sha256 in layers)
        return LockedTarget(
            asked.name,
            asked.platform,
            BootstrapBase("debian", "bookworm", (), "mmdebstrap", kept("base"), 1),
            tuple(AptLayer(name, None, (), (deb,)) for name, deb in debs),
            (),
            (),
            tuple(map(system, asked.further)),
        )

    target = system(request)
    nowhere = Site({"REPROC_MIRROR_DEBIAN": "http://127.0.0.1:9"})
    lock = Lock(1, (Archive("debian", "live", (("bookworm", "0" * 64),), True),), (target,))
    done = fetch(lock, target, tmp_path, store, Silent(), site=nowhere, without=request.alone)
    assert done.diagnostics == ()
    assert fetch(lock, target, tmp_path, store, Silent(), site=nowhere).errors
    laid_out, everything = (
        {each.path.split("/")[1] for each in inputs(target, without) if each.path.startswith("debs/")}
        for without in (request.alone, frozenset[str]())
    )
    assert everything - laid_out == request.alone and laid_out


def test_a_newer_build(server: Server, tmp_path: Path) -> None:
    world = World(server, tmp_path)
    made = channel()
    lock = world.lock(made)
    made.add("binutils_impl_linux-64", "2.40", {}, day=1_750_000_000)
    file = read(SourceFile("repro.lock", write(lock, (world.request,)))).value
    assert world.lock(made, previous=file) == lock
    (found,) = newer(lock, (world.request,), world.store, Silent(), now=0, site=world.site).value or ()
    assert (found.section, found.name, found.locked, found.within) == (
        world.key,
        "binutils_impl_linux-64",
        "2.39-h0_0",
        "2.40-h0_0",
    )
    moved = world.lock(made, previous=file, update=EVERYTHING)
    assert world.tree(moved).packages[0].version == "2.40"
    assert "binutils_impl_linux-64" in repr(difference(lock, moved))
    earlier = world.lock(made, previous=file, as_of=1_740_000_000)
    assert world.tree(earlier).packages == world.tree(lock).packages


def test_a_lock_that_lies(server: Server, tmp_path: Path) -> None:
    world = World(server, tmp_path)
    lock = world.lock(channel())
    tree = replace(world.tree(lock), sha256="0" * 64)
    with pytest.raises(Problem) as caught:
        conda.fetch(tree, Client(wait=0), world.site, world.store)
    assert caught.value.diagnostics[0].code.id == "E0403"
    for wrong in ('"path": "../x.conda"', '"path": "linux-64/../../x.conda"', '"path": "linux-64/x;y.conda"'):
        text = write(lock, (world.request,))
        path = f'"path": "{tree.packages[0].path}"'
        assert path in text
        assert read(SourceFile("repro.lock", text.replace(path, wrong))).value is None


def test_neither_this_machine_nor_its_home_has_a_say(
    server: Server, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = channel()
    before = lock(server, made, store)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".condarc").write_text("channel_alias: http://127.0.0.1:9/nowhere\n")
    (home / ".mambarc").write_text("offline: true\n")
    for name, value in {"HOME": str(home), "CONDA_OVERRIDE_GLIBC": "2.12", "CONDA_SUBDIR": "osx-64"}.items():
        monkeypatch.setenv(name, value)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "RATTLER_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert lock(server, made, Store(tmp_path / "other")) == before
    assert sorted(each.name for each in home.rglob("*")) == [".condarc", ".mambarc"]


STARTED = """\
import sys
from reproc.cli import main

status = main(["compile", sys.argv[1]])
print(status, [name for name in ("asyncio", "rattler", "reproc.lock.conda.channel") if name in sys.modules])
"""


def test_only_asking_a_channel_loads_the_solver(tmp_path: Path) -> None:
    (tmp_path / "repro.spec").write_text(
        "reproc 1\nbase debian bookworm\ntoolchain gcc 9 { provider conda }\ntarget vendored\n"
    )
    command = [sys.executable, "-c", STARTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "2 []", done.stderr
    assert "E0526" in done.stderr
