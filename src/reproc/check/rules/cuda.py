"""CUDA is a version that exists and that this base can give; its GPUs, driver and GCC go together."""

from __future__ import annotations

from collections.abc import Iterator

from reproc.catalog import Release
from reproc.catalog import cuda as catalog
from reproc.catalog.environments import instead
from reproc.check.checked import Target
from reproc.check.tools import found_on, tools_of
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import image as codes
from reproc.folder import Folder
from reproc.model import Cuda


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    cuda = target.cuda
    if cuda is None:
        return
    held = target.base.kind in ("image", "archive")
    yield from _obtainable(cuda, held, target.release)
    toolkit = catalog.toolkit(cuda.version)
    if toolkit is None:
        yield from _unknown(cuda)
        return
    yield from _architectures(cuda, toolkit)
    if cuda.driver and _older(cuda.driver.text.removeprefix(">="), toolkit.driver):
        facts = {"driver": cuda.driver.text, "version": cuda.version, "oldest": toolkit.driver}
        yield error(codes.CUDA_DRIVER, cuda.driver.origin, **facts)
    if held:
        yield from _compilers(target, cuda, toolkit)


def _obtainable(cuda: Cuda, held: bool, release: Release | None) -> Iterator[Diagnostic]:
    """CUDA comes with an image or, as far as the spec says, not at all: installing it is for a later version."""
    if cuda.provider in ("pypi", "distro") or (cuda.provider == "image" and not held):
        what = f"`provider {cuda.provider}`"
    elif cuda.components and not held:
        what = "`components`"
    else:
        return
    image = instead("cuda", cuda.version, release)
    yield error(codes.CUDA_LATER, cuda.origin, what=what, image=image)


def _unknown(cuda: Cuda) -> Iterator[Diagnostic]:
    """A version newer than every known one may well exist."""
    known = catalog.toolkits()
    if catalog.number(cuda.version)[:2] > catalog.number(known[-1]):
        return
    older = [each for each in known if catalog.number(each) < catalog.number(cuda.version)]
    around = (*older[-1:], known[len(older)])
    nearest = " or ".join(f"`{each}`" for each in around)
    yield error(
        codes.UNKNOWN_CUDA,
        cuda.origin,
        version=cuda.version,
        nearest=nearest,
    )


def _architectures(cuda: Cuda, toolkit: catalog.Toolkit) -> Iterator[Diagnostic]:
    able = catalog.architectures(toolkit)
    for arch in cuda.arch:
        for each in arch.text.split(".."):
            if each in able:
                continue
            others = catalog.compiled_by(each)
            yield error(
                codes.CUDA_ARCH,
                arch.origin,
                arch=each,
                version=toolkit.version,
                others=_span(others) if others else None,
                able=f"`{able[0]}` … `{able[-1]}`" if not others else None,
            )


def _compilers(target: Target, cuda: Cuda, toolkit: catalog.Toolkit) -> Iterator[Diagnostic]:
    """A GCC that some build works with, beside the image's nvcc, is one that this takes."""
    used = {tool.key for build in target.builds for tool in tools_of(target, build)}
    for tool in target.toolchains:
        found = found_on(tool, target.release) if target.release is not None else None
        if tool.name.text != "gcc" or found is None or found.key not in used:
            continue
        if not _takes(toolkit, found.version):
            others = [version for version in catalog.toolkits() if _takes(_known(version), found.version)]
            yield error(
                codes.CUDA_GCC,
                tool.origin,
                Label(cuda.origin, "the CUDA that it is to work with"),
                gcc=found.version,
                version=toolkit.version,
                newest=toolkit.gcc,
                others=_span(tuple(others)) if others else None,
            )


def _takes(toolkit: catalog.Toolkit, gcc: str) -> bool:
    newest = catalog.number(toolkit.gcc)
    return catalog.number(gcc)[: len(newest)] <= newest


def _known(version: str) -> catalog.Toolkit:
    toolkit = catalog.toolkit(version)
    assert toolkit is not None, "it is one of the table"
    return toolkit


def _older(wanted: str, oldest: str) -> bool:
    """Whether a driver is too old; `450` is as good as `450.80.02`."""
    return catalog.number(wanted) < catalog.number(oldest) and not f"{oldest}.".startswith(f"{wanted}.")


def _span(versions: tuple[str, ...]) -> str:
    return f"`{versions[0]}`" if len(versions) == 1 else f"`{versions[0]}` to `{versions[-1]}`"
