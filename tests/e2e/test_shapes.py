"""The two shapes of recipe in both engines come to one tree, and a lock knows when the snapshot service confirms it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from projects import trees
from standin import Snapshots

from reproc.verify.tree import Tree, compare

pytestmark = [pytest.mark.network, pytest.mark.slow]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """
reproc 1
base debian bookworm { from bootstrap }

system { packages hello }

python 3.11 { packages six==1.16.0 }

code tool { local "src" }
file "table.csv" { into /data/; mode 0640 }

build tool {
    run  "mkdir -p /opt/tool/bin"
    run  "cp tool.sh /opt/tool/bin/tool; ln -s tool /opt/tool/bin/other; chmod u+s /opt/tool/bin/tool"
    keep /opt/tool
}

app main { run "tool" }

test "the tool"   { app main; expect stdout equals "hello, six 1.16.0" }
test "no traces"  { run "test -z \\"$(ls -A /mnt)\\" && test ! -e /etc/pip.conf" }
"""


STATUS = b"""\
Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    (folder / "src").mkdir(parents=True)
    script = folder / "src/tool.sh"
    script.write_text(
        "#!/bin/sh\necho \"$(hello -g hello), six $(python -c 'import six; print(six.__version__)')\"\n"
    )
    script.chmod(0o755)
    (folder / "table.csv").write_text("1,2\n")
    (folder / "repro.spec").write_text(SPEC.lstrip())
    return folder


@pytest.mark.engines("docker", "singularity")
def test_both_shapes_in_both_engines_are_one_tree(project: Path, service: Snapshots, reproc: Reproc) -> None:
    locked = reproc("lock", project, env=service.environment())
    assert locked.returncode == 0, locked.stderr
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    assert {each["confirmed"] for each in lock["archives"]} == {True}
    before = len(service.asked)
    found: dict[str, Tree] = {}
    for shape, options in (("vendored", ()), ("standalone", ("--standalone", "--no-cache"))):
        done = reproc("verify", *options, project, env=service.environment())
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout
        report = json.loads((project / ".reproc/report.json").read_text(encoding="utf-8"))
        assert report["summary"] == {"passed": 4, "failed": 0, "skipped": 0, "flaky": 0}
        rows = report["targets"][0]["engines"]
        assert [row["build"]["shape"] for row in rows] == [shape, shape]
        assert [row["build"]["network"] for row in rows] == [[], []]
        found |= {f"{shape} {engine}": tree for engine, tree in trees(project).items()}
        if shape == "vendored":
            assert len(service.asked) == before, "what is vendored asks nobody"
    debs = [path for path in service.asked[before:] if path.endswith(".deb")]
    assert len(debs) > len(set(debs)) > 100, "both engines fetch, and so does what makes the base"
    for (first, ours), (second, theirs) in combinations(found.items(), 2):
        compared = compare(ours, theirs)
        assert [each.words(first, second) for each in compared.differences] == []
        assert not compared.flattened
        assert compared.entries > 5000
    service.changed.add("_amd64.deb")
    done = reproc("verify", "--standalone", "--no-cache", "-e", "docker", project, env=service.environment())
    assert done.returncode == 1
    assert "Hash Sum mismatch" in done.stderr
    assert "repro.spec:4:" in done.stderr, "the line of `system`, which asked for it"


def test_a_lock_is_confirmed_by_the_same_files_only(
    tmp_path: Path, service: Snapshots, reproc: Reproc
) -> None:
    """No engine is needed: the base is a root file system of one package."""
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        head = tarfile.TarInfo("var/lib/dpkg/status")
        head.size = len(STATUS)
        archive.addfile(head, io.BytesIO(STATUS))
    (tmp_path / "repro.spec").write_text(
        'reproc 1\nbase archive "root.tar" { is debian bookworm }\nsystem { packages hello }\n'
    )

    def confirmed() -> dict[str, bool]:
        (tmp_path / "repro.lock").unlink(missing_ok=True)
        done = reproc("lock", tmp_path, env=service.environment())
        assert done.returncode == 0, done.stderr
        lock = json.loads((tmp_path / "repro.lock").read_text(encoding="utf-8"))
        return {each["name"]: each["confirmed"] for each in lock["archives"]}

    assert confirmed() == {"debian": True, "debian-security": True}
    service.changed.add("bookworm-updates/InRelease")
    assert confirmed() == {"debian": False, "debian-security": True}
    nobody = "http://127.0.0.1:1"
    service.environment = lambda: {"REPROC_MIRROR_SNAPSHOT_DEBIAN_ORG": nobody}  # type: ignore[method-assign]
    assert confirmed() == {"debian": False, "debian-security": False}


@pytest.mark.engines("docker", "singularity")
def test_without_any_network_a_filled_store_is_enough(project: Path, reproc: Reproc) -> None:
    """The command runs in a namespace that has no routes and no device that is up; Docker's socket is a file."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root makes a network namespace and keeps its rights outside of it")
    for command in ("lock", "fetch"):
        done = reproc(command, project)
        assert done.returncode == 0, done.stderr
    script = 'test -z "$(tail -n +2 /proc/net/route)" || exit 99; exec "$@"'
    command = ["unshare", "--net", "/bin/sh", "-c", script, "sh", sys.executable, "-m", "reproc"]
    done = subprocess.run(
        [*command, "verify", "--no-cache", str(project)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report = json.loads((project / ".reproc/report.json").read_text(encoding="utf-8"))
    assert report["summary"] == {"passed": 4, "failed": 0, "skipped": 0, "flaky": 0}
    recipe = (project / ".reproc/vendored/default/Dockerfile").read_text(encoding="utf-8")
    runs = [line for line in recipe.splitlines() if line.startswith("RUN ")]
    assert runs
    assert all(line.startswith("RUN --network=none") for line in runs)
