"""Locking distribution packages from a small signed archive on loopback; what is wrong with it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reproc import catalog
from reproc.lock.archives import Site
from reproc.lock.debian.release import verified
from reproc.lock.model import AptLayer
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import apt
from reproc.lock.requests import AptRequest
from reproc.lock.store import Store

from .conftest import Key, Server, SmallArchive, item, suite_files

RELEASE = catalog.release("debian", "bookworm")


def resolve(site: Site, store: Store, *packages: str) -> tuple[list[str], tuple[AptLayer, ...]]:
    assert RELEASE is not None
    universe = apt.Archives(site, Client(wait=0), store, 0).universe(RELEASE, "amd64")
    installed = apt.basic_closure(universe, RELEASE)
    request = AptRequest("system", None, tuple(item(p) for p in packages))
    return sorted(installed), apt.layers(universe, RELEASE, installed, [request])


def told(site: Site, store: Store, *packages: str) -> list[tuple[str, str, str | None]]:
    with pytest.raises(Problem) as caught:
        resolve(site, store, *packages)
    return [(d.code.name, d.message, d.help) for d in caught.value.diagnostics]


def test_base_and_layer(site: Site, store: Store) -> None:
    base, (layer,) = resolve(site, store, "tool")
    assert base == ["apt", "base-thing", "libbase", "needed"]
    assert [f"{d.name} {d.version}" for d in layer.debs] == ["helper 2.1", "libtool-b 1", "tool 1.0"]
    assert all(d.archive == "debian" and len(d.sha256) == 64 and d.size > 0 for d in layer.debs)


def test_the_index_is_kept(site: Site, store: Store, server: Server) -> None:
    resolve(site, store, "tool")
    server.asked.clear()
    resolve(site, store, "tool")
    assert [path for path in server.asked if "InRelease" not in path] == []
    for path in (store.root / "sha256").glob("*/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    damaged = Store(store.root)
    assert resolve(site, damaged, "tool")[0] == ["apt", "base-thing", "libbase", "needed"]
    assert damaged.damaged and any("Packages" in path for path in server.asked)


def test_mistakes_are_told_together_with_help(site: Site, store: Store) -> None:
    found = told(site, store, "helpr", "tool=9", "broken", "libbase=1:1.5-2")
    assert sorted(name for name, _, _ in found) == [
        "unknown-package",
        "unknown-package-version",
        "unsatisfiable-package",
    ]
    helps = {name: text for name, _, text in found}
    assert helps["unknown-package"] == "did you mean `helper`?"
    assert helps["unknown-package-version"] == "it has `1.0`"
    assert any("`nothing-has-this (>= 4)`" in message for _, message, _ in found)


def test_spans_are_the_words(site: Site, store: Store) -> None:
    with pytest.raises(Problem) as caught:
        resolve(site, store, "nosuch")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.span is not None
    assert diagnostic.span.text == "nosuch"


def test_an_index_with_a_flipped_byte(site: Site, store: Store, server: Server) -> None:
    path = "/debian/dists/bookworm/main/binary-amd64/Packages.xz"
    server.files[path] = server.files[path][:-1] + b"?"
    ((name, message, _),) = told(site, store, "tool")
    assert name == "digest-mismatch"
    assert "Packages.xz" in message


def test_a_release_file_with_a_flipped_byte(site: Site, store: Store, server: Server) -> None:
    path = "/debian/dists/bookworm/InRelease"
    server.files[path] = server.files[path].replace(b"Codename: bookworm", b"Codename: bookwarm")
    ((name, message, _),) = told(site, store, "tool")
    assert name == "bad-signature"
    assert "`bookworm`" in message


def test_unsigned_text_around_the_signed_one_is_not_read(key: Key) -> None:
    signed = suite_files(key, "bookworm", b"")["dists/bookworm/InRelease"]
    try:
        found = verified(
            b"SHA256:\n " + b"0" * 64 + b" 1 evil\n\n" + signed, [key.keyring], "debian", "bookworm"
        )
    except Problem as refusal:
        assert refusal.diagnostics[0].code.name == "bad-signature"
    else:
        assert "evil" not in found.digests


def test_no_keyring(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Site, "keyrings", property(lambda self: ()))
    ((name, _, text),) = told(site, store, "tool")
    assert name == "no-keyring"
    assert "debian-archive-keyring" in (text or "")


def test_no_verifier(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    ((name, _, text),) = told(site, store, "tool")
    assert (name, text) == ("tool-missing", "install the package `gpgv` (or `sqv`)")


def test_no_network(site: Site, store: Store) -> None:
    dead = {k: "http://127.0.0.1:9/x" if "MIRROR" in k else v for k, v in site.environment.items()}
    found = told(replace(site, environment=dead), store, "tool")
    assert [name for name, _, _ in found] == ["no-network"]


def test_a_suite_that_is_not_there(site: Site, store: Store, server: Server) -> None:
    del server.files["/debian/dists/bookworm-updates/InRelease"]
    ((name, message, _),) = told(site, store, "tool")
    assert name == "not-served"
    assert "`bookworm-updates`" in message


def test_an_entry_that_leads_elsewhere(
    site: Site, store: Store, server: Server, small_archive: SmallArchive
) -> None:
    evil = (
        b"Package: evil\nVersion: 1\nArchitecture: amd64\nFilename: pool/../../etc/x.deb\nSize: 1\nSHA256: "
        + b"0" * 64
    )
    for path, content in suite_files(small_archive.key, "bookworm-updates", evil + b"\n").items():
        server.files[f"/debian/{path}"] = content
    ((name, _, _),) = told(site, store, "evil")
    assert name == "bad-index"
