"""A label of the author's is not one that reproc or an engine sets, and can be written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc.check.checked import Target
from reproc.diagnostics import Diagnostic, error
from reproc.diagnostics.codes import image as codes
from reproc.folder import Folder
from reproc.model import Paper

_STANDARD = {
    "authors": "write `author` in `paper`",
    "description": "write `abstract` in `paper`",
    "documentation": "write `doi` in `paper`",
    "licenses": "write `license` in `paper`",
    "title": 'write `paper "…"`',
    "url": "write `url` in `paper`",
    "version": "write `version` in `paper`",
    "base.digest": "the lock knows it",
    "base.name": "it comes from `base`",
    "created": "it is the lock's time",
    "ref.name": "it is the target's name",
}
"""The keys below `org.opencontainers.image.` that come from elsewhere, and from where."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = "choose a name of your own, such as `org.example.{}`"


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    for label in target.labels:
        name = label.name
        key = name.removeprefix("org.opencontainers.image.")
        last = name.rpartition(".")[2] or "name"
        if key != name and key in _STANDARD:
            yield error(codes.RESERVED_LABEL, label.origin, name=name, owner="reproc", instead=_STANDARD[key])
        elif name.startswith(("reproc.", "org.reproc.")):
            instead = _OURS.format(last)
            yield error(codes.RESERVED_LABEL, label.origin, name=name, owner="reproc", instead=instead)
        elif name.startswith("org.label-schema."):
            instead = _OURS.format(last)
            yield error(codes.RESERVED_LABEL, label.origin, name=name, owner="Apptainer", instead=instead)
        if _CONTROL.search(label.text):
            yield error(codes.BAD_LABEL, label.origin, what=f"the label `{name}`")


def paper_labels(paper: Paper | None) -> Iterator[Diagnostic]:
    """What of the paper no label can say; an abstract's lines become one."""
    if paper is None:
        return
    said = (paper.title, paper.license, paper.version, *paper.keywords, paper.abstract)
    if any(_CONTROL.search(text.replace("\n", " ")) for text in said if text):
        yield error(codes.BAD_LABEL, paper.origin, what="what `paper` says")
    for author in paper.authors:
        said = (author.name, author.affiliation, author.email)
        if any(_CONTROL.search(text) for text in said if text):
            yield error(codes.BAD_LABEL, author.origin, what="what `author` says")
