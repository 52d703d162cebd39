"""A registry's HTTP interface (OCI distribution specification 1.1): references, tokens, manifests, blobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reproc.diagnostics.codes import lock as codes
from reproc.diagnostics.diagnostic import Diagnostic
from reproc.lock.archives import Site
from reproc.lock.failures import NotServed, Unreachable, host_of, lied, plain
from reproc.lock.net import Client, digest
from reproc.lock.problem import Problem, first_of, problem
from reproc.lock.providers import credentials
from reproc.lock.providers.credentials import HUB
from reproc.lock.store import Mismatch, Store
from reproc.record import record
from reproc.source import Span

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LIMIT = 8 << 20
"""The largest manifest or configuration that is read, in bytes."""
_HUB_INTERFACE = f"registry-1.{HUB}"


@record
class Reference:
    """An image's full name."""

    registry: str
    name: str
    tag: str | None
    digest: str | None

    @property
    def what(self) -> str:
        """Tag or digest, as the registry is asked for it."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parsed(text: str, origin: Span | None) -> Reference:
    """The full name that `debian:bookworm-slim` and the like stand for; raises `Problem`."""

    def refuse(reason: str) -> Problem:
        return problem(codes.BAD_REFERENCE, origin, reference=text, reason=reason)

    rest, at, wanted = text.partition("@")
    if at and not DIGEST.fullmatch(wanted):
        raise refuse("what follows `@` is not `sha256:` and 64 hex digits")
    first, slash, others = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, rest = first, others
    else:
        registry = HUB
    rest, colon, tag = rest.partition(":")
    if registry == HUB and "/" not in rest:
        rest = f"library/{rest}"
    if not _NAME.fullmatch(rest):
        raise refuse("its name has other characters than lower-case letters, digits and `._-/`")
    if colon and not _TAG.fullmatch(tag):
        raise refuse("its tag has other characters than letters, digits and `._-`")
    return Reference(registry, rest, tag if colon else None if at else "latest", wanted if at else None)


def of_registry(
    reference: Reference, origin: Span | None, client: Client, site: Site, work: Callable[[Registry], T]
) -> T:
    """What `work` makes of the first of a registry's mirrors that gives the image, or else of the registry itself.

    One that gives wrong bytes is told of; raises `Problem`.
    """
    mirrors = site.mirrors("docker" if reference.registry == HUB else reference.registry)
    places = [Registry(reference, origin, client, site, mirror) for mirror in mirrors or (None,)]

    def tell(place: Registry, told: Diagnostic) -> None:
        client.told.append(lied(place.mirror or "", told.message, origin))

    return first_of(places, work, tell)


@dataclass
class Registry:
    """One image's place in its registry, or in a mirror of it."""

    reference: Reference
    origin: Span | None
    client: Client
    site: Site
    mirror: str | None = None
    _headers: dict[str, str] = field(default_factory=dict)

    def manifest(self, what: str, kinds: tuple[str, ...]) -> tuple[dict[str, Any], str]:
        """A manifest or index with its digest, which is checked where `what` is one."""
        content = self._read(f"manifests/{what}", ", ".join(kinds))
        sha256 = f"sha256:{digest(content)}"
        if DIGEST.fullmatch(what) and what != sha256:
            raise problem(
                codes.DIGEST_MISMATCH,
                self.origin,
                what=f"`{self.reference}`",
                found=sha256[7:],
                expected=what[7:],
            )
        return self.object(content), sha256

    def config(self, sha256: str) -> dict[str, Any]:
        """A small blob that is a JSON object."""
        content = self._read(f"blobs/{sha256}", "*/*")
        if f"sha256:{digest(content)}" != sha256:
            raise problem(
                codes.DIGEST_MISMATCH,
                self.origin,
                what=f"the configuration of `{self.reference}`",
                found=digest(content),
                expected=sha256[7:],
            )
        return self.object(content)

    def blob(self, sha256: str, store: Store) -> Path:
        """A blob's file in the store, fetched if it is not there."""
        kept = store.path(sha256.removeprefix("sha256:"))
        if kept is not None:
            return kept
        what = f"a layer of `{self.reference}`"
        response = self._answer(f"blobs/{sha256}", "*/*")
        with response:
            try:
                store.add_stream(response.iter_content(1 << 18), sha256.removeprefix("sha256:"))
            except Mismatch as trouble:
                raise problem(
                    codes.DIGEST_MISMATCH,
                    self.origin,
                    what=what,
                    found=trouble.found,
                    expected=trouble.expected,
                ) from trouble
            except response_errors() as trouble:
                raise self.trouble(f"the transfer of {what} breaks off") from trouble
        return store.place(sha256.removeprefix("sha256:"))

    def object(self, content: bytes) -> dict[str, Any]:
        """The JSON object in it."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as trouble:
            raise self.trouble("it is not JSON") from trouble
        if not isinstance(found, dict):
            raise self.trouble("it is not a JSON object")
        return found

    def trouble(self, reason: str) -> Problem:
        """That the registry's answer makes no sense."""
        return problem(
            codes.REGISTRY_TROUBLE,
            self.origin,
            registry=self.reference.registry,
            reference=self.reference,
            reason=reason,
        )

    @property
    def _root(self) -> str:
        registry, mirror = self.reference.registry, self.mirror
        if mirror and "://" in mirror:
            root = mirror
        else:
            host = mirror or (_HUB_INTERFACE if registry == HUB else registry)
            root = f"{'http' if _is_loopback(host) else 'https'}://{host}"
        return f"{root}/v2/{self.reference.name}"

    def _read(self, path: str, accept: str) -> bytes:
        content = bytearray()
        with self._answer(path, accept) as response:
            for chunk in response.iter_content(1 << 16):
                content += chunk
                if len(content) > _LIMIT:
                    raise self.trouble(f"it is larger than {_LIMIT} bytes")
        return bytes(content)

    def _answer(self, path: str, accept: str) -> Any:
        """A streamed answer with status 200; logs in where that is asked for, also when a login has run out."""
        url = f"{self._root}/{path}"
        try:
            response = self.client.request(url, self._headers | {"Accept": accept}, stream=True)
            if response.status_code == 401:
                challenge = response.headers.get("WWW-Authenticate", "")
                response.close()
                self._headers = self._log_in(challenge)
                response = self.client.request(url, self._headers | {"Accept": accept}, stream=True)
        except Unreachable as trouble:
            raise problem(
                codes.NETWORK,
                self.origin,
                host=trouble.host,
                reason=trouble.reason,
                variable="REPROC_MIRROR_DOCKER" if self.reference.registry == HUB else None,
            ) from trouble
        except NotServed as trouble:
            raise self.trouble(trouble.reason) from trouble
        if response.status_code == 200:
            return response
        response.close()
        raise self._refused(response)

    def _refused(self, response: requests.Response) -> Problem:
        """What an answer without the content means."""
        named = {"registry": self.reference.registry, "reference": str(self.reference)}
        match response.status_code:
            case 404:
                return problem(codes.UNKNOWN_IMAGE, self.origin, **named)
            case 401 | 403 as status:
                reason, advice = self._why_refused(status)
                return problem(codes.REGISTRY_REFUSED, self.origin, **named, reason=reason, advice=advice)
            case 429:
                wait = response.headers.get("Retry-After", "")
                seconds = f"{wait} seconds" if wait.isdecimal() else None
                login = f"`docker login {self.reference.registry}` raises the limit"
                advice = login if self._login().login is None else None
                return problem(codes.REGISTRY_LIMIT, self.origin, **named, wait=seconds, advice=advice)
            case status:
                return self.trouble(f"HTTP status {status}")

    def _why_refused(self, status: int) -> tuple[str, str | None]:
        known = self._login()
        if known.login is None:
            # Docker's own registry does not tell a stranger what there is
            hidden = "it asks for a login, or has no such image"
            shown = hidden if self.reference.registry == HUB else "it asks for a login"
            reason = shown if status == 401 else "it is not open to everyone"
            advice = f"{known.trouble}: install it, or log in again" if known.trouble else None
            return reason, advice
        who = "the token" if known.login.is_token else f"`{known.login.name}`"
        if status == 401:
            return f"it does not accept the login of {who}", None
        return f"{who} may not read it", "ask its owner for the right to read it"

    def _login(self) -> credentials.Known:
        return credentials.known(self.reference.registry, self.site.environment)

    def _log_in(self, challenge: str) -> dict[str, str]:
        """The headers that a challenge asks for (distribution specification, "token authentication")."""
        kind, _, rest = challenge.partition(" ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        login = self._login().login
        basic = {"Authorization": f"Basic {login.basic}"} if login is not None and not login.is_token else {}
        if kind.lower() == "basic":
            return basic
        if kind.lower() != "bearer" or "realm" not in asked:
            return {}
        query = {key: asked[key] for key in ("service", "scope") if key in asked}
        query.setdefault("scope", f"repository:{self.reference.name}:pull")
        if login is not None and login.is_token:
            form = {"grant_type": "refresh_token", "client_id": "reproc", "refresh_token": login.secret}
            response = self._posted(asked["realm"], form | query)
        else:
            from urllib.parse import urlencode

            joint = "&" if "?" in asked["realm"] else "?"
            response = self.client.request(f"{asked['realm']}{joint}{urlencode(query)}", basic)
        if response.status_code != 200:
            raise self._refused(response)
        answer = self.object(response.content)
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise self.trouble("it gives no token")
        return {"Authorization": f"Bearer {token}"}

    def _posted(self, url: str, form: dict[str, str]) -> requests.Response:
        try:
            return self.client.session().post(url, data=form, timeout=self.client.timeout)
        except response_errors() as trouble:
            raise problem(codes.NETWORK, self.origin, host=host_of(url), reason=plain(trouble)) from trouble


def response_errors() -> tuple[type[Exception], ...]:
    """What reading an answer may raise."""
    import requests

    return (requests.exceptions.RequestException, ConnectionError)


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name in ("localhost", "[::1]") or name.startswith("127.")
