"""Tool chains are ones that can stand on the base, with one default a language."""

from __future__ import annotations

from collections.abc import Iterator

from reproc import catalog
from reproc.catalog import elsewhere
from reproc.catalog.ways import Way, dotted, elsewhere_packaged, every, nearest, ways
from reproc.check import names
from reproc.check.checked import Target
from reproc.check.tools import found_on
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
            near = names.nearest(name, known)
            listed = ", ".join(f"`{each}`" for each in known)
            yield error(codes.UNKNOWN_TOOLCHAIN, tool.name.origin, name=name, suggestion=near, known=listed)
        elif tool.archive is not None:
            yield from _archived(tool, tool.archive)
        else:
            yield from _plain(tool)
            for release, where in _grounds(target, tool).items():
                yield from _provided(tool, release, where)
                yield from _made_for(tool, release, target.platform)
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
    away = [build for build in users if build.on is not None]
    inside = tool.at == "run" or len(away) < len(users) or not users
    found: dict[catalog.Release, Span | None] = {}
    if inside and target.release is not None:
        found[target.release] = None
    for build in away:
        release = target.under(build).release
        if release is not None and build.on is not None:
            found.setdefault(release, build.on.origin)
    return found


def _archived(tool: Toolchain, archive: Item) -> Iterator[Diagnostic]:
    compiled = tool.provider is not None and tool.provider.text == "source"
    if tool.provider and tool.provider.text not in ("archive", "source"):
        yield error(codes.PROVIDER_DISAGREES, tool.provider.origin, provider=tool.provider.text)
    scheme = archive.text.partition(":")[0].lower()
    if scheme not in ("http", "https", "pkg"):
        advice = "name its address by `https://`, or its package URL"
        yield error(codes.BAD_ADDRESS, archive.origin, scheme=scheme, advice=advice)
    if not compiled:
        if tool.bin is None:
            yield error(codes.TOOLCHAIN_BIN, tool.origin, name=tool.name.text, version=tool.version)
        yield from _configured(tool)
        return
    for keyword in ("bin", "sysroot"):
        if (item := getattr(tool, keyword)) is not None:
            other = "archive` without `provider source"
            yield error(codes.ONLY_BESIDE, item.origin, keyword=keyword, other=other)
    if tool.name.text not in elsewhere.compilable():
        known = ", ".join(f"`{each}`" for each in elsewhere.compilable())
        yield error(codes.NO_RECIPE, archive.origin, name=tool.name.text, known=known)


def _plain(tool: Toolchain) -> Iterator[Diagnostic]:
    """A tool chain without an archive has nothing of what is said of one."""
    given = {"sha256": tool.sha256, "inside": tool.inside, "bin": tool.bin, "sysroot": tool.sysroot}
    for keyword, item in given.items():
        if item is not None:
            yield error(codes.ONLY_BESIDE, item.origin, keyword=keyword, other="archive")
    if tool.strip is not None:
        yield error(codes.ONLY_BESIDE, tool.origin, keyword="strip", other="archive")
    if tool.provider and tool.provider.text == "archive":
        yield error(codes.TOOLCHAIN_NO_ARCHIVE, tool.provider.origin)
    if tool.provider is None or tool.provider.text != "source":
        yield from _configured(tool)


def _configured(tool: Toolchain) -> Iterator[Diagnostic]:
    if tool.configure is not None:
        yield error(codes.ONLY_BESIDE, tool.configure.origin, keyword="configure", other="provider source")


def _provided(tool: Toolchain, release: catalog.Release, on: Span | None) -> Iterator[Diagnostic]:
    """What is wrong with a tool chain for a release; `on` is where a build names that as its base."""
    name, version = tool.name.text, tool.version
    wanted = tool.provider.text if tool.provider else None
    if wanted == "archive" or found_on(tool, release) is not None:
        return
    known = [each for each in every(name, release) if wanted in (None, each.provider)]
    same = [each for each in known if catalog.names_version(each.version, version)]
    labels = [Label(on, "a build that works with it stands on this")] if on else []
    where = f"{release.distribution} {release.codename}"
    fitting: dict[str, Way] = {}
    for each in known:
        if each.fits and not each.asked_for:
            fitting.setdefault(each.version, each)
    closest = nearest(version, list(fitting), 1)
    near = f"{name} {closest[0]}" if closest else None
    newer = next((each for each in same if each.release is not None), None)
    if newer is not None and newer.release is not None:
        yield error(
            codes.TOOLCHAIN_TOO_NEW,
            tool.origin,
            *labels,
            what=f"`{name} {newer.version}` of {newer.what.partition(' of ')[2]}",
            newer=f"{newer.release.distribution} {newer.release.codename}",
            needed=dotted(newer.release.libc),
            base=where,
            libc=dotted(release.libc),
            nearest=near,
        )
    elif wanted is not None and wanted != "distro":
        others = dict.fromkeys(each.provider for each in ways(name, version, release) if each.fits)
        listed = ", ".join(f"`provider {each}`" for each in others)
        facts = {"provider": wanted, "release": where, "name": name, "version": version}
        at = tool.provider.origin if tool.provider else tool.origin
        yield error(codes.PROVIDER_LACKS, at, *labels, nearest=near, others=listed or None, **facts)
    else:
        listed = ", ".join(map(_listed, map(fitting.__getitem__, nearest(version, list(fitting)))))
        other = elsewhere_packaged(name, version, release)
        yield error(
            codes.UNKNOWN_TOOLCHAIN_VERSION,
            tool.origin,
            *labels,
            release=where,
            name=name,
            version=version,
            known=listed or None,
            nearest=near,
            compiled="provider source" if any(each.asked_for for each in same) else None,
            other=f"base {other.release.distribution}" if other else None,
            codename=other.release.codename if other else None,
        )


def _made_for(tool: Toolchain, release: catalog.Release, platform: str) -> Iterator[Diagnostic]:
    """A release whose packages are to stand beside the base's was made for the target's platform, too."""
    found = found_on(tool, release)
    older = {each.codename: each for each in catalog.every_release(release.distribution)}
    if found is None or found.release is None or older[found.release].made_for(platform):
        return
    offers = catalog.toolchain_offers(found.name, release)
    others = [each.version for each in offers if each.fits and each.release.made_for(platform)]
    yield error(
        codes.TOOLCHAIN_PLATFORM,
        tool.origin,
        name=found.name,
        version=found.version,
        release=f"{release.distribution} {found.release}",
        platform=platform,
        nearest=f"{found.name} {closest}"
        if (closest := next(iter(nearest(found.version, others, 1)), ""))
        else None,
    )


def _listed(way: Way) -> str:
    """A version, and where it is where that is not the base's own release."""
    name, _, place = way.what.partition(" of ")
    match way.provider:
        case "distro" if way.reason.startswith("the base's own"):
            return f"`{name}`"
        case "distro":
            return f"`{name}` (of {place.rpartition(' ')[2]})"
        case "image":
            return f"`{name}` (an image)"
        case "conda":
            return f"`{name}` (of {place})"
        case _:
            return f"`{name}` (compiled)"
