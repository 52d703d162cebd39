"""Getting files over HTTP(S) or from `file:` addresses: retries, resuming, digests; no answer is trusted."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

from reproc.diagnostics.codes import lock as codes
from reproc.lock.problem import Problem, problem
from reproc.lock.store import Mismatch, Store

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
_CHUNK = 1 << 16
"""Also what is lost of a transfer that breaks off."""
_LARGEST = 32 << 20
"""The most bytes of JSON that are read."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone a moment later."""


class Unreachable(Exception):
    """No connection to a host."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


class NotServed(Exception):
    """The host answers, but not with the file."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.host = host_of(url)
        self.reason = reason


def host_of(url: str) -> str:
    """The host of an address, as a user knows it; no user name, password or path."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "this machine"
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or url


@dataclass
class Client:
    """Downloads for one run; a host that was found unreachable is not asked again."""

    wait: float = 0.5
    """Seconds before the second attempt; doubled for each further one."""
    attempts: int = 5
    timeout: tuple[float, float] = (10.0, 60.0)
    """Seconds to connect, seconds without a byte."""
    _lost: dict[str, str] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    def get(self, urls: Sequence[str], what: str, limit: int = 64 << 20) -> bytes:
        """The content of the first address that serves it, `limit` bytes at most; raises `Problem`."""

        def read(url: str) -> bytes:
            content = bytearray()
            with self._open(url, 0) as (chunks, _):
                for chunk in chunks:
                    content += chunk
                    if len(content) > limit:
                        raise NotServed(url, f"it is larger than {limit} bytes")
            return bytes(content)

        failures: list[Unreachable | NotServed | Mismatch] = []
        for url in urls:
            try:
                return self._persist(read, url)
            except (Unreachable, NotServed) as failure:
                failures.append(failure)
        raise _told(failures, what)

    def download(self, urls: Sequence[str], sha256: str, store: Store, what: str) -> Path:
        """The file with that digest in the store, from the first address that serves it; raises `Problem`."""
        failures: list[Unreachable | NotServed | Mismatch] = []
        with _partial(store, sha256) as partial:
            for url in urls:
                try:
                    self._transfer(url, partial, sha256, store)
                except (Unreachable, NotServed, Mismatch) as failure:
                    failures.append(failure)
                else:
                    return store.place(sha256)
        raise _told(failures, what)

    def obtain(self, url: str, sha256: str | None, store: Store) -> str:
        """The digest of an address's file, which is then in the store.

        Raises `Unreachable`, `NotServed`, or `Mismatch` where it is not the digest that is expected.
        """
        if sha256 is not None:
            with _partial(store, sha256) as partial:
                self._transfer(url, partial, sha256, store)
            return sha256
        with store.temporary() as temporary:
            temporary.touch()
            self._persist(lambda url: self._append(url, temporary), url)
            return store.adopt(temporary)

    def object(
        self, url: str, *, post: bool = False, question: object = None, form: str = "application/json"
    ) -> Any:
        """The JSON that an address answers with; raises `Unreachable` or `NotServed`.

        A `question` is posted as JSON; `form` is the media type of both.
        """
        headers, asked = {"Accept": form}, None
        if question is not None:
            headers["Content-Type"], asked = form, json.dumps(question).encode()
        response = self.request(url, headers, stream=True, post=post or asked is not None, content=asked)
        with response:
            if response.status_code >= 400:
                raise NotServed(url, f"HTTP status {response.status_code}")
            content = bytearray()
            for chunk in response.iter_content(_CHUNK):
                content += chunk
                if len(content) > _LARGEST:
                    raise NotServed(url, f"it is larger than {_LARGEST} bytes")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as trouble:
            raise NotServed(url, "what it gives is not JSON") from trouble

    def _transfer(self, url: str, partial: Path, sha256: str, store: Store) -> None:
        """Moves an address's file into the store; begins anew where what an earlier run left is wrong."""
        resumed = partial.stat().st_size > 0
        self._persist(lambda url: self._append(url, partial), url)
        try:
            store.adopt(partial, sha256)
        except Mismatch:
            os.truncate(partial, 0)
            if not resumed:
                raise
            self._transfer(url, partial, sha256, store)

    def session(self) -> requests.Session:
        """The calling thread's session, with the machine's certificates."""
        import requests

        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.headers["User-Agent"] = "reproc"
            certificates = ssl.get_default_verify_paths().cafile
            if certificates and not os.environ.get("REQUESTS_CA_BUNDLE"):
                session.verify = certificates
            self._local.session = session
        return session

    def request(
        self,
        url: str,
        headers: dict[str, str],
        *,
        stream: bool = False,
        post: bool = False,
        content: bytes | None = None,
    ) -> requests.Response:
        """One answer, whatever its status; raises `Unreachable`. Passing trouble is waited out."""
        import requests

        host = host_of(url)
        if host in self._lost:
            raise Unreachable(host, self._lost[host])
        for attempt in range(self.attempts):
            last = attempt == self.attempts - 1
            try:
                method = "POST" if post else "GET"
                response = self.session().request(
                    method, url, headers=headers, data=content, stream=stream, timeout=self.timeout
                )
            except requests.exceptions.SSLError as failure:
                raise self._lose(host, "its certificate is not trusted") from failure
            except requests.exceptions.ConnectionError as failure:
                # a name that does not resolve or a port that refuses rarely changes its mind
                if last or attempt > 0:
                    raise self._lose(host, plain(failure)) from failure
            except requests.exceptions.Timeout as failure:
                if last or attempt > 0:
                    raise self._lose(host, "it does not answer in time") from failure
            except requests.exceptions.RequestException as failure:
                raise NotServed(url, plain(failure)) from failure
            else:
                if response.status_code not in _PASSING or last:
                    return response
                response.close()
            time.sleep(self.wait * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _lose(self, host: str, reason: str) -> Unreachable:
        self._lost[host] = reason
        return Unreachable(host, reason)

    def _persist(self, work: Callable[[str], T], url: str) -> T:
        """What `work` gives, tried again where a transfer breaks off."""
        import requests

        for attempt in range(self.attempts):
            try:
                return work(url)
            except (requests.exceptions.RequestException, ConnectionError) as failure:
                if attempt == self.attempts - 1:
                    raise Unreachable(host_of(url), "the transfer breaks off again and again") from failure
                time.sleep(self.wait * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _append(self, url: str, partial: Path) -> None:
        have = partial.stat().st_size
        with self._open(url, have) as (chunks, start), partial.open("rb+") as file:
            file.seek(start)
            file.truncate()
            for chunk in chunks:
                file.write(chunk)

    @contextmanager
    def _open(self, url: str, start: int) -> Iterator[tuple[Iterator[bytes], int]]:
        """The chunks of an address, and the offset at which they begin: `start`, or 0 if it cannot resume."""
        if urlsplit(url).scheme == "file":
            try:
                with open(unquote(urlsplit(url).path), "rb") as file:
                    yield iter(lambda: file.read(_CHUNK), b""), 0
            except (FileNotFoundError, IsADirectoryError, PermissionError) as failure:
                raise NotServed(url, (failure.strerror or "").lower()) from failure
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        response = self.request(url, headers, stream=True)
        with response:
            if response.status_code == 416 and start:  # what is there is complete, or wrong
                yield iter(()), start
            elif response.status_code == 206:
                yield response.iter_content(_CHUNK), start
            elif response.status_code == 200:
                yield response.iter_content(_CHUNK), 0
            else:
                raise NotServed(url, f"HTTP status {response.status_code}")


@contextmanager
def _partial(store: Store, sha256: str) -> Iterator[Path]:
    """A file for the bytes that arrived so far; one that an earlier run left is taken up again."""
    path = store.root / "partial" / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    if _lock(file):
        with file:
            yield path
        return
    file.close()  # another process is fetching the same
    with store.temporary() as temporary:
        temporary.touch()
        yield temporary


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # between opening and locking, another process may have finished and moved the file away
    try:
        return os.stat(file.name).st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def plain(failure: Exception) -> str:
    """Why a connection failed, in plain words."""
    text = str(failure)
    for sign, words in (
        ("NameResolutionError", "its name cannot be resolved"),
        ("Name or service not known", "its name cannot be resolved"),
        ("ProxyError", "the proxy does not let it through"),
        ("Connection refused", "it refuses connections"),
        ("timed out", "it does not answer in time"),
        ("unreachable", "there is no way to it"),
    ):
        if sign in text:
            return words
    return "the connection fails"


def _told(failures: Sequence[Unreachable | NotServed | Mismatch], what: str) -> Problem:
    """The worst of what was met while trying one address after the other."""
    for failure in failures:
        if isinstance(failure, Mismatch):
            return problem(
                codes.DIGEST_MISMATCH, None, what=what, found=failure.found, expected=failure.expected
            )
    for failure in failures:
        if isinstance(failure, NotServed):
            return problem(
                codes.NOT_SERVED, None, what=what, source=f"`{failure.host}`", reason=failure.reason
            )
    for failure in failures:
        if isinstance(failure, Unreachable):
            return problem(codes.NETWORK, None, host=failure.host, reason=failure.reason)
    return problem(
        codes.NOT_SERVED, None, what=what, source="any known place", reason="there is no address for it"
    )


def digest(content: bytes) -> str:
    """The sha256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
