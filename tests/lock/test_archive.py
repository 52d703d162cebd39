"""Bases from archives beside the spec: image layouts, what `docker save` wrote, plain root file systems."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from reproc.lock.model import ArchiveBase
from reproc.lock.problem import Problem
from reproc.lock.providers import archive, image
from reproc.lock.requests import ArchiveRequest
from reproc.lock.store import Store

from .conftest import item, span

AMD64 = "linux/amd64"
STATUS = b"Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12\n"


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
    return out.getvalue()


LOWER = tarred({"etc/a": b"a", "etc/gone": b"x", "var/lib/dpkg/status": STATUS})
UPPER = tarred({"etc/.wh.gone": b"", "etc/b": b"b"})
MERGED = {"./etc/a": b"a", "./etc/b": b"b", "./var/lib/dpkg/status": STATUS}
CONFIG = {"os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/bin", "X=a=b"]}}


def layout(architecture: str = "amd64", **changed: bytes) -> dict[str, bytes]:
    """An OCI image layout of two layers, the second one compressed."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, Any]:
        name = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{name}"] = content
        return {"digest": f"sha256:{name}", "size": len(content)}

    config = blob(json.dumps(CONFIG | {"architecture": architecture}).encode())
    layers = [blob(LOWER), blob(gzip.compress(UPPER, mtime=0))]
    manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode())
    manifest["platform"] = {"os": "linux", "architecture": architecture}
    index = {"schemaVersion": 2, "manifests": [manifest]}
    return {"oci-layout": b"{}", "index.json": json.dumps(index).encode()} | blobs | changed


def saved() -> dict[str, bytes]:
    """What `docker save` wrote before it wrote layouts."""
    listed = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    files = {"manifest.json": json.dumps(listed).encode(), "c.json": json.dumps(CONFIG).encode()}
    return files | {"1/layer.tar": LOWER, "2/layer.tar": UPPER}


def lock(
    content: bytes, tmp_path: Path, store: Store, *, sha256: str | None = None, platform: str = AMD64
) -> ArchiveBase:
    (tmp_path / "image.tar").write_bytes(content)
    asked = ArchiveRequest("image.tar", item(sha256) if sha256 else None, "debian", "bookworm", span())
    return archive.lock(asked, tmp_path, platform, store)


def held(base: ArchiveBase, store: Store) -> dict[str, bytes]:
    with tarfile.open(store.place(base.rootfs)) as tar:
        found = {each.name: tar.extractfile(each) for each in tar if each.isfile()}
        return {name: file.read() for name, file in found.items() if file}


def told(content: bytes, tmp_path: Path, store: Store, **more: str) -> str:
    with pytest.raises(Problem) as caught:
        lock(content, tmp_path, store, **more)  # type: ignore[arg-type]
    (only,) = caught.value.diagnostics
    return f"{only.code.id} {only.message}"


@pytest.mark.parametrize("files", [layout(), saved()], ids=["layout", "docker save"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_image(files: dict[str, bytes], packed: bool, tmp_path: Path, store: Store) -> None:
    content = gzip.compress(tarred(files)) if packed else tarred(files)
    base = lock(content, tmp_path, store, sha256=hashlib.sha256(content).hexdigest())
    assert held(base, store) == MERGED
    assert (base.environment, base.plain) == ((("PATH", "/bin"), ("X", "a=b")), False)
    assert base.sha256 == hashlib.sha256(content).hexdigest()
    assert set(image.installed(base, store, span())) == {"base-files"}


def test_a_root_file_system(tmp_path: Path, store: Store) -> None:
    base = lock(LOWER, tmp_path, store)
    assert base.plain and set(held(base, store)) == {"./etc/a", "./etc/gone", "./var/lib/dpkg/status"}


def test_the_store_can_be_filled_again(tmp_path: Path, store: Store) -> None:
    base = lock(tarred(layout()), tmp_path, store)
    other = Store(tmp_path / "other")
    archive.fetch(base, tmp_path, AMD64, other)
    assert other.path(base.rootfs) is not None
    (tmp_path / "image.tar").write_bytes(LOWER)
    with pytest.raises(Problem) as caught:
        archive.fetch(base, tmp_path, AMD64, other)
    assert caught.value.diagnostics[0].code.id == "E0437"


def test_what_cannot_be_a_base(tmp_path: Path, store: Store) -> None:
    whole = tarred(layout())
    assert told(whole, tmp_path, store, sha256="0" * 64).startswith("E0435")
    assert told(whole, tmp_path, store, platform="linux/arm64").startswith("E0454")
    assert told(b"no tar at all" * 99, tmp_path, store).startswith("E0441")
    assert told(gzip.compress(whole)[:200], tmp_path, store).startswith("E0441")
    assert told(tarred(layout(**{"index.json": b"{}"})), tmp_path, store).startswith("E0441")
    assert told(tarred(layout(**{"index.json": b"["})), tmp_path, store).startswith("E0441")
    twice = json.dumps(json.loads(saved()["manifest.json"]) * 2).encode()
    assert "several images" in told(tarred(saved() | {"manifest.json": twice}), tmp_path, store)
    assert told(tarred({"../x": b""}), tmp_path, store).startswith("E0441")


def test_a_layer_that_was_changed(tmp_path: Path, store: Store) -> None:
    name = f"blobs/sha256/{hashlib.sha256(LOWER).hexdigest()}"
    assert told(tarred(layout(**{name: UPPER})), tmp_path, store).startswith("E0403")
