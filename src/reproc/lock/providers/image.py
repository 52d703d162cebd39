"""Images of registries: the digest for a platform, and the root file system as one canonical archive."""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

from reproc.diagnostics.codes import lock as codes
from reproc.lock.archives import Site
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import installed_from
from reproc.lock.model import ArchiveBase, ImageBase
from reproc.lock.net import Client
from reproc.lock.problem import problem
from reproc.lock.providers.registry import DIGEST, INDEXES, MANIFESTS, Registry, of_registry, parsed
from reproc.lock.store import Store
from reproc.record import record
from reproc.source import Span

_OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": cast("Callable[[Path], IO[bytes]]", gzip.open),
    b"BZh": cast("Callable[[Path], IO[bytes]]", bz2.open),
    b"\xfd7z": cast("Callable[[Path], IO[bytes]]", lzma.open),
}
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
UNREADABLE = (tarfile.TarError, EOFError, UnicodeError)
"""What reading a damaged layer raises."""


def lock(
    text: str, origin: Span | None, platform: str, client: Client, site: Site, store: Store
) -> ImageBase:
    """The image for a platform, its flattened root file system put into the store; raises `Problem`."""
    return of_registry(parsed(text, origin), origin, client, site, lambda at: _locked(at, platform, store))


def _locked(registry: Registry, platform: str, store: Store) -> ImageBase:
    found = obtained(registry, platform, store)
    try:
        rootfs = flatten(found.layers, store)
    except UNREADABLE as trouble:
        raise registry.trouble(f"a layer cannot be read: {trouble}") from trouble
    size = store.place(rootfs).stat().st_size
    return ImageBase(str(registry.reference), found.digest, rootfs, size, environment_of(found.config))


@record
class Obtained:
    """An image for one platform."""

    digest: str
    """Of its manifest, `sha256:…`."""
    config: dict[str, Any]
    layers: list[Path]
    """In the store, the lowest first."""


def obtained(registry: Registry, platform: str | None, store: Store) -> Obtained:
    """The image's layers, put into the store; raises `Problem`. A digest of its manifest needs no platform."""
    manifest, digest = _manifest(registry, platform)
    config = registry.config(_digest(manifest.get("config"), registry))
    if platform is not None:
        _check_platform(config, platform, registry)
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        raise registry.trouble(
            "its manifest lists no layers (an image of before 2016 has to be pushed again)"
        )
    return Obtained(digest, config, [registry.blob(_digest(layer, registry), store) for layer in layers])


def digest(text: str, origin: Span | None, platform: str, client: Client, site: Site) -> str:
    """The digest of an image's manifest for a platform, as it is now; raises `Problem`."""
    return of_registry(parsed(text, origin), origin, client, site, lambda at: _manifest(at, platform)[1])


def _manifest(registry: Registry, platform: str | None) -> tuple[dict[str, Any], str]:
    """The manifest for a platform, which may stand behind an index, and its digest."""
    manifest, found = registry.manifest(registry.reference.what, (*INDEXES, *MANIFESTS))
    if "manifests" in manifest and platform is not None:
        return registry.manifest(_of_platform(manifest, platform, registry), MANIFESTS)
    return manifest, found


def fetch(base: ImageBase, platform: str, client: Client, site: Site, store: Store) -> None:
    """Puts a locked image's root file system into the store; raises `Problem`."""
    name = base.reference.partition("@")[0]
    found = lock(f"{untagged(name)}@{base.digest}", None, platform, client, site, store)
    if found.rootfs != base.rootfs:
        raise problem(
            codes.DIGEST_MISMATCH,
            None,
            what=f"the root file system of `{base.reference}`",
            found=found.rootfs,
            expected=base.rootfs,
        )


def installed(base: ImageBase | ArchiveBase, store: Store, origin: Span | None) -> Mapping[str, Package]:
    """The distribution packages that an image has; raises `Problem` if it has none."""
    status: list[bytes] = []
    with tarfile.open(store.place(base.rootfs), "r:") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            inside = name == "var/lib/dpkg/status" or (
                name.startswith("var/lib/dpkg/status.d/") and not name.endswith(".md5sums")
            )
            if inside and member.isfile() and (content := archive.extractfile(member)) is not None:
                status.append(content.read().strip(b"\n"))
    found = installed_from(b"\n\n".join(status))
    if not found:
        raise problem(
            codes.NO_PACKAGE_DATABASE,
            origin,
            reference=base.reference if isinstance(base, ImageBase) else base.path,
        )
    return found


def untagged(name: str) -> str:
    """A reference without its tag."""
    last = name.rpartition("/")[2]
    return name[: -len(last) + last.index(":")] if ":" in last else name


def _digest(descriptor: object, registry: Registry) -> str:
    found = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(found, str) or not DIGEST.fullmatch(found):
        raise registry.trouble("its manifest names something without a sha256")
    return found


def _of_platform(index: dict[str, Any], platform: str, registry: Registry) -> str:
    entries = index["manifests"] if isinstance(index["manifests"], list) else []
    known: dict[str, str] = {}
    for entry in entries:
        at = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(at, dict) and at.get("os") not in (None, "unknown"):
            known.setdefault(f"{at.get('os')}/{at.get('architecture')}", _digest(entry, registry))
    if platform not in known:
        available = ", ".join(f"`{name}`" for name in sorted(known)) or None
        raise problem(
            codes.NO_IMAGE_PLATFORM,
            registry.origin,
            reference=registry.reference,
            platform=platform,
            available=available,
        )
    return known[platform]


