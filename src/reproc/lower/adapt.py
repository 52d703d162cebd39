"""What becomes of code and data once they lie at their places: patches, rewriting, owners, links onto PATH.

Everything here runs in the image, by what every Debian and Ubuntu base holds (perl-base is essential there,
`patch` is not), so that both shapes and both engines do the same.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from pathlib import PurePosixPath

from reproc import model
from reproc.check import Target, place_of_code, place_of_data
from reproc.graph import Run, Step, WriteFile
from reproc.lock.model import SwhTree, WebTree
from reproc.lock.requests import LocalRequest, TargetRequest, WebRequest
from reproc.lower.downloads import floating
from reproc.lower.files import owner, put_file
from reproc.lower.plan import Plan, Shape
from reproc.record import replace
from reproc.source import Span
from reproc.target import quote
from reproc.target.quoting import words

LINKS = "/usr/local/bin"
"""Where programs of code are linked; it is on every base's PATH."""
_PATCH = "/.reproc.patch"
PROGRAM = "/.reproc.pl"
"""Where one of our programs lies while it is needed."""
_PERL = "command -v perl > /dev/null || { echo 'reproc: this needs perl, which the base lacks' >&2; exit 1; }"


def adapted(plan: Plan, request: TargetRequest, shape: Shape, key: str) -> list[Step]:
    """The steps that follow the one that puts `code NAME` or `data NAME` at its place."""
    block = _block(plan.target, key)
    path = path_of(plan, request, key)
    steps: list[Step] = []
    if isinstance(block, model.Code):
        steps += _patched(plan, shape, key, path, block)
        steps += _rewritten(key, path, block)
    steps += _owned(plan.target, key, path, block)
    if isinstance(block, model.Code) and block.bin:
        steps.append(_linked(key, path, block))
    return steps


def _block(target: Target, key: str) -> model.Code | model.Data:
    kind, _, name = key.partition(" ")
    blocks: tuple[model.Code | model.Data, ...] = target.code if kind == "code" else target.data
    return next(each for each in blocks if each.name == name)


def path_of(plan: Plan, request: TargetRequest, key: str) -> str:
    """Where code or data lies: a directory, or the one file itself."""
    block = _block(plan.target, key)
    where = place_of_code(block) if isinstance(block, model.Code) else place_of_data(block)
    if not where.endswith("/"):
        return where
    asked, entries = dict(request.trees)[key], plan.entries(key)
    tree = dict(plan.locked.trees)[key] if plan.locked else None
    if isinstance(tree, WebTree) and tree.single:
        return where + tree.downloads[0].name
    if tree is None and isinstance(asked, WebRequest) and floating(asked).single:
        return where + floating(asked).name
    if isinstance(tree, SwhTree) and tree.single:
        return where + block.name
    if isinstance(asked, LocalRequest) and len(entries) == 1 and not entries[0].path:
        return where + PurePosixPath(asked.source).name
    return where.rstrip("/")


def _patched(plan: Plan, shape: Shape, key: str, path: str, code: model.Code) -> list[Step]:
    """Each patch at its own step, so that one that does not apply is told at its own line."""
    steps: list[Step] = []
    for item in code.patches:
        steps.append(put_file(plan, shape, f"patch {item}", _PATCH, f"patch {item} of {key}", item.origin))
        lines = (_PERL, f"perl {PROGRAM} {words(path, item.text, _PATCH)}", f"rm {_PATCH}")
        steps.append(Run(f"apply {item} to {key}", lines, origin=item.origin))
    return with_program("patch.pl", f"what applies patches to {key}", steps)


def _rewritten(key: str, path: str, code: model.Code) -> list[Step]:
    steps: list[Step] = []
    for each in code.rewrites:
        lines = (_PERL, f"perl {PROGRAM} {words(path, each.old, each.new)}")
        steps.append(Run(f"rewrite in {key}", lines, origin=each.origin))
    return with_program("rewrite.pl", f"what rewrites texts of {key}", steps)


def with_program(name: str, title: str, steps: list[Step]) -> list[Step]:
    """The steps with the program that they run before them; the last one, a `Run`, removes it."""
    if not steps:
        return []
    last = steps[-1]
    assert isinstance(last, Run), "what runs a program comes last"
    write = WriteFile(title, PROGRAM, _program(name), 0o644, steps[0].origin)
    return [write, *steps[:-1], replace(last, lines=(*last.lines, f"rm {PROGRAM}"))]


def _owned(target: Target, key: str, path: str, block: model.Code | model.Data) -> list[Step]:
    lines: list[str] = []
    if block.owner is not None:
        lines.append(f"chown -hR {owner(target, block.owner)} {quote(path)}")
    if block.mode is not None:
        # whoever may read a directory may enter it
        folders = block.mode | (block.mode & 0o444) >> 2
        lines.append(f"find {quote(path)} -type f -exec chmod {block.mode:04o} {{}} +")
        lines.append(f"find {quote(path)} -type d -exec chmod {folders:04o} {{}} +")
    return [Run(f"mode and owner of {key}", tuple(lines), origin=block.origin)] if lines else []


def _linked(key: str, path: str, code: model.Code) -> Run:
    lines = [f"mkdir -p {LINKS}"]
    for item in code.bin:
        program = program_path(path, item.text)
        absent = quote(f"reproc: {program} is no program")
        lines.append(f"if [ ! -f {quote(program)} ] || [ ! -x {quote(program)} ]; then")
        lines.append(f"    echo {absent} >&2; exit 1")
        lines.append("fi")
        lines.append(f"ln -s {words(program, f'{LINKS}/{PurePosixPath(program).name}')}")
    return Run(f"programs of {key}", tuple(lines), origin=_first(code.bin, code.origin))


def program_path(place: str, written: str) -> str:
    """A program of code: `bin/x` stands below its place; an absolute path stands for itself."""
    return str(PurePosixPath(place) / written)


def _first(items: tuple[model.Item, ...], otherwise: Span) -> Span:
    return items[0].origin if items else otherwise


@cache
def _program(name: str) -> str:
    data = pkgutil.get_data(__name__, name)
    assert data is not None, "the programs are part of the package"
    return data.decode()
