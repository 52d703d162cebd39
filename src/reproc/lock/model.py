"""What a lock holds: nothing in it is fetched without a digest or a commit, and archives have names, not hosts."""

from __future__ import annotations

from typing import TypeAlias

from reproc.record import record

FORMAT = 1
"""The version of the lock file's form."""


@record
class Archive:
    """A distribution's archive at one moment."""

    name: str
    """A symbolic name: `debian`, `debian-security`, `ubuntu`."""
    snapshot: str
    """The moment, as in `20240601T000000Z`."""
    suites: tuple[tuple[str, str], ...]
    """Suite and the sha256 of its InRelease file, sorted."""
    confirmed: bool
    """Whether the snapshot service was seen to hold exactly these files."""
    address: str | None = None
    """Of a third-party archive: where the author says that it is; it has no snapshots."""


@record
class Deb:
    """A binary package of a distribution."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    """Below the archive's root: `pool/main/h/hello/hello_2.10-3_amd64.deb`."""
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return self.path.rpartition("/")[2]


@record
class Wheel:
    """A distribution of a Python package: a wheel, or the source archive of one that is built in the image."""

    name: str
    version: str
    filename: str
    size: int
    sha256: str


@record
class AptLayer:
    """Packages that are installed together, on top of what `after` has installed."""

    name: str
    after: str | None
    """The layer below; None is the base."""
    requested: tuple[str, ...]
    """What was asked for, `name` or `name=version`, sorted."""
    debs: tuple[Deb, ...]
    """What that adds or upgrades, sorted by name."""


@record
class BootstrapBase:
    """A root file system made from a distribution's packages alone."""

    distribution: str
    release: str
    debs: tuple[Deb, ...]
    tool: str
    """Such as `mmdebstrap 1.3.5`."""
    sha256: str
    """Of the tar archive."""
    size: int


@record
class ImageBase:
    """A registry's image."""

    reference: str
    digest: str
    """Of the manifest for the target's platform, `sha256:…`."""
    rootfs: str
    """sha256 of its flattened root file system as a canonical tar archive."""
    size: int
    environment: tuple[tuple[str, str], ...]
    """What the image's configuration sets."""


@record
class ArchiveBase:
    """An image or a root file system that lies beside the spec as an archive."""

    path: str
    sha256: str
    """Of the file."""
    rootfs: str
    """sha256 of the flattened root file system as a canonical tar archive."""
    size: int
    environment: tuple[tuple[str, str], ...]
    """What the image's configuration sets."""
    plain: bool
    """Whether the file is a root file system and not an image in layers."""


LockedBase: TypeAlias = BootstrapBase | ImageBase | ArchiveBase


@record
class BuildTools:
    """The wheels that building one Python project takes; nothing of them stays in the environment."""

    project: str
    """`code NAME`, or the name of a package that comes as a source archive."""
    wheels: tuple[Wheel, ...]


@record
class PythonEnvironment:
    """A virtual environment and the distributions in it."""

    name: str
    interpreter: str
    """Such as `python3.11`; of an archive's the path, `/opt/python/3.8.20/bin/python3.8`."""
    prefix: str
    wheels: tuple[Wheel, ...]
    tools: tuple[BuildTools, ...] = ()
    """For each project that is built in the image, sorted."""
    index: str | None = None
    """The package index that the author names; None is PyPI."""

    @property
    def version(self) -> str:
        """The interpreter's minor version, `3.11`."""
        return self.interpreter.rpartition("python")[2]

    @property
    def old(self) -> bool:
        """Whether it is of Python 2: what its `tools` have is then the program that makes the environment."""
        return self.version.startswith("2.")


@record
class TreeEntry:
    """A file or a symbolic link of a source tree."""

    path: str
    executable: bool
    sha256: str | None
    """None for a link."""
    link: str | None = None


@record
class LocalTree:
    """A folder or a file beside the spec, as it was when locking."""

    source: str
    entries: tuple[TreeEntry, ...]
    """Sorted by path; a single file is one entry with an empty path."""
    sha256: str
    """Of the canonical tar archive."""


@record
class Submodule:
    """A repository at a folder of another one."""

    path: str
    url: str
    commit: str


@record
class LargeFile:
    """A file that Git LFS keeps beside a repository."""

    path: str
    sha256: str
    size: int


