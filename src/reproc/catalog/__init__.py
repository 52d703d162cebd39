"""What the field knows, as data: distribution releases and the tool chains they package (and `processors`)."""

from __future__ import annotations

import pkgutil
import tomllib
from functools import cache
from typing import Any

from reproc.record import record, replace


@record
class Release:
    """A release of a distribution."""

    distribution: str
    codename: str
    version: str
    suites: tuple[tuple[str, str], ...]
    """Archive and suite, in apt's order."""
    libc: tuple[int, int]
    python: str
    """The minor version of its `python3`."""
    image: str
    """Its official image's reference."""
    r: str = ""
    """The version of its `r-base-core`; empty where that is not known."""
    snapshot: str | None = None
    """For one that has left the archive: the moment of its last state, which the snapshot service keeps."""
    platforms: tuple[str, ...] = ()
    """Those that it was made for, where these are not all."""
    old_python: str = ""
    """The minor version of a Python 2 that it packages beside; empty where there is none."""

    def made_for(self, platform: str) -> bool:
        """Whether it has packages for a platform."""
        return not self.platforms or platform in self.platforms


@record
class Archived:
    """Where the parts of a tool chain lie that does not come as packages, below the top of what does come."""

    bin: str
    sysroot: str | None
    """None: it works with the base's own libc and linker."""
    mark: str = ""
    """What tells it from others of its name, if that is not its version."""
    libraries: str | None = None
    """Its own shared libraries, where those of the base do not do for its programs."""
    shared: tuple[str, ...] = ()
    """Which of these are meant, `libstdc++`; nothing for all."""
    programs: tuple[str, ...] = ("*",)
    """Patterns of the names of its programs in `bin`."""
    home: str = ""
    """What `NAME_HOME` says, below the top."""
    wrappers: str = ""
    """The pattern of the files that name the compilers it was built with, for programs that call one."""


@record
class Toolchain:
    """A tool chain as a release packages it, as an archive of programs, out of an image, or compiled."""

    name: str
    version: str
    """The full version; of an archive's the one that the spec says."""
    packages: tuple[str, ...]
    runtime: tuple[str, ...]
    """Packages of the shared libraries that its programs may need."""
    commands: tuple[tuple[str, str], ...]
    """Plain name and the program it points at, sorted."""
    variables: tuple[tuple[str, str], ...]
    """Variable such as `CC` and the plain name it stands for."""
    release: str | None = None
    """The code name of the release that packages it, where that is not the base's own."""
    asks: tuple[str, ...] = ()
    """The command of its own, and options, that tells its full version; nothing if none does."""
    says: str = ""
    """What stands before the version where that is not all that is told."""
    series: str = ""
    """As much of the version as the names of its packages and folders have."""
    home: str | None = None
    """Where all of it lies; None if it is spread over the system. It may name `{architecture}`."""
    brought: tuple[str, ...] = ()
    """Those of the runtime packages that later releases do not have."""
    archive: Archived | None = None
    """None for what comes as packages."""
    provider: str = "distro"

    @property
    def key(self) -> str:
        """Name and series, `gcc-12`; an archive's with the version as the spec has it, `gcc-4.8.5`."""
        if self.archive is not None:
            return f"{self.name}-{self.archive.mark or self.version}"
        return f"{self.name}-{self.series}"


@record
class Offer:
    """A version of a tool chain that some release packages, and whether it can stand on a base."""

    release: Release
    version: str
    own: bool
    """Whether the release is the base's."""
    fits: bool
    """Whether it can stand on the base: its libc is new enough, and nothing of the base would have to go."""


@cache
def table(name: str) -> dict[str, Any]:
    """One of the tables of this folder, read once."""
    # importlib.resources costs five milliseconds of every start
    data = pkgutil.get_data(__name__, name)
    assert data is not None, "the tables are part of the package"
    return tomllib.loads(data.decode())


def distributions() -> tuple[str, ...]:
    """The distributions whose releases are known, sorted."""
    return tuple(sorted(table("releases.toml")))


@cache
def every_release(distribution: str) -> tuple[Release, ...]:
    """Every known release of a distribution, also those that only give their compilers; oldest first."""
    rows = table("releases.toml").get(distribution, {})
    return tuple(
        Release(
            distribution,
            codename,
            row["version"],
            tuple((archive, suite) for archive, suite in (each.split() for each in row["suites"])),
            (row["libc"][0], row["libc"][1]),
            row.get("python", ""),
            row.get("image", ""),
            row.get("r", ""),
            row.get("snapshot"),
            tuple(row.get("platforms", ())),
            row.get("old_python", ""),
        )
        for codename, row in rows.items()
    )


