"""A folder of a registry's image, such as an official compiler image's `/usr/local`, as a canonical archive."""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reproc.diagnostics.codes import lock as codes
from reproc.lock import tar
from reproc.lock.archives import Site
from reproc.lock.debian.index import installed_from
from reproc.lock.model import ImageTree
from reproc.lock.net import Client
from reproc.lock.problem import problem
from reproc.lock.providers import image
from reproc.lock.providers.registry import Registry, of_registry, parsed
from reproc.lock.requests import FolderRequest
from reproc.lock.store import Store
from reproc.lock.unpack import Source, link_stays, unpacked

_STATUS = "var/lib/dpkg/status"
_LIBC = re.compile(rb"(\d+)\.(\d+)")


def lock(request: FolderRequest, client: Client, site: Site, store: Store) -> ImageTree:
    """The folder as it is now, its archive put into the store; raises `Problem`."""

    def locked(registry: Registry) -> ImageTree:
        found = image.obtained(registry, request.platform, store)
        sha256 = _archived(registry, found.layers, request.folder, store, request.libc)
        return ImageTree(str(registry.reference), found.digest, request.folder, sha256)

    return of_registry(parsed(request.reference, request.origin), request.origin, client, site, locked)


def digest(tree: ImageTree, platform: str, client: Client, site: Site) -> str:
    """What the image's tag has become; raises `Problem`."""
    return image.digest(tree.reference.partition("@")[0], None, platform, client, site)


def fetch(tree: ImageTree, client: Client, site: Site, store: Store) -> None:
    """Puts a locked folder's archive into the store; raises `Problem`."""

    def fetched(registry: Registry) -> None:
        layers = image.obtained(registry, None, store).layers
        sha256 = _archived(registry, layers, tree.folder, store, None)
        if sha256 != tree.sha256:
            what = f"`{tree.folder}` of `{tree.reference}`"
            raise problem(codes.DIGEST_MISMATCH, None, what=what, found=sha256, expected=tree.sha256)

    pinned = parsed(f"{image.untagged(tree.reference)}@{tree.digest}", None)
    of_registry(pinned, None, client, site, fetched)


def _archived(
    registry: Registry, layers: list[Path], folder: str, store: Store, libc: tuple[int, int] | None
) -> str:
    """The sha256 of the folder's canonical archive; `libc` is the newest that its programs may need."""
    below = f"{folder.strip('/')}/"
    with store.temporary() as whole, store.temporary() as part:
        try:
            image.write(layers, whole, store, lambda path: path == _STATUS or path.startswith(below))
            with tarfile.open(whole, "r:", encoding="utf-8", errors="surrogateescape") as archive:
                _check_libc(archive, registry, libc)
                if not _write(archive, below, part):
                    raise problem(
                        codes.NO_IMAGE_FOLDER, registry.origin, reference=registry.reference, folder=folder
                    )
        except image.UNREADABLE as trouble:
            raise registry.trouble(f"a layer cannot be read: {trouble}") from trouble
        with _members(part, registry, store) as members:
            return tar.write(members, store)


def _write(archive: tarfile.TarFile, below: str, path: Path) -> bool:
    """Writes what is below a folder to an archive of its own; false if that is nothing.

    A link to an absolute path inside the folder becomes one that holds wherever it is put; one that leads out is
    left out, as nothing there is where it points.
    """
    something = False
    with tarfile.open(
        path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as out:
        for head in archive:
            name = head.name.removeprefix("./")
            if not name.startswith(below):
                continue
            head.name = name.removeprefix(below)
            if head.islnk():
                head.linkname = head.linkname.removeprefix("./").removeprefix(below)
            elif head.issym():
                head.linkname = _moved(head.name, head.linkname, below)
                if not link_stays(head.name, head.linkname):
                    continue
            out.addfile(head, archive.extractfile(head) if head.isreg() else None)
            something = True
    return something


def _moved(name: str, link: str, below: str) -> str:
    """What a link says when the folder lies elsewhere."""
    target = posixpath.normpath(link).lstrip("/") + "/"
    if not link.startswith("/") or not target.startswith(below):
        return link
    return posixpath.relpath(f"/{target.removeprefix(below)}", f"/{posixpath.dirname(name)}")


@contextmanager
def _members(path: Path, registry: Registry, store: Store) -> Iterator[list[tar.Member]]:
    source = Source(path, str(registry.reference), registry.origin)
    with unpacked(source, "tar", 0, store) as (members, _):
        yield members


def _check_libc(archive: tarfile.TarFile, registry: Registry, libc: tuple[int, int] | None) -> None:
    """Refuses an image whose own C library is newer than the one that its programs are to run with."""
    try:
        status = archive.extractfile(f"./{_STATUS}")
    except KeyError:  # not an image of Debian or Ubuntu: the build asks the programs themselves
        return
    package = installed_from(status.read()).get("libc6") if status is not None else None
    version = _LIBC.match(package.version.encode()) if package is not None else None
    if libc is None or version is None or (found := (int(version[1]), int(version[2]))) <= libc:
        return
    needed, here = (".".join(map(str, each)) for each in (found, libc))
    raise problem(
        codes.IMAGE_TOO_NEW, registry.origin, reference=registry.reference, needed=needed, libc=here
    )
