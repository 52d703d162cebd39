"""What locked packages say of themselves: the control data of a `.deb`, the metadata of a wheel.

Locking notes the control data of what it chooses, so that no package has to be fetched for it; where there is no
note, the package itself is read from the store.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.lock.debian.control import Package, fields_of
from reproc.lock.debian.index import Universe
from reproc.lock.model import Deb, Wheel
from reproc.lock.problem import problem
from reproc.lock.store import Store

_AREA = "control"
_FIELDS = ("package", "version", "architecture", "multi-arch", "pre-depends", "depends", "provides")
_MAGIC = b"!<arch>\n"
_LARGEST = 16 << 20
"""Control data that is larger is none."""


def note(debs: Iterable[Deb], universe: Universe, store: Store) -> None:
    """Keeps the control data of chosen packages for later questions."""
    for deb in debs:
        if store.recall(_AREA, deb.sha256) is not None:
            continue
        for package in universe.versions(deb.name):
            if package.fields.get("sha256", "").lower() == deb.sha256:
                fields = {name: package.fields[name] for name in _FIELDS if name in package.fields}
                store.remember(_AREA, deb.sha256, json.dumps(fields).encode())
                break


def package_of(deb: Deb, store: Store) -> Package | None:
    """A locked package with its relations; None if neither a note nor the package is in the store."""
    noted = store.recall(_AREA, deb.sha256)
    if noted is not None and (fields := _noted(noted, deb)) is not None:
        return Package(fields, deb.archive)
    path = store.path(deb.sha256)
    return Package(fields_of(_control(path)), deb.archive) if path is not None else None


def _noted(content: bytes, deb: Deb) -> dict[str, str] | None:
    """The fields of a note, if it is one of this package."""
    try:
        fields = json.loads(content)
    except ValueError:
        return None
    if not isinstance(fields, dict) or not all(isinstance(each, str) for each in fields.values()):
        return None
    return fields if (fields.get("package"), fields.get("version")) == (deb.name, deb.version) else None


def _control(path: Path) -> bytes:
    """The control file of a package (deb(5): an `ar` archive whose second member is a tar archive)."""
    content = path.read_bytes()
    at = len(_MAGIC)
    while content.startswith(_MAGIC) and at + 60 <= len(content):
        head = content[at : at + 60]
        name, digits = head[:16].decode("ascii", "replace").strip().rstrip("/"), head[48:58].strip()
        if not digits.isdigit():
            break
        size = int(digits)
        if name.startswith("control.tar"):
            return _from_tar(content[at + 60 : at + 60 + size], name.endswith(".zst"), path)
        at += 60 + size + size % 2
    raise _unreadable(path)


def _from_tar(packed: bytes, zst: bool, path: Path) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(_unzst(packed) if zst else packed)) as archive:
            for member in archive:
                inside = archive.extractfile(member) if member.name.removeprefix("./") == "control" else None
                if inside is not None and member.size <= _LARGEST:
                    return _unfolded(inside.read())
    except (tarfile.TarError, OSError, EOFError) as trouble:
        raise _unreadable(path) from trouble
    raise _unreadable(path)


def _unfolded(control: bytes) -> bytes:
    """Folded fields on one line each: relations may be written over several."""
    return control.replace(b"\n ", b" ").replace(b"\n\t", b" ")


def _unzst(packed: bytes) -> bytes:
    program = shutil.which("zstd")
    if program is None:
        advice = "install the package `zstd`"
        raise problem(
            codes.TOOL_MISSING, None, tool="zstd", purpose="reading packages of Ubuntu", advice=advice
        )
    return subprocess.run([program, "-dcq"], input=packed, capture_output=True, check=False).stdout


def _unreadable(path: Path) -> Exception:
    return problem(codes.FILE_TROUBLE, None, path=path, reason="it is no Debian package")


def requirements_of(wheel: Wheel, store: Store) -> tuple[str, ...] | None:
    """What a wheel requires, as its metadata has it; None if it is not in the store.

    A source archive says it only when it is built: nothing is known of it.
    """
    path = store.path(wheel.sha256)
    if path is None:
        return None
    if not wheel.filename.endswith(".whl"):
        return ()
    try:
        with zipfile.ZipFile(path) as archive:
            named = [name for name in archive.namelist() if _is_metadata(name)]
            text = archive.read(named[0]).decode("utf-8", "replace") if named else ""
    except (zipfile.BadZipFile, OSError, RuntimeError) as trouble:
        raise problem(codes.FILE_TROUBLE, None, path=wheel.filename, reason="it is no wheel") from trouble
    found: Mapping[str, str] | list[str] = HeaderParser().parsestr(text).get_all("Requires-Dist") or []
    return tuple(map(str, found))


def _is_metadata(name: str) -> bool:
    folder, slash, rest = name.partition("/")
    return bool(slash) and folder.endswith(".dist-info") and rest == "METADATA"
