"""Python packages from an index on loopback, resolved by uv; requirements files; what is wrong with them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import PythonEnvironment, TreeEntry
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import pypi
from reproc.lock.requests import InstallRequest, LocalRequest, PythonRequest, RequirementsFile
from reproc.lock.requirements import wanted
from reproc.lock.store import Store
from reproc.lock.tar import Member, of_bytes, write

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


def publish(
    server: Server, name: str, files: dict[str, bytes], *, digests: bool = True, uploaded: str | None = None
) -> None:
    """Puts a package into the index; with the time of its upload where that is given (PEP 691, PEP 700)."""
    links, listed = "", []
    for filename, content in files.items():
        server.files[f"/files/{filename}"] = content
        sha256 = hashlib.sha256(content).hexdigest()
        links += f'<a href="/files/{filename}{f"#sha256={sha256}" if digests else ""}">{filename}</a>\n'
        entry = {"filename": filename, "url": f"/files/{filename}", "hashes": {"sha256": sha256}}
        listed.append(entry | {"size": len(content), "upload-time": uploaded})
    page, kind = f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"
    if uploaded is not None:
        kind = "application/vnd.pypi.simple.v1+json"
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": listed}).encode()

    def serve(handler: object) -> None:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.send_header("Content-Type", kind)  # type: ignore[attr-defined]
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


@pytest.mark.parametrize(
    ("python", "tag"), [("3.6", "cp36-cp36m"), ("3.7", "cp37-cp37m"), ("3.8", "cp38-cp38")]
)
def test_wheels_of_an_old_python(python: str, tag: str, index: Server, site: Site, store: Store) -> None:
    """Before 3.8 the name of its ABI ends with an m, and no wheel has it without."""
    tags = ("cp36-cp36", "cp36-cp36m", "cp37-cp37", "cp37-cp37m", "cp38-cp38", "cp38-cp38m")
    files = {
        f"old-1.0-{each}-manylinux_2_17_x86_64.whl": wheel("old", "1.0") + each.encode() for each in tags
    }
    publish(index, "old", files)
    asked = replace(request("old"), version=python, interpreter=f"python{python}")
    (found,) = lock(asked, site, store).wheels
    assert found.filename == f"old-1.0-{tag}-manylinux_2_17_x86_64.whl"


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


def test_an_index_of_ones_own(index: Server, site: Site, store: Store) -> None:
    dead = replace(site, environment={**site.environment, "REPROC_MIRROR_PYPI": "http://127.0.0.1:9/simple"})
    asked = replace(request("native"), index=f"{index.address}/simple")
    found = lock(asked, dead, store)
    assert found.index == f"{index.address}/simple"
    fresh = Store(store.root / "other")
    pypi.fetch(found.wheels, "3.11", "linux/amd64", Client(wait=0), dead, fresh, found.index)
    assert fresh.path(found.wheels[0].sha256) is not None


def test_another_architecture(server: Server, site: Site, store: Store) -> None:
    machines = ("x86_64", "aarch64")
    files = {f"n-1-cp311-cp311-manylinux_2_17_{m}.whl": wheel("n", "1") + m.encode() for m in machines}
    publish(server, "n", files)
    found = pypi.lock(request("n"), "linux/arm64", Client(wait=0), site, store).value
    assert found is not None
    assert [w.filename for w in found.wheels] == ["n-1-cp311-cp311-manylinux_2_17_aarch64.whl"]


def test_an_index_without_upload_times_has_no_past(index: Server, site: Site, store: Store) -> None:
    ((name, message, _),) = told(replace(request("native"), as_of=1_700_000_000), site, store)
    assert (name, "`native`" in message) == ("as-of-without-upload-times", True)


def source_archive(name: str, version: str, project: str) -> bytes:
    out = io.BytesIO()
    top = f"{name}-{version}"
    files = {
        "pyproject.toml": project,
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        "inner/pyproject.toml": "not read",
    }
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            head = tarfile.TarInfo(f"{top}/{path}")
            head.size = len(text)
            archive.addfile(head, io.BytesIO(text.encode()))
    return out.getvalue()


BUILT = '[build-system]\nrequires = ["pure"]\nbuild-backend = "pure"\n'


def test_what_is_built_from_source(index: Server, site: Site, store: Store) -> None:
    project = f'{BUILT}[project]\nname = "src"\nversion = "1"\n'
    files = {
        "src-1.tar.gz": source_archive("src", "1", project),
        "src-1-py3-none-any.whl": wheel("src", "1"),
    }
    publish(index, "src", files)
    assert [w.filename for w in lock(request("src"), site, store).wheels] == ["src-1-py3-none-any.whl"]
    found = lock(replace(request("src", "native"), built=("src",)), site, store)
    assert [w.filename for w in found.wheels] == [
        "native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "src-1.tar.gz",
    ]  # fmt: skip
    (tools,) = found.tools
    assert (tools.project, [w.name for w in tools.wheels]) == ("src", ["native", "pure"])
    ((name, message, _),) = told(replace(request("pure"), built=("pure",)), site, store)
    assert (name, "`pure`" in message) == ("no-source-archive", True)


def tree(store: Store, files: dict[str, str]) -> str:
    members = (
        Member(TreeEntry(path, False, "0" * 64), of_bytes(text.encode()), len(text))
        for path, text in files.items()
    )
    return write(members, store)


def installing(store: Store, files: dict[str, str]) -> tuple[PythonRequest, dict[str, str]]:
    code = LocalRequest("model", (), None, None, span())
    asked = replace(request(), installs=(InstallRequest("model", code, "", span()),))
    return asked, {"model": tree(store, files)}


def test_installed_code_brings_its_needs_and_its_tools(index: Server, site: Site, store: Store) -> None:
    project = f'{BUILT}[project]\nname = "model"\nversion = "1"\ndependencies = ["native"]\n'
    asked, trees = installing(store, {"pyproject.toml": project, "sub/setup.py": ""})
    found = pypi.lock(asked, "linux/amd64", Client(wait=0), site, store, trees)
    assert found.value is not None
    assert found.diagnostics == ()
    assert [w.name for w in found.value.wheels] == ["native"]
    assert [(t.project, [w.name for w in t.wheels]) for t in found.value.tools] == [
        ("code model", ["native", "pure"])
    ]


def test_installed_code_that_hides_its_needs(index: Server, site: Site, store: Store) -> None:
    project = f'{BUILT}[project]\nname = "model"\nversion = "1"\ndynamic = ["dependencies"]\n'
    asked, trees = installing(store, {"pyproject.toml": project})
    found = pypi.lock(asked, "linux/amd64", Client(wait=0), site, store, trees)
    assert [d.code.name for d in found.diagnostics] == ["hidden-needs"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"README": "", "sub/pyproject.toml": "", "sub/setup.py": ""}, "no-python-project"),
        ({"pyproject.toml": "["}, "unreadable-project"),
        ({"pyproject.toml": '[build-system]\nrequires = "pure"\n'}, "unreadable-project"),
        ({"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.12"\n'}, "lock-for-other-python"),
        ({"pyproject.toml": '[project]\nname = "x"\nrequires-python = "soon"\n'}, "unreadable-project"),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["a @ file:///a"]\n'},
            "requirement-with-address",
        ),
    ],
)
def test_installed_code_that_is_no_project(
    index: Server, site: Site, store: Store, files: dict[str, str], code: str
) -> None:
    asked, trees = installing(store, files)
    with pytest.raises(Problem) as caught:
        pypi.lock(asked, "linux/amd64", Client(wait=0), site, store, trees)
    assert [d.code.name for d in caught.value.diagnostics] == [code]


def test_dependencies_of_a_project_file(index: Server, site: Site, store: Store) -> None:
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["pure"]\n'
    file = RequirementsFile("pyproject.toml", text, span())
    assert [w.name for w in lock(replace(request(), projects=(file,)), site, store).wheels] == [
        "native",
        "pure",
    ]
    hidden = replace(file, text='[project]\nname = "x"\ndynamic = ["dependencies"]\n')
    ((name, _, _),) = told(replace(request(), projects=(hidden,)), site, store)
    assert name == "hidden-dependencies"


def test_a_foreign_lock_is_kept_to(index: Server, site: Site, store: Store) -> None:
    sha256 = hashlib.sha256(
        index.files["/files/native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"]
    ).hexdigest()
    text = f'[[packages]]\nname = "native"\nversion = "1.0"\n[[packages.wheels]]\nhashes = {{ sha256 = "{sha256}" }}\n'
    file = RequirementsFile("pylock.toml", text, span())
    (found,) = lock(replace(request(), locks=(file,)), site, store).wheels
    assert found.sha256 == sha256
    wrong = replace(file, text=text.replace(sha256, "0" * 64))
    ((name, _, _),) = told(replace(request(), locks=(wrong,)), site, store)
    assert name == "wheel-digest"
    # what the lock does not name is not there, even if a package says that it needs it
    alone = replace(file, text='[[packages]]\nname = "pure"\nversion = "2.0"\n')
    assert [w.name for w in lock(replace(request(), locks=(alone,)), site, store).wheels] == ["pure"]
