"""Trees of images: both readers see the same, and a comparison misses nothing but what it is to leave out."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from reproc.verify.layers import tree_of_archive, tree_of_export
from reproc.verify.sif import SQUASHFS_PARTITION
from reproc.verify.squashfs import tree_of_sif
from reproc.verify.tree import OWNED, BadTree, Comparison, Kind, Tree, compare

from .test_sif import write

Item = tuple[tarfile.TarInfo, bytes]


def item(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    link: str = "",
    time: int = 5,
) -> Item:
    head = tarfile.TarInfo(name)
    head.type, head.mode, head.linkname, head.mtime, head.size = kind, mode, link, time, len(content)
    head.uid, head.gid = owner
    if kind == tarfile.CHRTYPE:
        head.devmajor, head.devminor = 1, 3
    return head, content


def layer(*items: Item, form: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{form}", format=tarfile.PAX_FORMAT) as archive:
        for head, content in items:
            archive.addfile(head, io.BytesIO(content))
    return out.getvalue()


def image(path: Path, *layers: bytes) -> Path:
    """An archive as `docker save` writes it."""
    names = [f"blobs/sha256/{sha256(each).hexdigest()}" for each in layers]
    manifest = json.dumps([{"Config": "c", "Layers": names}]).encode()
    parts = [("manifest.json", manifest), *zip(names, layers, strict=True)]
    path.write_bytes(layer(*(item(name, content) for name, content in parts)))
    return path


def layout(path: Path, *layers: bytes) -> Path:
    """An OCI image layout in an archive, with an attestation beside the image."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, str]:
        digest = sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}"}

    manifest = blob(json.dumps({"layers": [blob(each) for each in layers]}).encode())
    other = blob(json.dumps({"layers": []}).encode()) | {"platform": {"os": "unknown"}}
    index = json.dumps({"manifests": [manifest, other]}).encode()
    path.write_bytes(layer(item("index.json", index), *(item(n, c) for n, c in blobs.items())))
    return path


def sif(path: Path, content: bytes) -> Path:
    """A SIF whose squashfs holds what a tar archive does."""
    if shutil.which("mksquashfs") is None or shutil.which("unsquashfs") is None:
        pytest.skip("squashfs-tools are not installed")
    packed = path.with_suffix(".squashfs")
    command = ["mksquashfs", "-", str(packed), "-tar", "-quiet", "-no-progress"]
    subprocess.run(command, input=content, check=True, capture_output=True)
    return write(path, [(1, b"the def"), (SQUASHFS_PARTITION, packed.read_bytes())])


PLAIN = (
    item("etc", kind=tarfile.DIRTYPE, mode=0o755),
    item("etc/shadow", b"root", mode=0o640, owner=(0, 42)),
    item("etc/link", kind=tarfile.SYMTYPE, link="shadow"),
    item("usr", kind=tarfile.DIRTYPE, mode=0o755),
    item("usr/su", b"ELF" * 100_000, mode=0o4755),
)
ODD = (
    *PLAIN,
    item('a "b" \\ c', b"1", owner=(1000, 1001)),
    item("a\nb", b"1"),
    item(" lead", b"2"),
    item("#\n# START OF DATA", b"3"),
    item("ünï", b"4"),
    item("bad\udcff", b"5"),
    item("empty"),
    item("other name", kind=tarfile.LNKTYPE, link=" lead"),
    item("to nowhere", kind=tarfile.SYMTYPE, link='x "y" \\ z\nR 1 2 3'),
    item("pipe", kind=tarfile.FIFOTYPE),
    item("null", kind=tarfile.CHRTYPE),
    item("sticky", kind=tarfile.DIRTYPE, mode=0o1777),
)


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    content = layer(item(".", kind=tarfile.DIRTYPE, mode=0o755), *ODD)
    first = tree_of_archive(image(tmp_path / "a.tar", content))
    second = tree_of_sif(sif(tmp_path / "a.sif", content))
    assert compare(first, second) == Comparison((), len(ODD))
    assert first["usr/su"].mode == 0o4755
    assert first["other name"] == first[" lead"]
    assert first["etc/link"].content == "shadow"
    assert (first["a\nb"].kind, first["a\nb"].content) == (Kind.FILE, sha256(b"1").hexdigest())
    assert (first["pipe"].kind, first["null"].content) == (Kind.PIPE, "c 1:3")


def changed(path: str, /, **values: Any) -> Callable[[Item], Item]:
    def change(each: Item) -> Item:
        if each[0].name != path:
            return each
        head, content = copy(each[0]), values.get("content", each[1])
        for name, value in {**values, "size": len(content)}.items():
            if name != "content":
                setattr(head, name, value)
        return head, content

    return change


CONTROLS = {
    "mode": (changed("etc/shadow", mode=0o644), "/etc/shadow: mode 0640 in a, 0644 in b"),
    "setuid": (changed("usr/su", mode=0o755), "/usr/su: mode 4755 in a, 0755 in b"),
    "owner": (changed("etc/shadow", uid=7), "/etc/shadow: owner 0:42 in a, 7:42 in b"),
    "group": (changed("etc/shadow", gid=43), "/etc/shadow: owner 0:42 in a, 0:43 in b"),
    "byte": (
        changed("etc/shadow", content=b"roos"),
        f"/etc/shadow: content {sha256(b'root').hexdigest()} in a, {sha256(b'roos').hexdigest()} in b",
    ),
    "target": (changed("etc/link", linkname="shado"), "/etc/link: target shadow in a, shado in b"),
    "type": (changed("etc/link", type=tarfile.DIRTYPE, mode=0o777), "/etc/link: type link in a, folder in b"),
    "name": (changed("etc/shadow", name="etc/shadoo"), "/etc/shadoo is only in b (file)"),
}


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("reader", ["archive", "sif"])
def test_one_change_is_found_and_named(tmp_path: Path, control: str, reader: str) -> None:
    change, words = CONTROLS[control]
    first = tree_of_archive(image(tmp_path / "a.tar", layer(*PLAIN)))
    content = layer(*map(change, PLAIN))
    second: Tree
    if reader == "archive":
        second = tree_of_archive(image(tmp_path / "b.tar", content))
    else:
        second = tree_of_sif(sif(tmp_path / "b.sif", content))
    found = compare(first, second)
    assert not found.same
    assert words in [each.words("a", "b") for each in found.differences]
    assert len(found.differences) == (2 if control == "name" else 1)
    assert compare(first, first).same


