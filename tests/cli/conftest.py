"""A paper's folder on a machine whose archive, package index and registry are a loopback server."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reproc.lock.archives import Site

from ..lock.conftest import SUITES, Key, Server, key, server, site, small_archive, suite_files  # noqa: F401
from ..lock.test_image import layer
from ..lock.test_image import publish as publish_image
from ..lock.test_pypi import publish as publish_python
from ..lock.test_pypi import wheel

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
STATUS = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\n"
PACKAGES = {
    "python3.11-venv": ("3.11.2-6", "Depends: libc6\n"),
    "viewer": ("1.0-1", "Depends: libdraw, libc6 (>= 2)\n"),
    "libdraw": ("2.0-1", "Depends: libink (>= 1) | ink-ng\n"),
    "libink": ("1.0-1", "Depends: libc6\n"),
    "other": ("5", ""),
}
SPEC = """\
reproc 1
base image "{host}/lib/x:1" {{ is debian bookworm }}
system {{ packages viewer }}
python 3.11 {{ packages alpha }}
code model {{ local "model" }}
target one
target two
"""


@dataclass
class Paper:
    """A folder with a spec, and the world that it is locked in."""

    folder: Path
    server: Server
    key: Key
    environment: dict[str, str]
    reproc: Reproc

    def offer(self, **changes: tuple[str, str]) -> None:
        """The archive has these packages beside, or in place of, its first ones: version and further fields."""
        packages = PACKAGES | {name.replace("_", "-"): each for name, each in changes.items()}
        for suite in SUITES:
            archive = "debian-security" if suite.endswith("security") else "debian"
            content = "\n".join(map(stanza, packages, *zip(*packages.values(), strict=True)))
            for path, data in suite_files(
                self.key, suite, content.encode() if suite == "bookworm" else b""
            ).items():
                self.server.files[f"/{archive}/{path}"] = data

    def offer_beside(self, **changes: tuple[str, str]) -> None:
        """The archive's first packages, and these in a second suite, as between two point releases."""
        self.offer()
        content = "\n".join(stanza(name, *each) for name, each in changes.items()).encode()
        for path, data in suite_files(self.key, "bookworm-updates", content).items():
            self.server.files[f"/debian/{path}"] = data

    def keep_snapshot(self, time: str) -> None:
        """The snapshot service has what the archive has now."""
        for path, data in list(self.server.files.items()):
            _, archive, rest = path.split("/", 2)
            if archive in ("debian", "debian-security"):
                self.server.files[f"/archive/{archive}/{time}/{rest}"] = data

    def index(self, name: str, *versions: str, requires: str = "") -> None:
        """The package index has these versions of a Python package."""
        files = {f"{name}-{each}-py3-none-any.whl": wheel(name, each, requires) for each in versions}
        publish_python(self.server, name, files)

    def image(self, *contents: bytes) -> str:
        """The registry has an image under the tag that the spec names; the digest of its manifest."""
        files = [(f"file-{number}", content) for number, content in enumerate(contents)]
        return publish_image(self.server, layer(("var/lib/dpkg/status", STATUS), *files))

    def write(self, **changes: str) -> None:
        """The spec, with some of its words replaced."""
        text = SPEC.format(host=self.server.address.removeprefix("http://"))
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (self.folder / "repro.spec").write_text(text)

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, which must end as expected."""
        done = self.reproc(*arguments, cwd=self.folder, env=self.environment)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    @property
    def lock(self) -> Any:
        return json.loads((self.folder / "repro.lock").read_text())

    def versions(self) -> dict[str, str]:
        """The locked version of everything, by name."""
        found = dict(each.partition("@")[0].split("_")[:2] for each in self.lock["debs"])
        for target in self.lock["targets"]:
            found |= {w["name"]: w["version"] for each in target["python"] for w in each["wheels"]}
        return found


def stanza(name: str, version: str, fields: str) -> str:
    """A package in an index."""
    sha256 = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    head = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}"
    return f"{head}Filename: pool/main/{name}_{version}.deb\nSize: 7\nSHA256: {sha256}\n"


@pytest.fixture
def paper(tmp_path: Path, server: Server, site: Site, key: Key, reproc: Reproc) -> Paper:  # noqa: F811
    folder = tmp_path / "paper"
    (folder / "model").mkdir(parents=True)
    (folder / "model/main.py").write_text("print(1)\n")
    own = {"REPROC_STORE": str(tmp_path / "store"), "REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": server.address}
    made = Paper(folder, server, key, {**site.environment, **own}, reproc)
    made.offer()
    made.index("alpha", "1.0", requires="beta>=1")
    made.index("beta", "1.0")
    made.image(b"first")
    made.write()
    return made
