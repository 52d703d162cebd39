"""What everything stands on, and the hardware that it is for."""

from __future__ import annotations

from reproc.model import literals as l
from reproc.model.schema import Block, Item, many, once, value
from reproc.record import record


@record(kw_only=True)
class Is(Block):
    """The distribution that an opaque image holds: compiling has no network to find it out."""

    distribution: str = value(l.choice(*l.DISTRIBUTIONS), "the distribution")
    release: str = value(l.NAME, "its release")


@record(kw_only=True)
class Base(Block):
    """What everything stands on: a distribution's release, an image of a registry, or an archive of one."""

    kind: str = value(l.choice(*l.DISTRIBUTIONS, "image", "archive"), "a distribution, `image` or `archive`")
    name: Item = value(l.IMAGE, "the distribution's release, the image's reference, or the archive's file")
    from_: str | None = once(
        "from", l.choice("bootstrap"), "make the root file system from the archive, without a registry"
    )
    is_: Is | None = once("is", Is, "the distribution that the image holds")
    sha256: Item | None = once("sha256", l.DIGEST, "the archive's digest")


@record(kw_only=True)
class Cuda(Block):
    """The CUDA that programs are built with and for."""

    version: str = value(l.VERSION, "the toolkit's version")
    arch: tuple[Item, ...] = many("arch", l.SM_RANGE, "compute capabilities, one by one or `sm_60..sm_80`")
    driver: Item | None = once("driver", l.DRIVER, "the oldest driver that it runs with")
    components: tuple[str, ...] = many("components", l.COMPONENT, "libraries beside the run time")
    provider: str | None = once("provider", l.choice("image", "pypi", "distro"), "where it comes from")


@record(kw_only=True)
class Rocm(Block):
    """The ROCm that programs are built with and for."""

    version: str = value(l.VERSION, "its version")
