"""Installing packages, as commands: both shapes end in the same line, from a directory of verified files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reproc import catalog
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import build as codes
from reproc.graph import MOUNT, Run, WriteFile
from reproc.lock.archives import snapshot_address
from reproc.lock.model import AptLayer, Archive, Deb, PythonEnvironment, Wheel
from reproc.lock.requests import AptRequest, PythonRequest, TargetRequest
from reproc.lock.vendor import tools_folder
from reproc.lower.plan import Shape
from reproc.source import Span
from reproc.target import quote

PIP_SETTINGS = "pip.conf"
"""What whoever builds may give to the steps that ask an index: their own mirror, their own certificates."""
PIP = "--quiet --disable-pip-version-check --no-cache-dir"
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
    roots = {archive.name: _root(archive) for archive in archives}
    fetch = tuple(_fetch(deb, roots[deb.archive]) for deb in layer.debs)
    # a bare base knows no certificates, and every file is checked by its digest
    secure = any(roots[deb.archive].startswith("https:") for deb in layer.debs)
    options = " -o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false" if secure else ""
    lines = (
        f"mkdir -p {directory}",
        f"cd {directory}",
        f'fetch() {{ /usr/lib/apt/apt-helper -qq{options} download-file "$2" "${{2##*/}}" "SHA256:$1"; }}',
        *fetch,
        "cd /",
        *install,
        f"rm -rf {MOUNT}/debs",
        _forget(),
    )
    return Run(title, lines, network=True, origin=origin)


def _root(archive: Archive) -> str:
    return archive.address or snapshot_address(archive.name, archive.snapshot)


def _fetch(deb: Deb, root: str) -> str:
    return f"fetch {deb.sha256} {quote(f'{root}/{deb.path}')}"


def install_floating_debs(request: AptRequest, title: str, origin: Span | None) -> Run:
    """Installs what the archive has on the day of the build."""
    names = " ".join(quote(item.text) for item in request.packages)
    recommends = "--install-recommends" if request.recommends else "--no-install-recommends"
    lines = (
        "export DEBIAN_FRONTEND=noninteractive",
        *(line for release in request.beside for line in _beside(release)),
        "apt-get update -qq",
        f"apt-get install -y -qq {recommends} {names}",
        "apt-get clean",
        "find /var/lib/apt/lists -type f -delete",
        *(["rm -f /etc/apt/sources.list.d/reproc-* /etc/apt/preferences.d/reproc"] if request.beside else []),
        _forget(),
    )
    return Run(title, lines, network=True, origin=origin)


def _beside(release: str) -> tuple[str, ...]:
    """Lines that make another release's packages known wherever the base's own come from, and rank them lower."""
    rewrite = f"s/$VERSION_CODENAME/{release}/g"
    return (
        ". /etc/os-release",
        "for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do",
        '    case "${list##*/}" in reproc-* | "*") continue ;; esac',
        '    if [ ! -f "$list" ]; then continue; fi',
        f'    sed "{rewrite}" "$list" > "/etc/apt/sources.list.d/reproc-{release}-${{list##*/}}"',
        "done",
        f"printf 'Package: *\\nPin: release n={release}*\\nPin-Priority: 100\\n\\n' >> /etc/apt/preferences.d/reproc",
    )


def _forget() -> str:
    return "rm -f " + " ".join(VOLATILE)


def install_wheels(
    locked: PythonEnvironment, shape: Shape, origin: Span | None
) -> tuple[WriteFile | Run, ...]:
    """Makes a virtual environment of exactly these wheels."""
    title = f"Python environment {locked.prefix}"
    requirements = f"{locked.prefix}/requirements.txt"
    wheels = [wheel for wheel in locked.wheels if is_built(wheel)]
    listed = "".join(f"{pinned(wheel)}\n" for wheel in wheels)
    directory = f"{MOUNT}/wheels/{locked.name}"
    if locked.old:
        return _with_python2(locked, requirements, listed, origin)
    make = new_environment(locked.interpreter, locked.prefix)
    if not wheels:
        return (Run(title, make, origin=origin),)
    pip = f"{locked.prefix}/bin/pip"
    install = f"{pip} install {PIP} --no-deps --no-index --find-links {directory} --require-hashes -r {requirements}"
    write = WriteFile(f"Python packages of {locked.prefix}", requirements, listed, 0o644, origin)
    if shape is Shape.VENDORED:
        return (write, Run(title, (*make, install), mounts=(f"wheels/{locked.name}",), origin=origin))
    lines = (*make, *download(pip, locked.index, directory, requirements), install, f"rm -rf {MOUNT}/wheels")
    return (write, Run(title, lines, network=True, settings=(PIP_SETTINGS,), origin=origin))


def _with_python2(
    locked: PythonEnvironment, requirements: str, listed: str, origin: Span | None
) -> tuple[WriteFile | Run, ...]:
    """Makes an environment of Python 2, with pip, setuptools and wheel in it, as its own tools did.

    What Python 2 compiles has the time of its source in it and no other form, so that nothing stays compiled.
    """
    (tools,) = locked.tools
    (maker,) = tools.wheels
    folder, wheels = tools_folder(locked.name, tools.project), f"wheels/{locked.name}"
    place = f"{MOUNT}/virtualenv"
    lines = [
        "export PYTHONDONTWRITEBYTECODE=1",
        f"{locked.interpreter} -m zipfile -e {MOUNT}/{folder}/{maker.filename} {place}",
        f"{locked.interpreter} {place}/virtualenv.py --quiet --no-download {locked.prefix}",
        f"rm -rf {place}",
    ]
    mounts = [folder]
    if locked.wheels:
        options = f"--no-compile --no-deps --no-index --find-links {MOUNT}/{wheels} --require-hashes"
        lines.append(f"{locked.prefix}/bin/pip install {PIP} {options} -r {requirements}")
        mounts.append(wheels)
    lines.append(f"find {locked.prefix} -name '*.pyc' -delete")
    title = f"Python environment {locked.prefix}"
    write = WriteFile(f"Python packages of {locked.prefix}", requirements, listed, 0o644, origin)
    return (write, Run(title, tuple(lines), mounts=tuple(mounts), origin=origin))


def new_environment(interpreter: str, place: str) -> tuple[str, ...]:
    """Makes a virtual environment with nothing but pip in it, the same files every time.

    Before 3.11 compiled code has sets in the order of their hashes (github.com/python/cpython/issues/81777); and
    `venv` calls ensurepip so that this does not see PYTHONHASHSEED.
    """
    version = interpreter.rpartition("python")[2]
    if tuple(map(int, version.split("."))) >= (3, 11):
        return (f"{interpreter} -m venv {place}",)
    return (
        "export PYTHONHASHSEED=0",
        f"{interpreter} -m venv --without-pip {place}",
        f"{place}/bin/python -m ensurepip --upgrade --default-pip",
    )


def is_built(wheel: Wheel) -> bool:
    """Whether it is a wheel, and not the source of one."""
    return wheel.filename.endswith(".whl")


def pinned(wheel: Wheel) -> str:
    """A line of a requirements file that only this very file satisfies."""
    return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"


def download(
    pip: str, index: str | None, directory: str, requirements: str, forms: str = "--only-binary :all:"
) -> tuple[str, str, str]:
    """Fetches what a requirements file names into a directory."""
    return (
        f"mkdir -p {directory}",
        _with_settings(),
        f"{pip} download {PIP} {index_option(index)}--no-deps {forms} --require-hashes -d {directory} -r {requirements}",
    )


def _with_settings() -> str:
    """Makes pip read the settings of whoever builds, where they are given."""
    return f"export PIP_CONFIG_FILE={MOUNT}/{PIP_SETTINGS}"


def index_option(index: str | None) -> str:
    """What tells pip of the author's index; where it is not encrypted, digests make up for that."""
    if index is None:
        return ""
    host = index.partition("://")[2].partition("/")[0].rpartition("@")[2]
    trusted = f"--trusted-host {quote(host)} " if index.startswith("http:") else ""
    return f"--index-url {quote(index)} {trusted}"


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
        *new_environment(request.interpreter, request.prefix),
        _with_settings(),
        f"{request.prefix}/bin/pip install {PIP} {index_option(request.index)}--only-binary :all: -r {requirements}",
    )
    title = f"Python environment {request.prefix}"
    return (write, Run(title, commands, network=True, settings=(PIP_SETTINGS,), origin=origin))


def needing_lock(request: TargetRequest) -> Iterator[Diagnostic]:
    """What nobody can tell without a lock."""
    for python in request.python:
        for file in (*python.projects, *python.locks):
            yield error(codes.PYTHON_WITHOUT_LOCK, file.origin, what=file.path)
        for install in python.installs:
            yield error(codes.PYTHON_WITHOUT_LOCK, install.origin, what=f"code {install.name}")
        if python.built and python.requirements:
            yield error(codes.PYTHON_WITHOUT_LOCK, python.requirements[0].origin, what="binary no")
    for source in request.sources:
        yield error(codes.SOURCE_WITHOUT_LOCK, source.origin)
    known = catalog.every_release(request.base.distribution or "")
    left = {each.codename for each in known if each.snapshot}
    for layer in request.apt:
        if old := sorted(left & {*layer.beside}):
            facts = {"releases": " and ".join(old)}
            yield error(codes.SNAPSHOT_WITHOUT_LOCK, layer.packages[0].origin, **facts)


def day(epoch: int) -> str:
    """An epoch as `2024-06-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"
