"""Archives of CPython that run on any base."""

from __future__ import annotations

from functools import cache

from reproc.catalog import names_version, table
from reproc.catalog.ways import numbers
from reproc.record import record

PLACE = "/opt/python"
"""Below it each lies in a folder that is called as its version."""
PROJECT = "python-build-standalone"
PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Those that there are archives for, and what the machine is called in their names."""
_FORMS = ("install_only", "install_only_stripped")


@record
class PythonArchive:
    """An archive of a release of CPython."""

    version: str
    """The full version."""
    url: str
    sha256: str

    @property
    def key(self) -> str:
        """What the lock calls it."""
        return f"interpreter {self.version}"

    @property
    def minor(self) -> str:
        """The version as its commands and wheels have it, `3.8`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def place(self) -> str:
        """Where it lies in an image."""
        return f"{PLACE}/{self.version}"

    @property
    def interpreter(self) -> str:
        """Its program in an image."""
        return f"{self.place}/bin/python{self.minor}"


@cache
def archives(platform: str) -> tuple[PythonArchive, ...]:
    """Those for a platform, the newest version first."""
    rows = table("pythons.toml")
    found = [
        _archive(rows["url"], {"form": form, "machine": PLATFORMS[platform]}, key, sha256)
        for form in _FORMS
        for key, sha256 in rows[form].get(platform, {}).items()
    ]
    return tuple(sorted(found, key=lambda each: numbers(each.version), reverse=True))


def archive(version: str, platform: str) -> PythonArchive | None:
    """The newest one of a version."""
    return next((each for each in archives(platform) if names_version(each.version, version)), None)


def licenses() -> tuple[str, ...]:
    """CPython's own, by SPDX's names; not those of the libraries that are inside."""
    return tuple(table("pythons.toml")["licenses"])


def _archive(url: str, facts: dict[str, str], key: str, sha256: str) -> PythonArchive:
    version, _, build = key.partition("+")
    for name, value in {**facts, "version": version, "build": build}.items():
        url = url.replace(f"{{{name}}}", value)
    return PythonArchive(version, url, sha256)
