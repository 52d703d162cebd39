"""Pythons out of archives, on a base whose release packages another one: in both engines and in both shapes.

The archive is a stand-in: bullseye's Python 3.9 in the folders in which python-build-standalone has its own.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from debs import members
from loopback import serving
from projects import reported, written
from standin import Snapshots

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
Exchanged = Callable[..., "subprocess.CompletedProcess[str]"]
VERSION, BUILD = "3.9.25", "20251031"
PLACE = f"/opt/python/{VERSION}"
NAME = f"cpython-{VERSION}+{BUILD}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
FOLDER = f"astral-sh/python-build-standalone/releases/download/{BUILD}"
DEBS = (
    "libexpat1",
    "libffi7",
    "libmpdec3",
    "libpython3.9-minimal",
    "libpython3.9-stdlib",
    "libssl1.1",
    "patchelf",
    "python-pip-whl",
    "python3-distutils",
    "python3.9-minimal",
    "python3.9-venv",
)
FOLDERS = {
    "usr/bin/python3.9": "bin/python3.9",
    "usr/lib/python3.9/": "lib/python3.9/",
    "usr/lib/x86_64-linux-gnu/": "lib/",
    "lib/x86_64-linux-gnu/": "lib/",
    "usr/share/python-wheels/": "share/python-wheels/",
}
"""Where the files of the packages lie in the archive."""
SPEC = """
reproc 1
base debian bookworm { from bootstrap }

code tiny { local "src" }

python 3.9  { packages six==1.16.0 MarkupSafe==2.1.5; install tiny }
python 3.11 { name own; packages six==1.16.0 }

test "version" {
    run    "python -c 'import sys, six, markupsafe._speedups as c; print(sys.version_info[:2], six.__version__, c)'"
    expect stdout contains "(3, 9) 1.16.0"
    expect stdout contains "cpython-39-"
}
test "built for it" { run "python -c 'import tiny; print(tiny.__file__)'"; expect stdout contains "python3.9" }
test "side by side" {
    run    "/opt/venv-own/bin/python -c 'import sys; print(sys.version_info[:2])'"
    expect stdout equals "(3, 11)"
}
test "all of it is compiled, and nothing by its time" {
    script \"\"\"
        python <<'EOF'
        import glob
        sources = glob.glob("PLACE/lib/python3.9/*.py")
        compiled = [f for f in glob.glob("PLACE/**/*.pyc", recursive=True)]
        assert len(sources) > 100 and len(compiled) > len(sources)
        assert all(open(f, "rb").read(8)[4] == 3 for f in compiled)
        EOF
        \"\"\"
}
""".replace("PLACE", PLACE)

SOURCES = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools==68.2.2"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tiny"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["tiny"]\n',
    "tiny.py": "",
}


def stand_in(folder: Path) -> bytes:
    """The archive."""
    top = folder / "python"
    for head, content in members("bullseye", DEBS, folder):
        found = next(
            (new + head.name.removeprefix(old) for old, new in FOLDERS.items() if head.name.startswith(old)),
            None,
        )
        if head.name == "usr/bin/patchelf":
            found = "../patchelf"
        if found is None or (head.issym() and head.linkname.startswith("/")):
            continue
        path = top / found
        path.parent.mkdir(parents=True, exist_ok=True)
        if head.issym():
            path.symlink_to(head.linkname)
            continue
        assert content is not None
        wheels = f"{PLACE}/share/python-wheels" if "/ensurepip/" in found else "/usr/share/python-wheels"
        path.write_bytes(content.replace(b"/usr/share/python-wheels", wheels.encode()))
        path.chmod(head.mode)
    # its libraries are beside it, whoever asks for them
    rpath = [folder / "patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib"]
    subprocess.run([*rpath, top / "bin/python3.9"], check=True)
    (top / "bin/python3").symlink_to("python3.9")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(top, "python")
    return gzip.compress(out.getvalue(), 1, mtime=0)


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    (tmp_path / "made").mkdir()
    return stand_in(tmp_path / "made")


@pytest.fixture
def address(tmp_path: Path, archive: bytes) -> Iterator[str]:
    """A server of it on loopback, at the place where GitHub has the real one."""
    folder = tmp_path / "served" / FOLDER
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(archive)

    with serving(tmp_path / "served") as address:
        yield address


@pytest.fixture
def exchanged(archive: bytes) -> Exchanged:
    """Runs `reproc ARGUMENTS` with the stand-in's digest in the place of the real one's."""
    digest = hashlib.sha256(archive).hexdigest()

    def run(*arguments: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        script = Path(__file__).with_name("exchanged.py")
        return subprocess.run(
            [sys.executable, script, "linux/amd64", f"{VERSION}+{BUILD}", digest, *map(str, arguments)],
            env={**os.environ, "REPROC_REQUIRE_ENGINES": "docker,singularity", **env},
            timeout=1800,
            capture_output=True,
            text=True,
        )

    return run


def verified(project: Path, exchanged: Exchanged, *options: str, env: dict[str, str]) -> dict[str, Any]:
    done = exchanged("verify", *options, project, env=env)
    return reported(done, project)


def test_another_python_on_a_base(tmp_path: Path, address: str, exchanged: Exchanged) -> None:
    where = {"REPROC_MIRROR_GITHUB_COM": address}
    project = written(tmp_path / "pythons", SPEC, SOURCES)
    locked = exchanged("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in exchanged("lock", project, env=where).stdout
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    (target,) = lock["targets"]
    assert {each["name"]: each["interpreter"] for each in target["python"]} == {
        "main": f"{PLACE}/bin/python3.9",
        "own": "python3.11",
    }
    (wheel,) = [each["filename"] for each in target["python"][0]["wheels"] if each["name"] == "markupsafe"]
    assert "-cp39-cp39-manylinux_2_17_x86_64" in wheel
    report = verified(project, exchanged, "--rebuild", "2", env=where)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (8, 0)
    (seen,) = report["targets"]
    assert seen["same_tree"]
    rows = [row for row in seen["engines"] if row["build"]]
    assert [row["rebuild"]["level"] for row in rows] == ["R3", "R3"]
    names = {(each["name"], each["version"]) for each in seen["packages"]}
    assert {("CPython", VERSION), ("MarkupSafe", "2.1.5"), ("six", "1.16.0")} <= names


def test_a_recipe_that_fetches_by_itself(
    tmp_path: Path, address: str, exchanged: Exchanged, service: Snapshots
) -> None:
    where = {"REPROC_MIRROR_GITHUB_COM": address, **service.environment()}
    project = written(tmp_path / "standalone", SPEC, SOURCES)
    locked = exchanged("lock", project, env=where)
    assert locked.returncode == 0, locked.stderr
    report = verified(project, exchanged, "--standalone", "-e", "docker", env=where)
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (4, 0)


def test_another_file_at_the_address(tmp_path: Path, address: str, exchanged: Exchanged) -> None:
    served = tmp_path / "served" / FOLDER / NAME
    served.write_bytes(served.read_bytes() + b"\n")
    project = written(tmp_path / "changed", SPEC, SOURCES)
    done = exchanged("lock", project, env={"REPROC_MIRROR_GITHUB_COM": address})
    assert done.returncode == 3
    assert "error[E0435]" in done.stderr and "repro.spec:6:1" in done.stderr, done.stderr
    assert "the next is `provider image`: `base image " in done.stderr, done.stderr


OLD = """
reproc 1
base debian bookworm { from bootstrap }

