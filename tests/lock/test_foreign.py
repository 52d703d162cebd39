"""Locks of other tools: what they pin for one interpreter and platform, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from reproc.diagnostics import Diagnostic
from reproc.lock import foreign
from reproc.lock.requests import RequirementsFile
from reproc.lock.requirements import Wanted

from .conftest import span

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
UV = f"""
version = 1
requires-python = ">=3.8"
[[package]]
name = "demo"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "a", extra = ["x"] }}, {{ name = "win", marker = "sys_platform == 'win32'" }}]
[package.optional-dependencies]
more = [{{ name = "unwanted" }}]
[package.dev-dependencies]
dev = [{{ name = "unwanted" }}]
[[package]]
name = "a"
version = "1.0"
source = {{ registry = "https://example.org/simple" }}
dependencies = [{{ name = "b", version = "2", source = {{ registry = "https://example.org/simple" }} }}]
sdist = {{ url = "https://example.org/a.tar.gz", hash = "sha256:{A}" }}
wheels = [{{ url = "https://example.org/a.whl", hash = "sha256:{B}" }}]
[package.optional-dependencies]
x = [{{ name = "c" }}]
[[package]]
name = "b"
version = "1"
source = {{ registry = "https://example.org/simple" }}
[[package]]
name = "b"
version = "2"
source = {{ registry = "https://example.org/simple" }}
[[package]]
name = "c"
version = "3"
source = {{ registry = "https://example.org/simple" }}
[[package]]
name = "win"
version = "1"
source = {{ registry = "https://example.org/simple" }}
[[package]]
name = "unwanted"
version = "1"
source = {{ registry = "https://example.org/simple" }}
"""
PYLOCK = f"""
lock-version = "1.0"
requires-python = ">=3.10"
environments = ["sys_platform == 'linux'", "sys_platform == 'darwin'"]
default-groups = ["main"]
[[packages]]
name = "a"
version = "1.0"
sdist = {{ url = "https://example.org/a.tar.gz", hashes = {{ sha256 = "{A}" }} }}
wheels = [{{ url = "https://example.org/a.whl", hashes = {{ sha256 = "{B}" }} }}]
[[packages]]
name = "b"
version = "2"
marker = "'main' in dependency_groups"
[[packages]]
name = "c"
version = "3"
marker = "'x' in extras or sys_platform == 'win32'"
[[packages]]
name = "demo"
directory = {{ path = "." }}
"""
PIPFILE = json.dumps(
    {
        "_meta": {"requires": {"python_version": "3.11"}},
        "default": {
            "a": {"version": "==1.0", "hashes": [f"sha256:{A}", f"sha256:{B}"]},
            "win": {"version": "==1", "markers": "sys_platform == 'win32'"},
        },
        "develop": {"unwanted": {"version": "==1"}},
    }
)
POETRY = f"""
[[package]]
name = "a"
version = "1.0"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [{{ file = "a.whl", hash = "sha256:{A}" }}, {{ file = "a.tar.gz", hash = "sha256:{B}" }}]
[[package]]
name = "win"
version = "1"
optional = false
python-versions = "*"
groups = ["main"]
markers = "sys_platform == 'win32'"
files = []
[[package]]
name = "unwanted"
version = "1"
optional = false
python-versions = "*"
groups = ["dev"]
files = []
[metadata]
lock-version = "2.1"
python-versions = "^3.9"
"""
OLD_POETRY = f"""
[[package]]
name = "a"
version = "1.0"
category = "main"
optional = false
python-versions = "*"
[package.dependencies]
b = {{ version = ">=1", markers = "python_version < '4'" }}
win = {{ version = ">=1", markers = "sys_platform == 'win32'" }}
[[package]]
name = "b"
version = "2"
category = "main"
optional = false
python-versions = "*"
[[package]]
name = "win"
version = "1"
category = "main"
optional = false
python-versions = "*"
[[package]]
name = "unwanted"
version = "1"
category = "dev"
optional = false
python-versions = "*"
[metadata]
python-versions = ">=3.8,<4.0"
[metadata.files]
a = [{{ file = "a.whl", hash = "sha256:{A}" }}]
b = []
"""


def read(name: str, text: str, version: str = "3.11") -> tuple[tuple[Wanted, ...], tuple[Diagnostic, ...]]:
    return foreign.read(RequirementsFile(name, text, span()), version, LINUX)


@pytest.mark.parametrize(
    ("name", "text", "pins"),
    [
        ("uv.lock", UV, ["a==1.0", "b==2", "c==3"]),
        ("pylock.toml", PYLOCK, ["a==1.0", "b==2"]),
        ("sub/pylock.cpu.toml", PYLOCK, ["a==1.0", "b==2"]),
        ("Pipfile.lock", PIPFILE, ["a==1.0"]),
        ("poetry.lock", POETRY, ["a==1.0"]),
        ("poetry.lock", OLD_POETRY, ["a==1.0", "b==2"]),
    ],
)
def test_what_is_pinned(name: str, text: str, pins: list[str]) -> None:
    found, mistakes = read(name, text)
    assert mistakes == ()
    assert [each.text for each in found] == pins
    assert found[0].hashes == ({A} if text is OLD_POETRY else {A, B})
    assert '"a"' in found[0].origin.text


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("requirements.txt", "a==1", "unreadable-foreign-lock"),
        ("uv.lock", "[", "unreadable-foreign-lock"),
        ("uv.lock", "package = 3", "unreadable-foreign-lock"),
        ("Pipfile.lock", "[]", "unreadable-foreign-lock"),
        ("Pipfile.lock", "[" * 100_000, "unreadable-foreign-lock"),
        ("pylock.toml", '[[packages]]\nname = "a"\nmarker = "nonsense"\n', "unreadable-foreign-lock"),
        ("uv.lock", 'requires-python = ">=3.12"', "lock-for-other-python"),
        ("poetry.lock", '[metadata]\npython-versions = "~3.12 || ^2.7"', "lock-for-other-python"),
        ("Pipfile.lock", '{"_meta": {"requires": {"python_version": "3.8"}}}', "lock-for-other-python"),
        ("pylock.toml", "environments = [\"sys_platform == 'win32'\"]", "lock-for-other-platform"),
        (
            "pylock.toml",
            '[[packages]]\nname = "a"\nvcs = { url = "https://example.org/a.git" }',
            "requirement-with-address",
        ),
        (
            "Pipfile.lock",
            '{"default": {"a": {"git": "https://example.org/a.git"}}}',
            "requirement-with-address",
        ),
    ],
)
def test_what_is_refused(name: str, text: str, code: str) -> None:
    found, (mistake,) = read(name, text)
    assert found == ()
    assert mistake.code.name == code
    assert mistake.span is not None
    assert mistake.span.source.path == name
    assert len(mistake.labels) == 1


@pytest.mark.parametrize(
    ("wanted", "version", "fits"),
    [
        (">=3.9, <3.12", "3.11", True),
        ("^3.9", "3.11", True),
        ("^3.9", "3.8", False),
        ("~3.9", "3.9", True),
        ("~3.9", "3.10", False),
        (">=3.11.2", "3.11", True),
        ("3.11", "3.11", True),
        ("~=3.9", "3.11", True),
    ],
)
def test_interpreters(wanted: str, version: str, fits: bool) -> None:
    assert foreign.admits(wanted, version) is fits
