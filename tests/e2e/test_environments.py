"""A Python that the base's release does not package: out of the image that is the base, in both engines."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pushed import REGISTRY, push

from reproc.lock.archives import Site
from reproc.lock.net import Client

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
TAG = "3.9.25-slim-bookworm"
SPEC = f"""
reproc 1
base image "docker.io/library/python:{TAG}" {{ is debian bookworm }}

python 3.9 {{ provider image; packages six==1.16.0 MarkupSafe==2.1.5 }}

test "version" {{
    run    "python -c 'import sys, six, markupsafe; print(sys.version_info[:2], six.__version__)'"
    expect stdout equals "(3, 9) 1.16.0"
}}
test "compiled for it" {{
    run    "ls /opt/venv/lib/python3.9/site-packages/markupsafe"
    expect stdout contains "cpython-39-"
}}
test "the release's own is not there" {{ run "! command -v python3.11" }}
"""
PYTHON = (
    "libexpat1",
    "libffi7",
    "libpython3.9-minimal",
    "libpython3.9-stdlib",
    "libssl1.1",
    "python-pip-whl",
    "python3-distutils",
    "python3-lib2to3",
    "python3.9",
    "python3.9-minimal",
    "python3.9-venv",
)
"""Bullseye's Python, and what of bullseye's libraries bookworm has no longer."""


@pytest.fixture
def image(tmp_path: Path) -> None:
    """A stand-in for the official image: bookworm with bullseye's Python 3.9 unpacked into it."""
    client = Client()
    roots = Site(environment={}).live("debian")

    def got(path: str) -> bytes:
        return client.get([f"{root}/{path}" for root in roots], path)

    index = lzma.decompress(got("dists/bullseye/main/binary-amd64/Packages.xz")).decode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for path in sorted(paths(index)):
            deb = tmp_path / path.rpartition("/")[2]
            deb.write_bytes(got(path))
            tree = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(tree)) as packed:
                for head in packed:
                    # folders are there, or made; /lib is a link to /usr/lib
                    head.name = head.name.removeprefix("./")
                    head.name = f"usr/{head.name}" if head.name.startswith("lib/") else head.name
                    if not head.isdir():
                        layer.addfile(head, packed.extractfile(head) if head.isreg() else None)
    push("python", TAG, out.getvalue())


def paths(index: str) -> Iterator[str]:
    """Where the archive has the packages."""
    for stanza in index.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Package") in PYTHON:
            yield fields["Filename"]


def test_an_environment_of_the_base_image_s_python(tmp_path: Path, image: None, reproc: Reproc) -> None:
    (tmp_path / "repro.spec").write_text(SPEC.lstrip())
    where = {"REPROC_MIRROR_DOCKER": REGISTRY}
    locked = reproc("lock", tmp_path, env=where)
    assert locked.returncode == 0, locked.stderr
    lock = json.loads((tmp_path / "repro.lock").read_text(encoding="utf-8"))
    assert "python3.11" not in json.dumps(lock)
    done = reproc(
        "verify", tmp_path, env={**where, "REPROC_REQUIRE_ENGINES": "docker,singularity"}, timeout=1200
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report = json.loads((tmp_path / ".reproc/report.json").read_text(encoding="utf-8"))
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (6, 0)
    assert report["targets"][0]["same_tree"]
