"""Every way to get Python, R or CUDA for a base, which have statements of their own and are no tool chains."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import catalog
from reproc.catalog import Release, holders, pythons
from reproc.catalog.ways import Way, nearest, numbers

FIRST_VENV = (3, 4)
"""The first Python that makes environments with pip in them by itself (PEP 453)."""
_LATER = "not in this version"
_USES = {
    "python": "`python {version} {{ provider image }}` makes environments of it",
    "r": "`Rscript` is there for builds, apps and tests",
    "cuda": "`cuda {version}` says which GPUs and drivers",
}


def environment_ways(name: str, version: str, base: Release) -> tuple[Way, ...]:
    """The ways to an environment, the best provider first; at most one is taken if nobody says."""
    return (
        _packaged(name, version, base),
        _imaged(name, version, base),
        *_further(name, version, base),
    )


def instead(name: str, version: str, base: Release | None) -> str | None:
    """The statement that takes an image with it as the base; None if none holds it, or no base can be of that."""
    found = holders.holder(name, version, base)
    return found.statement if found and found.release else None


def has_venv(version: str) -> bool:
    """Whether a Python makes environments with pip in them by itself."""
    return _minor(version) >= FIRST_VENV


def _packaged(name: str, version: str, base: Release) -> Way:
    where = f"{base.distribution} {base.codename}"
    if name == "cuda":
        return Way("distro", "", f"NVIDIA's packages for {where}", False, _LATER)
    found = catalog.packaged_python(version, base) if name == "python" else None
    if found is not None:
        minor, release = found
        what = f"python {minor} of {release.distribution} {release.codename}"
        reason = "the base's own release packages it"
        if release != base:
            reason = "its packages stand beside the base's own, of which none moves"
        return Way("distro", minor, what, True, reason, taken=True)
    packaged = catalog.environment_version(name, base)
    if packaged and catalog.names_version(packaged, version):
        what, reason = f"{name} {packaged} of {where}", "the base's own release packages it"
        return Way("distro", packaged, what, True, f"{reason}: `system {{ packages r-base-core }}`")
    reason = f"it packages {packaged}" if packaged else "which it packages is not known"
    others = [
        f"`base {each.distribution} {each.codename}`"
        for distribution in catalog.distributions()
        for each in catalog.releases(distribution)
        if catalog.names_version(catalog.environment_version(name, each), version)
    ]
    if others:
        reason += f"; {' and '.join(others)} packages {version}"
    return Way("distro", "", where, False, reason)


def _imaged(name: str, version: str, base: Release) -> Way:
    found = holders.holder(name, version, base)
    if found is None:
        known = ", ".join(nearest(version, (each.version for each in holders.holders(name))))
        return Way("image", "", "images to take as the base", False, f"they hold {known}")
    what = f"{name} {found.version} of {found.reference}"
    if found.release is None:
        use = "it is too old for `is`, and so for packages, tool chains and environments"
    else:
        use = _USES[name].format(version=".".join(map(str, _minor(found.version))))
    return Way("image", found.version, what, False, f"take it as the base, `{found.statement}`; {use}")


def _further(name: str, version: str, base: Release) -> Iterator[Way]:
    if name == "cuda":
        yield Way("pypi", "", f"NVIDIA's wheels of CUDA {version}", False, _LATER)
        return
    if name == "python":
        yield _archived(version, catalog.names_version(base.python, version))
    else:
        where = "a `build` can unpack and keep it"
        yield Way("archive", "", f"a binary archive of {name} {version}", False, where)
    yield Way("source", "", f"a release of {name} {version}", False, "a `build` can compile and keep it")


def _archived(version: str, packaged: bool) -> Way:
    """The archive of a Python; `packaged` says that the base's release has the version, too."""
    found = {p: each for p in pythons.PLATFORMS if (each := pythons.archive(version, p)) is not None}
    if not found:
        known = dict.fromkeys(each.version for p in pythons.PLATFORMS for each in pythons.archives(p))
        listed = ", ".join(nearest(version, known))
        return Way("archive", "", f"archives of {pythons.PROJECT}", False, f"there are {listed}")
    newest = max((each.version for each in found.values()), key=numbers)
    only = [platform for platform, each in found.items() if each.version == newest]
    what = f"python {newest} of {pythons.PROJECT}"
    what += f", for {only[0]}" if len(only) < len(pythons.PLATFORMS) else ""
    reason = "it runs on any base, with libraries of its own, pinned by its digest"
    if packaged:
        reason = "packages come first; `provider archive` takes it"
    return Way("archive", newest, what, True, reason, taken=not packaged)


def _minor(version: str) -> tuple[int, int]:
    first, second = (*version.split("."), "0")[:2]
    return int(first), int(second)
