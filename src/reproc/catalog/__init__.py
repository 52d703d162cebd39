"""What the field knows, as data: distribution releases and the tool chains they package (and `processors`)."""

from __future__ import annotations

import pkgutil
import tomllib
from functools import cache
from typing import Any

from reproc.record import record


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


@record
class Toolchain:
    """A tool chain as one release packages it."""

    name: str
    version: str
    """The full version."""
    packages: tuple[str, ...]
    runtime: tuple[str, ...]
    """Packages of the shared libraries that its programs may need."""
    commands: tuple[tuple[str, str], ...]
    """Plain name and the program it points at, sorted."""
    variables: tuple[tuple[str, str], ...]
    """Variable such as `CC` and the plain name it stands for."""

    @property
    def key(self) -> str:
        """Name and major version, `gcc-12`."""
        return f"{self.name}-{self.version.partition('.')[0]}"


@cache
def table(name: str) -> dict[str, Any]:
    """One of the tables of this folder, read once."""
    # importlib.resources costs five milliseconds of every start
    data = pkgutil.get_data(__name__, name)
    assert data is not None, "the tables are part of the package"
    return tomllib.loads(data.decode())


@cache
def releases(distribution: str) -> tuple[Release, ...]:
    """Every known release of a distribution, oldest first."""
    rows = table("releases.toml").get(distribution, {})
    return tuple(
        Release(
            distribution,
            codename,
            row["version"],
            tuple((archive, suite) for archive, suite in (each.split() for each in row["suites"])),
            (row["libc"][0], row["libc"][1]),
            row["python"],
            row["image"],
        )
        for codename, row in rows.items()
    )


def release(distribution: str, name: str) -> Release | None:
    """The release with this code name or version number."""
    return next((each for each in releases(distribution) if name in (each.codename, each.version)), None)


def toolchain_names() -> tuple[str, ...]:
    """The tool chains that the catalogue knows, sorted."""
    return tuple(sorted(table("toolchains.toml")))


def toolchain_versions(name: str, release: Release) -> tuple[str, ...]:
    """The full versions of a tool chain that a release packages, oldest first."""
    rows = table("toolchains.toml").get(name, {})
    return tuple(rows.get("versions", {}).get(release.distribution, {}).get(release.codename, ()))


def toolchain(name: str, version: str, languages: tuple[str, ...], release: Release) -> Toolchain | None:
    """A tool chain of a release; `version` may be partial: `12` stands for `12.2.0`, not for `1.2`."""
    full = next((v for v in toolchain_versions(name, release) if f"{v}.".startswith(f"{version}.")), None)
    if full is None:
        return None
    row = table("toolchains.toml")[name]
    major = full.partition(".")[0]
    # g++ and gfortran bring gcc themselves, so the C commands are there in any case
    chosen = tuple(dict.fromkeys(("c", *languages)))

    def gather(section: str) -> tuple[str, ...]:
        return tuple(
            sorted({each.format(major=major) for language in chosen for each in row[section][language]})
        )

    commands = {
        command: path.format(major=major)
        for language in chosen
        for command, path in row["commands"][language].items()
    }
    variables = tuple((row["variables"][each][0], row["variables"][each][1]) for each in chosen)
    return Toolchain(
        name, full, gather("packages"), gather("runtime"), tuple(sorted(commands.items())), variables
    )
