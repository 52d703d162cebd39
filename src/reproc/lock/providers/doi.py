"""The files of a DOI's record: Zenodo, other InvenioRDM sites, Figshare, Dataverse.

Sources: developers.zenodo.org (Records), docs.figshare.com (Articles, public), guides.dataverse.org (Native API,
Data Access API), doi.org's REST interface to handles (`/api/handles/DOI`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from posixpath import basename
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock.archives import Site
from reproc.lock.failures import NotServed, Unreachable, first
from reproc.lock.model import Download, WebTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import web
from reproc.lock.requests import DoiRequest, FileRequest
from reproc.lock.store import Store
from reproc.record import record, replace

_ZENODO, _FIGSHARE, _RESOLVER = "https://zenodo.org", "https://api.figshare.com/v2", "https://doi.org"
_ZENODO_DOI = re.compile(r"10\.5281/zenodo\.([0-9]+)", re.IGNORECASE)
_FIGSHARE_DOI = re.compile(r"10\.6084/m9\.figshare\.([0-9]+)(?:\.v([0-9]+))?", re.IGNORECASE)
_INVENIO_PAGE = re.compile(r"/records?/([A-Za-z0-9-]+)/?")
_FIGSHARE_PAGE = re.compile(r"/articles/(?:[^/]+/)*?([0-9]+)(?:/([0-9]+))?/?")
_PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\x00-\x1f\x7f\\]+(?<!/)")


@record
class Listed:
    """A file as its record lists it."""

    name: str
    """With the folder that the record puts it into."""
    url: str
    size: int | None
    digest: tuple[str, str] | None
    """Algorithm and value, such as `md5`."""


def lock(request: DoiRequest, client: Client, site: Site, store: Store) -> Outcome[WebTree]:
    """The record's files as they are now, their canonical archive put into the store; raises `Problem`."""
    listed = _Record(request, client, site).files()
    chosen = _chosen(request, listed)
    told: list[Diagnostic] = []
    parts: list[tuple[web.Wanted, Download]] = []
    for asked, each in chosen:
        wanted = web.Wanted(
            (each.url,),
            basename(each.name),
            asked.sha256,
            asked.size if asked.size is not None else each.size,
            request.unpack,
            0,
            asked.origin,
        )
        download, said = web.obtained(wanted, client, store, site)
        told += said
        _check(each, download, store, request)
        merged = len(chosen) == 1 or not download.single
        parts.append((wanted, download if merged else replace(download, path=_place(each, download))))
    return Outcome(web.made(request.doi, parts, store), tuple(told))


def _place(each: Listed, download: Download) -> str:
    folder = each.name.rpartition("/")[0]
    return f"{folder}/{download.name}" if folder else download.name


def _chosen(request: DoiRequest, listed: Sequence[Listed]) -> list[tuple[FileRequest, Listed]]:
    """The files that the spec names, or all; raises `Problem` for every one that is not there."""
    known = {each.name: each for each in listed}
    mistakes: list[Diagnostic] = []
    for file in request.files:
        if file.name not in known:
            near = next(iter(get_close_matches(file.name, known, 1)), None)
            names = ", ".join(f"`{name}`" for name in list(known)[:20])
            mistakes.append(
                error(
                    codes.NO_SUCH_MEMBER,
                    file.origin,
                    doi=request.doi,
                    name=file.name,
                    suggestion=near,
                    known=names,
                )
            )
    if mistakes:
        raise Problem(*mistakes)
    files = request.files or tuple(FileRequest(name, None, None, request.origin) for name in sorted(known))
    if len(files) == 1:
        only = files[0]
        files = (replace(only, sha256=only.sha256 or request.sha256, size=only.size or request.size),)
    elif request.sha256 is not None or request.size is not None:
        raise _trouble(
            request, f"it has {len(files)} files, and one digest or size stands for one", _NAME_FILES
        )
    return [(file, known[file.name]) for file in files]


_NAME_FILES = 'name each file: `file "NAME" { sha256 … }`'


def _check(each: Listed, download: Download, store: Store, request: DoiRequest) -> None:
    """Compares a file with the digest that the record gives; MD5 finds accidents, no more is asked of it."""
    if each.digest is None or each.digest[0] not in hashlib.algorithms_available:
        return
    algorithm, expected = each.digest
    with store.place(download.sha256).open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != expected.lower():
        reason = f"`{each.name}` has the {algorithm} {found}, and its record says {expected}"
        raise _trouble(request, reason, "try again; if it stays so, tell those who keep the record")


def _trouble(request: DoiRequest, reason: str, advice: str | None = None) -> Problem:
    return problem(codes.RECORD_TROUBLE, request.origin, doi=request.doi, reason=reason, advice=advice)


