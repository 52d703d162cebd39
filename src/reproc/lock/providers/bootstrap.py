"""Root file systems made from exactly the locked packages, with mmdebstrap, bit for bit.

One shell script does it: reproc runs it with the packages of the store, and the same script is written to
`containers/bootstrap.sh`, where it fetches the packages itself.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from reproc.catalog import Release, release
from reproc.diagnostics import Outcome
from reproc.diagnostics.codes import lock as codes
from reproc.lock import archives
from reproc.lock.model import BootstrapBase, Deb, Lock
from reproc.lock.problem import problem
from reproc.lock.requests import BootstrapRequest
from reproc.progress import Progress
from reproc.record import record

if TYPE_CHECKING:
    from reproc.lock.store import Store

FOLDER = ".reproc/base"
_SAID = 30
"""Lines of the tool's output that a diagnostic shows."""


@record
class Recipe:
    """What determines a root file system."""

    release: Release
    platform: str
    debs: tuple[Deb, ...]
    time: int
    snapshots: tuple[tuple[str, str], ...]
    """Archive and moment, for `sources.list` and for fetching."""

    def script(self, sha256: str = "", tool: str = "") -> str:
        """The shell script that makes it; with a digest, one that checks the result."""
        at = dict(self.snapshots)
        used = dict.fromkeys(archive for archive, _ in self.release.suites)
        sources = "\n".join(
            f"deb [check-valid-until=no] {archives.snapshot_address(archive, at[archive])} {suite}"
            f" {' '.join(archives.COMPONENTS[archive])}"
            for archive, suite in self.release.suites
        )
        mirrors = "\n".join(
            f'        {archive}) echo "${{{archives.mirror_variable(archive)}:-'
            f'{archives.snapshot_address(archive, at[archive])}}}" ;;'
            for archive in used
        )
        return Template(_template()).substitute(
            NAME="bootstrap.sh" if sha256 else "bootstrap",
            FILE=f"{FOLDER}/{sha256}.tar" if sha256 else "root.tar",
            SHA256=sha256 or "''",
            COUNT=len(self.debs),
            DISTRIBUTION=self.release.distribution,
            RELEASE=self.release.codename,
            ARCHITECTURE=archives.architecture(self.platform),
            EPOCH=self.time,
            DATE=datetime.fromtimestamp(self.time, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC"),
            DEBS="\n".join(f"{deb.sha256} {deb.archive} {deb.path}" for deb in self.debs),
            MIRRORS=mirrors,
            # a package file does not know the priority that its archive gives it: all are named
            NAMES=",".join(deb.name for deb in self.debs),
            SOURCES=sources,
            TOOL=tool or "nothing yet",
        )


def bootstrap_script(base: BootstrapBase, lock: Lock, platform: str = "linux/amd64") -> str:
    """The text of `containers/bootstrap.sh`: makes `.reproc/base/SHA256.tar` without reproc."""
    return recipe_of(base, lock, platform).script(base.sha256, base.tool)


def recipe_of(base: BootstrapBase, lock: Lock, platform: str) -> Recipe:
    """What determines a locked base."""
    known = release(base.distribution, base.release)
    if known is None:
        raise problem(
            codes.UNKNOWN_RELEASE, None, distribution=base.distribution, release=base.release, known="none"
        )
    snapshots = tuple((archive.name, archive.snapshot) for archive in lock.archives)
    return Recipe(known, platform, base.debs, lock.time, snapshots)


def tool() -> str:
    """The tool that makes root file systems here, with its version; raises `Problem` if there is none."""
    import shutil

    needed = {"mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg", "apt-get": "apt", "sha256sum": "coreutils"}
    for program, package in needed.items():
        if shutil.which(program) is None:
            raise problem(
                codes.TOOL_MISSING,
                None,
                tool=program,
                purpose="making a base from the distribution's archive",
                advice=f"install the package `{package}`, or leave out `from bootstrap`",
            )
    import subprocess

    said = subprocess.run(["mmdebstrap", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()) or "mmdebstrap"


def runs_here(asked: BootstrapRequest, platform: str) -> None:
    """Raises `Problem` if a base for that platform cannot be made on this machine: its programs would have to run."""
    architecture, machine = archives.architecture(platform), os.uname().machine
    native = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    emulator = {"arm64": "qemu-aarch64", "amd64": "qemu-x86_64"}.get(architecture or "")
    if architecture in (native, None) or os.path.exists(f"/proc/sys/fs/binfmt_misc/{emulator}"):
        return
    raise problem(codes.OTHER_ARCHITECTURE, asked.origin, platform=platform, architecture=architecture)


def make(recipe: Recipe, store: Store, progress: Progress) -> tuple[str, int]:
    """Digest and size of the root file system's tar archive, which is then in the store.

    The recipe's packages must be in the store already; raises `Problem`. A file that was made before from the
    same script is taken as it is.
    """
    here = tool()
    script = recipe.script()
    made = store.recall("base", f"{here}\n{script}")
    if made is not None and (path := store.path(made.decode("ascii", "replace"))) is not None:
        return made.decode("ascii"), path.stat().st_size
    with store.temporary() as folder:
        folder.mkdir()
        debs = folder / "debs"
        debs.mkdir()
        for deb in recipe.debs:
            if not store.link(deb.sha256, debs / deb.sha256):
                raise problem(codes.STORE_LACKS, None, what=f"`{deb.filename}`")
        output = folder / "root.tar"
        (folder / "bootstrap").write_text(script)
        command = ["sh", str(folder / "bootstrap"), str(output)]
        _run(command, os.environ | {"REPROC_DEBS": str(debs)}, progress)
        size = output.stat().st_size
        sha256 = store.adopt(output)
    store.remember("base", f"{here}\n{script}", sha256.encode())
    return sha256, size


def make_here(
    base: BootstrapBase, lock: Lock, platform: str, folder: Path, settings: dict[str, str], progress: Progress
) -> Outcome[None]:
    """Makes a locked base's file below the spec's folder as `containers/bootstrap.sh` does; raises `Problem`."""
    tool()
    with TemporaryDirectory(prefix="reproc-") as place:
        script = Path(place, "bootstrap.sh")
        script.write_text(bootstrap_script(base, lock, platform), encoding="utf-8")
        output = folder / FOLDER / f"{base.sha256}.tar"
        with progress.task(f"making the {base.distribution} {base.release} base"):
            _run(["sh", str(script), str(output)], os.environ | settings, progress)
    return Outcome(None)


def _run(command: Sequence[str], environment: dict[str, str], progress: Progress) -> None:
    """Runs it in a process group of its own and tells what it says; ends it if this process is stopped."""
    said: deque[str] = deque(maxlen=_SAID)
    import subprocess
    from signal import SIGTERM

    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if text := re.sub(r"^[IW]: ", "", line.strip()):
                said.append(text)
                progress.note(text)
        status = process.wait()
    except BaseException:
        # mmdebstrap unmounts and removes what it made when it is asked to end
        os.killpg(process.pid, SIGTERM)
        process.wait(30)
        raise
    if status != 0:
        raise problem(
            codes.TOOL_FAILED,
            None,
            tool="mmdebstrap",
            doing="making the base's root file system",
            output="\n".join(said),
            advice=_advice("\n".join(said)),
        )


def _advice(said: str) -> str | None:
    if "No space left" in said:
        return f"free some space in `{os.environ.get('TMPDIR', '/tmp')}`, or set `TMPDIR`"
    if "unshare" in said or "newuidmap" in said or "subuid" in said:
        return "unprivileged user namespaces are needed (package `uidmap`, an entry in /etc/subuid), or root"
    return None


@cache
def _template() -> str:
    import pkgutil

    data = pkgutil.get_data(__package__, "bootstrap.sh")
    assert data is not None, "the script is part of the package"
    return data.decode()
