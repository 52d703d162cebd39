"""An image as base, two compilers side by side, code from git, a requirements file: in both engines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.engines("docker", "singularity")]

Reproc = Callable[..., "subprocess.CompletedProcess[str]"]
IMAGE = "localhost:5000/library/debian:bookworm-slim"
SPEC = """
reproc 1
base image "{image}" {{ is debian bookworm }}

system {{ packages make }}

toolchain gcc 11
toolchain gcc 12 {{ default; at run }}

python 3.11 {{ requirements "requirements.txt" }}

code first  {{ git "{git}"; tag v1 }}
code second {{ git "{git}"; branch next; into /opt/second }}

build first {{
    using gcc 11
    run   "make -j{{{{jobs}}}}"
    run   "mkdir -p /opt/first/bin; cp m /opt/first/bin"
    keep  /opt/first
}}

build second {{ in /opt/second; run "make" }}

test "each build has its own compiler" {{
    script \"\"\"
        grep -q 'GCC: (Debian 11' /opt/first/bin/m
        grep -q 'GCC: (Debian 12' /opt/second/m
        \"\"\"
}}
test "the default compiler is in the image" {{ run "cc -dumpfullversion"; expect stdout equals "12.2.0" }}
test "the tag and the branch" {{ run "m; /opt/second/m"; expect stdout equals "1\\n2" }}
test "links stay links" {{ run "test -L /opt/second/link.c && ! test -e /opt/src/first" }}
test "the requirements" {{ run "python -c 'import six; print(six.__version__)'"; expect stdout equals "1.16.0" }}
"""


@pytest.fixture
def registry() -> None:
    """The local registry with Debian's image, which `tools/setup-engines.sh --registry` starts."""
    try:
        with urlopen("http://localhost:5000/v2/library/debian/tags/list", timeout=5) as answer:
            assert "bookworm-slim" in json.load(answer)["tags"]
    except URLError as problem:
        text = f"no registry at localhost:5000 ({problem.reason}); `tools/setup-engines.sh --registry` starts one"
        if os.environ.get("REPROC_REQUIRE_ENGINES"):
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture
def upstream(tmp_path: Path) -> str:
    """A git repository with a tag and a branch."""
    folder = tmp_path / "upstream.git"
    folder.mkdir()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    environment |= {
        f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    def source(number: int) -> None:
        (folder / "m.c").write_text(f'#include <stdio.h>\nint main(void) {{ puts("{number}"); return 0; }}\n')
        git("add", ".")
        git("commit", "-m", f"number {number}")

    git("init", "-q", "-b", "main")
    (folder / "Makefile").write_text("m: m.c\n\t$(CC) -o m m.c\n")
    (folder / "link.c").symlink_to("m.c")
    source(1)
    git("tag", "-a", "v1", "-m", "one")
    git("checkout", "-q", "-b", "next")
    source(2)
    git("checkout", "-q", "main")
    return f"file://{folder}"


def test_it_holds_in_both_engines(registry: None, upstream: str, tmp_path: Path, reproc: Reproc) -> None:
    project = tmp_path / "image"
    project.mkdir()
    (project / "requirements.txt").write_text("# what we need\nsix==1.16.0\n")
    (project / "repro.spec").write_text(SPEC.format(image=IMAGE, git=upstream).lstrip())
    locked = reproc("lock", project)
    assert locked.returncode == 0, locked.stderr
    again = (project / "repro.lock").read_bytes()
    assert "(unchanged)" in reproc("lock", project).stdout
    assert (project / "repro.lock").read_bytes() == again
    done = reproc("verify", project)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    report = json.loads((project / ".reproc" / "report.json").read_text(encoding="utf-8"))
    assert report["summary"] == {"passed": 10, "failed": 0, "skipped": 0, "flaky": 0}