def releases(distribution: str) -> tuple[Release, ...]:
    """Every release of a distribution that a base can be of, oldest first."""
    return tuple(each for each in every_release(distribution) if each.snapshot is None)


def release(distribution: str, name: str) -> Release | None:
    """The release with this code name or version number."""
    return next((each for each in releases(distribution) if name in (each.codename, each.version)), None)


def environment_version(name: str, release: Release) -> str:
    """The version of `python` or `r` that a release packages; empty where that is not known."""
    return release.python if name == "python" else release.r


def packaged_python(version: str, base: Release) -> tuple[str, Release] | None:
    """The minor version of a packaged Python, and its release: the base's, or an older one, whose Python 2 stands beside.

    Python 2 shares no package with Python 3; the packages of another Python 3 would replace the base's own.
    """
    if base.python and names_version(base.python, version):
        return base.python, base
    older = (each for each in reversed(every_release(base.distribution)) if each.libc <= base.libc)
    return next(
        ((e.old_python, e) for e in older if e.old_python and names_version(e.old_python, version)), None
    )


def toolchain_names() -> tuple[str, ...]:
    """The tool chains that the catalogue knows, sorted."""
    return tuple(sorted(table("toolchains.toml")))


def toolchain_offers(name: str, base: Release) -> tuple[Offer, ...]:
    """Every version of a tool chain that the base's distribution packages, the best for this base first.

    What the base's own release has comes first, then what stands beside it, from the nearest release on (old
    programs run on a new libc, never the other way round: glibc's symbol versions), then what cannot.
    """
    row = table("toolchains.toml").get(name, {})
    rows = row.get("versions", {}).get(base.distribution, {})
    own = row.get("own", False)
    known = every_release(base.distribution)
    place = known.index(base)

    def rank(each: Release) -> tuple[bool, int]:
        return each.libc > base.libc, abs(known.index(each) - place)

    return tuple(
        Offer(each, version, each == base, each == base if own else each.libc <= base.libc)
        for each in sorted(known, key=rank)
        for version in rows.get(each.codename, ())
    )


def names_version(full: str, written: str) -> bool:
    """Whether a version may be written so: `12` stands for `12.2.0`, not for `1.2`."""
    return f"{full}.".startswith(f"{written}.")


def toolchain(name: str, version: str, languages: tuple[str, ...], base: Release) -> Toolchain | None:
    """A tool chain that the base's distribution packages and that can stand on the base; the nearest one."""
    offers = (each for each in toolchain_offers(name, base) if each.fits)
    offer = next((each for each in offers if names_version(each.version, version)), None)
    if offer is None:
        return None
    made = _made(name, offer.version, languages)
    release = None if offer.own else offer.release.codename
    return replace(made, release=release)


def archived_toolchain(name: str, version: str, languages: tuple[str, ...], parts: Archived) -> Toolchain:
    """A tool chain that comes as an archive; the libraries that its programs may need are the base's."""
    made = _made(name, version, languages)
    # what it lacks of its own: the C library's headers, an assembler, a linker
    packages = () if parts.sysroot else ("binutils", "libc6-dev")
    # what Debian has changed of old ones does not hold for others
    asks = tuple(table("toolchains.toml")[name]["asks"])
    says = made.says if asks == made.asks else ""
    return replace(
        made, packages=packages, commands=(), asks=asks, says=says, archive=parts, provider="archive"
    )


def _made(name: str, version: str, languages: tuple[str, ...]) -> Toolchain:
    row = table("toolchains.toml")[name]
    old, numbers = row.get("old", {}), version.split(".")
    row = {**row, **old.get(numbers[0], {}), **old.get(".".join(numbers[:2]), {})}
    series = ".".join(version.split(".")[: row.get("series", 1)])
    # g++ and gfortran bring gcc themselves, so the C commands are there in any case
    chosen = tuple(each for each in dict.fromkeys(("c", *languages)) if each in row["packages"])

    def filled(text: str) -> str:
        return text.replace("{series}", series)

    def gather(section: str) -> tuple[str, ...]:
        return tuple(sorted({filled(each) for language in chosen for each in row[section][language]}))

    commands = {
        command: filled(path)
        for language in chosen
        for command, path in row["commands"][language].items()
        if command not in row.get("lacks", ())
    }
    named = row.get("variables", {})
    variables = tuple((named[each][0], named[each][1]) for each in chosen if each in named)
    return Toolchain(
        name,
        version,
        gather("packages"),
        gather("runtime"),
        tuple(sorted(commands.items())),
        variables,
        asks=tuple(row["asks"]),
        says=row.get("says", ""),
        series=series,
        home=filled(row["home"]) if "home" in row else None,
        brought=tuple(row["brought"]) if "fortran" in chosen and "brought" in row else (),
    )
