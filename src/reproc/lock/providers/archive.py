"""Images and root file systems that lie beside the spec as one file, as `docker save` and `skopeo` write them."""

from __future__ import annotations

import hashlib
import json
import posixpath
import shutil
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproc.diagnostics.codes import lock as codes
from reproc.lock.model import ArchiveBase
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import image
from reproc.lock.requests import ArchiveRequest
from reproc.lock.store import Store, digest_like, sha256_of
from reproc.source import SourceFile, Span

_LARGEST = 8 << 20
"""The most bytes of a manifest or configuration."""
_DAMAGED = (
    tarfile.TarError,
    EOFError,
    UnicodeError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ValueError,
)


def lock(request: ArchiveRequest, folder: Path, platform: str, store: Store) -> ArchiveBase:
    """The base, its flattened root file system put into the store; raises `Problem`."""
    path = folder / request.path
    if not path.is_file():
        raise problem(codes.MISSING_SOURCE, request.origin, source=request.path)
    if (
        request.sha256 is not None
        and (found := digest_like(path, request.sha256.text)) != request.sha256.text
    ):
        at, expected = request.sha256.origin, request.sha256.text
        raise problem(codes.SOURCE_DIGEST, at, source=request.path, found=found, expected=expected)
    try:
        with ExitStack() as stack:
            plain = image.uncompressed([path], store, stack)[0]
            with tarfile.open(plain, "r:") as opened:
                return _Archive(request, path, platform, store, stack, plain, opened).base()
    except _DAMAGED as trouble:
        raise _refused(request, f"it is damaged ({trouble})") from trouble


def fetch(base: ArchiveBase, folder: Path, platform: str, store: Store) -> None:
    """Puts a locked root file system into the store again; raises `Problem`, also where the file is another."""
    path = folder / base.path
    if not path.is_file() or sha256_of(path) != base.sha256:
        raise problem(codes.SOURCE_CHANGED, None, source=base.path, detail="")
    nowhere = Span(SourceFile("", ""), 0, 0)
    if lock(ArchiveRequest(base.path, None, None, None, nowhere), folder, platform, store) != base:
        raise problem(codes.WEB_CHANGED, None, source=base.path)


def _refused(request: ArchiveRequest, reason: str) -> Problem:
    return problem(codes.BAD_ARCHIVE, request.origin, source=request.path, reason=reason)


@dataclass
class _Archive:
    """One file, open."""

    request: ArchiveRequest
    path: Path
    platform: str
    store: Store
    stack: ExitStack
    plain: Path
    """The file without compression."""
    tar: tarfile.TarFile

    def __post_init__(self) -> None:
        self.members = {posixpath.normpath(member.name): member for member in self.tar}

    def base(self) -> ArchiveBase:
        """What it holds; an image has a list of layers, a root file system has none."""
        if "oci-layout" in self.members and "index.json" in self.members:
            return self._made(*self._of_layout())
        if "manifest.json" in self.members and "etc" not in self.members:
            return self._made(*self._of_docker())
        return self._made([self.plain], {}, plain=True)

    def _made(self, layers: list[Path], config: dict[str, Any], *, plain: bool = False) -> ArchiveBase:
        found = f"{config.get('os', 'linux')}/{config.get('architecture', '')}"
        if not plain and found != self.platform:
            raise self._other_platform(f"`{found}`")
        rootfs = image.flatten(layers, self.store)
        size = self.store.place(rootfs).stat().st_size
        sha256 = sha256_of(self.path)
        return ArchiveBase(self.request.path, sha256, rootfs, size, image.environment_of(config), plain)

    def _other_platform(self, available: str | None) -> Problem:
        facts = {"reference": self.request.path, "platform": self.platform}
        return problem(codes.NO_IMAGE_PLATFORM, self.request.origin, **facts, available=available)

    def _of_layout(self) -> tuple[list[Path], dict[str, Any]]:
        """An OCI image layout (OCI image specification, "Image Layout Specification")."""
        manifest = self._json("index.json")
        for _ in range(4):
            if "manifests" not in manifest:
                break
            listed = [each for each in manifest["manifests"] if self._fits(each)]
            if len(listed) != 1:
                names = ", ".join(f"`{_platform(each)}`" for each in manifest["manifests"]) or None
                raise (
                    _refused(self.request, "it holds several images")
                    if listed
                    else self._other_platform(names)
                )
            manifest = self._json(self._blob(listed[0]))
        layers = [self._file(self._blob(each)) for each in manifest["layers"]]
        return layers, self._json(self._blob(manifest["config"]))

    def _fits(self, entry: dict[str, Any]) -> bool:
        return "platform" not in entry or _platform(entry) == self.platform

    def _of_docker(self) -> tuple[list[Path], dict[str, Any]]:
        """What `docker save` wrote before it wrote OCI layouts."""
        images = self._json("manifest.json")
        if len(images) != 1:
            raise _refused(self.request, "it holds several images")
        only = images[0]
        return [self._file(str(each)) for each in only["Layers"]], self._json(str(only["Config"]))

    def _blob(self, descriptor: dict[str, Any]) -> str:
        """The member that a descriptor names, its digest checked."""
        algorithm, _, wanted = str(descriptor["digest"]).partition(":")
        name = f"blobs/{algorithm}/{wanted}"
        with self.tar.extractfile(self.members[name]) as content:  # type: ignore[union-attr]
            found = hashlib.file_digest(content, algorithm).hexdigest()  # type: ignore[arg-type]
        if found != wanted:
            what = f"`{name}` of `{self.request.path}`"
            facts = {"what": what, "found": found, "expected": wanted}
            raise problem(codes.DIGEST_MISMATCH, self.request.origin, **facts)
        return name

    def _json(self, name: str) -> Any:
        member = self.members[posixpath.normpath(name)]
        content = self.tar.extractfile(member)
        if content is None or member.size > _LARGEST:
            raise _refused(self.request, f"`{name}` in it is no manifest")
        return json.loads(content.read())

    def _file(self, name: str) -> Path:
        """A layer as a file of its own."""
        member = self.members[posixpath.normpath(name)]
        content = self.tar.extractfile(member)
        if content is None:
            raise _refused(self.request, f"`{name}` in it is no layer")
        path = self.stack.enter_context(self.store.temporary())
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        return path


def _platform(entry: dict[str, Any]) -> str:
    at = entry.get("platform") or {}
    return f"{at.get('os')}/{at.get('architecture')}"
