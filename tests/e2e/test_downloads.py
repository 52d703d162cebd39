"""Archives, files and records from the network, a base from a file: vendored and standalone, in both engines."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from loopback import serving

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """
reproc 1
base archive "image.tar" {{ is debian bookworm }}

code tool {{
    archive "{address}/tool-1.0.tar.gz"
    sha256  {tool}
}}
code flat {{ archive "{address}/flat.tar"; strip 0; into /opt/flat }}
code jar  {{ archive "{address}/x.jar"; into /opt/jars/ }}

data table  {{ url "{address}/gone/a%20table.csv" "{address}/a%20table.csv"; size 8B; into /data/ }}
data packed {{ url "{address}/packed.csv.gz"; unpack; into /data/packed.csv }}
data record {{ doi 10.5281/zenodo.1234; file "a.csv"; file "deep/b.csv"; into /data/record }}
data corpus {{ doi 10.5281/zenodo.1234; file "corpus.tar.gz"; unpack; into /data/corpus }}

build greet {{ in /opt/src/tool; run "./configure > /opt/greeting" }}

test "the tree" {{ script \"\"\"
    cd /
    find opt/src opt/flat opt/jars data | sort | xargs -d '\\n' stat -c '%A %N'
    find opt/src opt/flat opt/jars data -type f | sort | xargs -d '\\n' sha256sum
    \"\"\"
    expect stdout contains "-rwxr-xr-x 'opt/src/tool/configure'"
    expect stdout contains "-rw-r--r-- 'opt/src/tool/src/a.c'"
    expect stdout contains "'opt/src/tool/b.c' -> 'src/a.c'"
    expect stdout contains "drwxr-xr-x 'opt/src/tool/empty'"
    expect stdout contains "-rw-r--r-- 'opt/jars/x.jar'"
    expect stdout contains "-rw-r--r-- 'data/a table.csv'"
}}
test "what was built" {{ run "cat /opt/greeting"; expect stdout equals "hello" }}
test "the packed file" {{ run "cat /data/packed.csv"; expect stdout equals "1,2" }}
test "the record" {{
    run    "cat /data/record/a.csv /data/record/deep/b.csv /data/corpus/corpus/c"
    expect stdout equals "abc"
}}
test "nothing is left" {{ run "test -z \\"$(ls -A /mnt)\\"" }}
"""


def tarred(top: str, form: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{form}") as archive:
        for name, content, mode in (
            ("configure", b"#!/bin/sh\necho hello\n", 0o700),
            ("src/a.c", b"int main;\n", 0o606),
        ):
            head = tarfile.TarInfo(top + name)
            head.size, head.mode, head.uid = len(content), mode, 1000
            archive.addfile(head, io.BytesIO(content))
        link = tarfile.TarInfo(f"{top}b.c")
        link.type, link.linkname = tarfile.SYMTYPE, "src/a.c"
        archive.addfile(link)
        empty = tarfile.TarInfo(f"{top}empty")
        empty.type, empty.mode = tarfile.DIRTYPE, 0o2700
        archive.addfile(empty)
    return out.getvalue()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A loopback server of archives, files and a record as Zenodo lists it."""
    root = tmp_path / "served"
    (root / "api/records").mkdir(parents=True)
    (root / "deep").mkdir()

    corpus = io.BytesIO()
    with tarfile.open(fileobj=corpus, mode="w:gz") as archive:
        head = tarfile.TarInfo("corpus/c")
        head.size = 1
        archive.addfile(head, io.BytesIO(b"c"))
    (root / "corpus.tar.gz").write_bytes(corpus.getvalue())
    (root / "tool-1.0.tar.gz").write_bytes(tarred("tool-1.0/", "gz"))
    (root / "flat.tar").write_bytes(tarred("./", ""))
    (root / "x.jar").write_bytes(b"PK\x05\x06" + bytes(18))
    (root / "a table.csv").write_bytes(b"a,b\n1,2\n")
    (root / "packed.csv.gz").write_bytes(gzip.compress(b"1,2\n"))
    (root / "a.csv").write_bytes(b"a")
    (root / "deep/b.csv").write_bytes(b"b")
    with serving(root) as found:
        names = ("a.csv", "deep/b.csv", "corpus.tar.gz")
        files = [{"key": name, "links": {"self": f"{found}/{name}"}} for name in names]
        (root / "api/records/1234").write_text(json.dumps({"files": files}))
        yield found


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system of Debian as a plain tar archive."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(path)], check=True, capture_output=True
    )
    return path


@pytest.fixture
def project(
    tmp_path: Path, image: Path, address: str, reproc: Reproc, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A locked project."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    os.link(image, folder / "image.tar")
    tool = sha256((tmp_path / "served/tool-1.0.tar.gz").read_bytes()).hexdigest()
    (folder / "repro.spec").write_text(SPEC.format(address=address, tool=tool).lstrip())
    monkeypatch.setenv("REPROC_MIRROR_ZENODO", address)
    locked = reproc("lock", folder)
    assert locked.returncode == 0, locked.stderr
    assert f"`{address}/gone/a%20table.csv` was passed over: HTTP status 404" in locked.stderr
    assert "(unchanged)" in reproc("lock", folder).stdout
    return folder


def test_both_shapes_give_the_same_tree(project: Path, reproc: Reproc) -> None:
    seen = [shown(project, reproc), shown(project, reproc, "--standalone", "--no-cache")]
    assert len({listing for listings in seen for listing in listings}) == 1


def shown(project: Path, reproc: Reproc, *options: str) -> list[str]:
    """What each engine's image shows of the fetched trees."""
    done = reproc("verify", *options, project)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    assert report["summary"] == {"passed": 10, "failed": 0, "skipped": 0, "flaky": 0}
    rows = [test for row in report["targets"][0]["engines"] for test in row["tests"]]
    return [test["stdout"] for test in rows if test["name"] == "the tree"]
