"""Bases made by the real mmdebstrap from the real archive: the same bytes whatever the surroundings."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproc import catalog
from reproc.lock.archives import Site, mirror_variable
from reproc.lock.debian.index import installed_from
from reproc.lock.fetch import Fetching
from reproc.lock.model import Archive, BootstrapBase, Lock
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt, bootstrap
from reproc.lock.store import Store

from .conftest import Recorder

TIME = 1_790_000_000


def test_the_script_is_sound_shell() -> None:
    release = catalog.release("debian", "bookworm")
    assert release is not None
    moments = (("debian", "20240601T000000Z"), ("debian-security", "20240601T000000Z"))
    base = BootstrapBase("debian", "bookworm", (), "mmdebstrap 1", "a" * 64, 1)
    archives = tuple(Archive(name, time, (), False) for name, time in moments)
    text = bootstrap.bootstrap_script(base, Lock(TIME, archives, ()))
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    if checker := shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        done = subprocess.run(
            [checker, "-s", "sh", "-"], input=text, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout
    assert f".reproc/base/{'a' * 64}.tar" in text
    assert "20240601T000000Z bookworm-security main" in text


def test_a_missing_tool_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(Problem) as caught:
        bootstrap.tool()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code.name == "tool-missing"
    assert "`mmdebstrap`" in (diagnostic.help or "")


class Real:
    """A base of bookworm as the archive has it now, made once."""

    def __init__(self, folder: Path) -> None:
        self.store, self.site = Store(folder / "store"), Site()
        release = catalog.release("debian", "bookworm")
        assert release is not None
        archives = apt.Archives(self.site, Client(), self.store, TIME)
        debs = apt.debs(apt.basic_closure(archives.universe(release, "amd64"), release).values())
        self.used = archives.used()
        snapshots = tuple((a.name, a.snapshot) for a in self.used)
        self.recipe = bootstrap.Recipe(release, "linux/amd64", debs, TIME, snapshots)
        work = Fetching(self.store, self.site, Client(), Recorder())
        work.run("fetching", list(work.debs(debs, self.used)))
        self.sha256, self.size = bootstrap.make(self.recipe, self.store, Recorder())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    if not Site().live("debian"):
        pytest.skip(
            "this machine's apt has no source of Debian's archive, and REPROC_MIRROR_DEBIAN names none"
        )
    yield Real(tmp_path_factory.mktemp("real"))


@pytest.mark.network
@pytest.mark.slow
def test_what_is_in_it(real: Real) -> None:
    with tarfile.open(real.store.place(real.sha256)) as archive:

        def text(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        have = {(p.name, p.version) for p in installed_from(text("./var/lib/dpkg/status")).values()}
        assert have == {(d.name, d.version) for d in real.recipe.debs}
        assert text("./etc/resolv.conf") == b""
        assert text("./etc/hostname") == b"localhost\n"
        sources = text("./etc/apt/sources.list").decode().splitlines()
        assert [line.split()[3] for line in sources] == ["bookworm", "bookworm-updates", "bookworm-security"]
        names = archive.getnames()
    assert not [
        n
        for n in names
        if n.startswith(("./var/lib/apt/lists/", "./var/cache/apt/archives/"))
        and n.endswith((".deb", "Packages"))
    ]
    assert not [n for n in names if n.startswith("./var/log/") and n.endswith(".log") and "/apt/" in n]


@pytest.mark.network
@pytest.mark.slow
def test_surroundings_do_not_matter(real: Real) -> None:
    """The written script, fetching by itself, unprivileged where possible, with another TMPDIR and umask."""
    place = Path("/var/tmp") / f"reproc-test-{os.getpid()}"
    place.mkdir()
    try:
        place.chmod(0o777)
        base = BootstrapBase("debian", "bookworm", real.recipe.debs, bootstrap.tool(), real.sha256, real.size)
        script = place / "bootstrap.sh"
        script.write_text(bootstrap.bootstrap_script(base, Lock(TIME, real.used, ())))
        command = ["sh", "-c", 'umask 077; exec sh "$0"', str(script)]
        environment = os.environ | {"TMPDIR": str(place), "HOME": str(place)}
        for archive in ("debian", "debian-security"):
            environment[mirror_variable(archive)] = real.site.live(archive)[0]
        other = _unprivileged()
        if other is not None and shutil.which("setpriv"):
            command = ["setpriv", "--reuid", str(other), "--regid", str(other), "--clear-groups", *command]
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        made = place / ".reproc/base" / f"{real.sha256}.tar"
        assert made.stat().st_size == real.size
        assert sorted(p.name for p in place.iterdir()) == [".reproc", "bootstrap.sh"]
    finally:
        shutil.rmtree(place)


def _unprivileged() -> int | None:
    """A user that has ids of its own for user namespaces."""
    if os.getuid() != 0 or shutil.which("newuidmap") is None:
        return None
    try:
        names = [line.partition(":")[0] for line in Path("/etc/subuid").read_text().splitlines()]
        return next((pwd.getpwnam(n).pw_uid for n in names if n and n != "root"), None)
    except (OSError, KeyError):
        return None


@pytest.mark.network
@pytest.mark.slow
def test_a_wrong_package_is_refused(real: Real, tmp_path: Path) -> None:
    debs = tmp_path / "debs"
    debs.mkdir()
    for deb in real.recipe.debs:
        real.store.link(deb.sha256, debs / deb.sha256)
    first = debs / real.recipe.debs[0].sha256
    content = first.read_bytes()
    first.unlink()
    first.write_bytes(content[:-1] + b"?")
    (tmp_path / "bootstrap").write_text(real.recipe.script())
    done = subprocess.run(
        ["sh", str(tmp_path / "bootstrap"), str(tmp_path / "out.tar")],
        env=os.environ | {"REPROC_DEBS": str(debs), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "has another sha256" in done.stderr
    assert not (tmp_path / "out.tar").exists()
