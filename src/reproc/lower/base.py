"""The stage that every other stands on: the base with the system's packages."""

from __future__ import annotations

from reproc.graph import INPUTS, Base, Image, Rootfs, SetEnv, Stage, Step
from reproc.lock.model import ArchiveBase, BootstrapBase, ImageBase
from reproc.lock.paths import further_base
from reproc.lock.requests import SYSTEM, ArchiveRequest, BootstrapRequest, layer_on
from reproc.lower.environment import changed
from reproc.lower.plan import Shape
from reproc.lower.work import Work, first


def base_archive(locked: BootstrapBase | None, request: BootstrapRequest) -> str:
    """Where a bootstrapped root file system lies, below the spec's folder."""
    name = locked.sha256 if locked else f"{request.distribution}-{request.release}"
    return f".reproc/base/{name}.tar"


def base_stage(work: Work) -> Stage:
    """The stage with what the others stand on."""
    target = work.target
    of_base = (
        {}
        if work.shape is Shape.VENDORED
        else {k: v for k, v in work.environment.items() if k not in ("LANG", "TZ", "PATH")}
    )
    steps: list[Step] = [SetEnv("environment", changed(work.environment, of_base))]
    steps += work.apt(layer_on(work.ground, SYSTEM), "system packages", first(target.packages))
    return Stage(work.base, _base(work), tuple(steps), target.base.origin)


def _base(work: Work) -> Base:
    locked = work.plan.locked.base if work.plan.locked else None
    if work.shape is Shape.VENDORED:
        assert locked is not None, "only a lock can be vendored"
        path = "base.tar" if work.ground is None else further_base(work.ground)
        return Rootfs(
            f"{INPUTS}/{path}", locked.sha256 if isinstance(locked, BootstrapBase) else locked.rootfs
        )
    if isinstance(work.request.base, BootstrapRequest):
        bootstrap = locked if isinstance(locked, BootstrapBase) else None
        return Rootfs(base_archive(bootstrap, work.request.base), bootstrap.sha256 if bootstrap else None)
    if isinstance(work.request.base, ArchiveRequest):
        return Rootfs(work.request.base.path, locked.sha256 if isinstance(locked, ArchiveBase) else None)
    if isinstance(locked, ImageBase):
        return Image(locked.reference.partition("@")[0], locked.digest)
    return Image(work.request.base.reference, None)
