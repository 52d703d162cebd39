"""Files and archives by their addresses: mirrors in turn, digests before anything is unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from posixpath import basename
from urllib.parse import unquote, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, Outcome, error
from reproc.lock import tar
from reproc.lock.archives import Site, mirror_variable
from reproc.lock.failures import NotServed, Unreachable, host_of
from reproc.lock.model import Download, WebTree
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import purl
from reproc.lock.requests import WebRequest
from reproc.lock.store import Mismatch, Store, digest_like
from reproc.lock.unpack import Source, form_of, together, unpacked, unpacked_inside
from reproc.model import Item
from reproc.record import record, replace
from reproc.source import Span

_PROGRAMS = (".jar", ".war", ".ear")
"""Zip archives that are used as they are."""


@record
class Wanted:
    """One file, and what is known of it."""

    urls: tuple[str, ...]
    name: str
    """Its own name."""
    sha256: Item | None
    size: int | None
    unpack: bool
    strip: int | None
    origin: Span


def lock(request: WebRequest, client: Client, store: Store, site: Site | None = None) -> Outcome[WebTree]:
    """The file that is asked for, its canonical archive put into the store; raises `Problem`."""
    site = site or Site()
    if request.urls[0].startswith(purl.SCHEME):
        return _lock_package(request, client, store, site)
    wanted = Wanted(
        request.urls,
        file_name(request.urls[0]),
        request.sha256,
        request.size,
        request.unpack,
        request.strip,
        request.origin,
    )
    download, told = obtained(wanted, client, store, site)
    download = replace(download, inside=request.inside or "")
    return Outcome(made(request.urls[0], ((wanted, download),), store), told)


def _lock_package(request: WebRequest, client: Client, store: Store, site: Site) -> Outcome[WebTree]:
    """A registry's file: it has the digest that the registry tells, and the lock names the package."""
    name, at = request.urls[0], request.origin
    found = purl.locate(name, at, client, site)
    expected = request.sha256 or Item(found.digest, at)
    wanted = Wanted((found.url,), found.filename, expected, None, True, request.strip, at)
    download, _ = obtained(wanted, client, store, site)
    if (got := digest_like(store.place(download.sha256), found.digest)) != found.digest:
        raise problem(codes.SOURCE_DIGEST, at, source=name, found=got, expected=found.digest)
    download = replace(download, name=found.filename, urls=(name,), inside=request.inside or "")
    return Outcome(made(name, ((wanted, download),), store))


def fetch(tree: WebTree, client: Client, store: Store, site: Site | None = None) -> None:
    """Puts a locked tree's archive into the store; raises `Problem`, also where it comes out as another."""
    for each in tree.downloads:
        if store.path(each.sha256) is None:
            urls = [
                purl.locate(url, None, client, site or Site()).url if url.startswith(purl.SCHEME) else url
                for url in each.urls
            ]
            places = [place for url in urls for place in (site or Site()).around(url)]
            client.download(places, each.sha256, store, f"`{each.urls[0]}`")
    found, _ = _written(tree.source, [(each, each.strip) for each in tree.downloads], store, None)
    if found != tree.sha256:
        raise problem(codes.WEB_CHANGED, None, source=tree.source)


def made(source: str, parts: Sequence[tuple[Wanted, Download]], store: Store) -> WebTree:
    """The tree that downloads come to together, its canonical archive put into the store."""
    asked = [(download, wanted.strip) for wanted, download in parts]
    sha256, strips = _written(source, asked, store, parts[0][0].origin)
    downloads = [replace(each, strip=strip) for (each, _), strip in zip(asked, strips, strict=True)]
    return WebTree(source, tuple(sorted(downloads, key=lambda d: (d.path, d.name))), sha256)


def _written(
    source: str, parts: Sequence[tuple[Download, int | None]], store: Store, origin: Span | None
) -> tuple[str, list[int]]:
    """The sha256 of the canonical archive, and how many top folders each part has lost."""
    strips: list[int] = []
    found: list[tuple[str, list[tar.Member]]] = []
    with ExitStack() as stack:
        for download, strip in parts:
            at = Source(store.place(download.sha256), download.urls[0], origin)
            form = download.form
            if download.inside:
                at, form = stack.enter_context(unpacked_inside(at, form, download.inside, store))
            members, depth = stack.enter_context(unpacked(at, form, strip, store))
            strips.append(depth)
            found.append((download.path, members))
        whole = Source(store.place(parts[0][0].sha256), source, origin)
        return tar.write(together(found, whole), store), strips