class _Record:
    """A DOI, and the kind of site that keeps its record."""

    def __init__(self, request: DoiRequest, client: Client, site: Site) -> None:
        self.request, self.client, self.site = request, client, site

    def files(self) -> list[Listed]:
        """What the record lists; raises `Problem`."""
        try:
            found = self._listed()
        except Unreachable as trouble:
            raise problem(
                codes.NETWORK, self.request.origin, host=trouble.host, reason=trouble.reason
            ) from trouble
        except NotServed as trouble:
            reason = f"{trouble.host}: {trouble.reason}"
            if "status 401" in reason or "status 403" in reason:
                reason = f"{trouble.host} does not show it to everyone"
            raise _trouble(self.request, reason, "check the DOI") from trouble
        except (KeyError, TypeError, AttributeError, ValueError) as trouble:
            raise _trouble(self.request, "the site's answer is not as documented") from trouble
        bad = next((each.name for each in found if not _PATH.fullmatch(each.name)), None)
        if bad is not None:
            raise _trouble(self.request, f"it has a file with the name {ascii(bad)}")
        if not found:
            raise _trouble(self.request, "it has no files that can be downloaded")
        return found

    def _listed(self) -> list[Listed]:
        doi = self.request.doi
        if match := _ZENODO_DOI.fullmatch(doi):
            return self._of(_ZENODO, _invenio, match[1])
        if match := _FIGSHARE_DOI.fullmatch(doi):
            return self._of(_FIGSHARE, _figshare, match[1], match[2])
        page = urlsplit(self._page(doi))
        root = f"{page.scheme}://{page.netloc}"
        name = parse_qs(page.query).get("persistentId")
        if name:
            return self._of(root, _dataverse, name[0])
        if match := _INVENIO_PAGE.fullmatch(page.path):
            return self._of(root, _invenio, match[1])
        if match := _FIGSHARE_PAGE.fullmatch(page.path):
            return self._of(_FIGSHARE, _figshare, match[1], match[2])
        advice = "name the files' addresses as `url`"
        raise _trouble(self.request, f"`{page.netloc}` is no site whose records are understood", advice)

    def _of(self, root: str, read: Callable[..., Iterator[Listed]], *what: str | None) -> list[Listed]:
        """What a site says, or the first of its mirrors that says something."""
        return first(self.site.around(root), lambda place: list(read(self.client, place, *what)))

    def _page(self, doi: str) -> str:
        """Where a DOI leads to, told by the resolver without visiting that page."""
        places = self.site.around(f"{_RESOLVER}/api/handles/{quote(doi)}")
        answer = first(places, self.client.object)
        return next(str(each["data"]["value"]) for each in answer["values"] if each["type"] == "URL")


def _invenio(client: Client, root: str, number: str) -> Iterator[Listed]:
    answer = client.object(f"{root}/api/records/{number}")
    listed = answer.get("files", ())
    if isinstance(listed, Mapping):  # InvenioRDM's own form; Zenodo keeps an older one
        listed = list(listed["entries"].values())
    for each in listed:
        key = str(each["key"])
        links = each.get("links", {})
        url = links.get("content") or links.get("self") or f"{root}/records/{number}/files/{quote(key)}"
        algorithm, _, value = str(each.get("checksum") or "").partition(":")
        yield Listed(key, str(url), _size(each.get("size")), (algorithm, value) if value else None)


def _figshare(client: Client, root: str, number: str, version: str | None) -> Iterator[Listed]:
    answer = client.object(f"{root}/articles/{number}" + (f"/versions/{version}" if version else ""))
    for each in answer["files"]:
        if not each.get("is_link_only"):
            md5 = each.get("computed_md5") or each.get("supplied_md5")
            digest = ("md5", str(md5)) if md5 else None
            yield Listed(str(each["name"]), str(each["download_url"]), _size(each.get("size")), digest)


def _dataverse(client: Client, root: str, name: str) -> Iterator[Listed]:
    """A dataset's files, or one file that has a DOI of its own."""
    query = f":persistentId/?persistentId={quote(name, safe=':/')}"
    try:
        listed = client.object(f"{root}/api/datasets/{query}")["data"]["latestVersion"]["files"]
    except NotServed as trouble:
        if "status 404" not in trouble.reason:
            raise
        listed = [client.object(f"{root}/api/files/{query}")["data"]]
    return (_of_dataverse(root, each) for each in listed)


def _of_dataverse(root: str, each: Mapping[str, Any]) -> Listed:
    """Tables are kept as tab-separated text beside the file that was given; that one is wanted."""
    file = each["dataFile"]
    original = file.get("originalFileName")
    folder = str(each.get("directoryLabel") or "")
    name = str(original or each.get("label") or file["filename"])
    path = f"{folder}/{name}" if folder else name
    url = f"{root}/api/access/datafile/{int(file['id'])}"
    if original:
        return Listed(path, f"{url}?format=original", _size(file.get("originalFileSize")), None)
    checksum = file.get("checksum") or {}
    algorithm = str(checksum.get("type") or "md5").lower().replace("-", "")
    value = checksum.get("value") or file.get("md5")
    return Listed(path, url, _size(file.get("filesize")), (algorithm, str(value)) if value else None)


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