python 2.7  { packages six==1.16.0 MarkupSafe==1.1.1 Jinja2==2.11.3 }
python 3.11 { name own; packages six==1.16.0 }

test "version" {
    run    "python -c 'import sys, jinja2, markupsafe._speedups; print sys.version_info[:2], jinja2.__version__'"
    expect stdout equals "(2, 7) 2.11.3"
}
test "all that was named" {
    run    "pip freeze"
    expect stdout contains "MarkupSafe==1.1.1"
}
test "side by side" { run "/opt/venv-own/bin/python -c 'import sys, six; assert sys.version_info[0] == 3'" }
"""


def test_python_2_beside_the_base_s_own(tmp_path: Path, reproc: Reproc) -> None:
    (tmp_path / "repro.spec").write_text(OLD.lstrip())
    locked = reproc("lock", tmp_path)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", tmp_path).stdout
    done = reproc(
        "verify",
        tmp_path,
        "--rebuild",
        "2",
        env={"REPROC_REQUIRE_ENGINES": "docker,singularity"},
        timeout=1200,
    )
    report = reported(done, tmp_path)
    (seen,) = report["targets"]
    assert (report["summary"]["passed"], report["summary"]["failed"]) == (6, 0)
    assert seen["same_tree"]
    assert [row["rebuild"]["level"] for row in seen["engines"] if row["build"]] == ["R3", "R3"]
    assert {"Jinja2", "python2.7", "six"} <= {each["name"] for each in seen["packages"]}
    alone = reproc("compile", tmp_path)
    assert alone.returncode == 2 and "is made by a program of the package index" in alone.stderr, alone.stderr
