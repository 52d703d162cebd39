"""Distribution packages: signed indexes in, exact packages out."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from reproc.catalog import Release
from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic, error
from reproc.lock import archives
from reproc.lock.archives import Site
from reproc.lock.debian import release as releases
from reproc.lock.debian import solver, thirdparty
from reproc.lock.debian.control import Package
from reproc.lock.debian.index import Index, Universe
from reproc.lock.failures import lied
from reproc.lock.model import AptLayer, Archive, Deb
from reproc.lock.net import Client
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.requests import AptRequest, SourceRequest
from reproc.lock.store import Store
from reproc.model import Item
from reproc.record import record, replace

_LIMIT = 1 << 30
"""The largest index that is unpacked, in bytes."""
_BLOCK = 1 << 22
_INDEXES = "indexes-1"
"""The area of notes that say by which digests the store has what was made of an index; numbered by its form."""


@record
class _Suite:
    """A suite for one architecture; `address` is that of a third-party archive."""

    archive: str
    name: str
    architecture: str
    address: str | None = None


@dataclass
class Archives:
    """The indexes of releases as they stand now; each suite is fetched once."""

    site: Site
    client: Client
    store: Store
    now: int
    past: bool = False
    """Whether `now` is a moment of the past: only the snapshot services know what there was then."""
    _suites: dict[_Suite, tuple[str, tuple[Index, ...]]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def universe(
        self, release: Release, architecture: str, sources: Sequence[SourceRequest] = ()
    ) -> Universe:
        """Everything that a release and third-party archives offer for an architecture; raises `Problem`."""
        keys = releases.keyrings(release.distribution, self.site.keyrings)
        suites = [_Suite(archive, suite, architecture) for archive, suite in release.suites]
        work = [lambda s=suite: self._suite(s, lambda: self._fetch(s, keys)) for suite in suites]
        work += [lambda s=source: self._source(s, architecture) for source in sources]
        with ThreadPoolExecutor(len(work) or 1) as pool:
            indexes = list(pool.map(lambda fetch: fetch(), work))
        return Universe(architecture, (index for each in indexes for index in each))

    def used(self) -> tuple[Archive, ...]:
        """The archives that were read, as a lock records them."""
        seen: dict[tuple[str, str | None], dict[str, str]] = {}
        for suite, (sha256, _) in self._suites.items():
            seen.setdefault((suite.archive, suite.address), {})[suite.name] = sha256
        time = archives.moment(self.now)
        return tuple(
            Archive(name, time, tuple(sorted(seen[name, at].items())), self.past and at is None, at)
            for name, at in sorted(seen, key=lambda key: key[0])
        )

    def _suite(self, suite: _Suite, fetch: Callable[[], tuple[str, tuple[Index, ...]]]) -> tuple[Index, ...]:
        if suite not in self._suites:
            found = fetch()
            with self._guard:
                self._suites.setdefault(suite, found)
        return self._suites[suite][1]

    def _fetch(self, suite: _Suite, keys: Sequence[Path]) -> tuple[str, tuple[Index, ...]]:
        roots = self._roots(suite)
        folders = [f"{root}/dists/{suite.name}/" for root in roots]
        try:
            signed = self._signed(suite, folders, keys)
        except Problem as trouble:
            raise self._of_past(suite, trouble) if self.past else trouble from trouble
        names = [
            f"{each}/binary-{suite.architecture}/Packages" for each in archives.COMPONENTS[suite.archive]
        ]
        return signed.sha256, self._indexes(suite, signed, folders, names)

    def _roots(self, suite: _Suite) -> tuple[str, ...]:
        """Where one of the distribution's own archives is served from."""
        moment, live = archives.moment(self.now), self.site.live(suite.archive)
        if self.past:
            if self.now < archives.first_day(suite.archive).timestamp():
                first = f"{archives.first_day(suite.archive):%Y-%m-%d}"
                raise problem(
                    codes.AS_OF_TOO_EARLY,
                    None,
                    archive=suite.archive,
                    date=archives.day(self.now),
                    first=first,
                )
            return self.site.snapshots(suite.archive, moment)
        # Ubuntu's mirrors hold amd64 alone, the snapshot service everything
        whole = suite.archive != "ubuntu" or suite.architecture == "amd64"
        return live if live and whole else self.site.addresses(suite.archive, moment)

    def _of_past(self, suite: _Suite, trouble: Problem) -> Problem:
        told = trouble.diagnostics[0]
        if told.code not in (codes.NETWORK, codes.NOT_SERVED):
            return trouble
        host = archives.snapshot_address(suite.archive, "").split("/")[2]
        return problem(
            codes.AS_OF_MIRROR,
            None,
            archive=suite.archive,
            date=archives.day(self.now),
            host=host,
            reason=told.facts["reason"],
            variable=archives.mirror_variable(host),
        )

    def _source(self, source: SourceRequest, architecture: str) -> tuple[Index, ...]:
        """The packages of a third-party archive."""
        suite = _Suite(thirdparty.name_of(source.address), source.suite, architecture, source.address)
        return self._suite(suite, lambda: self._fetch_source(suite, source))

    def _fetch_source(self, suite: _Suite, source: SourceRequest) -> tuple[str, tuple[Index, ...]]:
        key = thirdparty.keyring(source.key)
        if key is None:
            raise problem(codes.BAD_KEY, source.origin, address=source.address)
        flat = source.suite.endswith("/")
        below = source.suite.lstrip("./") if flat else f"dists/{source.suite}/"
        # a mirror of it, or else its address, whose host may have a mirror, too
        roots = self.site.mirrors(suite.archive) or self.site.around(source.address)
        folders = [f"{root}/{below}" for root in roots]
        with TemporaryDirectory(prefix="reproc-key-") as place:
            Path(place, "key.gpg").write_bytes(key)
            try:
                signed = self._signed(suite, folders, [Path(place, "key.gpg")])
            except Problem as trouble:
                raise Problem(
                    *(replace(each, span=source.origin) for each in trouble.diagnostics)
                ) from trouble
        changed = signed.time
        if self.past and (changed is None or changed > self.now):
            day = "an unknown day" if changed is None else archives.day(changed)
            facts = {"archive": source.address, "date": archives.day(self.now), "changed": day}
            raise problem(codes.AS_OF_CHANGED, source.origin, **facts)
        components = source.components or ("",)
        names = [
            "Packages" if flat else f"{each}/binary-{suite.architecture}/Packages" for each in components
        ]
        return signed.sha256, self._indexes(suite, signed, folders, names)

    def _signed(self, suite: _Suite, folders: Sequence[str], keys: Sequence[Path]) -> releases.InRelease:
        """What the first place says whose signature is good; one whose signature is not is told of."""

        def tell(folder: str, _: Diagnostic) -> None:
            self.client.told.append(lied(folder, "the signature of its index is not good"))

        return first_of(folders, lambda folder: self._signed_at(folder, suite, keys), tell)

    def _signed_at(self, folder: str, suite: _Suite, keys: Sequence[Path]) -> releases.InRelease:
        named = suite.address or suite.archive
        what = f"the suite `{suite.name}` of `{named}`"
        try:
            found = self.client.get([f"{folder}InRelease"], what)
        except Problem as trouble:
            if trouble.diagnostics[0].code is not codes.NOT_SERVED:
                raise
            try:  # Debian's releases before buster are signed in a file of its own
                found = self.client.get([f"{folder}Release"], what)
                signature = self.client.get([f"{folder}Release.gpg"], what)
            except Problem:
                raise trouble from trouble
            return releases.verified(found, keys, named, suite.name, signature)
        return releases.verified(found, keys, named, suite.name)

    def _indexes(
        self, suite: _Suite, signed: releases.InRelease, folders: Sequence[str], names: Sequence[str]
    ) -> tuple[Index, ...]:
        return tuple(self._index(suite, signed, folders, name) for name in names)

    def _index(self, suite: _Suite, signed: releases.InRelease, folders: Sequence[str], name: str) -> Index:
        """A `Packages` file; what was made of it is found again by the digest that is signed."""
        sha256 = signed.digests.get(name, ("",))[0]
        noted = (self.store.recall(_INDEXES, sha256) or b"").decode("ascii", "replace").split()
        kept = [path for each in noted if (path := self.store.path(each)) is not None]
        if len(kept) == 2:
            return Index.restored(suite.archive, *(path.read_bytes() for path in kept))
        index = Index(suite.archive, self._packages(signed, folders, name, suite.archive, suite.name))
        if sha256:
            made = (self.store.add_stream((part,)) for part in (index.text, index.places))
            self.store.remember(_INDEXES, sha256, " ".join(made).encode())
        return index

    def _packages(
        self, signed: releases.InRelease, folders: Sequence[str], name: str, archive: str, suite: str
    ) -> Iterator[bytes]:
        """The blocks of a `Packages` file, checked at their end."""
        found = next((each for each in _FORMS if name + each in signed.digests), None)
        if found is None:
            raise problem(codes.BAD_INDEX, None, suite=suite, archive=archive, reason=f"it lists no `{name}`")
        packed = self._listed(signed, folders, name + found, signed.digests[name + found][0])
        plain, seen = signed.digests.get(name), hashlib.sha256()
        try:
            yield from _ahead(_checked(_FORMS[found](packed), seen.update))
        except (lzma.LZMAError, OSError, EOFError) as trouble:
            raise problem(
                codes.BAD_INDEX, None, suite=suite, archive=archive, reason=str(trouble)
            ) from trouble
        if plain is not None and seen.hexdigest() != plain[0]:
            reason = "its unpacked digest is wrong"
            raise problem(codes.BAD_INDEX, None, suite=suite, archive=archive, reason=reason)

    def _listed(self, signed: releases.InRelease, folders: Sequence[str], name: str, sha256: str) -> bytes:
        parent, slash, _ = name.rpartition("/")
        # by hash first: it cannot change between two requests
        names = ([f"{parent}{slash}by-hash/SHA256/{sha256}"] if signed.by_hash else []) + [name]
        addresses = [folder + each for each in names for folder in folders]
        return self.client.get(addresses, f"the index `{name}`", _LIMIT, sha256)


