"""Refusals that no other test of this folder provokes, each by what really causes it."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reproc import catalog, pipeline
from reproc.diagnostics import Outcome
from reproc.lock.fetch import fetch
from reproc.lock.file import write
from reproc.lock.model import ArchiveBase, BootstrapBase, Deb
from reproc.lock.problem import Problem, attempt
from reproc.lock.providers import bootstrap, image
from reproc.lock.requests import BootstrapRequest, ImageRequest, LocalRequest, TargetRequest
from reproc.lock.resolve import resolve
from reproc.lock.store import Store
from reproc.lock.unpack import Limits

from .conftest import Recorder, Server, span
from .test_image import layer, publish
from .test_resolve import NOW, World, target, world
from .test_unpack import canonical

__all__ = ["world"]


def code_of(caught: pytest.ExceptionInfo[Problem]) -> str:
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code.name


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def work() -> Outcome[str]:
        with Store(tmp_path / "file") as store:
            return Outcome(store.add_stream([b"x"]))

    found = attempt(work)
    assert [each.code.name for each in found.diagnostics] == ["file-trouble"]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("E: write failed: No space left on device", "TMPDIR"),
        ("E: newuidmap: no entry in /etc/subuid", "uidmap"),
        ("E: something else", None),
    ],
)
def test_a_base_that_cannot_be_made(
    said: str, advice: str | None, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for mmdebstrap says what the real one does and fails as it does."""
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 25\n")
    program.chmod(0o755)
    for name in ("dpkg-deb", "apt-get"):
        (program.parent / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    release = catalog.release("debian", "bookworm")
    assert release is not None
    moments = (("debian", "20240601T000000Z"), ("debian-security", "20240601T000000Z"))
    sha256 = store.add_stream([b"a package"])
    deb = Deb("x", "1", "amd64", "debian", "pool/main/x/x/x_1_amd64.deb", 9, sha256)
    recipe = bootstrap.Recipe(release, "linux/amd64", (deb,), 1, moments)
    with pytest.raises(Problem) as caught:
        bootstrap.make(recipe, store, Recorder())
    assert code_of(caught) == "tool-failed"
    (diagnostic,) = caught.value.diagnostics
    assert said in diagnostic.output
    assert (advice or "") in (diagnostic.help or "") and (diagnostic.help is None) == (advice is None)


def test_an_image_without_packages(store: Store) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("./etc/alpine-release"))
    rootfs = store.add_stream([out.getvalue()])
    base = ArchiveBase("image.tar", rootfs, rootfs, 1, (), plain=True)
    with pytest.raises(Problem) as caught:
        image.installed(base, store, span())
    assert code_of(caught) == "no-package-database"


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, store: Store) -> None:
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        head = tarfile.TarInfo("zeros")
        head.size = 10_000_000
        archive.addfile(head, io.BytesIO(bytes(head.size)))
    with pytest.raises(Problem) as caught:
        canonical(tmp_path / "bomb.tar.gz", store, 0, Limits(small=100_000, ratio=2))
    assert code_of(caught) == "archive-too-large"


def test_a_platform_whose_programs_do_not_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="riscv64"))
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    asked = BootstrapRequest("debian", "bookworm", span())
    with pytest.raises(Problem) as caught:
        bootstrap.runs_here(asked, "linux/amd64")
    assert code_of(caught) == "other-architecture"


def test_a_base_that_comes_out_otherwise(world: World, tmp_path: Path) -> None:
    lock = world.resolve(target())
    (locked,) = lock.targets
    assert isinstance(locked.base, BootstrapBase)
    other = replace(locked, base=replace(locked.base, sha256="0" * 64))
    with Store(tmp_path / "other") as fresh:
        changed = replace(lock, targets=(other,))
        found = fetch(changed, other, world.folder, fresh, Recorder(), site=world.site)
    assert [each.code.name for each in found.diagnostics] == ["base-differs"]


def test_a_lock_of_another_spec(world: World) -> None:
    asked = target()
    place = world.folder / "repro.lock"
    place.write_text(write(world.resolve(asked), (asked,)), encoding="utf-8")
    assert pipeline.read_lock(place, (asked,)).diagnostics == ()
    more = replace(asked, trees=(*asked.trees, ("code y", LocalRequest("src", (), None, None, span()))))
    found = pipeline.read_lock(place, (more,))
    assert found.value is None
    assert [each.code.name for each in found.diagnostics] == ["stale-lock"]


def test_a_registry_knows_no_past(world: World, server: Server) -> None:
    publish(server, layer(("etc", None), ("etc/os-release", b"ID=x\n")))
    name = f"{server.address.removeprefix('http://')}/lib/x:1"
    base = ImageRequest(name, None, None, span())
    asked = TargetRequest("cpu", "linux/amd64", base, (), (), (), as_of=NOW - 86_400)
    found = resolve((asked,), world.folder, world.store, Recorder(), now=NOW, site=world.site)
    assert [each.code.name for each in found.diagnostics] == ["as-of-image"]
    assert found.value is not None
