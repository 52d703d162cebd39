"""The packages that an image holds, with the licences that they name: Debian's and Python's.

Nothing is guessed. A Debian package names licences where its `copyright` file is machine-readable (DEP-5, the
copyright format 1.0); of one that is prose it is told which of the common licences it points at (Debian Policy,
section 12.5), since prose does not say which of its parts is under which. A Python distribution names them in its
metadata (core metadata 2.4, PEP 639; before that in classifiers or a line of its own).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reproc.catalog import pythons
from reproc.catalog.pythons import PythonArchive
from reproc.verify.audits.image import Image
from reproc.verify.report import Package

STATUS = "/var/lib/dpkg/status"
_DOCS = "/usr/share/doc"
_MACHINE_READABLE = re.compile(
    r"\s*Format(?:-Specification)?:\s*\S*(?:copyright-format|dep\W?5)", re.IGNORECASE
)
_LICENSE = re.compile(r"^License:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z][A-Za-z0-9.+-]*[A-Za-z0-9])")
_LONGEST = 120
"""Characters of what can be a licence's name; more is its text, which old metadata put into the same field."""
_NO_NAME = re.compile(r"unknown|licen[cs]e(\.\w+)?", re.IGNORECASE)
"""What stands there where nothing is stated: what old setuptools wrote, or the name of a file."""
# what is looked at is the head of each file; the text of a licence in it, which is folded, is left out
_METADATA = """\
for top in "$@"; do
    for file in "$top"/lib/python[23]*/*-packages/*.dist-info/METADATA; do
        [ -f "$file" ] && sed -n -e '/^\\r*$/q' -e '/^Name:/p;/^Version:/p;/^License/p;/^Classifier: License/p' "$file"
    done
done
:
"""


def packages(
    image: Image, environments: Sequence[str], interpreters: Sequence[PythonArchive] = ()
) -> tuple[Package, ...]:
    """What an image holds, by kind and name; the Python packages of these environments. Raises `Unreadable`.

    Interpreters that came as archives are told themselves, with what they have brought along.
    """
    found = [*_debian(image)]
    found += (Package("CPython", each.version, "python", pythons.licenses()) for each in interpreters)
    environments = [*environments, *(each.place for each in interpreters)]
    if environments:
        found += _python(image.say(_METADATA, *environments))
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.kind, each.name, each.version)))


# -------------------------------------------------------------------------------------------- Debian's


def _debian(image: Image) -> Iterator[Package]:
    text = "".join(_read(copy) for _, copy in image.files([STATUS]))
    installed = [each for each in map(_fields, text.split("\n\n")) if "installed" in each.get("Status", "")]
    if not installed:
        return
    copyrights = {
        Path(path).parent.name: _read(copy)
        for path, copy in image.files([_DOCS])
        if re.fullmatch(rf"{_DOCS}/[^/]+/copyright", path)
    }
    # a package's folder may be a link, which is not copied, to that of one of the same source (Policy, 12.3)
    of_source: dict[str, str] = {}
    for each in installed:
        if each["Package"] in copyrights:
            of_source.setdefault(_source(each), copyrights[each["Package"]])
    for each in installed:
        said = copyrights.get(each["Package"], of_source.get(_source(each), ""))
        yield Package(each["Package"], each.get("Version", ""), "debian", *licenses_of(said))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _fields(stanza: str) -> dict[str, str]:
    rows = (line.partition(": ") for line in stanza.splitlines())
    return {
        name: value.strip() for name, _, value in rows if name in ("Package", "Status", "Version", "Source")
    }


def _source(fields: dict[str, str]) -> str:
    """The name of the source package, without the version that stands beside it where that is another one."""
    return fields.get("Source", fields["Package"]).partition(" ")[0]


def licenses_of(copyright: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The licences that a Debian copyright file names, and those that it only points at."""
    if _MACHINE_READABLE.match(copyright):
        return _unique(_LICENSE.findall(copyright)), ()
    return (), _unique(_COMMON.findall(copyright))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({" ".join(name.split()) for name in names}, key=str.casefold))


# -------------------------------------------------------------------------------------------- Python's


def _python(text: str) -> Iterator[Package]:
    heads: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        if name == "Name":
            heads.append([])
        if heads:
            heads[-1].append((name, value.strip()))
    for head in heads:
        fields = dict(reversed(head))
        yield Package(fields["Name"], fields.get("Version", ""), "python", licenses_of_metadata(head))


def licenses_of_metadata(head: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The licences that a distribution's metadata names: an SPDX expression, else classifiers, else a line."""
    fields = dict(reversed(head))
    if expression := fields.get("License-Expression"):
        return (expression,)
    classified = [value.split(" :: ")[-1] for name, value in head if name == "Classifier"]
    if named := _unique(each for each in classified if each not in ("License", "OSI Approved")):
        return named
    line = fields.get("License", "")
    return (line,) if 0 < len(line) <= _LONGEST and not _NO_NAME.fullmatch(line) else ()
