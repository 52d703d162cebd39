"""Files beside the spec, directories and the user: what an image holds beside code, data and packages."""

from __future__ import annotations

from pathlib import PurePosixPath

from reproc import model
from reproc.check import Target
from reproc.graph import MOUNT, CopyFile, Run, Step
from reproc.lock.paths import tree_path
from reproc.lower.plan import Plan, Shape
from reproc.source import Span
from reproc.target import quote


def put_file(plan: Plan, shape: Shape, key: str, path: str, title: str, origin: Span) -> Step:
    """Puts the one file of `file PATH` or `patch PATH` at a path of the image."""
    entry = plan.entries(key)[0]
    if shape is Shape.STANDALONE:
        return CopyFile(title, key.partition(" ")[2], path, entry.executable, origin)
    parent = str(PurePosixPath(path).parent)
    lines = (
        f"mkdir -p {quote(parent)}",
        f"tar -xOf {quote(f'{MOUNT}/{tree_path(key)}')} > {quote(path)}",
        f"chmod {'0755' if entry.executable else '0644'} {quote(path)}",
    )
    return Run(title, lines, mounts=(tree_path(key),), origin=origin)


def file_steps(plan: Plan, shape: Shape) -> list[Step]:
    """The files beside the spec, each at its place, with its mode and owner."""
    steps: list[Step] = []
    for file in plan.target.files:
        path = file.place
        title = f"file {file.path}"
        steps.append(put_file(plan, shape, f"file {file.path}", path, title, file.origin))
        lines = [] if file.owner is None else [f"chown {owner(plan.target, file.owner)} {quote(path)}"]
        lines += [] if file.mode is None else [f"chmod {file.mode:04o} {quote(path)}"]
        if lines:
            steps.append(Run(f"mode and owner of {title}", tuple(lines), origin=file.origin))
    return steps


def directory_steps(target: Target) -> list[Step]:
    """The empty directories."""
    steps: list[Step] = []
    for each in target.directories:
        paths = " ".join(quote(item.text) for item in each.paths)
        lines = [f"mkdir -p {paths}"]
        lines += [] if each.owner is None else [f"chown {owner(target, each.owner)} {paths}"]
        lines.append(f"chmod {each.mode:04o} {paths}")
        steps.append(Run("directories", tuple(lines), origin=each.origin))
    return steps


def user_steps(target: Target) -> list[Step]:
    """The user's entries and home; nothing is changed where the base has this very user already."""
    user = target.user
    if user is None:
        return []
    home = home_of(user)
    lines: list[str] = []
    entry = f"{user.name}:x:{user.uid}:"
    for path, row in (("/etc/passwd", f"{entry}{user.uid}::{home}:/bin/sh"), ("/etc/group", entry)):
        taken = quote(f"reproc: {path} of the base has another `{user.name}`, or its number {user.uid}")
        lines += [
            f"if ! grep -q {quote(f'^{user.name}:[^:]*:{user.uid}:')} {path}; then",
            f"    if grep -Eq {quote(f'^{user.name}:|^[^:]*:[^:]*:{user.uid}:')} {path}; then",
            f"        echo {taken} >&2; exit 1",
            "    fi",
            f"    printf '%s\\n' {quote(row)} >> {path}",
            "fi",
        ]
    for path, row in (("/etc/shadow", f"{user.name}:*::0:99999:7:::"), ("/etc/gshadow", f"{user.name}:*::")):
        missing = f"[ -f {path} ] && ! grep -q {quote(f'^{user.name}:')} {path}"
        lines.append(f"if {missing}; then printf '%s\\n' {quote(row)} >> {path}; fi")
    lines += [f"mkdir -p {quote(home)}", f"chown {user.uid}:{user.uid} {quote(home)}"]
    return [Run(f"user {user.name}", tuple(lines), origin=user.origin)]


def home_of(user: model.User) -> str:
    """The user's home."""
    return user.home or f"/home/{user.name}"


def owner(target: Target, name: str) -> str:
    """An owner and its group as numbers, which mean the same in every stage."""
    if name == "root":
        return "0:0"
    if target.user is not None and name == target.user.name:
        name = str(target.user.uid)
    return f"{name}:{name}"


def workdir_steps(target: Target) -> list[Step]:
    """The directories in which apps start, which are there even if nothing else makes them."""
    steps: list[Step] = []
    for app in target.apps:
        if app.workdir not in (None, "/", target.workdir):
            line = f"mkdir -p {quote(app.workdir or '/')}"
            steps.append(Run(f"working directory of app {app.name}", (line,), origin=app.origin))
    return steps
