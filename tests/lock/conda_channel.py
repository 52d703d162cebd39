"""A channel of conda packages, made from files of a test: archives as conda-build makes them, and the indexes."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

BUILT_AT = b"/home/builder/" + b"placehold_" * 20
"""Where packages say that they were built: as long as conda-build's own, so that any place has room."""
File = bytes | str
"""A content, or where a symbolic link points."""


@dataclass
class Channel:
    """What it serves, by path below its root."""

    files: dict[str, bytes] = field(default_factory=dict)
    _records: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"linux-64": {}, "linux-aarch64": {}, "noarch": {}}
    )

    def add(
        self,
        name: str,
        version: str,
        files: Mapping[str, File],
        *,
        depends: Iterable[str] = (),
        subdir: str = "linux-64",
        build: str = "h0_0",
        form: str = "conda",
        day: int = 1_600_000_000,
        executable: frozenset[str] = frozenset(),
        **more: Any,
    ) -> str:
        """Adds a package; returns its path below the channel's root."""
        index = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": [*depends],
            "subdir": subdir,
            "timestamp": day * 1000,
        } | more
        filename = f"{name}-{version}-{build}.{form}"
        content = packed(filename, files, index, executable)
        digest = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        self._records[subdir][filename] = index | digest
        self.files[f"{subdir}/{filename}"] = content
        return f"{subdir}/{filename}"

    def record(self, path: str) -> dict[str, Any]:
        """What the index says of a package; a test may change it."""
        subdir, _, filename = path.partition("/")
        return self._records[subdir][filename]

    def served(self, form: str = "zst") -> dict[str, bytes]:
        """The packages and the indexes, these in one of their forms."""
        found = dict(self.files)
        for subdir, records in self._records.items():
            old = {name: each for name, each in records.items() if name.endswith(".tar.bz2")}
            new = {name: each for name, each in records.items() if name not in old}
            index = {
                "info": {"subdir": subdir},
                "packages": old,
                "packages.conda": new,
                "repodata_version": 1,
            }
            text = json.dumps(index).encode()
            match form:
                case "zst":
                    found[f"{subdir}/repodata.json.zst"] = zstd(text)
                case "bz2":
                    found[f"{subdir}/repodata.json.bz2"] = bz2.compress(text)
                case _:
                    found[f"{subdir}/repodata.json"] = text
        return found


def packed(
    filename: str, files: Mapping[str, File], index: Mapping[str, Any], executable: frozenset[str]
) -> bytes:
    """A package's archive; of the old form with `has_prefix`, of the new one with `paths.json`."""
    places = {
        path: "binary" if b"\0" in content else "text"
        for path, content in files.items()
        if isinstance(content, bytes) and BUILT_AT in content
    }
    info = {"info/index.json": json.dumps(index).encode()}
    if filename.endswith(".tar.bz2"):
        lines = (f"{BUILT_AT.decode()} {mode} {path}\n" for path, mode in places.items())
        info |= {"info/has_prefix": "".join(lines).encode()} if places else {}
        return bz2.compress(tarred({**files, **info}, executable))
    listed = [
        {"_path": path, "path_type": "softlink" if isinstance(content, str) else "hardlink"}
        | ({"prefix_placeholder": BUILT_AT.decode(), "file_mode": places[path]} if path in places else {})
        for path, content in files.items()
    ]
    info["info/paths.json"] = json.dumps({"paths": listed, "paths_version": 1}).encode()
    stem = filename.removesuffix(".conda")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (
            ("metadata.json", b'{"conda_pkg_format_version": 2}'),
            (f"pkg-{stem}.tar.zst", zstd(tarred(files, executable))),
            (f"info-{stem}.tar.zst", zstd(tarred(info, frozenset()))),
        ):
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of today
    return out.getvalue()


def tarred(files: Mapping[str, File], executable: frozenset[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files.items():
            head = tarfile.TarInfo(path)
            head.mode, head.uid, head.mtime = 0o775 if path in executable else 0o664, 1000, 1_600_000_000
            if isinstance(content, str):
                head.type, head.linkname = tarfile.SYMTYPE, content
                archive.addfile(head)
            else:
                head.size = len(content)
                archive.addfile(head, io.BytesIO(content))
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True).stdout