@record
class GitTree:
    """A commit."""

    url: str
    commit: str
    tree: str
    """Git's id of the commit's tree."""
    sha256: str
    """Of the canonical tar archive."""
    submodules: tuple[Submodule, ...] = ()
    """Those that are included, sorted by path."""
    left_out: tuple[str, ...] = ()
    """The paths of those that are not, sorted; there an empty folder stands."""
    large: tuple[LargeFile, ...] = ()
    """Those that are included in the place of what points at them, sorted by path."""

    @property
    def swhid(self) -> str | None:
        """Software Heritage's name for the tree and where it was met (swhid.org); it has none for sha256 repositories."""
        if len(self.tree) != 40:
            return None
        origin = self.url.replace("%", "%25").replace(";", "%3B")
        return f"swh:1:dir:{self.tree};origin={origin};anchor=swh:1:rev:{self.commit}"


@record
class Download:
    """A file that was fetched by its address."""

    path: str
    """Where its content lies in the tree; empty for the tree itself."""
    name: str
    """Of its content, where that is one file."""
    urls: tuple[str, ...]
    """Where it may be had, the best first: addresses, or a package's URL, which names no host."""
    sha256: str
    size: int
    form: str
    """How its content is packed: `file`, `tar`, `tar.gz`, `zip`, `gz`, …"""
    strip: int
    """How many top folders of an archive are left out."""
    inside: str = ""
    """The archive in the archive that is meant, if one is."""

    @property
    def single(self) -> bool:
        """Whether its content is one file."""
        return self.form != "zip" and not self.form.startswith("tar")


@record
class WebTree:
    """What was fetched by address, or from the record that a DOI names."""

    source: str
    """The address or the DOI, as the spec has it."""
    downloads: tuple[Download, ...]
    """Sorted by path."""
    sha256: str
    """Of the canonical tar archive."""

    @property
    def single(self) -> bool:
        """Whether it is one file and not a folder."""
        return len(self.downloads) == 1 and self.downloads[0].single


@record
class SwhTree:
    """What Software Heritage keeps under an identifier."""

    swhid: str
    tree: str
    """Git's id of the folder, or of the one file."""
    single: bool
    sha256: str
    """Of the canonical tar archive."""


@record
class ImageTree:
    """A folder of a registry's image."""

    reference: str
    digest: str
    """Of the manifest for the target's platform, `sha256:…`."""
    folder: str
    sha256: str
    """Of the canonical tar archive."""


@record
class CondaPackage:
    """A package of a channel."""

    name: str
    version: str
    build: str
    path: str
    """Below the channel's root: `linux-64/libgomp-12.4.0-h77fa898_0.conda`."""
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return self.path.rpartition("/")[2]


@record
class CondaTree:
    """Packages of a channel, installed together at one place."""

    channel: str
    """A symbolic name: `conda-forge`."""
    address: str
    """Where everybody finds it, for recipes that fetch by themselves."""
    prefix: str
    """The place, which is written into some of their files."""
    packages: tuple[CondaPackage, ...]
    """Sorted by name."""
    sha256: str
    """Of the canonical tar archive."""


SourceTree: TypeAlias = LocalTree | GitTree | WebTree | SwhTree | ImageTree | CondaTree


@record
class LockedTarget:
    """Everything one target takes from outside."""

    name: str
    platform: str
    base: LockedBase
    apt: tuple[AptLayer, ...]
    """A layer comes after the one it stands on."""
    python: tuple[PythonEnvironment, ...]
    trees: tuple[tuple[str, SourceTree], ...]
    """By `code NAME` or `data NAME`, sorted."""
    further: tuple[LockedTarget, ...] = ()
    """The other bases that builds stand on, each with its packages and nothing else, by the names of their stages."""

    @property
    def systems(self) -> tuple[LockedTarget, ...]:
        """Every base with its packages, the target's own first."""
        return (self, *self.further)


@record
class Lock:
    """A whole lock."""

    time: int
    """Seconds since 1970-01-01 UTC; every archive as it stood then, and SOURCE_DATE_EPOCH of every build."""
    archives: tuple[Archive, ...]
    targets: tuple[LockedTarget, ...]
    """By name."""
    as_of: int | None = None
    """The moment that was asked for when locking, in place of the spec's `as-of`."""
