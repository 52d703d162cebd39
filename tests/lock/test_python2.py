"""Packages for Python 2: named exactly, looked up in the index, and complete."""

from __future__ import annotations

import pytest

from reproc.lock.archives import Site
from reproc.lock.model import PythonEnvironment
from reproc.lock.net import Client
from reproc.lock.problem import Problem
from reproc.lock.providers import pypi
from reproc.lock.requests import PythonRequest, RequirementsFile
from reproc.lock.store import Store
from reproc.record import replace

from .conftest import Server, item, span
from .test_pypi import publish, wheel

TAGS = ("cp27-cp27m", "cp27-cp27mu", "cp35-cp35m", "cp38-cp38")


@pytest.fixture
def index(server: Server) -> Server:
    publish(server, "virtualenv", {"virtualenv-16.7.12-py2.py3-none-any.whl": wheel("virtualenv", "16.7.12")})
    files = {
        f"native-{version}-{tag}-manylinux1_x86_64.whl": wheel("native", version) + tag.encode()
        for tag in TAGS
        for version in ("1.0", "1.1")
    }
    publish(server, "native", files | {"native-1.0.tar.gz": b"a source", "native.whl": b"no wheel's name"})
    publish(server, "pure", {"pure-2.0-py2-none-any.whl": wheel("pure", "2.0", "native>=5")}, digests=False)
    backport = 'native; python_version < "3" and sys_platform == "linux2"'
    publish(server, "marked", {"marked-1-py2.py3-none-any.whl": wheel("marked", "1", backport)})
    publish(server, "later", {"later-1-py2.py3-none-any.whl": wheel("later", "1", 'x; python_version > "3"')})
    publish(server, "seeded", {"seeded-1-py2.py3-none-any.whl": wheel("seeded", "1", "setuptools>=40")})
    publish(server, "extra", {"extra-1-py2-none-any.whl": wheel("extra", "1", "native; extra == 'fast'")})
    publish(server, "new", {"new-1.0-cp38-cp38-manylinux1_x86_64.whl": wheel("new", "1.0")})
    return server


def request(*requirements: str, file: str | None = None) -> PythonRequest:
    files = (RequirementsFile("requirements.txt", file, span()),) if file is not None else ()
    return PythonRequest(
        "main", "2.7", "python2.7", "/opt/venv", tuple(map(item, requirements)), files, (2, 36)
    )


def lock(asked: PythonRequest, site: Site, store: Store) -> PythonEnvironment:
    found = pypi.lock(asked, "linux/amd64", Client(wait=0), site, store).value
    assert found is not None
    return found


def told(asked: PythonRequest, site: Site, store: Store) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        lock(asked, site, store)
    return [(each.code.name, each.message) for each in caught.value.diagnostics]


def test_the_wheels_of_python_2(index: Server, site: Site, store: Store) -> None:
    found = lock(request("pure==2.0", "native==1.0"), site, store)
    assert [each.filename for each in found.wheels] == [
        "native-1.0-cp27-cp27mu-manylinux1_x86_64.whl",
        "pure-2.0-py2-none-any.whl",
    ]
    assert found.old and found.version == "2.7"
    (tools,) = found.tools
    assert tools.project == "virtualenv"
    assert [each.filename for each in tools.wheels] == ["virtualenv-16.7.12-py2.py3-none-any.whl"]
    for each in found.wheels:
        assert each.size == len(index.files[f"/files/{each.filename}"])


def test_fetched_again_from_the_index(index: Server, site: Site, store: Store) -> None:
    (found,) = lock(request("native==1.1"), site, store).wheels
    other = Store(store.root.with_name("other"))
    pypi.fetch((found,), "2.7", "linux/amd64", Client(wait=0), site, other)
    assert other.path(found.sha256) is not None


def test_a_frozen_file(index: Server, site: Site, store: Store) -> None:
    frozen = "native==1.1\nseeded==1\nlater==1\nnew==1.0 ; python_version >= '3'\n"
    found = lock(request(file=frozen), site, store)
    assert [each.name for each in found.wheels] == ["later", "native", "seeded"]


@pytest.mark.parametrize("text", ["native", "native>=1", "native==1.*", "native==1.0,!=1.1", "native===1.0"])
def test_one_version_each(text: str, index: Server, site: Site, store: Store) -> None:
    assert [code for code, _ in told(request(text), site, store)] == ["not-exact"]


@pytest.mark.parametrize("text", ["pure==2.0", "marked==1", "extra[fast]==1"])
def test_all_of_them(text: str, index: Server, site: Site, store: Store) -> None:
    ((code, message),) = told(request(text), site, store)
    assert code == "not-named" and " needs `native`, which is not named" in message
    lock(request(text, "native==1.0"), site, store)
    lock(request("extra==1"), site, store)


def test_what_cannot_be_had(index: Server, site: Site, store: Store) -> None:
    assert told(request("new==1.0"), site, store) == [
        ("no-wheel", "`new` has no wheel for Python 2.7 on linux/amd64 with glibc 2.36")
    ]
    assert told(request("native==9"), site, store)[0][0] == "no-wheel"
    assert told(request("nothing==1"), site, store)[0][0] == "unknown-python-package"
    assert [code for code, _ in told(request("native==1.0", "native==1.1"), site, store)] == [
        "unsatisfiable-requirements"
    ]


def test_an_author_s_index(index: Server, site: Site, store: Store) -> None:
    publish(index, "own", {"own-1-py2-none-any.whl": wheel("own", "1")})
    index.answers["/elsewhere/own/"] = index.answers["/simple/own/"]
    index.answers.pop("/simple/own/")
    asked = request("own==1")
    assert told(asked, site, store)[0][0] == "unknown-python-package"
    own = replace(asked, index=f"{index.address}/elsewhere")
    found = lock(own, site, store)
    assert found.index == f"{index.address}/elsewhere"
    # what makes the environment is not the author's
    other, (tools,) = Store(store.root.with_name("other")), found.tools
    every = (*found.wheels, *tools.wheels)
    pypi.fetch(every, "2.7", "linux/amd64", Client(wait=0), site, other, found.index)
    assert all(other.path(wheel.sha256) for wheel in every)
