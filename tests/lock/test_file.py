"""The lock file: what is written is read, and nothing else is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproc.lock.file import _own_digest, _pretty, read, write
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
from reproc.lock.place import place
from reproc.lock.requests import (
    AptRequest,
    BootstrapRequest,
    GitRequest,
    LocalRequest,
    PythonRequest,
    SourceRequest,
    TargetRequest,
)
from reproc.lock.sections import LockFile, inputs
from reproc.lock.sections import stale as changed
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
                PythonEnvironment("old", "/opt/python/3.8.20/bin/python3.8", "/opt/venv-old", (WHEEL,)),
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
        (("targets", 0, "python", 0, "interpreter"), "python3.11; rm"),
        (("targets", 0, "python", 0, "interpreter"), "/opt/python/../bin/python3.8"),
        (("targets", 0, "python", 0, "interpreter"), "python"),
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


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (lambda c: c.update(version=7), '  "version": 7,', "7"),
        (lambda c: c.update(sha256="x"), '  "sha256": "x",', "digest does not match"),
        (lambda c: c.update(time="now"), '  "time": "now",', "`time` of the lock is not a number"),
        (
            lambda c: c["targets"][1]["base"].update(digest="sha256:1"),
            '        "digest": "sha256:1",',
            "`digest` of `base` of item 2 of `targets` of the lock has not the form",
        ),
        (
            lambda c: c["targets"][0]["python"][0]["wheels"][0].update(size=-1),
            '"size": -1',
            "`size` of item 1 of `wheels`",
        ),
        (
            lambda c: c["targets"][0]["apt"][0].update(debs=["gone_1_amd64@debian"]),
            '          "debs": [',
            "names 'gone_1_amd64@debian', which is not there",
        ),
        (lambda c: c["inputs"].pop("scheme"), '  "inputs": {', "`scheme`"),
        (lambda c: c.update(targets={}), '  "targets": {},', "`targets` of the lock is not a list"),
    ],
)
def test_what_is_wrong_is_pointed_at(
    change: Callable[[dict[str, Any]], object], line: str, words: str
) -> None:
    content = json.loads(TEXT)
    change(content)
    if content["sha256"] != "x":
        content["sha256"] = _own_digest(content)
    text = _pretty(content, 0) + "\n"
    found = read(SourceFile("repro.lock", text))
    (diagnostic,) = found.diagnostics
    assert words in diagnostic.message
    assert diagnostic.span is not None
    shown = text.splitlines()[diagnostic.span.position.line - 1]
    assert line in shown, shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"lockfileVersion": 3, "packages": {}}', "it is not a lock of reproc"),
        ("version = 1\nrevision = 3\n", "it is not JSON"),
        ('{"version": "1.0.0", "name": "x"}', "it is not a lock of reproc"),
        (TEXT[:2000], "it is not JSON"),
        (TEXT.replace('  "time"', '<<<<<<< HEAD\n  "time"'), "it holds what a merge left behind"),
    ],
    ids=["npm", "uv", "package.json", "cut off", "merge"],
)
def test_other_files_and_halves(text: str, reason: str) -> None:
    (diagnostic,) = read(SourceFile("repro.lock", text)).diagnostics
    assert diagnostic.message == f"the lock cannot be read: {reason}"
    if reason.startswith("it holds"):
        assert diagnostic.span is not None
        assert text[diagnostic.span.start :].startswith("<<<<<<<")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
        max_leaves=20,
    ),
    st.data(),
    st.sampled_from([None, 1, "\t"]),
)
def test_places(value: object, data: st.DataObject, indent: int | str | None) -> None:
    """Every value of any JSON text is found where it stands."""
    text = json.dumps(value, indent=indent, ensure_ascii=data.draw(st.booleans()))
    path: list[str | int] = []
    at = value
    while isinstance(at, dict | list) and at and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
        path.append(step)
        at = at[step]  # type: ignore[call-overload]
    start, end = place(text, path)
    found, stop = json.JSONDecoder().raw_decode(text, start)
    assert found == at
    assert start < end <= stop
    assert place(text, [*path, "\0 no such key"]) == (start, end)


def test_tampered_is_told() -> None:
    assert refused(TEXT.replace(A, B)) == "lock-tampered"


def stale(found: LockFile, asked: tuple[TargetRequest, ...]) -> tuple[str, ...]:
    return tuple(map(str, changed(found, asked)))


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


def test_why_it_is_stale() -> None:
    found = parsed(TEXT)
    asked = requests()
    more = (item("g++-12"), item("new"))
    system = replace(asked[0], apt=(AptRequest("system", None, more),))
    (told,) = changed(found, (system, asked[1]))
    assert (str(told), told.reason) == ("system of target cpu", "`new` is new")
    assert told.origin == more[1].origin
    (told,) = changed(found, (replace(asked[0], apt=()), asked[1]))
    assert told.reason == "nothing asks for `g++-12` any more"
    other = replace(asked[0], base=BootstrapRequest("debian", "trixie", span()))
    assert changed(found, (other, asked[1]))[0].reason == "it has another base"
    git = dict(asked[1].trees)["code y"]
    (told,) = changed(found, (asked[0], replace(asked[1], trees=(("code y", replace(git, ref="v2")),))))
    assert told.reason == "it asks for the tag `v2`"
    old = replace(found, scheme=0)
    assert {each.reason for each in changed(old, asked)} == {
        "it was made by scheme 0, and this version of reproc compares by 1"
    }


def test_order_and_place_do_not_matter() -> None:
    asked = requests()
    swapped = replace(asked[0], apt=(AptRequest("system", None, (item("a"), item("b"), item("a"))),))
    assert inputs((swapped,)) == inputs(asked[:1])
