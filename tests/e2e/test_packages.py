"""Python environments side by side, installed code, a source archive, locks of other tools, a third-party archive."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import serving
from standin import Snapshots

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = r"""
reproc 1
base debian bookworm {{ from bootstrap }}

system {{
    packages greeting
    source   "{address}" {{ key "archive.asc"; suite stable }}
}}

code model {{ local "model" }}

python 3.11 {{
    packages docopt==0.6.2
    binary   no docopt
    install  model
}}

python 3.11 {{
    name locked
    lock "uv.lock"
}}

python 3.11 {{
    name described
    lock "pylock.toml"
}}

test "the project and its dependency" {{ run "model"; expect stdout equals "1.16.0" }}
test "nothing beside the code" {{ run "test \"$(ls /opt/src/model)\" = \"$(printf 'model\\npyproject.toml')\"" }}
test "the source archive" {{ run "python -c 'import docopt; print(docopt.__version__)'"; expect stdout equals "0.6.2" }}
test "no tools stay" {{ run "! python -c 'import wheel'" }}
test "the locked one" {{
    run "/opt/venv-locked/bin/python -c 'import six; print(six.__version__)'"
    expect stdout equals "1.15.0"
}}
test "the described one" {{
    run "/opt/venv-described/bin/python -c 'import six; print(six.__version__)'"
    expect stdout equals "1.14.0"
}}
test "the third-party package" {{ run "cat /usr/share/greeting"; expect stdout equals "hello" }}
"""
PROJECT = """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "model"
version = "1.0"
dependencies = ["six==1.16.0"]

[project.scripts]
model = "model:main"
"""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """A signed archive of one package, on loopback; its public key lies in `archive.asc` beside it."""
    for tool in ("gpg", "gpgv", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    root, home, tree = tmp_path / "archive", tmp_path / "g", tmp_path / "greeting"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/greeting").write_text("hello\n")
    fields = (
        "Package: greeting\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n"
    )
    (tree / "DEBIAN/control").write_text(fields)
    (root / "pool").mkdir(parents=True)
    deb = root / "pool/greeting_1_all.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, deb)
    place = f"Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256(deb.read_bytes())}\n"
    index = gzip.compress((fields + place).encode())
    folder = root / "dists/stable/main/binary-amd64"
    folder.mkdir(parents=True)
    (folder / "Packages.gz").write_bytes(index)
    listed = f" {sha256(index)} {len(index)} main/binary-amd64/Packages.gz\n"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "Test <test@example.org>", "ed25519", "sign", "never")
    release = f"Suite: stable\nDate: Sat, 01 Jun 2024 00:00:00 UTC\nSHA256:\n{listed}".encode()
    (root / "dists/stable/InRelease").write_bytes(run(*gpg, "--clear-sign", text=release))
    (tmp_path / "archive.asc").write_bytes(run(*gpg, "--export", "--armor"))

    with serving(root) as address:
        yield address
    run("gpgconf", "--homedir", home, "--kill", "all")


def run(*command: str | Path, text: bytes = b"") -> bytes:
    return subprocess.run(list(map(str, command)), input=text, capture_output=True, check=True).stdout


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_it_holds_in_both_shapes_and_engines(
    archive: str, service: Snapshots, tmp_path: Path, reproc: Reproc
) -> None:
    project = tmp_path / "packages"
    (project / "model/model").mkdir(parents=True)
    (project / "model/pyproject.toml").write_text(PROJECT)
    (project / "model/model/__init__.py").write_text(
        "import six\n\n\ndef main():\n    print(six.__version__)\n"
    )
    shutil.copy(tmp_path / "archive.asc", project)
    (project / "uv.lock").write_text(UV_LOCK)
    (project / "pylock.toml").write_text(PYLOCK)
    (project / "repro.spec").write_text(SPEC.format(address=archive).lstrip())
    locked = reproc("lock", project, env=service.environment())
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", project, env=service.environment()).stdout
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    assert archive in {each.get("address") for each in lock["archives"]}
    # the standalone definition of such a target is held against the Dockerfile in test_shapes.py
    for options, passed in (((), 14), (("--standalone", "--no-cache", "-e", "docker"), 7)):
        done = reproc("verify", *options, project, env=service.environment())
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout
        report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
        assert report["summary"] == {"passed": passed, "failed": 0, "skipped": 0, "flaky": 0}


SIX_1_15 = "8b74bedcbbbaca38ff6d7491d76f2b06b3592611af620f8426e82dddb04a5ced"
SIX_1_14 = "8f3cd2e254d8f793e7f3d6d9df77b92252b52637291d0f0da013c76ea2724b6c"
UV_LOCK = f"""
version = 1
requires-python = ">=3.8"

[[package]]
name = "demo"
version = "1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "six" }},
    {{ name = "colorama", marker = "sys_platform == 'win32'" }},
]

[[package]]
name = "colorama"
version = "0.0.0"
source = {{ registry = "https://example.org/simple" }}

[[package]]
name = "six"
version = "1.15.0"
source = {{ registry = "https://example.org/simple" }}
wheels = [{{ url = "https://example.org/six-1.15.0-py2.py3-none-any.whl", hash = "sha256:{SIX_1_15}", size = 1 }}]
"""
PYLOCK = f"""
lock-version = "1.0"
created-by = "test"
requires-python = ">=3.8"

[[packages]]
name = "six"
version = "1.14.0"

[[packages.wheels]]
name = "six-1.14.0-py2.py3-none-any.whl"
url = "https://example.org/six-1.14.0-py2.py3-none-any.whl"
hashes = {{ sha256 = "{SIX_1_14}" }}
"""
