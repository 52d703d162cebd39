"""Distribution packages: signed indexes in, exact packages out."""

from __future__ import annotations

import gzip
import lzma
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from reproc.catalog import Release
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.lock import archives
from reproc.lock.archives import Site
from reproc.lock.debian import release as releases
from reproc.lock.debian import solver
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Index, Universe
from reproc.lock.model import AptLayer, Archive, Deb
from reproc.lock.net import Client, digest
from reproc.lock.problem import Problem, problem
from reproc.lock.requests import AptRequest
from reproc.lock.store import Mismatch, Store
from reproc.model import Item

_LIMIT = 1 << 30
"""The largest index that is unpacked, in bytes."""


@dataclass
class Archives:
    """The indexes of releases as they stand now; each suite is fetched once."""

    site: Site
    client: Client
    store: Store
    now: int
    _suites: dict[tuple[str, str, str], tuple[str, tuple[Index, ...]]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def universe(self, release: Release, architecture: str) -> Universe:
        """Everything that a release offers for an architecture; raises `Problem`."""
        keys = releases.keyrings(release.distribution, self.site.keyrings)

        def fetch(suite: tuple[str, str]) -> tuple[Index, ...]:
            key = (*suite, architecture)
            if key not in self._suites:
                found = self._fetch(*suite, architecture, keys)
                with self._guard:
                    self._suites.setdefault(key, found)
            return self._suites[key][1]

        with ThreadPoolExecutor(len(release.suites) or 1) as pool:
            indexes = list(pool.map(fetch, release.suites))
        return Universe(architecture, (index for each in indexes for index in each))

    def used(self) -> tuple[Archive, ...]:
        """The archives that were read, as a lock records them."""
        seen: dict[str, dict[str, str]] = {}
        for (archive, suite, _), (sha256, _) in self._suites.items():
            seen.setdefault(archive, {})[suite] = sha256
        time = archives.moment(self.now)
        return tuple(Archive(name, time, tuple(sorted(seen[name].items())), False) for name in sorted(seen))

    def _fetch(
        self, archive: str, suite: str, architecture: str, keys: Sequence[Path]
    ) -> tuple[str, tuple[Index, ...]]:
        roots = self.site.live(archive) or self.site.addresses(archive, archives.moment(self.now))
        found = self.client.get(
            [f"{root}/dists/{suite}/InRelease" for root in roots], f"the suite `{suite}` of `{archive}`"
        )
        signed = releases.verified(found, keys, archive, suite)
        indexes = []
        for component in archives.COMPONENTS[archive]:
            name = f"{component}/binary-{architecture}/Packages"
            folders = [f"{root}/dists/{suite}/" for root in roots]
            indexes.append(Index(archive, self._packages(signed, folders, name, archive, suite)))
        return signed.sha256, tuple(indexes)

    def _packages(
        self, signed: releases.InRelease, folders: Sequence[str], name: str, archive: str, suite: str
    ) -> bytes:
        """The text of a `Packages` file; kept unpacked in the store, under the digest that is signed too."""
        plain = signed.digests.get(name)
        kept = self.store.path(plain[0]) if plain is not None else None
        if kept is not None:
            return kept.read_bytes()
        for ending, unpack in ((".xz", _unxz), (".gz", _ungzip)):
            listed = signed.digests.get(name + ending)
            if listed is None:
                continue
            path = self._listed(signed, folders, name + ending, listed[0])
            try:
                content = unpack(path)
            except (lzma.LZMAError, OSError, EOFError) as trouble:
                raise problem(
                    codes.BAD_INDEX, None, suite=suite, archive=archive, reason=str(trouble)
                ) from trouble
            if plain is not None:
                try:
                    self.store.add_stream((content,), plain[0])
                except Mismatch as trouble:
                    raise problem(
                        codes.BAD_INDEX,
                        None,
                        suite=suite,
                        archive=archive,
                        reason="its unpacked digest is wrong",
                    ) from trouble
            return content
        raise problem(codes.BAD_INDEX, None, suite=suite, archive=archive, reason=f"it lists no `{name}`")

    def _listed(self, signed: releases.InRelease, folders: Sequence[str], name: str, sha256: str) -> bytes:
        parent = name.rpartition("/")[0]
        # by hash first: it cannot change between two requests
        names = ([f"{parent}/by-hash/SHA256/{sha256}"] if signed.by_hash else []) + [name]
        addresses = [folder + each for each in names for folder in folders]
        content = self.client.get(addresses, f"the index `{name}`", _LIMIT)
        if digest(content) != sha256:
            raise problem(
                codes.DIGEST_MISMATCH,
                None,
                what=f"the index `{name}`",
                found=digest(content),
                expected=sha256,
            )
        return content


def _unxz(content: bytes) -> bytes:
    return _bounded(lzma.LZMADecompressor().decompress(content, _LIMIT))


def _ungzip(content: bytes) -> bytes:
    return _bounded(gzip.decompress(content))


def _bounded(content: bytes) -> bytes:
    if len(content) >= _LIMIT:
        raise OSError("it is too large")
    return content


def basic_closure(universe: Universe, release: Release) -> Mapping[str, Package]:
    """What a bootstrapped base has: essential packages first, then apt and those of priority `required`.

    These are the packages of mmdebstrap's `minbase` variant, chosen in its two steps; raises `Problem`.
    """
    basic = universe.basic()
    first = solver.solve(universe, {}, [solver.Wish(p.name) for p in basic if p.essential])
    rest = [solver.Wish(p.name) for p in basic if not p.essential]
    second = solver.solve(universe, first.installed, [*rest, solver.Wish("apt")])
    failures = first.failures + second.failures
    if failures or not basic:
        reason = (
            failures[0].reason or f"there is no `{failures[0].wish.name}`"
            if failures
            else "the archive names no essential package"
        )
        raise problem(
            codes.UNSATISFIABLE,
            None,
            name=f"the base system of {release.distribution} {release.codename}",
            reason=reason,
        )
    return second.installed


def layers(
    universe: Universe, release: Release, installed: Mapping[str, Package], requests: Sequence[AptRequest]
) -> tuple[AptLayer, ...]:
    """What each layer adds to what the one that it stands on has; raises `Problem` with every mistake."""
    states: dict[str | None, Mapping[str, Package]] = {None: installed}
    found: list[AptLayer] = []
    mistakes: list[Diagnostic] = []
    for request in requests:
        below = states.get(request.after, installed)
        wishes = {_wish(item): item for item in request.packages}
        solution = solver.solve(universe, below, list(wishes))
        mistakes += (
            _told(failure, wishes.get(failure.wish), universe, release) for failure in solution.failures
        )
        states[request.name] = solution.installed
        asked = tuple(sorted({item.text for item in request.packages}))
        found.append(AptLayer(request.name, request.after, asked, debs(solution.added)))
    if mistakes:
        raise Problem(*mistakes)
    return tuple(found)


def debs(packages: Iterable[Package]) -> tuple[Deb, ...]:
    """Packages of an archive as a lock names them, sorted by name."""
    return tuple(_deb(p) for p in sorted(packages, key=lambda p: p.name) if p.archive is not None)


def _deb(package: Package) -> Deb:
    fields, archive = package.fields, package.archive or ""
    path, size, sha256 = fields.get("filename", ""), fields.get("size", ""), fields.get("sha256", "")
    parts = path.split("/")
    if not path.endswith(".deb") or ".." in parts or "" in parts or not size.isdecimal() or len(sha256) != 64:
        raise problem(
            codes.BAD_INDEX,
            None,
            suite=package.name,
            archive=archive,
            reason=f"the entry of `{package.name}` is not complete",
        )
    return Deb(package.name, package.version, package.architecture, archive, path, int(size), sha256.lower())


def _wish(item: Item) -> solver.Wish:
    name, equals, version = item.text.partition("=")
    return solver.Wish(name, version if equals else None)


def _told(failure: solver.Failure, item: Item | None, universe: Universe, release: Release) -> Diagnostic:
    wish = failure.wish
    facts = {"name": wish.name, "distribution": release.distribution, "release": release.codename}
    span = item.origin if item is not None else None
    match failure.kind:
        case "unknown":
            providers = ", ".join(f"`{p.name}`" for p in universe.providers(wish.name)[:8])
            near = get_close_matches(wish.name, universe.names, 1, 0.8) if not providers else []
            return error(
                codes.UNKNOWN_PACKAGE,
                span,
                **facts,
                suggestion=next(iter(near), None),
                providers=providers or None,
            )
        case "version":
            available = ", ".join(dict.fromkeys(f"`{p.version}`" for p in universe.versions(wish.name)))
            return error(
                codes.UNKNOWN_PACKAGE_VERSION,
                span,
                **facts,
                version=wish.version,
                available=available or None,
            )
        case _:
            chain = " → ".join(f"`{name}`" for name in failure.chain) if len(failure.chain) > 1 else None
            return error(codes.UNSATISFIABLE, span, name=wish.name, reason=failure.reason, chain=chain)
