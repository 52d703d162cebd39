"""Python packages: uv resolves, exactly one wheel per package is chosen, addresses stay out of the lock."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Code, Diagnostic, error
from reproc.lock.archives import Site
from reproc.lock.model import PythonEnvironment, Wheel
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.requests import PythonRequest
from reproc.lock.requirements import Wanted, wanted
from reproc.lock.store import Store
from reproc.record import record
from reproc.source import Span

_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_GLIBC = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv knows as platforms."""
_ADDRESSES = "wheel-address"


def lock(
    request: PythonRequest, platform: str, client: Client, site: Site, store: Store
) -> PythonEnvironment:
    """The wheels that an environment needs; raises `Problem` with every mistake."""
    found, mistakes = wanted(request)
    if mistakes:
        raise Problem(*mistakes)
    machine = _machine(platform)
    packages = _compile(
        [w.text for w in found], request.version, _uv_platform(machine, request.libc), site, found
    )
    tags = tuple(_tags(request.version, machine, request.libc))
    wheels = [_choose(package, tags, request, platform, found) for package in packages]
    done = [_complete(offer, client, store) for offer in wheels]
    return PythonEnvironment(
        request.name,
        request.interpreter,
        request.prefix,
        tuple(sorted(done, key=lambda w: (w.name, w.filename))),
    )


def fetch(
    wheels: Sequence[Wheel], version: str, platform: str, client: Client, site: Site, store: Store
) -> None:
    """Puts one environment's wheels into the store; raises `Problem`.

    The addresses from locking are remembered as hints; where they are gone, the index is asked again.
    """
    missing = [wheel for wheel in wheels if store.path(wheel.sha256) is None]
    again: list[Wheel] = []
    for wheel in missing:
        hint = store.recall(_ADDRESSES, wheel.sha256)
        try:
            if hint is None:
                again.append(wheel)
            else:
                client.download([hint.decode("utf-8", "replace")], wheel.sha256, store, f"`{wheel.filename}`")
        except Problem as trouble:
            if any(d.code is codes.DIGEST_MISMATCH for d in trouble.diagnostics):
                raise
            again.append(wheel)
    if not again:
        return
    pins = [f"{wheel.name}=={wheel.version}" for wheel in again]
    offers = _compile(pins, version, _uv_platform(_machine(platform), None), site, (), "--no-deps")
    addresses = {offer.filename: offer.url for package in offers for offer in _offers(package)}
    for wheel in again:
        urls = [addresses[wheel.filename]] if wheel.filename in addresses else []
        client.download(urls, wheel.sha256, store, f"`{wheel.filename}`")


@record
class Offer:
    """A wheel as an index lists it."""

    name: str
    version: str
    filename: str
    url: str
    size: int | None
    sha256: str | None


def _machine(platform: str) -> str:
    machine = _MACHINES.get(platform)
    if machine is None:
        raise problem(codes.PLATFORM, None, platform=platform, known=", ".join(f"`{p}`" for p in _MACHINES))
    return machine


def _uv_platform(machine: str, libc: tuple[int, int] | None) -> str:
    newest = max((minor for minor in _GLIBC if libc is None or minor <= libc[1]), default=_GLIBC[0])
    return f"{machine}-manylinux_2_{newest}"


def _tags(version: str, machine: str, libc: tuple[int, int]) -> Iterator[object]:
    """The wheel tags that the target takes, the best first."""
    from packaging import tags

    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(libc[1], 4, -1)]
    for old, minor in (("2014", 17), ("2010", 12), ("1", 5)):
        if minor <= libc[1]:
            platforms.insert(
                platforms.index(f"manylinux_2_{minor}_{machine}") + 1, f"manylinux{old}_{machine}"
            )
    platforms.append(f"linux_{machine}")
    major, minor = (int(part) for part in version.split(".")[:2])
    interpreter = f"cp{major}{minor}"
    yield from tags.cpython_tags((major, minor), [interpreter], platforms)
    yield from tags.compatible_tags((major, minor), interpreter, platforms)