def _check_platform(config: dict[str, Any], platform: str, registry: Registry) -> None:
    found = f"{config.get('os', 'linux')}/{config.get('architecture', '')}"
    if found != platform:
        raise problem(
            codes.NO_IMAGE_PLATFORM,
            registry.origin,
            reference=registry.reference,
            platform=platform,
            available=f"`{found}`",
        )


def environment_of(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    inner = config.get("config")
    lines = inner.get("Env") if isinstance(inner, dict) else None
    pairs = (line.partition("=") for line in lines or () if isinstance(line, str))
    return tuple(sorted({name: value for name, _, value in pairs if name}.items()))


@record
class _Kept:
    """An entry of the flattened tree, and the layer that it comes from."""

    head: tarfile.TarInfo
    layer: int


def flatten(layers: Sequence[Path], store: Store) -> str:
    """The sha256 of the archive of what the layers come to together (OCI image layers, "Applying").

    Entries are sorted; modes, owners, times, links and extended attributes stay as they are.
    """
    with store.temporary() as temporary:
        write(layers, temporary, store)
        return store.adopt(temporary)


def write(
    layers: Sequence[Path], path: Path, store: Store, wanted: Callable[[str], bool] = lambda path: True
) -> None:
    """Writes that archive to a file, or of its paths those that are wanted."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(tarfile.open(each, "r:*")) for each in uncompressed(layers, store, stack)
        ]
        tree: dict[str, _Kept] = {}
        for number, archive in enumerate(opened):
            _apply(archive, number, tree)
        with tarfile.open(
            path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
        ) as out:
            _write({path: kept for path, kept in tree.items() if wanted(path)}, opened, out)


def uncompressed(layers: Sequence[Path], store: Store, stack: ExitStack) -> list[Path]:
    """The layers without compression: files are read in another order than they stand in."""
    found = []
    for layer in layers:
        with layer.open("rb") as file:
            head = file.read(4)
        if head == b"\x28\xb5\x2f\xfd":
            raise tarfile.ReadError("it is compressed with zstd, which this version does not read")
        opener = next((each for magic, each in _OPENERS.items() if head.startswith(magic)), None)
        if opener is None:
            found.append(layer)
            continue
        plain = stack.enter_context(store.temporary())
        with opener(layer) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        found.append(plain)
    return found


def _apply(archive: tarfile.TarFile, number: int, tree: dict[str, _Kept]) -> None:
    """One layer on top of the others; its whiteouts hide only what is below it."""
    mine: dict[str, _Kept] = {}
    for head in archive:
        path = posixpath.normpath(head.name).lstrip("/")
        if path.startswith("../") or path == "..":
            raise tarfile.ReadError(f"{head.name!r} leads out of the image")
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            _remove(tree, folder, itself=False)
        elif name.startswith(_WHITEOUT):
            _remove(tree, posixpath.join(folder, name.removeprefix(_WHITEOUT)), itself=True)
        elif path != "." and not head.ischr() and not head.isblk():
            # devices are the engine's, and nobody but root could make them again
            mine[path] = _Kept(head, number)
    for path, kept in mine.items():
        if path in tree and not (tree[path].head.isdir() and kept.head.isdir()):
            _remove(tree, path, itself=True)
        tree[path] = kept


def _remove(tree: dict[str, _Kept], path: str, *, itself: bool) -> None:
    inside = f"{path}/" if path else ""
    for each in [p for p in tree if p.startswith(inside) or (itself and p == path)]:
        del tree[each]


def _write(tree: dict[str, _Kept], opened: Sequence[tarfile.TarFile], out: tarfile.TarFile) -> None:
    """Writes the tree sorted; of a file's names the first has the content, the others are links to it."""
    first: dict[tuple[int, str], str] = {}
    for path in sorted(tree):
        kept = tree[path]
        head, layer = kept.head, kept.layer
        target = posixpath.normpath(head.linkname).lstrip("/") if head.islnk() else path
        source = _content(opened[layer], head) if head.isreg() or head.islnk() else head
        new = _copied(source, path)
        already = first.setdefault((layer, target), path)
        if already != path:
            new.type, new.linkname, new.size = tarfile.LNKTYPE, f"./{already}", 0
            out.addfile(new)
        elif new.isreg():
            content: IO[bytes] | None = opened[layer].extractfile(source)
            out.addfile(new, content)
        else:
            out.addfile(new)


def _content(archive: tarfile.TarFile, head: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry that holds the content of a file or of what a hard link names."""
    for _ in range(16):
        if not head.islnk():
            return head
        try:
            head = archive.getmember(head.linkname)
        except KeyError as trouble:
            raise tarfile.ReadError(f"{head.name!r} is a link to nothing") from trouble
    raise tarfile.ReadError(f"{head.name!r} is a link without an end")


def _copied(head: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    new = tarfile.TarInfo(f"./{path}")
    new.type, new.mode, new.mtime, new.size = head.type, head.mode, int(head.mtime), head.size
    new.uid, new.gid, new.linkname = head.uid, head.gid, head.linkname
    new.devmajor, new.devminor = head.devmajor, head.devminor
    if head.type in (tarfile.CONTTYPE, tarfile.AREGTYPE, tarfile.GNUTYPE_SPARSE):
        new.type = tarfile.REGTYPE
    new.pax_headers = {k: v for k, v in head.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    return new