def file_name(url: str) -> str:
    """The name that an address gives to its file."""
    name = unquote(basename(urlsplit(url).path.rstrip("/")))
    return name if name.isprintable() and name not in ("", ".", "..") and "/" not in name else "content"


def obtained(
    wanted: Wanted, client: Client, store: Store, site: Site
) -> tuple[Download, tuple[Diagnostic, ...]]:
    """The file from the first address that gives what is expected, and what the ones before it did.

    The site's mirrors of an address come before it; that one lacks a file is nothing to tell of.
    """
    failures: list[tuple[str, NotServed | Unreachable | Mismatch]] = []
    for url, place in ((each, place) for each in wanted.urls for place in site.around(each)):
        try:
            path = _taken(place, wanted, client, store)
        except (NotServed, Unreachable, Mismatch) as trouble:
            if place == url or isinstance(trouble, Mismatch):
                failures.append((place, trouble))
            continue
        told = (
            error(codes.MIRROR_PASSED_OVER, wanted.origin, url=failed, reason=_reason(trouble))
            for failed, trouble in failures
        )
        urls = dict.fromkeys((url, *wanted.urls))
        return _download(wanted, path, tuple(urls)), tuple(told)
    raise Problem(*(_refused(url, wanted, trouble) for url, trouble in failures))


def _taken(url: str, wanted: Wanted, client: Client, store: Store) -> Path:
    expected = wanted.sha256.text if wanted.sha256 else None
    sha256 = None if expected is None or expected.startswith("sha512:") else expected
    kept = store.path(sha256) if sha256 else None
    path = kept or store.place(client.obtain(url, sha256, store))
    if expected is not None and (found := digest_like(path, expected)) != expected:
        raise Mismatch(expected, found)
    if wanted.size is not None and (size := path.stat().st_size) != wanted.size:
        raise _WrongSize(url, size, wanted.size)
    if expected is None and _is_page(path) and not wanted.name.lower().endswith((".html", ".htm")):
        raise _WebPage(url)
    return path


class _WrongSize(NotServed):
    def __init__(self, url: str, found: int, expected: int) -> None:
        super().__init__(url, f"it has {found} bytes, and {expected} were expected")
        self.found, self.expected = found, expected


class _WebPage(NotServed):
    def __init__(self, url: str) -> None:
        super().__init__(url, "it gives a web page")


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(256).lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html"))


def _reason(trouble: NotServed | Unreachable | Mismatch) -> str:
    if isinstance(trouble, Mismatch):
        return f"it gives the digest {trouble.found}, and {trouble.expected} was expected"
    return trouble.reason


def _refused(url: str, wanted: Wanted, trouble: NotServed | Unreachable | Mismatch) -> Diagnostic:
    """What the failure of an address means to the user."""
    at = wanted.origin
    match trouble:
        case Mismatch(found=found, expected=expected):
            place = wanted.sha256.origin if wanted.sha256 else at
            # a digest that the spec does not say itself has no place of its own
            host = host_of(url) if place == at else None
            return error(codes.SOURCE_DIGEST, place, source=url, found=found, expected=expected, host=host)
        case Unreachable(host=host, reason=reason):
            return error(codes.NETWORK, at, host=host, reason=reason, variable=mirror_variable(host))
        case _WrongSize(found=size, expected=wanted_size):
            return error(codes.SOURCE_SIZE, at, source=url, found=size, expected=wanted_size)
        case _WebPage():
            return error(codes.WEB_PAGE, at, url=url)
        case _:
            advice = "check the address, or add another `url` that has it"
            return error(
                codes.NOT_SERVED,
                at,
                what=f"`{url}`",
                source=f"`{trouble.host}`",
                reason=trouble.reason,
                advice=advice,
            )


def _download(wanted: Wanted, path: Path, urls: tuple[str, ...]) -> Download:
    programs = wanted.name.lower().endswith(_PROGRAMS)
    form = form_of(path) if wanted.unpack and not programs else "file"
    sha256 = path.parent.name + path.name
    name = wanted.name.removesuffix(f".{form}")
    return Download("", name, urls, sha256, path.stat().st_size, form, wanted.strip or 0)
