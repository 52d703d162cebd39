"""What comes from package managers: distribution packages, tool chains, Python environments."""

from __future__ import annotations

from typing import ClassVar

from reproc.model import literals as l
from reproc.model.schema import Block, Item, many, needed, once, repeated, value
from reproc.record import record, replace


@record(kw_only=True)
class Source(Block):
    """A third-party archive of packages, with the key that signs it."""

    named_by: ClassVar[tuple[str, ...]] = ("address",)
    address: Item = value(l.LOCATED_URL, "the archive's address")
    key: Item = needed("key", l.FILE, "the file with its public key")
    suite: Item | None = once("suite", l.WORD, "its suite; the base's release if not given")
    components: tuple[Item, ...] = many("components", l.WORD, "its components; `main` if not given")


@record(kw_only=True)
class System(Block):
    """Packages of the distribution."""

    packages: tuple[Item, ...] = many(
        "packages", l.PACKAGE, "distribution packages, `name` or `name=version`"
    )
    recommends: bool | None = once("recommends", l.YES_NO, "also what they recommend; `no` if not given")
    sources: tuple[Source, ...] = repeated(("source", Source, "a third-party archive"))


_COVERS = {
    "gcc": ("c", "c++"),
    "clang": ("c", "c++"),
    "gfortran": ("fortran",),
}
_MPI = ("openmpi", "mpich")


@record(kw_only=True)
class Toolchain(Block):
    """A compiler, MPI or build tool, at a version. Several versions live side by side."""

    named_by: ClassVar[tuple[str, ...]] = ("name", "version")
    name: Item = value(l.LOCATED_NAME, "the tool")
    version: str = value(l.VERSION, "its version, partial or full")
    default: bool = once(
        "default",
        l.NOTHING,
        "builds without `using`, and the image's `cc`, mean this one",
        default=False,
    )
    languages: tuple[str, ...] = many(
        "languages",
        l.choice("c", "c++", "fortran"),
        "languages to install; C and C++ if not given, of an MPI all",
    )
    at: str | None = once(
        "at", l.choice("build", "run"), "whether all of it is in the image, or only what kept programs need"
    )
    provider: Item | None = once(
        "provider",
        replace(l.choice("distro", "archive", "image", "conda", "source"), located=True),
        "where it comes from; `conda`: conda-forge, which has every tool",
    )
    configure: Item | None = once(
        "configure", l.LOCATED_STRING, "options for its `configure`, where it is compiled"
    )
    archive: Item | None = once(
        "archive",
        l.LOCATED_URL,
        "the binary archive's address, or its purl; with `provider source`, the release's",
    )
    sha256: Item | None = once("sha256", l.DIGEST, "the archive's digest")
    strip: int | None = once("strip", l.COUNT, "top folders of the archive to leave out")
    inside: Item | None = once("inside", l.INSIDE, "the archive that lies in the archive, if one does")
    bin: Item | None = once("bin", l.INSIDE, "where its commands lie in the archive")
    sysroot: Item | None = once(
        "sysroot",
        l.INSIDE,
        "where the libc that comes with it lies in the archive; the base's is used if not given",
    )

    @property
    def parts(self) -> tuple[str, ...]:
        """The languages that it is installed for; a tool of another kind is a kind of its own."""
        every = ("c", "c++", "fortran") if self.name.text in _MPI else (self.name.text,)
        return self.languages or _COVERS.get(self.name.text, every)

    @property
    def covers(self) -> tuple[str, ...]:
        """What it is the default for: languages, or its kind."""
        return ("mpi",) if self.name.text in _MPI else self.parts


@record(kw_only=True)
class Python(Block):
    """A Python environment. The first is `main`; its `bin` comes first on PATH."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    version: str | None = value(l.VERSION, "the interpreter's version", optional=True)
    name: Item | None = once("name", l.LOCATED_NAME, "a name, for every environment but the first")
    packages: tuple[Item, ...] = many("packages", l.REQUIREMENT, "requirements as in PEP 508")
    requirements: tuple[Item, ...] = many("requirements", l.FILE, "files of requirements")
    project: Item | None = once("project", l.FILE, "a pyproject.toml whose dependencies are installed")
    lock: Item | None = once(
        "lock", l.FILE, "a lock made elsewhere: uv.lock, pylock.toml, Pipfile.lock, poetry.lock"
    )
    install: tuple[Item, ...] = many(
        "install", l.LOCATED_NAME, "code that is installed itself, after its dependencies"
    )
    index: Item | None = once("index", l.LOCATED_URL, "the package index")
    provider: str | None = once(
        "provider",
        l.choice("distro", "image", "archive"),
        "where the interpreter comes from; `image`: the base image holds it, `archive`: it is one of its own",
    )
    venv: str | None = once("venv", l.PATH, "where it lies; /opt/venv or /opt/venv-NAME if not given")
    binary: tuple[Item, ...] = many(
        "binary", l.WORD, "`yes` (wheels alone), `no`, or `no` and the names of packages"
    )

    @property
    def identity(self) -> tuple[str, ...]:
        """Its name: the environment without one is `main`."""
        return (self.name.text if self.name else "main",)
