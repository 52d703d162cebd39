"""Where tool chains are that no package brings: official images, releases to compile, packages of conda-forge."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from reproc.catalog import (
    Archived,
    Release,
    Toolchain,
    archived_toolchain,
    every_release,
    names_version,
    table,
    toolchain,
    toolchain_offers,
)
from reproc.record import record, replace

HUB = "docker.io/library"
"""Where the official images are."""
ALL = "."
"""For `libraries`: all of the tool chain, whose programs start and load more than its libraries."""
_PLAIN = "buster"
"""Images of before their tags named a release of Debian are built on this one at the latest."""
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
CHANNEL = "conda-forge"
"""The name of the channel, and of the mirrors of it."""
SUBDIRS = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}
"""What conda calls a platform (docs.conda.io, "virtual packages")."""


@record
class ImageFolder:
    """A folder of an official image that holds a version of a tool chain."""

    version: str
    reference: str
    """Such as `docker.io/library/gcc:9.5.0-bullseye`."""
    path: str
    """It may name `{machine}`."""
    built_on: str
    """The code name of the release that the image is built on."""
    libc: tuple[int, int]
    """That release's, which its programs need."""

    def on(self, platform: str) -> str:
        """Where the folder lies in the image for a platform."""
        return self.path.replace("{machine}", _MACHINES.get(platform, ""))


@record
class Recipe:
    """How a release of a tool chain is compiled."""

    version: str
    urls: tuple[str, ...]
    sha256: str | None
    """None for one that the author names."""
    packages: tuple[str, ...]
    """Of the base, for compiling."""
    commands: tuple[str, ...]
    """Shell, where the release is unpacked, with `{prefix}`, `{options}`, `{languages}` and `{jobs}`."""
    long: bool
    """Whether that takes hours, so that nobody gets it unasked."""


@record
class CondaPackages:
    """Packages of conda-forge that together are a version of a tool chain."""

    version: str
    names: tuple[tuple[str, str], ...]
    """By language; they may name `{subdir}`."""

    def on(self, platform: str, languages: tuple[str, ...]) -> tuple[str, ...]:
        """The packages for languages on a platform, sorted; C is in any case among them."""
        wanted = {"c", *languages}
        subdir = SUBDIRS.get(platform, platform)
        names = {name.replace("{subdir}", subdir) for each, name in self.names if each in wanted}
        return tuple(sorted(names))


def folders(name: str, version: str = "") -> tuple[ImageFolder, ...]:
    """Where official images have a tool chain, the newest version first, and of one that on the newest release."""
    named = (each for each in _folders(name) if not version or names_version(each.version, version))
    return tuple(named)


def folder(name: str, version: str, base: Release) -> ImageFolder | None:
    """The best folder whose programs run on a base."""
    return next((each for each in folders(name, version) if each.libc <= base.libc), None)


def lost(name: str, version: str) -> tuple[tuple[str, str, str], ...]:
    """Versions that official images had once: each with the image, and why that cannot be had any more."""
    row = _images(name)
    gone = row.get("lost", {})
    return tuple(
        (each, _reference(row, each, "plain"), gone["reason"])
        for each in gone.get("versions", ())
        if names_version(each, version)
    )


def from_image(name: str, found: ImageFolder, languages: tuple[str, ...], base: Release) -> Toolchain:
    """The tool chain that lies in a folder of an image."""
    row = _images(name)
    tag = found.reference.rpartition(":")[2]
    return _placed(name, found.version, languages, base, row, tuple(row["packages"]), "image", tag)


def recipes(name: str) -> tuple[Recipe, ...]:
    """The releases that can be compiled, newest first."""
    row = _sources(name)
    known = sorted(row.get("releases", {}), key=_numbers, reverse=True)
    return tuple(_recipe(row, each, row["releases"][each]) for each in known)


def recipe(name: str, version: str) -> Recipe | None:
    """How the newest release of a version is compiled, if that is known."""
    return next((each for each in recipes(name) if names_version(each.version, version)), None)


def own_recipe(name: str, version: str, url: str) -> Recipe | None:
    """How a release archive that an author names is compiled; None if nobody knows for this tool."""
    row = _sources(name)
    return replace(_recipe(row, version, None), urls=(url,)) if row else None


def from_source(name: str, found: Recipe, languages: tuple[str, ...], base: Release) -> Toolchain:
    """The tool chain that a compiled release is."""
    row = _sources(name)
    return _placed(name, found.version, languages, base, row, tuple(row["needs"]), "source", found.version)


def conda_packages(name: str) -> tuple[CondaPackages, ...]:
    """The versions that conda-forge has, newest first."""
    row = _row("conda.toml", name)
    names = tuple(row.get("packages", {}).items())
    versions = (version for each in row.get("versions", ()) for version in spread(each))
    return tuple(CondaPackages(each, names) for each in sorted(versions, key=_numbers, reverse=True))