def _choose(
    package: Mapping[str, Any],
    tags: Sequence[object],
    request: PythonRequest,
    platform: str,
    found: Sequence[Wanted],
) -> Offer:
    """The one wheel of a package that installers would take on the target."""
    name = str(package.get("name", ""))
    fitting = sorted(_ranked(package, tags), key=lambda pair: (pair[0], pair[1].filename))
    asked = [w for w in found if w.name == name]
    if not fitting:
        libc = f"{platform} with glibc {request.libc[0]}.{request.libc[1]}"
        origin = asked[0].origin if asked else _first(found)
        raise problem(codes.NO_WHEEL, origin, name=name, python=request.version, platform=libc)
    limits = next((w for w in asked if w.hashes), None)
    if limits is None:
        return fitting[0][1]
    allowed = next((offer for _, offer in fitting if offer.sha256 in limits.hashes), None)
    if allowed is None:
        facts = {"filename": fitting[0][1].filename, "name": name, "path": limits.origin.source.path}
        raise problem(codes.WHEEL_DIGEST, limits.origin, *limits.labels, **facts)
    return allowed


def _ranked(package: Mapping[str, Any], tags: Sequence[object]) -> Iterator[tuple[int, Offer]]:
    """The package's wheels that fit the target, each with the rank of its best tag."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    order = {tag: rank for rank, tag in enumerate(tags)}
    for offer in _offers(package):
        try:
            kinds = parse_wheel_filename(offer.filename)[3]
        except InvalidWheelFilename:
            continue
        ranks = [order[kind] for kind in kinds if kind in order]
        if ranks:
            yield min(ranks), offer


def _first(found: Sequence[Wanted]) -> Span | None:
    return found[0].origin if found else None


def _offers(package: Mapping[str, Any]) -> Iterator[Offer]:
    for wheel in package.get("wheels", ()):
        url = str(wheel.get("url") or Path(str(wheel.get("path", ""))).absolute().as_uri())
        filename = str(wheel.get("name") or unquote(urlsplit(url).path.rpartition("/")[2]))
        size, sha256 = wheel.get("size"), wheel.get("hashes", {}).get("sha256")
        yield Offer(
            str(package.get("name")),
            str(package.get("version")),
            filename,
            url,
            size if isinstance(size, int) else None,
            sha256.lower() if isinstance(sha256, str) else None,
        )


def _complete(offer: Offer, client: Client, store: Store) -> Wheel:
    """The wheel as a lock names it; an index that gives no digest or size makes a download necessary."""
    sha256, size = offer.sha256, offer.size
    if sha256 is None:
        content = client.get([offer.url], f"`{offer.filename}`", 1 << 32)
        sha256 = store.add_stream((content,))
    if size is None:
        kept = store.path(sha256) or client.download([offer.url], sha256, store, f"`{offer.filename}`")
        size = kept.stat().st_size
    store.remember(_ADDRESSES, sha256, offer.url.encode())
    return Wheel(offer.name, offer.version, offer.filename, size, sha256)


def _compile(
    requirements: Sequence[str],
    version: str,
    platform: str,
    site: Site,
    found: Sequence[Wanted],
    *options: str,
) -> Sequence[Mapping[str, Any]]:
    """The packages of uv's answer as a pylock table (PEP 751); raises `Problem`."""
    if not requirements:
        return ()
    with TemporaryDirectory(prefix="reproc-uv-") as folder:  # away from any project's own uv settings
        command = [
            _uv(),
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
            "--color",
            "never",
            "--format",
            "pylock.toml",
            "--only-binary",
            ":all:",
            "--generate-hashes",
            "--python",
            sys.executable,
            "--python-version",
            version,
            "--python-platform",
            platform,
            *_index(site),
            *options,
            "--output-file",
            "pylock.toml",
            "requirements.in",
        ]
        Path(folder, "requirements.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(site),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise _told(done.stderr, version, platform, found)
        content = Path(folder, "pylock.toml").read_text(encoding="utf-8")
        packages = tomllib.loads(content).get("packages", ())
        # addresses of a local index are relative to the file
        for package in packages:
            for wheel in package.get("wheels", ()):
                if "path" in wheel:
                    wheel["path"] = str(Path(folder, wheel["path"]).resolve())
                elif "url" in wheel:
                    wheel["url"] = urljoin(Path(folder, "x").as_uri(), wheel["url"])
        return list(packages)


def _uv() -> str:
    try:
        import uv

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as trouble:
        raise problem(
            codes.TOOL_MISSING,
            None,
            tool="uv",
            purpose="locking Python packages",
            advice="install it: `pip install uv`",
        ) from trouble


def _environment(site: Site) -> dict[str, str]:
    kept = {
        k: v for k, v in site.environment.items() if k not in ("UV_PYTHON", "VIRTUAL_ENV", "UV_OUTPUT_FORMAT")
    }
    return kept | {"UV_NO_PROGRESS": "1", "UV_HTTP_RETRIES": kept.get("UV_HTTP_RETRIES", "2")}


def _index(site: Site) -> list[str]:
    """Where PyPI is: the named mirror, uv's own settings, or else pip's."""
    mirror = site.mirror("pypi")
    if mirror:
        return ["--default-index", mirror]
    if any(name in site.environment for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        return []
    index = site.environment.get("PIP_INDEX_URL") or _pip_index(site)
    return ["--default-index", index] if index else []


def _pip_index(site: Site) -> str | None:
    home = Path(site.environment.get("HOME", "/"))
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        Path(sys.prefix, "pip.conf"),
        Path(site.environment.get("PIP_CONFIG_FILE", os.devnull)),
    ]
    settings = configparser.RawConfigParser()
    try:
        settings.read(files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # pip's own trouble; its settings say nothing then
        return None
    return settings.get("global", "index-url", fallback=None)


def _told(said: str, version: str, platform: str, found: Sequence[Wanted]) -> Problem:
    """What uv's refusal means to the user."""
    text = " ".join(said.split())
    reached = re.search(r"[Ff]ailed to fetch: `?(https?://[^\s`]+)|url \((https?://[^\s)]+)\)", text)
    if reached and re.search(r"connect|dns error|tcp|timed out|error sending request", text):
        host = urlsplit(reached[1] or reached[2]).netloc.rpartition("@")[2]
        reason = "its name cannot be resolved" if "dns error" in text else "the connection fails"
        return problem(codes.NETWORK, None, host=host, reason=reason, variable="REPROC_MIRROR_PYPI")
    by_name = {w.name: w for w in found}
    unknown = re.findall(r"([\w.-]+) was not found in the package registry", text)
    if unknown:
        return Problem(
            *(_at(codes.UNKNOWN_REQUIREMENT, by_name.get(name), found, name=name) for name in unknown)
        )
    wheelless = re.findall(
        r"([\w.-]+?)(?:[=<>!~]=?\S+)? has no (?:usable wheels|wheels with a matching)", text
    )
    if wheelless:
        name = wheelless[0]
        facts = {"name": name, "python": version, "platform": platform.replace("-", " ")}
        return Problem(_at(codes.NO_WHEEL, by_name.get(name), found, **facts))
    reasons = re.findall(r"(?:cause: |[Bb]ecause )(.*)", " ".join(said.split()))
    named = next((w for w in found if re.search(rf"\b{re.escape(w.name)}\b", text)), None)
    told = reasons[0].split(" hint:")[0] if reasons else None
    return Problem(_at(codes.UNSATISFIABLE_PYTHON, named, found, output=said.strip(), reason=told))


def _at(
    code: Code, asked: Wanted | None, found: Sequence[Wanted], *, output: str = "", **facts: str | None
) -> Diagnostic:
    origin = asked.origin if asked is not None else _first(found)
    return error(code, origin, *(asked.labels if asked is not None else ()), output=output, **facts)
