"""The cut of a stage: what stands in it before the author's own code, which an engine may keep between builds.

A definition file has no layers, so a change of a line of code would install every package anew. Where the folder
`CUTS` is among the inputs, a stage puts its tree into it at the cut, and the next build starts from there. The
image is the same, byte for byte, with and without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import takewhile

from reproc.graph import CUTS, INPUTS, MOUNT, BuildGraph, Rootfs, Run, SetEnv, Stage, Step, WriteFile
from reproc.target.quoting import export

_MARK = "/.reproc.cut"
"""A file of the image while it is built: it says that the tree was kept by an earlier build."""
_TREES = "trees"
"""Where among the inputs the author's code and data are; everything else there was made by others."""
_MOUNTED = ("dev", "etc/hosts", "etc/resolv.conf", "mnt", "proc", "sys", "tmp", "var/tmp")
"""What the engine covers while it builds (Apptainer's user guide, "Bind Paths and Mounts"), extended by our mounts."""
_ENGINE = (".exec", ".post.script", ".run", ".shell", ".singularity.d", ".test", "environment", "singularity")
"""What the engine itself puts at the top of an image."""
_OURS = (".reproc", ".reproc.kept-*")
"""Where steps put things aside: the paths that other stages keep come from the author's code."""
_ALL = "--numeric-owner --xattrs --xattrs-include='*'"


def before(graph: BuildGraph, stage: Stage) -> tuple[Step, ...]:
    """The stage's first steps, which the author's own code does not reach; none where keeping them gains nothing."""
    if not isinstance(stage.base, Rootfs) or not graph.inputs or stage.base.sha256 is None:
        return ()
    found = tuple(takewhile(_of_others, stage.steps))
    return found if any(isinstance(step, Run) and step.mounts for step in found) else ()


def _of_others(step: Step) -> bool:
    match step:
        case Run(mounts=mounts, network=network):
            return not network and not any(each.split("/")[0] == _TREES for each in mounts)
        case SetEnv() | WriteFile():
            return True
        case _:
            return False


def key(graph: BuildGraph, stage: Stage, steps: Sequence[Step], lines: Sequence[str]) -> str:
    """A digest of all that the tree at the cut is made of: the base, the lines of the steps, what they read."""
    assert isinstance(stage.base, Rootfs)
    mounts = {mount for step in steps if isinstance(step, Run) for mount in step.mounts}
    read = [
        (each.path, each.sha256)
        for each in graph.inputs
        if any(each.path == mount or each.path.startswith(f"{mount}/") for mount in mounts)
    ]
    made_of = [graph.platform, graph.epoch, stage.base.sha256, read, *lines]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


def unpack(unpack_base: Sequence[str], rootfs: Rootfs, name: str) -> list[str]:
    """Lines of `%setup` that unpack a kept tree; where there is none, those that unpack the base.

    What was covered while the tree was kept is the base's own.
    """
    covered = "|".join(path.replace(".", r"\.") for path in _MOUNTED)
    return [
        f"for cut in {INPUTS}/{CUTS}/{name}-*.tar; do break; done",
        'if [ -f "$cut" ]; then',
        f'tar {_ALL} -xpf "$cut" -C "$root"',
        f"tar -tf {rootfs.path} | grep -xE '(\\./)?({covered})/?' |",
        f'    tar --numeric-owner --no-recursion -xpf {rootfs.path} -C "$root" -T -',
        "else",
        *unpack_base,
        "fi",
    ]


def begin() -> list[str]:
    """Lines of `%post` before the steps that a kept tree makes needless."""
    return [f"if [ ! -e {_MARK} ]; then"]


def end(steps: Sequence[Step], name: str) -> list[str]:
    """Lines of `%post` behind those steps: they keep the tree, where that is wanted and there is room."""
    excluded = " ".join(f"--exclude=./{path}" for path in (*_MOUNTED, *_ENGINE))
    excluded += "".join(f" --exclude='./{path}'" for path in _OURS)
    variables = [each for step in steps if isinstance(step, SetEnv) for each in step.variables]
    return [
        f"if [ -d {MOUNT}/{CUTS} ]; then",
        f"    : > {_MARK}",
        f"    part=$(mktemp {MOUNT}/{CUTS}/part.XXXXXX)",
        f'    if tar -C / {_ALL} --anchored {excluded} -cpf "$part" .; then',
        '        sum=$(sha256sum < "$part")',
        f'        mv "$part" "{MOUNT}/{CUTS}/{name}-${{sum%% *}}.tar"',
        "    else",
        '        rm -f "$part"',
        "    fi",
        "fi",
        "fi",
        f"rm -f {_MARK}",
        *(export(each.name, each.value) for each in {each.name: each for each in variables}.values()),
    ]
