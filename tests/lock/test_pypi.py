"""Python packages from an index on loopback, resolved by uv; requirements files; what is wrong with them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import PythonEnvironment
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import pypi
from reproc.lock.requests import PythonRequest, RequirementsFile
from reproc.lock.requirements import wanted
from reproc.lock.store import Store

from .conftest import Server, item, span


def wheel(name: str, version: str, requires: str = "") -> bytes:
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


def publish(server: Server, name: str, files: dict[str, bytes], *, digests: bool = True) -> None:
    links = ""
    for filename, content in files.items():
        server.files[f"/files/{filename}"] = content
        fragment = f"#sha256={hashlib.sha256(content).hexdigest()}" if digests else ""
        links += f'<a href="/files/{filename}{fragment}">{filename}</a>\n'
    page = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def serve(handler: object) -> None:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.send_header("Content-Type", "text/html")  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(page)))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(page)  # type: ignore[attr-defined]

    server.answers[f"/simple/{name}/"] = serve


@pytest.fixture
def index(server: Server) -> Server:
    many = [f"cp311-cp311-manylinux_2_{minor}_x86_64" for minor in (17, 28, 39)]
    many += ["cp310-cp310-manylinux_2_17_x86_64", "cp311-cp311-macosx_11_0_arm64"]
    publish(
        server, "native", {f"native-1.0-{tag}.whl": wheel("native", "1.0") + tag.encode() for tag in many}
    )
    publish(server, "pure", {"pure-2.0-py3-none-any.whl": wheel("pure", "2.0", "native>=1")}, digests=False)
    publish(server, "source-only", {"source_only-1.0.tar.gz": b"not a wheel"})
    return server


def request(*requirements: str, file: str | None = None, libc: tuple[int, int] = (2, 36)) -> PythonRequest:
    files = (RequirementsFile("requirements.txt", file, span()),) if file is not None else ()
    return PythonRequest(
        "main", "3.11", "python3.11", "/opt/venv", tuple(map(item, requirements)), files, libc
    )


def lock(asked: PythonRequest, site: Site, store: Store) -> PythonEnvironment:
    found = pypi.lock(asked, "linux/amd64", Client(wait=0), site, store).value
    assert found is not None
    return found


def told(asked: PythonRequest, site: Site, store: Store) -> list[tuple[str, str, str]]:
    with pytest.raises(Problem) as caught:
        lock(asked, site, store)
    return [(d.code.name, d.message, d.help or "") for d in caught.value.diagnostics]


def test_closure_with_one_wheel_each(index: Server, site: Site, store: Store) -> None:
    found = lock(request("pure"), site, store)
    assert [w.filename for w in found.wheels] == [
        "native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "pure-2.0-py3-none-any.whl",
    ]  # fmt: skip
    for each in found.wheels:
        content = index.files[f"/files/{each.filename}"]
        assert (each.size, each.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(("minor", "chosen"), [(17, "2_17"), (31, "2_28"), (41, "2_39")])
def test_the_libc_decides(index: Server, site: Site, store: Store, minor: int, chosen: str) -> None:
    (found,) = lock(request("native", libc=(2, minor)), site, store).wheels
    assert chosen in found.filename


def test_fetching_by_hint_and_by_asking(index: Server, site: Site, store: Store) -> None:
    wheels = lock(request("native"), site, store).wheels
    for fresh in (store, Store(store.root / "other")):
        pypi.fetch(wheels, "3.11", "linux/amd64", Client(wait=0), site, fresh)
        assert fresh.path(wheels[0].sha256) is not None


def test_a_flipped_byte(index: Server, site: Site, store: Store) -> None:
    wheels = lock(request("native"), site, store).wheels
    path = f"/files/{wheels[0].filename}"
    index.files[path] = index.files[path][:-1] + b"?"
    with pytest.raises(Problem) as caught:
        pypi.fetch(wheels, "3.11", "linux/amd64", Client(wait=0), site, Store(store.root / "other"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code.name == "digest-mismatch"
    assert wheels[0].filename in diagnostic.message


def test_what_cannot_be_had(index: Server, site: Site, store: Store) -> None:
    ((name, message, _),) = told(request("nosuch-thing"), site, store)
    assert (name, "`nosuch-thing`" in message) == ("unknown-python-package", True)
    ((name, message, _),) = told(request("source-only"), site, store)
    assert (name, "`source-only`" in message) == ("no-wheel", True)
    ((name, _, text),) = told(request("native==9"), site, store)
    assert (name, "native==9" in text) == ("unsatisfiable-requirements", True)
    dead = replace(
        site, environment=dict(site.environment) | {"REPROC_MIRROR_PYPI": "http://127.0.0.1:9/simple"}
    )
    assert [name for name, _, _ in told(request("native"), dead, store)] == ["no-network"]


def test_nothing_asked_for(site: Site, store: Store) -> None:
    assert lock(request(file="# nothing\n\n"), site, store).wheels == ()


def test_digests_of_a_requirements_file_hold(index: Server, site: Site, store: Store) -> None:
    good = hashlib.sha256(index.files["/files/native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"]).hexdigest()
    (found,) = lock(request(file=f"native==1.0 \\\n    --hash=sha256:{good}\n"), site, store).wheels
    assert found.sha256 == good
    ((name, _, _),) = told(request(file=f"native==1.0 --hash=sha256:{'0' * 64}"), site, store)
    assert name == "wheel-digest"


def test_requirements_files() -> None:
    found, mistakes = wanted(
        request(file='\ufeffA_b==1 # c\n# --x\n\nc[x]>=2 ; python_version < "3"\r\nd \\\n  ==3\n')
    )
    assert not mistakes
    assert [(w.name, w.text) for w in found] == [
        ("a-b", "A_b==1"), ("c", 'c[x]>=2 ; python_version < "3"'), ("d", "d    ==3"),
    ]  # fmt: skip
    assert found[1].origin.position.line == 4


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("-e .", "requirements-option", "`code`"),
        ("--index-url https://example.org", "requirements-option", "REPROC_MIRROR_PYPI"),
        ("-r other.txt", "requirements-option", "`requirements`"),
        ("--pre", "requirements-option", "leave it out"),
        ("git+https://github.com/a/b.git@v1#egg=b", "requirement-with-address", "`code b`"),
        ("git+https://github.com/a/b.git", "requirement-with-address", "`code b`"),
        ("x @ https://example.org/x.whl", "requirement-with-address", "`code x`"),
        ("./x", "requirement-with-address", "`code x`"),
        ("a b", "unreadable-requirement", "PEP 508"),
        ("a==", "unreadable-requirement", "PEP 508"),
    ],
)
def test_lines_that_are_refused(line: str, name: str, words: str) -> None:
    _, (mistake,) = wanted(request(file=f"ok\n{line}\n"))
    assert mistake.code.name == name
    assert words in (mistake.help or "")
    assert mistake.span is not None
    assert (mistake.span.position.line, mistake.span.text) == (2, line)
    assert len(mistake.labels) == 1
