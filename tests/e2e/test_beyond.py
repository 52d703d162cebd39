"""Builds on another base, code with its submodules and large files, data that are mounted: in both shapes and engines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standin import Snapshots

from reproc.lock.store import Store, default_root

from ..upstream import Upstream, commit, git, link, upstream

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """
reproc 1
base debian bookworm {{ from bootstrap }}

system {{ packages zlib1g-dev }}
toolchain gcc 10

code version {{ local "version" }}
code whole   {{ git {url}; tag v1; submodules; into /opt/whole }}
code alone   {{ git {url}; tag v1; into /opt/alone }}

build version {{
    on    base debian bullseye {{ from bootstrap }}
    using gcc 10
    run   "mkdir -p /opt/version/bin; cc -o /opt/version/bin/version version.c -lz"
    run   ". /etc/os-release; echo $VERSION_CODENAME > /opt/version/made-on"
    keep  /opt/version
}}
build after {{
    after version
    in    /opt/version
    run   "mkdir /opt/after; cat made-on /etc/debian_version > /opt/after/seen"
    keep  /opt/after
}}

data tables {{ url "{address}/tables.tar.gz"; unpack; into "/data/the tables, all"; at run; mode 0444 }}
data table  {{ local "table.csv"; into /data/one/; at run }}

target plain {{
    data gone {{ url "{address}/gone.csv"; into /data/gone.csv; at run }}
    test "without it" {{ needs data gone; run "false" }}
    test "its place"  {{ run "test -f /data/gone.csv && ! test -s /data/gone.csv" }}
}}
target large {{ code weights {{ git {url}; tag v1; lfs; into /opt/weights }}
    test "the large file" {{ run "cat /opt/weights/w.bin"; expect stdout equals "heavy" }}
    test "a pointer"      {{ run "head -c 7 /opt/alone/w.bin"; expect stdout equals "version" }}
}}

test "made on the other base" {{
    run    "version; cat /opt/version/made-on /opt/after/seen"
    expect stdout matches "^1[.]2[.]1[0-9]\\nbullseye\\nbullseye\\n12[.]"
}}
test "submodules" {{
    script \"\"\"
        cd /opt
        find whole alone | sort | xargs stat -c '%A %n'
        cat whole/ext/in/i whole/ext/in/deep/d
        \"\"\"
    expect stdout equals "{tree}"
}}
test "mounted" {{
    needs  data tables
    needs  data table
    script \"\"\"
        cd "/data/the tables, all"
        stat -c '%a %n' . t/a.csv
        cat t/a.csv /data/one/table.csv
        ! touch new 2> /dev/null
        ! (echo x >> /data/one/table.csv) 2> /dev/null
        \"\"\"
    expect stdout equals "555 .\\n444 t/a.csv\\n1,2\\n3,4"
}}
"""
TREE = """\
drwxr-xr-x alone
-rw-r--r-- alone/.gitmodules
drwxr-xr-x alone/ext
drwxr-xr-x alone/ext/in
-rw-r--r-- alone/own
-rw-r--r-- alone/w.bin
drwxr-xr-x whole
-rw-r--r-- whole/.gitmodules
drwxr-xr-x whole/ext
drwxr-xr-x whole/ext/in
-rw-r--r-- whole/ext/in/.gitmodules
drwxr-xr-x whole/ext/in/deep
-rw-r--r-- whole/ext/in/deep/d
-rw-r--r-- whole/ext/in/i
-rw-r--r-- whole/own
-rw-r--r-- whole/w.bin
i1"""
PROGRAM = "#include <stdio.h>\n#include <zlib.h>\nint main(void) { puts(zlibVersion()); return 0; }\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Upstream]:
    """Three repositories, one in the other; the innermost has moved on since."""
    with upstream(tmp_path / "host") as served:
        deep, inner, outer = (
            served.repository(name) for name in ("deep.git", "group/inner.git", "outer.git")
        )
        first = commit(deep, {"d": b"1"})
        commit(deep, {"d": b"2"})
        commit(inner, {"i": b"i"})
        link(inner, "deep", first, "../../deep.git")
        commit(outer, {"own": b"x", "w.bin": served.keep(b"heavy")})
        link(outer, "ext/in", git(inner, "rev-parse", "HEAD"), served.url("group/inner"))
        git(outer, "tag", "v1")
        yield served


def test_it_holds_in_both_shapes_and_engines(
    host: Upstream, service: Snapshots, tmp_path: Path, reproc: Reproc
) -> None:
    project = tmp_path / "beyond"
    (project / "version").mkdir(parents=True)
    (project / "version/version.c").write_text(PROGRAM)
    (project / "table.csv").write_text("3,4\n")
    tables = tmp_path / "t"
    tables.mkdir()
    (tables / "a.csv").write_text("1,2\n")
    packed = subprocess.run(["tar", "-C", tmp_path, "-cz", "t"], check=True, capture_output=True).stdout
    host.plain |= {"tables.tar.gz": packed, "gone.csv": b"is gone soon\n"}
    tree = TREE.replace("\n", "\\n")
    text = SPEC.format(url=host.url("outer.git"), address=host.address, tree=tree).lstrip()
    (project / "repro.spec").write_text(text)
    environment = service.environment()
    locked = reproc("lock", project, env=environment)
    assert locked.returncode == 0, locked.stderr
    assert "(unchanged)" in reproc("lock", project, env=environment).stdout
    forget(host, project)

    done = reproc("verify", project, env=environment)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert "[W0404]: `data gone` is not here: " in done.stderr
    assert summary(project) == {"passed": 18, "failed": 0, "skipped": 2, "flaky": 0}
    lacking = reproc(
        "verify", "-t", "plain", "-k", "without it", "--require", "data", project, env=environment
    )
    assert lacking.returncode == 3, lacking.stderr[-4000:] + lacking.stdout

    done = reproc("compile", "-t", "large", project)
    assert done.returncode == 2 and "error[E0514]" in done.stderr
    done = reproc("verify", "--standalone", "--no-cache", "-t", "plain", project, env=environment)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert summary(project) == {"passed": 8, "failed": 0, "skipped": 2, "flaky": 0}


def forget(host: Upstream, project: Path) -> None:
    """Takes away what one of the data are, from the server and from the store."""
    del host.plain["gone.csv"]
    lock = json.loads((project / "repro.lock").read_text(encoding="utf-8"))
    tree = next(each for key, each in lock["trees"].items() if "gone.csv" in key)
    for sha256 in (tree["sha256"], tree["downloads"][0]["sha256"]):
        Store(default_root()).place(sha256).unlink()


def summary(project: Path) -> dict[str, int]:
    report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    found: dict[str, int] = report["summary"]
    return found
