"""Where the archives that a lock names are served from.

A lock says `debian`, never a host. Site policy says where that is: an environment variable, else the
configuration file, else the machine's own apt sources, else the public snapshot service, which also backs up the
others for what they have dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path

from reproc.lock.model import Archive
from reproc.record import record, replace

COMPONENTS = {"debian": ("main",), "debian-security": ("main",), "ubuntu": ("main", "universe")}
_SNAPSHOTS = {
    "debian": "http://snapshot.debian.org/archive/debian/{time}",
    "debian-security": "http://snapshot.debian.org/archive/debian-security/{time}",
    "ubuntu": "http://snapshot.ubuntu.com/ubuntu/{time}",
}
_FIRST_DAYS = {"debian": (2005, 3, 12), "debian-security": (2005, 3, 13), "ubuntu": (2023, 3, 1)}
"""When the snapshots begin: the first of the lists at snapshot.debian.org/archive/debian/ and
…/debian-security/; the front page of snapshot.ubuntu.com ("after 1 March 2023")."""
_SERVICES = {
    "doi.org": "doi",
    "zenodo.org": "zenodo",
    "api.figshare.com/v2": "figshare",
    "ndownloader.figshare.com": "figshare",
    "archive.softwareheritage.org": "swh",
}
"""The names of services by their addresses; a mirror of Figshare has the files below `/files/`, as that host has."""
_ARCHITECTURES = {"linux/amd64": "amd64", "linux/arm64": "arm64"}


def snapshot_address(archive: str, snapshot: str) -> str:
    """Where the snapshot service keeps an archive as it stood at a moment such as `20240601T000000Z`.

    Plain HTTP: a bare base has no certificates, and everything is checked by its digest.
    """
    return _SNAPSHOTS[archive].format(time=snapshot)


def first_day(archive: str) -> datetime:
    """The day on which the snapshots of an archive begin."""
    return datetime(*_FIRST_DAYS[archive], tzinfo=UTC)


def mirror_variable(archive: str) -> str:
    """The environment variable that names a mirror of an archive or a registry."""
    return "REPROC_MIRROR_" + "".join(c if c.isalnum() else "_" for c in archive.upper())


def moment(time: int) -> str:
    """A time as the snapshot services write it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M%SZ")


def day(time: int) -> str:
    """A time's day, `2024-06-01`."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"


def architecture(platform: str) -> str | None:
    """Debian's name for a platform's architecture."""
    return _ARCHITECTURES.get(platform)


def platforms() -> tuple[str, ...]:
    """The platforms that packages can be locked for."""
    return tuple(_ARCHITECTURES)


@record
class Site:
    """What this machine says about sources, mirrors and keys."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    apt: Path = Path("/etc/apt")
    configuration: Path = Path("/etc/reproc/config.toml")
    """The file for all users; where the others are, the environment says."""

    def mirrors(self, name: str) -> tuple[str, ...]:
        """The mirrors of an archive, a registry or a host, the nearest first.

        The environment names them, or else a configuration file; raises `Problem` where that cannot be read.
        """
        variable = mirror_variable(name)
        if named := self.environment.get(variable, "").split():
            return tuple(each.rstrip("/") for each in named)
        from reproc.lock import settings

        found = settings.mirrors(self.environment, self.configuration)
        return next((each for key, each in found.items() if mirror_variable(key) == variable), ())

    def mirror(self, name: str) -> str | None:
        """The nearest mirror, where only one can be used."""
        return next(iter(self.mirrors(name)), None)

    def each(self, name: str) -> tuple[Site, ...]:
        """Sites with one of the mirrors each, for what can be told of one alone; this site where there is none."""
        variable = mirror_variable(name)
        found = (
            replace(self, environment={**self.environment, variable: mirror}) for mirror in self.mirrors(name)
        )
        return tuple(found) or (self,)

    def around(self, url: str) -> tuple[str, ...]:
        """Everywhere that a file may be had from: the mirrors of its host, then where its address says.

        Mirrors of a service that has a name stand in its place.
        """
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return (url,)
        rest = url.partition(parts.netloc)[2]
        near = tuple(mirror + rest for mirror in self.mirrors(parts.hostname))
        root = next((each for each in _SERVICES if f"{url}/".startswith(f"https://{each}/")), None)
        named = self.mirrors(_SERVICES[root]) if root else ()
        instead = tuple(mirror + url.removeprefix(f"https://{root}") for mirror in named)
        return (*near, *(instead or (url,)))

    def live(self, archive: str) -> tuple[str, ...]:
        """Where an archive as it stands now is served from: the named mirrors, or else what apt here uses."""
        named = self.mirrors(archive)
        if named:
            return named
        return tuple(
            dict.fromkeys(uri for uri, suites in sources(self.apt) if archive == _archive(uri, suites))
        )

    def places(self, archive: Archive) -> tuple[str, ...]:
        """Everywhere that a file of a locked archive may be had from, the nearest first."""
        if archive.address is None:
            return self.addresses(archive.name, archive.snapshot)
        return (*self.mirrors(archive.name), *self.around(archive.address))

    def addresses(self, archive: str, snapshot: str) -> tuple[str, ...]:
        """Everywhere that a file of the distribution's own archive may be had from, the nearest first."""
        return (*self.live(archive), *self.snapshots(archive, snapshot))

    def snapshots(self, archive: str, snapshot: str) -> tuple[str, ...]:
        """Where the snapshot service, or the mirrors of it, keep an archive as it stood at a moment."""
        *mirrors, service = self.around(snapshot_address(archive, snapshot))
        return tuple(mirrors) or (service,)

    @property
    def keyrings(self) -> tuple[Path, ...]:
        """Folders that may hold keyrings."""
        named = self.environment.get("REPROC_KEYRINGS", "")
        own = tuple(Path(folder) for folder in named.split(":") if folder)
        return (*own, Path("/usr/share/keyrings"), self.apt / "trusted.gpg.d")


def sources(apt: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Address and suites of every binary source that an apt configuration names."""
    folder = apt / "sources.list.d"
    lists = [apt / "sources.list", *sorted(folder.glob("*.list"))]
    for path in lists:
        yield from _one_line(_text(path))
    for path in sorted(folder.glob("*.sources")):
        yield from _deb822(_text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # absent or not readable for this user: no source
        return ""


def _one_line(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        if len(words) > 1 and words[1].startswith("["):
            while len(words) > 1 and not words[1].endswith("]"):
                del words[1]
            del words[1:2]
        if len(words) >= 3 and _usable(words[1]):
            yield words[1].rstrip("/"), (words[2],)


def _deb822(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for stanza in "\n".join(line for line in text.splitlines() if not line.startswith("#")).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = fields.get(name, "") + line
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip() == "no":
            continue
        for uri in fields.get("uris", "").split():
            if _usable(uri):
                yield uri.rstrip("/"), tuple(fields.get("suites", "").split())


def _usable(uri: str) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(uri).scheme in ("http", "https", "file")


def _archive(uri: str, suites: tuple[str, ...]) -> str | None:
    """Which of the known archives an address serves."""
    from urllib.parse import urlsplit

    last = urlsplit(uri).path.rpartition("/")[2]
    if last in COMPONENTS:
        return last
    return "debian-security" if last == "security" and any(s.endswith("-security") for s in suites) else None
