"""What package managers bring is something that the base can hold, and what says so can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reproc import catalog
from reproc.catalog import pythons
from reproc.catalog.environments import has_venv, instead
from reproc.catalog.ways import nearest as closest
from reproc.check.checked import Target, place_of_python
from reproc.check.names import nearest
from reproc.check.pythons import archive_of, archives_of, holds_python, provider_of
from reproc.check.rules.inputs import exists
from reproc.check.rules.places import inside
from reproc.diagnostics import Diagnostic, Label, error
from reproc.diagnostics.codes import rules as codes
from reproc.folder import Folder
from reproc.model import Item, Python

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\])?\s*")
_ONE = r"\s*(===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9*+!._-]+\s*"
_VERSIONS = re.compile(rf"({_ONE}(,{_ONE})*,?|\({_ONE}(,{_ONE})*\)\s*)?(;.*)?", re.DOTALL)


def check(target: Target, folder: Folder) -> Iterator[Diagnostic]:
    for source in target.sources:
        yield from exists(source.key, folder, wanted="file")
    places: dict[str, Python] = {}
    code = tuple(each.name for each in target.code)
    for python in target.pythons:
        yield from _interpreter(python, target)
        yield from _of_python2(python, target)
        for before, item in zip((None, *python.packages), python.packages, strict=False):
            yield from _requirement(item, before)
        yield from _sources(python, code, folder)
        place = place_of_python(python)
        for archive in archives_of(target):
            if place == archive.place or inside(place, archive.place):
                facts = {"first": f"Python {archive.version}", "path": archive.place}
                yield error(codes.SAME_PLACE, python.origin, second=f"python {python.identity[0]}", **facts)
        if place in places:
            first, second = (f"python {each.identity[0]}" for each in (places[place], python))
            label = Label(places[place].origin, "the first one")
            yield error(codes.SAME_PLACE, python.origin, label, first=first, second=second, path=place)
        places.setdefault(place, python)


def _of_python2(python: Python, target: Target) -> Iterator[Diagnostic]:
    """What needs a resolver, or pip of today, is not there for Python 2."""
    found = target.release and catalog.packaged_python(python.version or "", target.release)
    if not found or not found[0].startswith("2."):
        return
    asked = {"project": python.project, "lock": python.lock}
    given = [(name, item) for name, item in asked.items() if item is not None]
    given += [("install", item) for item in python.install]
    given += [("binary", item) for item in python.binary[:1] if item.text != "yes"]
    for name, item in given:
        yield error(codes.PYTHON2_STATEMENT, item.origin, keyword=name)


def _sources(python: Python, code: tuple[str, ...], folder: Folder) -> Iterator[Diagnostic]:
    """What the environment is made of lies beside the spec, or is code of the target."""
    for file in (python.project, python.lock):
        if file is not None:
            yield from exists(file, folder, wanted="file")
    for item in python.install:
        if item.text not in code:
            near, known = nearest(item.text, code), ", ".join(f"`{name}`" for name in code)
            yield error(codes.UNKNOWN_CODE, item.origin, name=item.text, suggestion=near, known=known or None)
    words = [item.text for item in python.binary]
    if words and words != ["yes"] and (words[0] != "no" or {"yes", "no"} & {*words[1:]}):
        yield error(codes.BINARY_WORDS, python.binary[0].origin, words=" ".join(words))


def _with_python(version: str) -> Iterator[catalog.Release]:
    """The releases that a base can be of and that package a Python."""
    for distribution in ("debian", "ubuntu"):
        for each in catalog.releases(distribution):
            if any(own and catalog.names_version(own, version) for own in (each.python, each.old_python)):
                yield each


def _interpreter(python: Python, target: Target) -> Iterator[Diagnostic]:
    release, version = target.release, python.version
    if version is None:
        yield error(
            codes.PYTHON_VERSION_MISSING, python.origin, version=release.python if release else "3.11"
        )
    elif python.provider == "image":
        yield from _of_image(python, version, target)
    elif python.provider == "archive" and archive_of(python, target) is None:
        yield error(
            codes.PYTHON_PROVIDER,
            python.origin,
            provider="archive",
            version=version,
            problem=f"no archive of it is known for {target.platform}",
            archives=_nearest(version, target),
        )
    elif release is not None and not _is_there(python, version, release, target):
        yield _not_in_release(python, version, release, target)


def _is_there(python: Python, version: str, release: catalog.Release, target: Target) -> bool:
    own = catalog.packaged_python(version, release) is not None
    return own if python.provider == "distro" else provider_of(python, target) is not None


def _not_in_release(python: Python, version: str, release: catalog.Release, target: Target) -> Diagnostic:
    others = [f"`base {each.distribution} {each.codename}`" for each in _with_python(version)]
    found = pythons.archive(version, target.platform)
    # `provider distro` on an image of another kind is not about what that holds
    held = target.base.kind in ("image", "archive") and (found is None or holds_python(target))
    return error(
        codes.PYTHON_NOT_IN_RELEASE,
        python.origin,
        release=f"{release.distribution} {release.codename}",
        known=release.python,
        version=version,
        held="provider image" if held else None,
        archive=found.version if found else None,
        others=" or ".join(others) or None,
        image=instead("python", version, release) if has_venv(version) else None,
        platform=target.platform,
        archives=_nearest(version, target),
    )


def _nearest(version: str, target: Target) -> str | None:
    """The versions of which archives are known that are the least away."""
    known = closest(version, (each.version for each in pythons.archives(target.platform)))
    return ", ".join(known) or None


def _of_image(python: Python, version: str, target: Target) -> Iterator[Diagnostic]:
    """What speaks against an interpreter that a base image holds."""
    image, advice = instead("python", version, target.release), None
    if not has_venv(version if "." in version else f"{version}.99"):
        problem, image = "it has no `venv` that could make an environment", None
        packaged = target.release and catalog.packaged_python(version, target.release)
        advice = "leave the statement out, and let a `build` install what the code takes"
        if packaged:
            advice = f"leave `provider` out: {packaged[1].distribution} {packaged[1].codename} packages it"
    elif target.base.kind not in ("image", "archive"):
        problem = "the base is no image that holds it"
    elif "." not in version:
        problem, image = "which minor version the image holds is not said", None
        advice = f"write it whole, such as `python {version}.8`"
    else:
        return
    yield error(
        codes.PYTHON_PROVIDER,
        python.origin,
        provider="image",
        version=version,
        problem=problem,
        image=image,
        advice=advice,
    )


def _requirement(item: Item, before: Item | None) -> Iterator[Diagnostic]:
    """Says so of what PEP 508 does not allow, as far as can be told without looking at markers."""
    text = item.text
    name = _NAME.match(text)
    rest = text[name.end() :] if name else ""
    facts: dict[str, str | None] = {"problem": "it does not start with a project's name"}
    if re.fullmatch(r"v?[0-9]+(\.[0-9]+)+", text):
        near = f"{before.text}=={text}" if before and _NAME.fullmatch(before.text) else None
        facts = {"problem": "a version stands behind its package without a blank", "suggestion": near}
    elif text.startswith("-"):
        advice = "options of pip have statements of their own here, such as `index` and `binary`"
        facts = {"problem": "it is an option of pip", "advice": advice}
    elif name is not None and (rest.startswith("@") or "://" in text.partition(";")[0]):
        yield error(codes.DIRECT_REQUIREMENT, item.origin, text=text)
        return
    elif name is not None and _VERSIONS.fullmatch(rest):
        return
    elif name is not None:
        meant = re.sub(r"(?<![=<>~!])=(?!=)|^(?=[0-9])", "==", rest)
        near = f"{name[0].rstrip()}{meant}" if _VERSIONS.fullmatch(meant) else None
        problem = "what follows the name is no version, such as `==1.26` or `>=1.20,<2`"
        facts = {"problem": problem, "suggestion": near}
    yield error(codes.BAD_REQUIREMENT, item.origin, output="", text=text, **facts)
