"""Images that hold an environment as a whole: Python, R or CUDA, to be taken as the base."""

from __future__ import annotations

from functools import cache
from typing import Any

from reproc import catalog
from reproc.catalog import Release, elsewhere
from reproc.catalog.ways import numbers
from reproc.record import record


@record
class Holder:
    """An image, and what a `base` statement says of it."""

    version: str
    """The full version of what it holds."""
    reference: str
    distribution: str
    codename: str
    """Of the release that it is built on."""

    @property
    def release(self) -> Release | None:
        """That release, if a base can be of it."""
        return catalog.release(self.distribution, self.codename)

    @property
    def statement(self) -> str:
        """The statement that takes it as the base."""
        inside = f" {{ is {self.distribution} {self.codename} }}" if self.release else ""
        return f'base image "{self.reference}"{inside}'


def names() -> tuple[str, ...]:
    """The environments that whole images hold, sorted."""
    return tuple(sorted(catalog.table("bases.toml")))


@cache
def holders(name: str) -> tuple[Holder, ...]:
    """The images that hold an environment, the newest version first, of one that on the newest release."""
    row: dict[str, Any] = catalog.table("bases.toml")[name]
    distribution = row["distribution"]
    releases = {each.codename: each for each in catalog.every_release(distribution)}
    order = list(releases)
    found = [
        Holder(version, _reference(row["image"], version, releases[codename]), distribution, codename)
        for codename, ranges in row["on"].items()
        for each in ranges
        for version in elsewhere.spread(each)
    ]
    return tuple(
        sorted(found, key=lambda each: (numbers(each.version), order.index(each.codename)), reverse=True)
    )


def holder(name: str, version: str, base: Release | None) -> Holder | None:
    """The newest image of a version: on the base's release if there is one, else on one that a base can be of."""
    fitting = [each for each in holders(name) if catalog.names_version(each.version, version)]
    own = [each for each in fitting if base is not None and each.release == base]
    known = [each for each in fitting if each.release is not None]
    return next(iter((*own, *known, *fitting)), None)


def _reference(image: str, version: str, release: Release) -> str:
    return image.format(version=version, codename=release.codename, number=release.version)
