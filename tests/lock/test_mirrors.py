"""Several mirrors of one place: the next one is taken where one is dead, lacks what is asked for, or lies."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from reproc import catalog
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic
from reproc.lock.archives import Site
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import git, image, purl, swh
from reproc.lock.providers.apt import Archives
from reproc.lock.providers.refs import refs
from reproc.lock.providers.uv import Ask, resolved
from reproc.lock.requests import GitRequest, SwhRequest
from reproc.lock.store import Store
from reproc.record import replace as with_other

from ..upstream import commit, upstream
from .conftest import Server, span
from .test_image import layer, publish
from .test_pypi import publish as publish_package
from .test_pypi import wheel

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def client() -> Client:
    return Client(wait=0.001, attempts=1, timeout=(2, 2))


def passed_over(client: Client) -> list[str]:
    assert all(isinstance(each, Diagnostic) and each.code is codes.MIRROR_PASSED_OVER for each in client.told)
    return [each.message.split("`")[1] for each in client.told]


def test_repositories_and_their_large_files(tmp_path: Path, store: Store, client: Client) -> None:
    with upstream(tmp_path / "served") as service:
        place = service.repository("model")
        head = commit(place, {"big": service.keep(b"x" * 999), ".gitattributes": b"big filter=lfs\n"})
        site = Site({"REPROC_MIRROR_CODE_INVALID": f"{DEAD} {service.address}/none {service.address}"})
        asked = GitRequest("http://code.invalid/model", "branch", "main", span(), lfs=True)
        found = git.lock(asked, store, client, site).value
        assert found is not None
        assert (found.url, found.commit, [each.path for each in found.large]) == (asked.url, head, ["big"])
        assert refs(asked, site)["refs/heads/main"] == head

        # where nobody has it, the one that answers is who tells why
        with pytest.raises(Problem) as caught:
            git.lock(with_other(asked, ref="other"), store, client, site)
        assert caught.value.diagnostics[0].code not in codes.UNREACHABLE


def test_images(server: Server, store: Store, client: Client) -> None:
    content = layer(("f", b"1"))
    wanted = publish(server, content)
    blob = f"/v2/lib/x/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    for path, right in tuple(server.files.items()):
        server.files[f"/liar{path}"] = b"wrong" if path == blob else right
    site = Site({"REPROC_MIRROR_REGISTRY_INVALID": f"{DEAD} {server.address}/liar {server.address}"})
    found = image.lock("registry.invalid/lib/x:1", span(), "linux/amd64", client, site, store)
    assert (found.digest, found.reference) == (wanted, "registry.invalid/lib/x:1")
    assert passed_over(client) == [f"{server.address}/liar"]


def test_suites_whose_signature_is_not_good(site: Site, server: Server, store: Store, client: Client) -> None:
    for path, content in tuple(server.files.items()):
        if path.startswith("/debian/"):
            server.files[f"/liar{path}"] = (
                content.replace(b"Origin: Test", b"Origin: Evil") if "InRelease" in path else content
            )
    mirrors = f"{DEAD} {server.address}/liar/debian {server.address}/debian"
    site = replace(site, environment={**site.environment, "REPROC_MIRROR_DEBIAN": mirrors})
    release = catalog.release("debian", "bookworm")
    assert release is not None
    assert Archives(site, client, store, 1_700_000_000).universe(release, "amd64").newest("tool")
    assert sorted(passed_over(client)) == [
        f"{server.address}/liar/debian/dists/{suite}/" for suite in ("bookworm-updates", "bookworm")
    ]


def test_python_packages(site: Site, server: Server) -> None:
    publish_package(server, "small", {"small-1.0-py3-none-any.whl": wheel("small", "1.0")})
    mirrors = f"{server.address}/empty {server.address}/simple"
    here = replace(site, environment={**site.environment, "REPROC_MIRROR_PYPI": mirrors})
    (package,) = resolved(["small"], Ask("3.11", "x86_64-unknown-linux-gnu"), here, ())
    assert (package["name"], package["version"]) == ("small", "1.0")
    assert "/empty/small/" in server.asked


def test_npm(server: Server, client: Client) -> None:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(b"x").digest()).decode()
    answer = {"dist": {"tarball": f"{server.address}/t.tgz", "integrity": integrity}}
    server.files["/npm/tool/1.0.0"] = json.dumps(answer).encode()
    site = Site({"REPROC_MIRROR_NPM": f"{DEAD} {server.address}/none {server.address}/npm"})
    found = purl.locate("pkg:npm/tool@1.0.0", span(), client, site)
    assert found.url == f"{server.address}/t.tgz"


def test_software_heritage(server: Server, store: Store, client: Client) -> None:
    content = b"int main;\n"
    name = hashlib.sha1(b"blob 10\0" + content).hexdigest()
    server.files[f"/api/1/content/sha1_git:{name}/raw/"] = content
    site = Site({"REPROC_MIRROR_SWH": f"{DEAD} {server.address}/none {server.address}"})
    found = swh.lock(SwhRequest(f"swh:1:cnt:{name}", span()), client, site, store)
    assert found.swhid == f"swh:1:cnt:{name}"
