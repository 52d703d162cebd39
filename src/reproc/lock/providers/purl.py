"""Package URLs: a file of a package registry by the package's name, which its registry turns into an address.

The registries give a digest with the address, and what comes must have it. Where they are is site policy, like
all mirrors: no host stands in a lock (github.com/package-url/purl-spec).
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from urllib.parse import parse_qs, quote, unquote

from reproc.diagnostics.codes import lock as codes
from reproc.lock.archives import Site, mirror_variable
from reproc.lock.failures import NotServed, Unreachable, first
from reproc.lock.net import Client
from reproc.lock.problem import Problem, problem
from reproc.lock.providers import pypi
from reproc.record import record
from reproc.source import Span

SCHEME = "pkg:"
REGISTRIES = ("npm", "pypi")
"""The registries that are understood."""
_FORM = re.compile(r"pkg:([a-z]+)/([^@?]+)@([^?]+)(?:\?(.*))?")


@record
class Package:
    """The parts of a package URL."""

    registry: str
    name: str
    version: str
    filename: str | None
    """The qualifier `file_name`, for packages of several files."""


@record
class Located:
    """Where a package's file is, and what its registry says of it."""

    url: str
    filename: str
    digest: str
    """64 hexadecimal digits, or `sha512:…`."""


def read(text: str) -> Package | None:
    """The parts; None for what is no package URL with a version, of a registry that is understood."""
    match = _FORM.fullmatch(text)
    if match is None or match[1] not in REGISTRIES:
        return None
    names = parse_qs(match[4] or "").get("file_name", [None])
    return Package(match[1], unquote(match[2]), unquote(match[3]), names[0])


def locate(text: str, origin: Span | None, client: Client, site: Site) -> Located:
    """The file that a package URL stands for; raises `Problem`."""
    package = read(text)
    if package is None:
        raise problem(codes.NOT_IN_REGISTRY, origin, purl=text, reason="it names no version of a package")
    try:
        if package.registry == "npm":
            return _npm(package, text, origin, client, site)
    except Unreachable as trouble:
        raise problem(codes.NETWORK, origin, host=trouble.host, reason=trouble.reason) from trouble
    except NotServed as trouble:
        raise problem(codes.NOT_IN_REGISTRY, origin, purl=text, reason=trouble.reason) from trouble
    try:
        found = pypi.file_of(package.name, package.version, package.filename, site, origin)
    except Problem as trouble:
        told = trouble.diagnostics[0]
        if told.code in codes.UNREACHABLE:
            raise
        raise problem(codes.NOT_IN_REGISTRY, origin, purl=text, reason=told.message) from trouble
    if found is None or found.sha256 is None:
        reason = "it has no file for this platform with a digest"
        raise problem(codes.NOT_IN_REGISTRY, origin, purl=text, reason=reason)
    return Located(found.url, found.filename, found.sha256)


def _npm(package: Package, text: str, origin: Span | None, client: Client, site: Site) -> Located:
    """The package's archive, as the registry's API describes it (github.com/npm/registry, REGISTRY-API.md)."""
    roots = _npm_registries(site)
    if not roots:
        facts = {"registry": "npm", "variable": mirror_variable("npm")}
        raise problem(codes.NO_REGISTRY, origin, **facts)
    path = f"{quote(package.name, safe='@')}/{quote(package.version, safe='')}"
    answer = first([f"{root}/{path}" for root in roots], client.object)
    dist = answer.get("dist") if isinstance(answer, dict) else None
    url, integrity = (dist.get("tarball"), dist.get("integrity")) if isinstance(dist, dict) else (None, None)
    digest = _sha512(integrity)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or digest is None:
        reason = "the registry names no archive with a sha512 digest"
        raise problem(codes.NOT_IN_REGISTRY, origin, purl=text, reason=reason)
    return Located(url, unquote(url.rpartition("/")[2]), digest)


def _sha512(integrity: object) -> str | None:
    """A digest in the form of Subresource Integrity (W3C)."""
    words = integrity.split() if isinstance(integrity, str) else []
    found = next((word.partition("-")[2] for word in words if word.startswith("sha512-")), None)
    try:
        return "sha512:" + base64.b64decode(found or "", validate=True).hex() if found else None
    except ValueError:
        return None


def _npm_registries(site: Site) -> tuple[str, ...]:
    """Where the registry is: the named mirrors, npm's own variable, or what npm here is set up with."""
    if mirrors := site.mirrors("npm"):
        return mirrors
    named = site.environment.get("npm_config_registry", "")
    if not named and (program := shutil.which("npm", path=site.environment.get("PATH"))):
        command = [program, "config", "get", "registry"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=dict(site.environment)
        )
        named = done.stdout.strip() if done.returncode == 0 else ""
    return (named.rstrip("/"),) if named.startswith(("https://", "http://")) else ()
