"""Third-party archives with their keys, and archives as they stood on a day, from stand-ins on loopback."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace

import pytest

from reproc import catalog
from reproc.diagnostics import Diagnostic
from reproc.lock.archives import Site, moment
from reproc.lock.debian import thirdparty
from reproc.lock.model import Archive, Deb
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt
from reproc.lock.requests import AptRequest, SourceRequest
from reproc.lock.store import Store

from .conftest import Key, Server, SmallArchive, item, span, suite_files

RELEASE = catalog.release("debian", "bookworm")
MAY, JUNE = 1_714_521_600, 1_717_200_000
"""The first days of these months of 2024."""
SOURCE = SourceRequest("https://example.org/apt", b"", "stable", ("main",), span())


def found(
    site: Site,
    store: Store,
    *packages: str,
    sources: tuple[SourceRequest, ...] = (),
    as_of: int | None = None,
) -> tuple[tuple[Deb, ...], tuple[Archive, ...]]:
    assert RELEASE is not None
    known = apt.Archives(site, Client(wait=0, attempts=1), store, as_of or MAY, as_of is not None)
    universe = known.universe(RELEASE, "amd64", sources)
    installed = apt.basic_closure(universe, RELEASE)
    (layer,) = apt.layers(
        universe, RELEASE, installed, [AptRequest("system", None, tuple(map(item, packages)))]
    )
    return layer.debs, known.used()


def told(site: Site, store: Store, *packages: str, **more: object) -> Diagnostic:
    with pytest.raises(Problem) as caught:
        found(site, store, *packages, **more)  # type: ignore[arg-type]
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def publish(
    server: Server, key: Key, *, flat: bool = False, date: str = "Wed, 01 May 2024 00:00:00 UTC"
) -> str:
    """An archive of one package; its address."""
    packages = b"Package: extra\nVersion: 1\nArchitecture: amd64\nFilename: %s\nSize: 1\nSHA256: %s\n" % (
        b"./extra.deb" if flat else b"pool/extra.deb",
        b"a" * 64,
    )
    folder, name = ("/other/", "Packages") if flat else ("/other/dists/stable/", "main/binary-amd64/Packages")
    listed = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {name}\n"
    server.files[f"{folder}InRelease"] = key.sign(f"Suite: stable\nDate: {date}\nSHA256:\n{listed}".encode())
    server.files[folder + name] = packages
    return f"{server.address}/other"


def armored(key: Key) -> bytes:
    command = ["gpg", "--homedir", str(key.home), "--batch", "--export", "--armor"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("armor", [True, False], ids=["armored", "binary"])
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "suite"])
def test_a_third_party_archive(
    site: Site, store: Store, server: Server, key: Key, armor: bool, flat: bool
) -> None:
    address = publish(server, key, flat=flat)
    signed = armored(key) if armor else key.keyring.read_bytes()
    source = SourceRequest(address, signed, "./" if flat else "stable", () if flat else ("main",), span())
    (deb,), used = found(site, store, "extra", sources=(source,))
    assert deb.path == ("extra.deb" if flat else "pool/extra.deb")
    (archive,) = (each for each in used if each.address is not None)
    assert (archive.name, archive.address) == (deb.archive, address)
    assert site.places(archive) == (address,)
    assert [name for name, _ in archive.suites] == ["./" if flat else "stable"]


def test_two_addresses_have_two_names() -> None:
    names = {
        thirdparty.name_of(each)
        for each in ("https://a.example/x", "https://a.example/x/", "http://a.example/x")
    }
    assert len(names) == 3


@pytest.mark.parametrize(
    "key_file", [b"", b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n", b"\x88\x00"]
)
def test_a_file_without_a_key(site: Site, store: Store, server: Server, key: Key, key_file: bytes) -> None:
    source = replace(SOURCE, address=publish(server, key), key=key_file)
    assert told(site, store, "extra", sources=(source,)).code.name == "unreadable-key"


def test_another_key(site: Site, store: Store, server: Server, key: Key) -> None:
    address = publish(server, key)
    server.files["/other/dists/stable/InRelease"] = server.files["/other/dists/stable/InRelease"].replace(
        b"Suite: stable", b"Suite: stAble"
    )
    mistake = told(site, store, "extra", sources=(replace(SOURCE, address=address, key=armored(key)),))
    assert mistake.code.name == "bad-signature"
    assert mistake.span == SOURCE.origin


def test_a_third_party_archive_as_of_a_day(
    site: Site, store: Store, server: Server, key: Key, small_archive: SmallArchive
) -> None:
    source = replace(SOURCE, address=publish(server, key), key=armored(key))
    past = snapshots(site, server, small_archive, JUNE)
    assert [deb.name for deb in found(past, store, "extra", sources=(source,), as_of=JUNE)[0]] == ["extra"]
    publish(server, key, date="Tue, 02 Jul 2024 00:00:00 UTC")
    mistake = told(past, store, "extra", sources=(source,), as_of=JUNE)
    assert (mistake.code.name, "2024-07-02" in mistake.message) == ("as-of-without-history", True)


def snapshots(site: Site, server: Server, archive: SmallArchive, time: int, more: str = "") -> Site:
    """A machine whose snapshot service is the loopback server's, and has the archive at one moment."""
    for path, content in archive.files.items():
        name = "debian-security" if "security" in path else "debian"
        server.files[f"/snapshots/archive/{name}/{moment(time)}/{path}"] = content
    for path, content in suite_files(archive.key, "bookworm-updates", more.encode()).items():
        server.files[f"/snapshots/archive/debian/{moment(time)}/{path}"] = content
    variable = {"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": f"{server.address}/snapshots"}
    return replace(site, environment={**site.environment, **variable})


def test_the_archive_as_of_a_day(
    site: Site, store: Store, server: Server, small_archive: SmallArchive
) -> None:
    new = f"Package: tool\nVersion: 2.0\nArchitecture: amd64\nFilename: pool/t.deb\nSize: 1\nSHA256: {'b' * 64}\n"
    past = snapshots(site, server, small_archive, MAY)
    snapshots(site, server, small_archive, JUNE, new)
    server.asked.clear()
    for time, version in ((MAY, "1.0"), (JUNE, "2.0")):
        debs, used = found(past, store, "tool", as_of=time)
        assert next(deb.version for deb in debs if deb.name == "tool") == version
        assert {(archive.snapshot, archive.confirmed) for archive in used} == {(moment(time), True)}
    assert all(path.startswith("/snapshots/") for path in server.asked)


def test_a_day_before_the_first(site: Site, store: Store) -> None:
    mistake = told(site, store, "tool", as_of=1_000_000_000)
    assert mistake.code.name == "as-of-too-early"
    assert mistake.help == "write `as-of 2005-03-12` or later"


def test_a_live_mirror_knows_no_past(site: Site, store: Store, server: Server) -> None:
    dead = {"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": "http://127.0.0.1:9"}
    server.asked.clear()
    mistake = told(replace(site, environment={**site.environment, **dead}), store, "tool", as_of=JUNE)
    assert mistake.code.name == "as-of-needs-snapshots"
    assert "REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG" in (mistake.help or "")
    assert server.asked == []
