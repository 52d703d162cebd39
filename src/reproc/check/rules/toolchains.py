"""Tool chains are ones that can stand on the base, with one default a language."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from reproc import catalog
from reproc.check.checked import Target
from reproc.check.names import nearest
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Item, Toolchain
from reproc.source import Span


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    defaults: dict[str, Span] = {}
    for tool in target.toolchains:
        name = tool.name.text
        known = catalog.toolchain_names()
        if name not in known:
            near = nearest(name, known)
            listed = ", ".join(f"`{each}`" for each in known)
            yield error(codes.UNKNOWN_TOOLCHAIN, tool.name.origin, name=name, suggestion=near, known=listed)
        elif tool.archive is not None:
            yield from _archived(tool, tool.archive)
        else:
            yield from _plain(tool)
            for release, where in _grounds(target, tool).items():
                yield from _packaged(tool, release, where)
        for language in tool.covers if tool.default else ():
            if language in defaults:
                yield error(
                    codes.TWO_DEFAULTS,
                    tool.origin,
                    Label(defaults[language], "the first one"),
                    language=language,
                )
            defaults.setdefault(language, tool.origin)


def _grounds(target: Target, tool: Toolchain) -> dict[catalog.Release, Span | None]:
    """The releases that a tool chain has to be there for: the target's, and those that builds name themselves."""
    key = (tool.name.text, tool.version)
    users = [
        build
        for build in target.builds
        if key in {(using.name.text, using.version) for using in build.using}
        or (tool.default and not build.using)
    ]
    elsewhere = [build for build in users if build.on is not None]
    inside = tool.at == "run" or len(elsewhere) < len(users) or not users
    found: dict[catalog.Release, Span | None] = {}
    if inside and target.release is not None:
        found[target.release] = None
    for build in elsewhere:
        release = target.under(build).release
        if release is not None and build.on is not None:
            found.setdefault(release, build.on.origin)
    return found


def _archived(tool: Toolchain, archive: Item) -> Iterator[Diagnostic]:
    if tool.provider and tool.provider.text != "archive":
        yield error(codes.PROVIDER_DISAGREES, tool.provider.origin, provider=tool.provider.text)
    scheme = archive.text.partition(":")[0].lower()
    if scheme not in ("http", "https", "pkg"):
        advice = "name its address by `https://`, or its package URL"
        yield error(codes.BAD_ADDRESS, archive.origin, scheme=scheme, advice=advice)
    if tool.bin is None:
        yield error(codes.TOOLCHAIN_BIN, tool.origin, name=tool.name.text, version=tool.version)


def _plain(tool: Toolchain) -> Iterator[Diagnostic]:
    """A tool chain without an archive has nothing of what is said of one, and comes from the distribution."""
    given = {"sha256": tool.sha256, "inside": tool.inside, "bin": tool.bin, "sysroot": tool.sysroot}
    for keyword, item in given.items():
        if item is not None:
            yield error(codes.ONLY_BESIDE, item.origin, keyword=keyword, other="archive")
    if tool.strip is not None:
        yield error(codes.ONLY_BESIDE, tool.origin, keyword="strip", other="archive")
    if tool.provider and tool.provider.text == "archive":
        yield error(codes.TOOLCHAIN_NO_ARCHIVE, tool.provider.origin)
    elif tool.provider and tool.provider.text != "distro":
        yield error(codes.TOOLCHAIN_PROVIDER, tool.provider.origin, provider=tool.provider.text)


def _packaged(tool: Toolchain, release: catalog.Release, on: Span | None) -> Iterator[Diagnostic]:
    """What is wrong with a tool chain for a release; `on` is where a build names that as its base."""
    name = tool.name.text
    if catalog.toolchain(name, tool.version, tool.parts, release) is not None:
        return
    where = f"{release.distribution} {release.codename}"
    offers = catalog.toolchain_offers(name, release)
    too_new = next(
        (
            each
            for each in offers
            if catalog.names_version(each.version, tool.version) and each.release.libc > release.libc
        ),
        None,
    )
    fitting = [each for each in offers if each.fits]
    labels = [Label(on, "a build that works with it stands on this")] if on else []
    if too_new is not None:
        near = _nearest(tool.version, fitting)
        yield error(
            codes.TOOLCHAIN_TOO_NEW,
            tool.origin,
            *labels,
            name=name,
            version=too_new.version,
            other=f"{too_new.release.distribution} {too_new.release.codename}",
            needed=_libc(too_new.release),
            base=where,
            libc=_libc(release),
            nearest=f"{name} {near}" if near else None,
        )
        return
    known = ", ".join(
        f"`{name} {each.version}`" + ("" if each.own else f" (of {each.release.codename})")
        for each in sorted(fitting, key=lambda each: _numbers(each.version))
    )
    yield error(
        codes.UNKNOWN_TOOLCHAIN_VERSION,
        tool.origin,
        *labels,
        release=where,
        name=name,
        version=tool.version,
        known=known or None,
        nearest=_nearest(tool.version, fitting),
    )


def _libc(release: catalog.Release) -> str:
    return ".".join(map(str, release.libc))


def _nearest(version: str, offers: list[catalog.Offer]) -> str | None:
    """The version that is the least away from one that cannot be had."""
    wanted = _numbers(version)
    found = min(
        offers,
        key=lambda each: [abs(a - b) for a, b in zip_longest(_numbers(each.version), wanted, fillvalue=0)],
        default=None,
    )
    return found.version if found else None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]
