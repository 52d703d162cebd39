"""What the environment was made for."""

from __future__ import annotations

from reproc.model import literals as l
from reproc.model.schema import Block, Item, many, once, repeated, value
from reproc.record import record


@record(kw_only=True)
class Author(Block):
    """An author of the paper."""

    name: str = value(l.STRING, "the author's name")
    orcid: str | None = once("orcid", l.ORCID, "the author's ORCID")
    affiliation: str | None = once("affiliation", l.STRING, "where the author works")
    email: str | None = once("email", l.STRING, "how to write to the author")


@record(kw_only=True)
class Paper(Block):
    """The paper: becomes image labels, CITATION.cff and the metadata of what is published."""

    title: str = value(l.STRING, "the title")
    authors: tuple[Author, ...] = repeated(("author", Author, "an author"))
    doi: str | None = once("doi", l.DOI, "the paper's DOI")
    license: str | None = once("license", l.STRING, "SPDX licence of the code")
    url: Item | None = once("url", l.URL, "where the paper or its artifact is")
    version: str | None = once("version", l.STRING, "the artifact's version")
    keywords: tuple[str, ...] = many("keywords", l.STRING, "keywords")
    abstract: str | None = once("abstract", l.TEXT, "the abstract")
