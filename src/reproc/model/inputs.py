"""What is put into an image as it is: code, data, files, directories."""

from __future__ import annotations

from typing import ClassVar

from reproc.model import literals as l
from reproc.model.schema import Block, Item, many, needed, once, repeated, value
from reproc.record import record


@record(kw_only=True)
class Rewrite(Block):
    """Replaces a text in every text file of the code, for paths that somebody wrote into it."""

    old: str = value(l.STRING, "what stands there")
    new: str = value(l.STRING, "what is to stand there")


@record(kw_only=True)
class Code(Block):
    """Code: a folder beside the spec, a git repository, an archive, or a Software Heritage identifier."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "a name, by which the spec calls it")
    local: Item | None = once("local", l.FILE, "a folder or file beside the spec")
    exclude: tuple[str, ...] = many("exclude", l.STRING, "patterns, as in .gitignore, of files to leave out")
    git: Item | None = once("git", l.URL, "a git repository")
    commit: Item | None = once("commit", l.COMMIT, "the full commit id")
    tag: Item | None = once("tag", l.GIT_REF, "a tag; the lock pins its commit")
    branch: Item | None = once("branch", l.GIT_REF, "a branch; the lock pins its commit")
    submodules: bool = once("submodules", l.NOTHING, "with the repository's submodules", default=False)
    lfs: bool = once("lfs", l.NOTHING, "with the files that Git LFS keeps", default=False)
    archive: Item | None = once("archive", l.LOCATED_URL, "the address of an archive or a file")
    sha256: Item | None = once("sha256", l.DIGEST, "the archive's digest")
    strip: int | None = once("strip", l.COUNT, "top folders to leave out; 1 if there is a single one")
    swh: Item | None = once("swh", l.SWHID, "a Software Heritage identifier")
    into: str | None = once("into", l.PLACE, "where it lies in the image; /opt/src/NAME if not given")
    mode: int | None = once("mode", l.MODE, "the mode of its files")
    owner: str | None = once("owner", l.OWNER, "the owner of its files")
    patches: tuple[Item, ...] = many("patch", l.FILE, "patches beside the spec, applied in this order")
    bin: tuple[Item, ...] = many("bin", l.LOCATED_STRING, "programs that are linked onto PATH")
    rewrites: tuple[Rewrite, ...] = repeated(("rewrite", Rewrite, "replaces a text in all text files"))


@record(kw_only=True)
class Member(Block):
    """A file of a DOI's record."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.STRING, "the file's name in the record")
    sha256: Item | None = once("sha256", l.DIGEST, "its digest")
    size: int | None = once("size", l.SIZE, "its size")


@record(kw_only=True)
class Data(Block):
    """Data: from beside the spec, from addresses that mirror each other, or from a DOI's record."""

    named_by: ClassVar[tuple[str, ...]] = ("name",)
    name: str = value(l.NAME, "a name, by which the spec calls it")
    local: Item | None = once("local", l.FILE, "a folder or file beside the spec")
    urls: tuple[Item, ...] = many("url", l.LOCATED_URL, "the file's address, and its mirrors'")
    doi: Item | None = once("doi", l.LOCATED_DOI, "the DOI of a record that holds it")
    files: tuple[Member, ...] = repeated(("file", Member, "a file of the record; all if none is named"))
    sha256: Item | None = once("sha256", l.DIGEST, "the file's digest")
    size: int | None = once("size", l.SIZE, "the file's size")
    unpack: bool = once("unpack", l.NOTHING, "the archive's content, not the archive", default=False)
    license: str | None = once("license", l.STRING, "SPDX licence of the data")
    into: str | None = once("into", l.PLACE, "where it lies in the image; /data/NAME if not given")
    at: str | None = once(
        "at", l.choice("build", "run"), "stored in the image, or mounted when it runs; `build` if not given"
    )
    mode: int | None = once("mode", l.MODE, "the mode of its files")
    owner: str | None = once("owner", l.OWNER, "the owner of its files")


@record(kw_only=True)
class File(Block):
    """One small file beside the spec; one that lies at several places stands once for each."""

    named_by: ClassVar[tuple[str, ...]] = ("into",)
    path: Item = value(l.FILE, "the file beside the spec")
    into: str = needed("into", l.PLACE, "where it lies in the image")
    mode: int | None = once("mode", l.MODE, "its mode; 0644, or 0755 for a program, if not given")
    owner: str | None = once("owner", l.OWNER, "its owner")

    @property
    def place(self) -> str:
        """Where it lies in the image; behind a final `/` it keeps its own name."""
        return f"{self.into}{self.path.text.rpartition('/')[2]}" if self.into.endswith("/") else self.into

    @property
    def identity(self) -> tuple[str, ...]:
        return (self.place,)


@record(kw_only=True)
class Directory(Block):
    """Empty directories."""

    paths: tuple[Item, ...] = value(l.LOCATED_PATH, "where they are", many=True)
    mode: int = once("mode", l.MODE, "their mode; 0755 if not given", default=0o755)
    owner: str | None = once("owner", l.OWNER, "their owner")
