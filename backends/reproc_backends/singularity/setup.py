"""Lines of `%setup`, which runs on the host: they write below the root file system and nowhere else."""

from __future__ import annotations

from posixpath import normpath

from reproc.graph import CopyFile, CopyIn, FetchGit, Rootfs
from reproc.target.quoting import feeds, quote

PLACE = "/.reproc"
"""A directory directly below the image's root where things wait for their step; the image lacks it."""
_CANONICAL = "--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX"


def opening() -> list[str]:
    """The first lines: they refuse to go on without a root file system that is one."""
    return [
        "set -eu",
        "umask 022",
        'root="${APPTAINER_ROOTFS:-${SINGULARITY_ROOTFS:-}}"',
        'if [ -z "$root" ] || [ ! -d "$root" ] || [ "$root" -ef / ]; then',
        '    echo "reproc: there is no root file system to write to" >&2; exit 1',
        "fi",
    ]


def make_place() -> list[str]:
    """A line that makes `PLACE`, or stops where the base has it, since links in it could lead to the host."""
    return [f'mkdir "$root{PLACE}"']


def unpack_rootfs(rootfs: Rootfs) -> list[str]:
    """Lines that check the archive and unpack it."""
    path = quote(_operand(rootfs.path))
    lines = [
        f"if [ ! -f {path} ]; then",
        f"    echo {quote(f'reproc: there is no {rootfs.path} in the current directory')} >&2; exit 1",
        "fi",
    ]
    if rootfs.sha256:
        lines += [
            f"sum=$(sha256sum < {path})",
            f'if [ "${{sum%% *}}" != {rootfs.sha256} ]; then',
            f"    echo {quote(f'reproc: {rootfs.path} is not what this recipe was made for')} >&2; exit 1",
            "fi",
        ]
    # devices are the engine's, and nobody but root could make them
    return [
        *lines,
        f"tar --numeric-owner --anchored --exclude='./dev/*' --exclude='dev/*' -xpf {path} -C \"$root\"",
    ]


def pack_files(step: CopyIn, tar: str) -> list[str]:
    """Lines that put the listed files into a tar, with canonical modes and owners."""
    names = "".join(f"./{normpath(name)}\n" for name in step.files)
    command = f"tar -C {quote(_operand(step.source))} --no-recursion --verbatim-files-from --no-unquote"
    return feeds(f'{command} {_CANONICAL} -cf "$root{tar}" -T -', names, in_def=True)


def pack_file(step: CopyFile, copy: str) -> list[str]:
    """A line that puts one file aside; a link is followed, as COPY does."""
    return [f'cat {quote(_operand(step.source))} > "$root{copy}"']


def fetch_git(step: FetchGit, tar: str) -> list[str]:
    """Lines that fetch one commit with the host's git and put its tree into a tar.

    Some servers give out single commits, others only whole histories.
    """
    work = f'"$root{tar}.git"'
    git = f"git -C {work} -c core.autocrlf=false -c core.symlinks=true -c core.hooksPath=/dev/null"
    url = quote(step.url)
    return [
        f"git init -q {work}",
        f"if ! {git} fetch -q --depth 1 {url} {step.commit}; then",
        f"    {git} fetch -q {url} '+refs/*:refs/reproc/*'",
        "fi",
        # a host that has Git LFS would put other files in the place of the commit's own
        f"GIT_LFS_SKIP_SMUDGE=1 {git} checkout -q --detach {step.commit}",
        f'tar -C {work} --exclude=./.git {_CANONICAL} -cf "$root{tar}" .',
        f"rm -rf {work}",
    ]


def _operand(path: str) -> str:
    """A path of the build context that no program takes for an option."""
    path = normpath(path)
    return f"./{path}" if path.startswith("-") else path
