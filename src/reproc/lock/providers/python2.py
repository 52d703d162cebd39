"""Packages for Python 2: every one is named exactly, as `pip freeze` does, and its wheel is looked up in the index.

No resolver of today knows Python 2 (uv wants 3.6 or newer); those of its time cannot be run on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.lock.archives import Site
from reproc.lock.contents import requirements_of
from reproc.lock.failures import NotServed, Unreachable
from reproc.lock.model import Wheel
from reproc.lock.net import Client
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.providers import uv
from reproc.lock.requirements import Wanted
from reproc.lock.store import Store
from reproc.source import Span

MAKER = "virtualenv==16.7.12"
"""What makes environments: the last one that is a program without needs of its own, which runs on Python 2 itself."""
SEEDED = ("pip", "setuptools", "wheel")
"""What it puts into each, and `pip freeze` leaves out."""


def named(
    found: Sequence[Wanted], marks: Mapping[str, str], index: str | None, client: Client, site: Site
) -> list[Mapping[str, Any]]:
    """The packages as pylock tables (PEP 751), with the wheels of exactly their versions; raises `Problem`."""
    wanted: dict[str, tuple[str, Wanted]] = {}
    mistakes: list[Diagnostic] = []
    for each in found:
        version, applies = _exact(each, marks)
        if applies and version is None:
            mistakes.append(error(codes.NOT_EXACT, each.origin, *each.labels, text=each.text))
        elif version is not None and wanted.setdefault(each.name, (version, each))[0] != version:
            reason = f"two versions of `{each.name}` are named"
            mistakes.append(error(codes.UNSATISFIABLE_PYTHON, each.origin, *each.labels, reason=reason))
    if mistakes:
        raise Problem(*mistakes)
    return [listed(each.name, version, index, client, site, each.origin) for version, each in wanted.values()]


def _exact(wanted: Wanted, marks: Mapping[str, str]) -> tuple[str | None, bool]:
    """The one version that is named, and whether that holds where the environment is."""
    from packaging.requirements import Requirement

    requirement = Requirement(wanted.text)
    if requirement.marker is not None and not requirement.marker.evaluate(dict(marks)):
        return None, False
    (first, *others) = [*requirement.specifier] or [None]
    if first is None or others or first.operator != "==" or first.version.endswith("*"):
        return None, True
    return first.version, True


def listed(
    name: str, version: str, index: str | None, client: Client, site: Site, origin: Span | None
) -> Mapping[str, Any]:
    """A version of a package with its wheels, from the first index that has the package; raises `Problem`."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import Version

    wheels = []
    for filename, url, sha256 in first_of(
        uv.addresses(index, site), lambda root: _page(root, name, client, origin)
    ):
        try:
            own = parse_wheel_filename(filename)[1]
        except InvalidWheelFilename:
            continue
        if own == Version(version):
            wheels.append({"name": filename, "url": url, "hashes": {"sha256": sha256} if sha256 else {}})
    return {"name": name, "version": version, "wheels": wheels}


def _page(root: str, name: str, client: Client, origin: Span | None) -> list[tuple[str, str, str | None]]:
    """Names, addresses and digests of the files that an index has of a package (PEP 503); raises `Problem`."""
    url = f"{root.rstrip('/')}/{name}/"
    try:
        response = client.request(url, {"Accept": "text/html"})
    except Unreachable as trouble:
        raise problem(codes.NETWORK, origin, host=trouble.host, reason=trouble.reason) from trouble
    except NotServed as trouble:
        raise problem(codes.UNKNOWN_REQUIREMENT, origin, name=name) from trouble
    with response:
        if response.status_code >= 400:
            raise problem(codes.UNKNOWN_REQUIREMENT, origin, name=name)
        links = _Links()
        links.feed(response.text)
    return list(links.files(url))


class _Links(HTMLParser):
    """What a page links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.found.append(target)
        elif tag == "base" and target:
            self.base = target

    def files(self, page: str) -> Iterator[tuple[str, str, str | None]]:
        for each in self.found:
            url, fragment = urldefrag(urljoin(self.base or page, each))
            kind, _, digest = fragment.partition("=")
            filename = unquote(urlsplit(url).path.rpartition("/")[2])
            yield filename, url, digest.lower() if kind == "sha256" else None


def missing(
    wheels: Sequence[Wheel], found: Sequence[Wanted], marks: Mapping[str, str], store: Store
) -> Iterator[Diagnostic]:
    """What wheels need and nobody named; which version they need is not looked at: pip did not always, either."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    there = {*SEEDED, *(wheel.name for wheel in wheels)}
    origins = {each.name: each for each in found}
    for wheel in wheels:
        asked = origins[wheel.name]
        for text in requirements_of(wheel, store) or ():
            try:
                need = Requirement(text)
            except InvalidRequirement:
                continue  # what old tools wrote, and pip of that time read in its own way
            extras = ("", *Requirement(asked.text).extras)
            applies = need.marker is None or any(need.marker.evaluate({**marks, "extra": e}) for e in extras)
            if applies and (name := canonicalize_name(need.name)) not in there:
                there.add(name)
                facts = {"name": wheel.name, "version": wheel.version, "needs": name}
                yield error(codes.NOT_NAMED, asked.origin, *asked.labels, **facts)
