"""Every way to get a tool chain for a base, the one that is taken, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproc import catalog
from reproc.catalog import Offer, Release
from reproc.record import record


@record
class Way:
    """One provider of a tool chain."""

    provider: str
    """As `provider` in a spec names it."""
    what: str
    """What it would be: a version and where that is."""
    taken: bool
    reason: str


def ways(name: str, version: str, base: Release) -> tuple[Way, ...]:
    """The ways to a tool chain, the best first."""
    return (*_packaged(name, version, base), *_elsewhere(name, version, base))


def _packaged(name: str, version: str, base: Release) -> Iterator[Way]:
    taken = False
    for offer in catalog.toolchain_offers(name, base):
        if not catalog.names_version(offer.version, version):
            continue
        what = f"{name} {offer.version} of {offer.release.distribution} {offer.release.codename}"
        if not offer.fits and offer.release.libc <= base.libc:
            yield Way("distro", what, False, "it cannot stand beside the base's own")
        elif not offer.fits:
            yield Way(
                "distro",
                what,
                False,
                f"it needs glibc {_libc(offer.release)}, and the base has {_libc(base)}",
            )
        elif taken:
            yield Way("distro", what, False, "a release that is nearer to the base has one")
        else:
            taken = True
            yield Way("distro", what, True, _why(offer))
    if not taken:
        fitting = [each.version for each in catalog.toolchain_offers(name, base) if each.fits]
        what = f"{base.distribution} {base.codename} and older releases in the archive"
        yield Way("distro", what, False, f"they package {', '.join(fitting) or 'none'}")


def _why(offer: Offer) -> str:
    if offer.own:
        return "the base's own release packages it"
    where = (
        f", as of {offer.release.snapshot[:8]} from the snapshot service" if offer.release.snapshot else ""
    )
    return f"its packages stand beside the base's own, of which none moves{where}"


def _elsewhere(name: str, version: str, base: Release) -> Iterator[Way]:
    known: dict[str, Any] = catalog.table("elsewhere.toml").get(name, {})
    own = "where the spec names one: `archive`, `sha256`, `bin`"
    yield Way("archive", f"a binary archive of {name} {version}", False, own)
    later = "not in this version"
    for full in known.get("images", {}).values():
        if catalog.names_version(full, version):
            yield Way("image", f"docker.io/library/{name}:{full}", False, later)
    for full in known.get("conda", {}).get("versions", ()):
        if catalog.names_version(full, version):
            yield Way("conda", f"{name} {full} of conda-forge", False, later)
    for full in known.get("source", {}):
        if catalog.names_version(full, version):
            yield Way("source", f"the release archive of {name} {full}", False, later)


def _libc(release: Release) -> str:
    return ".".join(map(str, release.libc))