def _unxz(packed: bytes) -> Iterator[bytes]:
    while packed:
        stream = lzma.LZMADecompressor()
        # a whole block for each call: other threads run meanwhile
        yield stream.decompress(packed, _BLOCK)
        while not stream.eof:
            if stream.needs_input:
                raise EOFError("it ends in the middle")
            yield stream.decompress(b"", _BLOCK)
        packed = stream.unused_data


def _gunzip(packed: bytes) -> Iterator[bytes]:
    with gzip.open(BytesIO(packed)) as file:
        yield from iter(lambda: file.read(_BLOCK), b"")


_FORMS: Mapping[str, Callable[[bytes], Iterable[bytes]]] = {
    ".xz": _unxz,
    ".gz": _gunzip,
    "": lambda packed: (packed,),
}
"""How the forms of an index are unpacked, the smallest first."""


def _checked(blocks: Iterable[bytes], see: Callable[[bytes], object]) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size >= _LIMIT:
            raise OSError("it is too large")
        see(block)
        yield block


def _ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, the next one always in the making."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, blocks, None)
        while (block := following.result()) is not None:
            following = pool.submit(next, blocks, None)
            yield block


def basic_closure(
    universe: Universe, release: Release, resolver: solver.Resolver = solver.solve
) -> Mapping[str, Package]:
    """What a bootstrapped base has: essential packages first, then apt and those of priority `required`.

    These are the packages of mmdebstrap's `minbase` variant, chosen in its two steps; raises `Problem`.
    """
    basic = universe.basic()
    first = resolver(universe, {}, [solver.Wish(p.name) for p in basic if p.essential])
    rest = [solver.Wish(p.name) for p in basic if not p.essential]
    second = resolver(universe, first.installed, [*rest, solver.Wish("apt")])
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
    universe: Universe,
    release: Release,
    installed: Mapping[str, Package],
    requests: Sequence[AptRequest],
    beside: Mapping[tuple[str, ...], Universe] = MappingProxyType({}),
    resolver: solver.Resolver = solver.solve,
) -> tuple[AptLayer, ...]:
    """What each layer adds to what the one that it stands on has; raises `Problem` with every mistake.

    `beside` has the wider universes of the layers that take packages of other releases.
    """
    states: dict[str | None, Mapping[str, Package]] = {None: installed}
    found: list[AptLayer] = []
    mistakes: list[Diagnostic] = []
    for request in requests:
        below = states.get(request.after, installed)
        wishes = {_wish(item): item for item in request.packages}
        offered = beside.get(request.beside, universe)
        solution = resolver(offered, below, list(wishes), recommends=request.recommends)
        mistakes += (
            _told(failure, wishes.get(failure.wish), offered, release) for failure in solution.failures
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
    # a flat archive may write `./`
    path = fields.get("filename", "").removeprefix("./")
    size, sha256 = fields.get("size", ""), fields.get("sha256", "")
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