def test_times_are_left_out(tmp_path: Path) -> None:
    first = tree_of_archive(image(tmp_path / "a.tar", layer(*PLAIN)))
    content = layer(*(changed(head.name, mtime=9)((head, content)) for head, content in PLAIN))
    assert compare(first, tree_of_archive(image(tmp_path / "b.tar", content))).same
    assert compare(first, tree_of_sif(sif(tmp_path / "b.sif", content))).same


@pytest.mark.parametrize("owned", [each.path for each in OWNED if each.path])
def test_what_engines_own_is_left_out_and_its_neighbours_are_not(tmp_path: Path, owned: str) -> None:
    first = tree_of_archive(image(tmp_path / "a.tar", layer(*PLAIN)))
    with_it = layer(*PLAIN, item(owned, kind=tarfile.DIRTYPE), item(f"{owned}/x", b"1"))
    assert compare(first, tree_of_archive(image(tmp_path / "b.tar", with_it))).same
    beside = layer(*PLAIN, item(f"{owned}x", b"1"))
    assert not compare(first, tree_of_archive(image(tmp_path / "c.tar", beside))).same


def test_owners_that_are_all_root_are_told_apart_from_other_differences(tmp_path: Path) -> None:
    first = tree_of_archive(image(tmp_path / "a.tar", layer(*PLAIN)))
    flat = [changed(head.name, uid=0, gid=0)((head, content)) for head, content in PLAIN]
    second = tree_of_archive(image(tmp_path / "b.tar", layer(*flat)))
    assert compare(first, second) == Comparison((), len(PLAIN), flattened=True)
    worse = map(changed("usr/su", mode=0o755), flat)
    found = compare(first, tree_of_archive(image(tmp_path / "c.tar", layer(*worse))))
    assert found.flattened
    assert [each.path for each in found.differences] == ["usr/su"]


@pytest.mark.parametrize("form", ["", "gz", "xz"])
@pytest.mark.parametrize("kind", [image, layout])
def test_layers_stand_on_each_other(tmp_path: Path, kind: Callable[..., Path], form: str) -> None:
    below = layer(
        *PLAIN,
        item("opt", kind=tarfile.DIRTYPE),
        item("opt/gone", b"1"),
        item("opt/stays", b"2"),
        item("var", kind=tarfile.DIRTYPE),
        item("var/hidden", b"3"),
        item("srv", kind=tarfile.DIRTYPE),
        item("srv/inside", b"4"),
        form=form,
    )
    above = layer(
        item("opt/.wh.gone"),
        item("opt/again", kind=tarfile.LNKTYPE, link="opt/stays"),
        item("var/.wh..wh..opq"),
        item("var/new", b"5"),
        item("srv", b"now a file"),
        item("etc", kind=tarfile.DIRTYPE, mode=0o700),
        form=form,
    )
    tree = tree_of_archive(kind(tmp_path / "a.tar", below, above))
    plain = {head.name for head, _ in PLAIN}
    assert tree.keys() == plain | {"opt", "opt/stays", "opt/again", "var", "var/new", "srv"}
    assert tree["opt/again"] == tree["opt/stays"]
    assert tree["srv"].kind is Kind.FILE
    assert tree["etc"].mode == 0o700


def test_a_container_is_read_as_its_one_layer(tmp_path: Path) -> None:
    content = layer(*PLAIN)
    pieces = [content[start : start + 777] for start in range(0, len(content), 777)]
    assert tree_of_export(pieces) == tree_of_archive(image(tmp_path / "a.tar", content))
    for damaged in ([b"x" * 2000], []):
        with pytest.raises(BadTree):
            tree_of_export(damaged)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    whole = image(tmp_path / "a.tar", layer(*PLAIN)).read_bytes()
    for number, content in enumerate((b"", whole[: len(whole) // 2], layer(*PLAIN), b"x" * 2000)):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(content)
        with pytest.raises(BadTree):
            tree_of_archive(path)
    zstd = image(tmp_path / "z.tar", b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(BadTree, match="zstd"):
        tree_of_archive(zstd)


def test_what_is_no_sif_is_refused(tmp_path: Path) -> None:
    whole = sif(tmp_path / "a.sif", layer(*PLAIN))
    with pytest.raises(BadTree, match="is shorter than a header"):
        tree_of_sif(Path(os.devnull))
    damaged = write(tmp_path / "b.sif", [(SQUASHFS_PARTITION, b"hsqs" + bytes(4096))])
    with pytest.raises(BadTree):
        tree_of_sif(damaged)
    content = bytearray(whole.read_bytes())
    content[-4000:-3900] = bytes(100)
    (tmp_path / "c.sif").write_bytes(content)
    with pytest.raises(BadTree):
        tree_of_sif(tmp_path / "c.sif")
