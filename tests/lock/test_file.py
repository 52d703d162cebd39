"""The lock file: what is written is read, and nothing else is believed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproc.lock.file import LockFile, _own_digest, inputs, read, stale, write
from reproc.lock.model import (
    AptLayer,
    Archive,
    BootstrapBase,
    BuildTools,
    Deb,
    GitTree,
    ImageBase,
    LocalTree,
    Lock,
    LockedTarget,
    PythonEnvironment,
    TreeEntry,
    Wheel,
)
from reproc.lock.requests import (
    AptRequest,
    BootstrapRequest,
    GitRequest,
    LocalRequest,
    PythonRequest,
    SourceRequest,
    TargetRequest,
)
from reproc.source import SourceFile

from .conftest import item, span

A, B, C = "a" * 64, "b" * 64, "c" * 64
DEB = Deb("g++-12", "1:12.2~a+b-1", "amd64", "debian", "pool/main/g/g++.deb", 5, A)
OTHER = replace(DEB, sha256=C)
ADDRESS = "https://example.org/simple"
SDIST = Wheel("s", "1", "s-1.tar.gz", 3, C)
WHEEL = Wheel("n", "1!2", "n-1!2-py3-none-any.whl", 3, B)
FILES = (TreeEntry("ä b", True, A), TreeEntry("l", False, None, "ä b"))
IMAGE = ImageBase("docker.io/a/b:1", f"sha256:{A}", B, 4, (("PATH", "/bin"),))
LOCK = Lock(
    1_700_000_000,
    (
        Archive("debian", "20240601T000000Z", (("bookworm", B),), True),
        Archive("example-org-apt-0a1b2c3d", "20240601T000000Z", (("./", B),), False, ADDRESS),
    ),
    (
        LockedTarget(
            "cpu", "linux/amd64", BootstrapBase("debian", "bookworm", (DEB,), "mmdebstrap 1", A, 9),
            (AptLayer("system", None, ("g++-12",), (DEB, OTHER)), AptLayer("tools", "system", (), ())),
            (
                PythonEnvironment("main", "python3.11", "/opt/venv", (WHEEL,)),
                PythonEnvironment(
                    "own", "python3.11", "/opt/own", (SDIST,), (BuildTools("code x", (WHEEL,)),), ADDRESS
                ),
            ),
            (
                ("code x", LocalTree("src", FILES, B)),
                ("data d", LocalTree("d", (TreeEntry("", False, A),), C)),
            ),
        ),
        LockedTarget(
            "gpu", "linux/amd64", IMAGE, (), (),
            (("code y", GitTree("https://example.org/y.git", "1" * 40, "2" * 40, C)),),
        ),
    ),
)  # fmt: skip


def requests() -> tuple[TargetRequest, ...]:
    base = BootstrapRequest("debian", "bookworm", span())
    python = PythonRequest("main", "3.11", "python3.11", "/opt/venv", (item("numpy"),), (), (2, 36))
    return (
        TargetRequest(
            "cpu", "linux/amd64", base, (AptRequest("system", None, (item("b"), item("a"))),), (python,),
            (("code x", LocalRequest("src", (), None, None, span())),),
        ),
        TargetRequest(
            "gpu", "linux/amd64", base, (), (),
            (("code y", GitRequest("https://example.org/y.git", "tag", "v1", span())),),
        ),
    )  # fmt: skip


TEXT = write(LOCK, requests())


def parsed(text: str) -> LockFile:
    found = read(SourceFile("repro.lock", text))
    assert found.value is not None, [d.message for d in found.diagnostics]
    return found.value


def refused(text: str) -> str:
    found = read(SourceFile("repro.lock", text))
    assert found.value is None
    (diagnostic,) = found.diagnostics
    assert diagnostic.message
    return diagnostic.code.name


def sealed(content: dict[str, object]) -> str:
    """The text of a lock that was changed by somebody who also made the digest anew."""
    return json.dumps(content | {"sha256": _own_digest(content)})


def test_round_trip() -> None:
    found = parsed(TEXT)
    assert found.lock == LOCK
    assert write(found.lock, requests()) == TEXT
    assert TEXT.endswith("}\n")


def test_one_package_a_line() -> None:
    lines = [line for line in TEXT.splitlines() if "pool/main" in line]
    assert len(lines) == 2
    assert all(line.count("sha256") == 1 for line in lines)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"))
def test_a_changed_character_is_caught_or_means_nothing(place: int, character: str) -> None:
    found = read(SourceFile("repro.lock", TEXT[:place] + character + TEXT[place + 1 :]))
    assert (found.value is None) != (len(found.diagnostics) == 0)
    if found.value is not None:
        assert found.value.lock == LOCK


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    ),
    st.data(),
)
def test_no_value_of_another_kind_is_believed(value: object, data: st.DataObject) -> None:
    content = json.loads(TEXT)
    at: object = content
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))  # type: ignore[arg-type]
        key = data.draw(st.sampled_from(keys))
        inner = at[key]  # type: ignore[index]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            at[key] = value  # type: ignore[index]
            break
        at = inner
    found = read(SourceFile("repro.lock", sealed(content)))
    assert found.value is not None or len(found.diagnostics) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("targets", 0, "name"), "a b"),
        (("targets", 0, "name"), "../up"),
        (("targets", 0, "python", 0, "prefix"), "opt"),
        (("targets", 0, "python", 0, "wheels", 0, "filename"), "../n.whl"),
        (("targets", 0, "python", 1, "tools", 0, "project"), "code ../x"),
        (("targets", 0, "python", 1, "index"), "https://x'; rm"),
        (("archives", 1, "address"), "https://x\n"),
        (("targets", 0, "apt", 0, "debs"), ["nothing_1_amd64@debian"]),
        (("targets", 0, "apt", 0, "name"), 'x"\nRUN'),
        (("targets", 1, "base", "digest"), "sha256:1"),
        (("time",), True),
        (("time",), -1),
        (("archives", 0, "snapshot"), "today"),
    ],
)
def test_hostile_values(path: tuple[str | int, ...], value: object) -> None:
    content = json.loads(TEXT)
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert refused(sealed(content)) == "lock-unreadable"


def test_hostile_packages_and_files() -> None:
    for path in ("/etc/x.deb", "a/../../x.deb", "..", "a/./b", "a\nb"):
        content = json.loads(TEXT)
        next(iter(content["debs"].values()))["path"] = path
        assert refused(sealed(content)) == "lock-unreadable", path
        content = json.loads(TEXT)
        next(t for t in content["trees"].values() if t["kind"] == "local")["entries"][0]["path"] = path
        assert refused(sealed(content)) == "lock-unreadable", path


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1" * 5000, "[" * 100_000, '{"a": 1}', "\0", "<<<<<<< HEAD\n"]
)
def test_no_lock_at_all(text: str) -> None:
    assert refused(text) == "lock-unreadable"


def test_another_version() -> None:
    assert refused(TEXT.replace('"version": 1', '"version": 2')) == "lock-version"


def test_tampered_is_told() -> None:
    assert refused(TEXT.replace(A, B)) == "lock-tampered"


def test_stale() -> None:
    found = parsed(TEXT)
    asked = requests()
    assert stale(found, asked) == ()
    moved = replace(
        asked[0], python=(replace(asked[0].python[0], requirements=(item("numpy"), item("scipy"))),)
    )
    assert stale(found, (moved, asked[1])) == ("python main of target cpu",)
    assert stale(found, (replace(asked[0], apt=()), asked[1])) == ("system of target cpu",)
    assert stale(found, (replace(asked[0], trees=()), asked[1])) == ("code x of target cpu",)
    own = replace(asked[0].python[0], index=ADDRESS)
    assert stale(found, (replace(asked[0], python=(own,)), asked[1])) == ("python main of target cpu",)
    assert stale(found, (replace(asked[0], as_of=1), asked[1])) == ("system of target cpu",)
    source = SourceRequest(ADDRESS, b"key", "stable", ("main",), span())
    keyed = replace(asked[0], sources=(source,))
    assert stale(found, (keyed, asked[1])) == ("system of target cpu",)
    assert inputs((keyed,)) != inputs((replace(keyed, sources=(replace(source, key=b"other"),)),))
    assert stale(found, asked[:1]) == ("target gpu",)
    assert stale(found, (*asked, replace(asked[0], name="new"))) == ("target new",)


def test_order_and_place_do_not_matter() -> None:
    asked = requests()
    swapped = replace(asked[0], apt=(AptRequest("system", None, (item("a"), item("b"), item("a"))),))
    assert inputs((swapped,)) == inputs(asked[:1])