def conda_package(name: str, version: str) -> CondaPackages | None:
    """The packages of the newest release of a version, if conda-forge has one."""
    return next((each for each in conda_packages(name) if names_version(each.version, version)), None)


def from_conda(name: str, found: CondaPackages, languages: tuple[str, ...], base: Release) -> Toolchain:
    """The tool chain that packages of conda-forge are."""
    row = _row("conda.toml", name)
    row = {**row, **row.get("old", {}).get(found.version.partition(".")[0], {})}
    mark = f"{found.version}-conda-{base.codename}"
    made = _placed(name, found.version, languages, base, row, tuple(row["needs"]), "conda", mark)
    assert made.archive is not None, "it does not come as packages of the base"
    archive = replace(
        made.archive,
        programs=tuple(row["programs"]),
        shared=tuple(row.get("shared", ())),
        home=row.get("home", ""),
        wrappers=row.get("wrappers", ""),
    )
    return replace(made, archive=archive)


def provider(name: str, version: str, languages: tuple[str, ...], base: Release) -> str | None:
    """Where a tool chain comes from if nobody says: packages, an image, its source, conda-forge; None if from nowhere."""
    if toolchain(name, version, languages, base) is not None:
        return "distro"
    if folder(name, version, base) is not None:
        return "image"
    found = recipe(name, version)
    if found is not None and not found.long:
        return "source"
    return "conda" if conda_package(name, version) is not None else None


def compilable() -> tuple[str, ...]:
    """The tools whose releases can be compiled, sorted."""
    return tuple(sorted(table("sources.toml")))


def _placed(
    name: str,
    version: str,
    languages: tuple[str, ...],
    base: Release,
    row: dict[str, Any],
    packages: tuple[str, ...],
    provider: str,
    mark: str,
) -> Toolchain:
    libraries = row.get("libraries")
    carried = libraries if libraries == ALL or _newer(name, version, languages, base) else None
    made = archived_toolchain(name, version, languages, Archived(row["bin"], None, mark, carried))
    return replace(
        made,
        packages=packages,
        provider=provider,
        runtime=tuple(row.get("runtime", () if carried else made.runtime)),
        brought=(),
        asks=tuple(row.get("asks", made.asks)),
        says=row.get("says", made.says),
    )


def _newer(name: str, version: str, languages: tuple[str, ...], base: Release) -> bool:
    """Whether programs may need a newer runtime library than the base has, or one that it has no longer."""
    own = (offer.version for offer in toolchain_offers(name, base) if offer.own)
    newest = max(map(_numbers, own), default=())
    made = archived_toolchain(name, version, languages, Archived("", None))
    return _numbers(version) > newest or bool(made.brought)


@cache
def _folders(name: str) -> tuple[ImageFolder, ...]:
    row = _images(name)
    libcs = {each.codename: each.libc for d in ("debian", "ubuntu") for each in every_release(d)}
    found = [
        ImageFolder(
            version,
            _reference(row, version, suite),
            row["folder"].replace("{version}", version),
            _PLAIN if suite == "plain" else suite,
            libcs[_PLAIN if suite == "plain" else suite],
        )
        for suite, ranges in row.get("on", {}).items()
        for each in ranges
        for version in spread(each)
    ]
    return tuple(sorted(found, key=lambda each: (_numbers(each.version), each.libc), reverse=True))


def _reference(row: dict[str, Any], version: str, suite: str) -> str:
    tag = row.get("tag", "{version}" if suite == "plain" else "{version}-{suite}")
    return f"{HUB}/{row['image']}:{tag.replace('{version}', version).replace('{suite}', suite)}"


def spread(text: str) -> Iterator[str]:
    """Every version of `1.2.0..4`."""
    first, _, last = text.partition("..")
    start, dot, number = first.rpartition(".")
    for each in range(int(number), int(last or number) + 1):
        yield f"{start}{dot}{each}"


def _images(name: str) -> dict[str, Any]:
    return _row("images.toml", name)


def _sources(name: str) -> dict[str, Any]:
    return _row("sources.toml", name)


def _row(file: str, name: str) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = table(file)
    row = rows.get(name, {})
    return rows[row["as"]] if "as" in row else row


def _recipe(row: dict[str, Any], version: str, sha256: str | None) -> Recipe:
    old = row.get("old", {})
    series = version.partition(".")[0]
    row = {**row, **old.get(version, old.get(series, {}))}
    minor = ".".join(version.split(".")[:2])
    urls = (each.replace("{version}", version).replace("{minor}", minor) for each in row["urls"])
    commands = (each.replace("{version}", version) for each in row["commands"])
    packages = tuple(row["packages"])
    return Recipe(version, tuple(urls), sha256, packages, tuple(commands), row.get("long", False))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
