"""Installing packages, as commands: both shapes end in the same line, from a directory of verified files."""

from __future__ import annotations

from datetime import UTC, datetime

from reproc.graph import MOUNT, Run, WriteFile
from reproc.lock.archives import snapshot_address
from reproc.lock.model import AptLayer, Archive, Deb, PythonEnvironment
from reproc.lock.requests import AptRequest, PythonRequest
from reproc.lower.plan import Shape
from reproc.source import Span
from reproc.target import quote

_PIP = "--quiet --disable-pip-version-check --no-cache-dir"
VOLATILE = (
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    "/var/cache/ldconfig/aux-cache",
    "/var/log/alternatives.log",
    "/var/log/apt/eipp.log.xz",
    "/var/log/apt/history.log",
    "/var/log/apt/term.log",
    "/var/log/dpkg.log",
)
"""What differs between two identical installations: caches with times in them, and logs."""


def install_debs(
    layer: AptLayer, archives: tuple[Archive, ...], shape: Shape, title: str, origin: Span | None
) -> Run:
    """Installs a layer's packages, all named, so that nothing is left to a resolver."""
    directory = f"{MOUNT}/debs/{layer.name}"
    install = (
        "export DEBIAN_FRONTEND=noninteractive",
        f"apt-get install -y -qq --no-install-recommends {directory}/*.deb",
    )
    if shape is Shape.VENDORED:
        return Run(title, (*install, _forget()), mounts=(f"debs/{layer.name}",), origin=origin)
    snapshots = {archive.name: archive.snapshot for archive in archives}
    fetch = tuple(_fetch(deb, snapshots[deb.archive]) for deb in layer.debs)
    lines = (
        f"mkdir -p {directory}",
        f"cd {directory}",
        'fetch() { /usr/lib/apt/apt-helper -qq download-file "$2" "${2##*/}" "SHA256:$1"; }',
        *fetch,
        "cd /",
        *install,
        f"rm -rf {MOUNT}/debs",
        _forget(),
    )
    return Run(title, lines, network=True, origin=origin)


def _fetch(deb: Deb, snapshot: str) -> str:
    return f"fetch {deb.sha256} {quote(f'{snapshot_address(deb.archive, snapshot)}/{deb.path}')}"


def install_floating_debs(request: AptRequest, title: str, origin: Span | None) -> Run:
    """Installs what the archive has on the day of the build."""
    names = " ".join(quote(item.text) for item in request.packages)
    lines = (
        "export DEBIAN_FRONTEND=noninteractive",
        "apt-get update -qq",
        f"apt-get install -y -qq --no-install-recommends {names}",
        "apt-get clean",
        "find /var/lib/apt/lists -type f -delete",
        _forget(),
    )
    return Run(title, lines, network=True, origin=origin)


def _forget() -> str:
    return "rm -f " + " ".join(VOLATILE)


def install_wheels(
    locked: PythonEnvironment, shape: Shape, origin: Span | None
) -> tuple[WriteFile | Run, ...]:
    """Makes a virtual environment of exactly these wheels."""
    title = f"Python environment {locked.prefix}"
    requirements = f"{locked.prefix}/requirements.txt"
    listed = "".join(
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in locked.wheels
    )
    directory = f"{MOUNT}/wheels/{locked.name}"
    make = f"{locked.interpreter} -m venv {locked.prefix}"
    if not locked.wheels:
        return (Run(title, (make,), origin=origin),)
    pip = f"{locked.prefix}/bin/pip"
    install = f"{pip} install {_PIP} --no-deps --no-index --find-links {directory} --require-hashes -r {requirements}"
    write = WriteFile(f"Python packages of {locked.prefix}", requirements, listed, 0o644, origin)
    if shape is Shape.VENDORED:
        return (write, Run(title, (make, install), mounts=(f"wheels/{locked.name}",), origin=origin))
    download = f"{pip} download {_PIP} --no-deps --only-binary :all: --require-hashes -d {directory} -r {requirements}"
    lines = (make, f"mkdir -p {directory}", download, install, f"rm -rf {MOUNT}/wheels")
    return (write, Run(title, lines, network=True, origin=origin))


def install_floating_python(request: PythonRequest, origin: Span | None) -> tuple[WriteFile | Run, ...]:
    """Makes a virtual environment of what the index has on the day of the build."""
    requirements = f"{request.prefix}/requirements.txt"
    lines = [item.text for item in request.requirements]
    lines += [line for each in request.files for line in each.text.splitlines()]
    write = WriteFile(
        f"Python packages of {request.prefix}",
        requirements,
        "".join(f"{line}\n" for line in lines),
        0o644,
        origin,
    )
    commands = (
        f"{request.interpreter} -m venv {request.prefix}",
        f"{request.prefix}/bin/pip install {_PIP} --only-binary :all: -r {requirements}",
    )
    return (write, Run(f"Python environment {request.prefix}", commands, network=True, origin=origin))


def day(epoch: int) -> str:
    """An epoch as `2024-06-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"
