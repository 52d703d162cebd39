"""Every way to get a tool chain for a base, the one that is taken, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reproc import catalog
from reproc.catalog import Offer, Release, elsewhere
from reproc.record import record, replace

_FIRST = {"distro": "packages come", "image": "an image comes", "source": "a release to compile comes"}
"""What is said of the way that is taken where there are others."""


@record
class Way:
    """One provider's version of a tool chain."""

    provider: str
    """As `provider` in a spec names it."""
    version: str
    """The full version; empty where there is none."""
    what: str
    """The version and where that is."""
    fits: bool
    """Whether it can stand on the base."""
    reason: str
    """Why it is taken or not, as far as that is a matter of it alone."""
    taken: bool = False
    release: Release | None = None
    """Of one that does not fit because its programs need a newer glibc: the release that has that."""
    asked_for: bool = False
    """Whether it is taken only where a spec names its provider."""


def ways(name: str, version: str, base: Release) -> tuple[Way, ...]:
    """The ways to a tool chain, the best provider first: of packages all, of the others the best."""
    found = [each for each in every(name, base) if catalog.names_version(each.version, version)]
    told: list[Way] = []
    of_conda = ("conda",) if elsewhere.conda_packages(name) else ()
    for provider in ("distro", "image", "source", *of_conda):
        own = [each for each in found if each.provider == provider]
        if provider != "distro":
            own = [each for each in own if each.fits][:1] or own[:1]
        if not any(each.fits for each in own):
            own.append(_nothing(provider, name, version, base))
        told += own
        if provider == "image":
            told += _lost(name, version)
    where = "where the spec names one: `archive`, `sha256`, `bin`"
    told.append(Way("archive", "", f"a binary archive of {name} {version}", False, where))
    return tuple(_chosen(told))


def every(name: str, base: Release) -> Iterator[Way]:
    """Every version of a tool chain that is known, the best for a base first."""
    yield from (_packaged(name, offer, base) for offer in catalog.toolchain_offers(name, base))
    for folder in elsewhere.folders(name):
        fits = folder.libc <= base.libc
        reason = "a folder of an official image, pinned by its digest" if fits else _libc(folder.libc, base)
        newer = None if fits else _named(folder.built_on)
        what = f"{name} {folder.version} of {folder.reference}"
        yield Way("image", folder.version, what, fits, reason, release=newer)
    for recipe in elsewhere.recipes(name):
        reason = "its release is compiled on the base"
        if recipe.long:
            reason += ", which takes hours: only with `provider source`"
        what = f"{name} {recipe.version} of {recipe.urls[0]}"
        yield Way("source", recipe.version, what, True, reason, asked_for=recipe.long)
    for packages in elsewhere.conda_packages(name):
        reason = f"packages of {elsewhere.CHANNEL} with all that they need, each by its digest"
        yield Way(
            "conda", packages.version, f"{name} {packages.version} of {elsewhere.CHANNEL}", True, reason
        )


def _packaged(name: str, offer: Offer, base: Release) -> Way:
    what = f"{name} {offer.version} of {offer.release.distribution} {offer.release.codename}"
    if offer.fits:
        return Way("distro", offer.version, what, True, _why(offer))
    if offer.release.libc <= base.libc:
        return Way("distro", offer.version, what, False, "it cannot stand beside the base's own")
    reason = _libc(offer.release.libc, base)
    return Way("distro", offer.version, what, False, reason, release=offer.release)


def _why(offer: Offer) -> str:
    if offer.own:
        return "the base's own release packages it"
    where = (
        f", as of {offer.release.snapshot[:8]} from the snapshot service" if offer.release.snapshot else ""
    )
    return f"its packages stand beside the base's own, of which none moves{where}"


def elsewhere_packaged(name: str, version: str, base: Release) -> Offer | None:
    """A version that no release of the base's distribution packages, as a base of another could have it."""
    if any(catalog.names_version(each.version, version) for each in catalog.toolchain_offers(name, base)):
        return None
    found = (
        offer
        for distribution in catalog.distributions()
        for other in catalog.releases(distribution)[-1:]
        if distribution != base.distribution
        for offer in catalog.toolchain_offers(name, other)
        if offer.fits and catalog.names_version(offer.version, version)
    )
    return next(found, None)


def _nothing(provider: str, name: str, version: str, base: Release) -> Way:
    """That a provider has no such version that could stand on the base."""
    fitting = [each.version for each in every(name, base) if each.provider == provider and each.fits]
    known = ", ".join(dict.fromkeys(nearest(version, fitting)))
    match provider:
        case "distro":
            what = f"{base.distribution} {base.codename} and older releases in the archive"
            reason = f"they package {known or 'none'}"
            if other := elsewhere_packaged(name, version, base):
                where = f"{other.release.distribution} {other.release.codename}"
                reason += f"; {where} has {other.version}, for a base of {other.release.distribution}"
        case "image":
            what, reason = "official images", f"those for this base have {known}" if known else "none has it"
        case "conda":
            what, reason = elsewhere.CHANNEL, f"it has {known}"
        case _:
            what = "releases to compile"
            reason = f"known are {known}" if known else "nobody has said how it is compiled"
    return Way(provider, "", what, False, reason)


def _lost(name: str, version: str) -> Iterator[Way]:
    for full, reference, reason in elsewhere.lost(name, version):
        yield Way("image", full, f"{name} {full} of {reference}", False, reason)


def _chosen(found: list[Way]) -> Iterator[Way]:
    """The ways with the one that is taken if nobody says, and what speaks against the others."""
    taken: Way | None = None
    for each in found:
        if not each.fits:
            yield each
        elif taken is None and not each.asked_for:
            taken = each
            yield replace(each, taken=True)
        elif taken is not None and taken.provider == each.provider:
            yield replace(each, reason="a release that is nearer to the base has one")
        elif taken is not None:
            yield replace(each, reason=f"{_FIRST[taken.provider]} first; `provider {each.provider}` takes it")
        else:
            yield each


def nearest(version: str, known: Iterable[str], most: int = 8) -> list[str]:
    """The versions that are the least away from one, in the order of versions.

    Of those that are the same as far as that one goes (`9.5.0` and `9.4.0` for `9`), the first.
    """
    wanted = numbers(version)
    alike: dict[tuple[int, ...], str] = {}
    for each in known:
        alike.setdefault(tuple(_padded(numbers(each), len(wanted))), each)

    def distance(own: tuple[int, ...]) -> list[int]:
        return [abs(a - b) for a, b in zip(own, wanted, strict=True)]

    return sorted((alike[each] for each in sorted(alike, key=distance)[:most]), key=numbers)


def numbers(version: str) -> list[int]:
    """A version as numbers that compare."""
    return [int(part) for part in version.split(".") if part.isdecimal()]


def _padded(numbers: list[int], width: int) -> list[int]:
    return (numbers + [0] * width)[:width]


def _named(codename: str) -> Release | None:
    found = (catalog.release(each, codename) for each in ("debian", "ubuntu"))
    return next((each for each in found if each is not None), None)


def _libc(needed: tuple[int, int], base: Release) -> str:
    return f"it needs glibc {dotted(needed)}, and the base has {dotted(base.libc)}"


def dotted(libc: tuple[int, int]) -> str:
    """A version of glibc as one writes it."""
    return ".".join(map(str, libc))
