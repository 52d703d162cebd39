"""The spec that shows the language in one piece: everything in it is locked and compiled."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

from ..lock.conftest import suite_files
from ..lock.test_doi import zenodo
from ..lock.test_image import layer
from ..lock.test_image import publish as publish_image
from ..lock.test_pypi import publish as publish_python
from ..lock.test_pypi import wheel
from ..upstream import commit, upstream
from .conftest import STATUS, Paper, stanza

PYTHON = {"numpy": "1.26.4", "scipy": "1.13.1", "torch": "2.1.2"}
RUNTIME = ("libatomic1", "libgcc-s1", "libgomp1", "libstdc++6")
PACKAGES = {
    "bullseye": {
        "gcc-9": ("9.3.0-22", "Depends: libc6\n"),
        "g++-9": ("9.3.0-22", "Depends: gcc-9 (= 9.3.0-22)\n"),
    },
    "bookworm": {
        "libc6": ("2.36-9", ""),
        "libc6-dev": ("2.36-9", "Depends: libc6\n"),
        "python3.11-venv": ("3.11.2-6", "Depends: libc6\n"),
        "libsndfile1": ("1.2.0-1", "Depends: libc6\n"),
        "libfftw3-dev": ("3.3.10-1", "Depends: libc6\n"),
        "gcc-12": ("12.2.0-14", "Depends: libc6\n"),
        **{name: ("12.2.0-14", "Depends: libc6\n") for name in RUNTIME},
        "g++-12": ("12.2.0-14", "Depends: gcc-12\n"),
    },
}
WHOLE = Path(__file__).parent / "whole"


def packed(name: str, content: bytes) -> bytes:
    """A compressed archive with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def offer(paper: Paper) -> None:
    """The snapshot service has the packages of both releases, as of the day in the spec."""
    for release, content in PACKAGES.items():
        index = "\n".join(stanza(name, *each) for name, each in content.items()).encode()
        for suite, archive in (
            (release, "debian"),
            (f"{release}-updates", "debian"),
            (f"{release}-security", "debian-security"),
        ):
            for path, data in suite_files(paper.key, suite, index if suite == release else b"").items():
                paper.server.files[f"/archive/{archive}/20240601T000000Z/{path}"] = data


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_everything_is_locked(paper: Paper, tmp_path: Path) -> None:
    shutil.copytree(WHOLE, paper.folder, dirs_exist_ok=True)
    spec = paper.folder / "repro.spec"
    text = spec.read_text()
    assert "no mistakes" in paper.run("check")
    sources, corpus = packed("SPTK-3.11/configure", b"#!/bin/sh\n"), packed("corpus/a.wav", b"RIFF")
    (tmp_path / "hosting").mkdir()
    with upstream(tmp_path / "hosting") as hosting:
        model = hosting.repository("example/model.git")
        changed = {
            "https://github.com": hosting.address,
            "64d6bd1b6d5d2b1e8d0e7fd2a8ee1c0ffee00000": commit(model, {"eval.py": b"print(1)\n"}),
            "3c3f2b4b5e0f7a5d8c1e9b6a4d2f0c8e7b5a3d1f9e7c5b3a1d0f8e6c4b2a0918": sha(sources),
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": sha(corpus),
        }
        for old, new in changed.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        spec.write_text(text)
        paper.server.files["/sp-tk/SPTK-3.11.tar.gz"] = sources
        zenodo(paper.server, {"corpus.tar.gz": corpus}, 1234567)
        for name in ("DOCKER", "ZENODO", "DOWNLOADS_SOURCEFORGE_NET"):
            paper.environment[f"REPROC_MIRROR_{name}"] = paper.server.address
        for name, version in PYTHON.items():
            publish_python(
                paper.server,
                name,
                {f"{name}-{version}-py3-none-any.whl": wheel(name, version)},
                uploaded="2024-01-01T00:00:00Z",
            )
        offer(paper)
        publish_image(
            paper.server, layer(("var/lib/dpkg/status", STATUS)), name="library/debian", tag="bookworm-slim"
        )
        paper.run("lock")
    cpu, gpu = paper.lock["targets"]
    assert paper.versions().items() >= {"gcc-9": "9.3.0-22", "gcc-12": "12.2.0-14", **PYTHON}.items()
    assert [{w["name"] for e in each["python"] for w in e["wheels"]} for each in (cpu, gpu)] == [
        {"numpy", "scipy"}, set(PYTHON),
    ]  # fmt: skip
    assert {each.partition(":")[0] for each in cpu["trees"]} == {"code model", "code sptk", "data corpus"}
    assert paper.run("lock").endswith("(unchanged)\n")
    paper.run("compile", "--standalone")
    for name in ("cpu/Dockerfile", "cpu/Singularity.def", "gpu/Dockerfile", "gpu/Singularity.def"):
        recipe = (paper.folder / "containers" / name).read_text()
        for word in ("gcc-9", "g++-12", "SPTK-3.11.tar.gz", "--prefix=/opt/sptk", "OMP_NUM_THREADS"):
            assert word in recipe, (name, word)
