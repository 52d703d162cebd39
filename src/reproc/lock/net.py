"""Getting files over HTTP(S) or from `file:` addresses: retries, resuming, digests; no answer is trusted."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

from reproc.diagnostics.diagnostic import Diagnostic
from reproc.lock.failures import Failure, NotServed, Unreachable, host_of, passed_over, plain, told
from reproc.lock.lines import Answer, Lines
from reproc.lock.problem import Problem
from reproc.lock.store import Mismatch, Store

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
A = TypeVar("A", bound=Answer)
_CHUNK = 1 << 18
_LARGEST = 32 << 20
"""The most bytes of JSON that are read."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone a moment later."""
_LONGEST_WAIT = 60.0
"""The most seconds that a server may make us wait before the next attempt."""


def nothing(size: int) -> None:
    """What is done about bytes that came where nobody wants to know."""


class _Arriving:
    """What has come of a file so far; its digest grows with it, so that nothing is read twice."""

    def __init__(self, file: BinaryIO) -> None:
        """An unbuffered file that is appended to; what an earlier run left in it is read once."""
        self.file, self.path = file, Path(file.name)
        self._digest = hashlib.sha256()
        self.size = 0
        file.seek(0)
        while chunk := file.read(_CHUNK):
            self._count(chunk)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[self.file.write(rest) :]
        self._count(chunk)

    def cut(self, start: int) -> None:
        """Goes on from `start`, which is the end or 0."""
        if start != self.size:
            self.file.truncate(0)
            self.file.seek(0)
            self._digest, self.size = hashlib.sha256(), 0

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)


@dataclass
class Client:
    """Downloads for one run; a host that was found unreachable is not asked again."""

    wait: float = 0.5
    """Seconds before the second attempt; doubled for each further one."""
    attempts: int = 5
    timeout: tuple[float, float] = (10.0, 60.0)
    """Seconds to connect, seconds without a byte."""
    arrived: Callable[[int], None] = nothing
    """Told how many bytes have come, whenever some have; by several threads."""
    told: list[Diagnostic] = field(default_factory=list)
    """Warnings about addresses that gave something else than what was asked for."""
    _lost: dict[str, str] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    def get(self, urls: Sequence[str], what: str, limit: int = 64 << 20, sha256: str | None = None) -> bytes:
        """The content of the first address that serves it, `limit` bytes at most; raises `Problem`."""

        def read(url: str) -> bytes:
            content = bytearray()
            with self._open(url, 0) as (chunks, _):
                for chunk in chunks:
                    content += chunk
                    if len(content) > limit:
                        raise NotServed(url, f"it is larger than {limit} bytes")
            return bytes(content)

        failures: list[tuple[str, Failure]] = []
        for url in urls:
            try:
                content = self._persist(read, url)
                if sha256 is not None and (found := digest(content)) != sha256:
                    raise Mismatch(sha256, found)
            except (Unreachable, NotServed, Mismatch) as failure:
                failures.append((url, failure))
            else:
                self.told += passed_over(failures)
                return content
        raise told(failures, what)

    def download(self, urls: Iterable[str], sha256: str, store: Store, what: str) -> Path:
        """The file with that digest in the store, from the first address that serves it; raises `Problem`."""
        failures: list[tuple[str, Failure]] = []
        with store.partial(sha256) as file:
            arriving = _Arriving(file)
            if not arriving.size and (there := store.path(sha256)):
                return there  # another thread or process had it in hand, and was waited for
            try:
                for url in urls:
                    try:
                        self._transfer(url, arriving, sha256, store)
                    except (Unreachable, NotServed, Mismatch) as failure:
                        failures.append((url, failure))
                    else:
                        self.told += passed_over(failures)
                        return store.place(sha256)
            except Problem:  # of an index that was to say where else the file is
                if not any(isinstance(failure, Mismatch) for _, failure in failures):
                    raise
        raise told(failures, what)

    def obtain(self, url: str, sha256: str | None, store: Store) -> str:
        """The digest of an address's file, which is then in the store.

        Raises `Unreachable`, `NotServed`, or `Mismatch` where it is not the digest that is expected.
        """
        if sha256 is not None:
            with store.partial(sha256) as file:
                arriving = _Arriving(file)
                if arriving.size or store.path(sha256) is None:
                    self._transfer(url, arriving, sha256, store)
            return sha256
        with store.temporary() as temporary, temporary.open("xb+", buffering=0) as file:
            arriving = _Arriving(file)
            self._persist(lambda url: self._append(url, arriving), url, lambda: arriving.size)
            return store.adopt(temporary, found=arriving.sha256)

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

    def _transfer(self, url: str, arriving: _Arriving, sha256: str, store: Store) -> None:
        """Moves an address's file into the store; begins anew where what an earlier run left is wrong."""
        resumed = arriving.size > 0
        self._persist(lambda url: self._append(url, arriving), url, lambda: arriving.size)
        try:
            store.adopt(arriving.path, sha256, arriving.sha256)
        except Mismatch:
            arriving.cut(0)
            if not resumed:
                raise
            self._transfer(url, arriving, sha256, store)

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

    def _lines(self) -> Lines:
        lines: Lines | None = getattr(self._local, "lines", None)
        if lines is None:
            lines = self._local.lines = Lines(self.session())
        return lines

    def request(
        self,
        url: str,
        headers: dict[str, str],
        *,
        stream: bool = False,
        post: bool = False,
        content: bytes | None = None,
    ) -> requests.Response:
        """One answer, whatever its status; raises `Unreachable` or `NotServed`. Passing trouble is waited out."""

        def ask() -> requests.Response:
            return self.session().request(
                "POST" if post else "GET",
                url,
                headers=headers,
                data=content,
                stream=stream,
                timeout=self.timeout,
            )

        return self._patiently(url, ask)

    def _patiently(self, url: str, ask: Callable[[], A]) -> A:
        """The first answer that is no passing trouble, or else the last one."""
        import requests

        host = host_of(url)
        if host in self._lost:
            raise Unreachable(host, self._lost[host])
        for attempt in range(self.attempts):
            last, wait = attempt == self.attempts - 1, self.wait * 2**attempt
            try:
                answer = ask()
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
                asked = _retry_after(answer.headers.get("Retry-After", ""))
                if answer.status_code not in _PASSING or last or asked > _LONGEST_WAIT:
                    return answer
                answer.close()
                wait = max(wait, asked)
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _lose(self, host: str, reason: str) -> Unreachable:
        self._lost[host] = reason
        return Unreachable(host, reason)

    def _persist(self, work: Callable[[str], T], url: str, size: Callable[[], int] = lambda: 0) -> T:
        """What `work` gives, tried again where a transfer breaks off; attempts that get further do not count."""
        import requests
        import urllib3

        failed, furthest = 0, size()
        while True:
            try:
                return work(url)
            except (
                requests.exceptions.RequestException,
                urllib3.exceptions.HTTPError,
                ConnectionError,
            ) as why:
                failed = 1 if size() > furthest else failed + 1
                furthest = max(furthest, size())
                if failed == self.attempts:
                    raise Unreachable(host_of(url), "the transfer breaks off again and again") from why
                time.sleep(self.wait * 2 ** (failed - 1))

    def _append(self, url: str, arriving: _Arriving) -> None:
        with self._open(url, arriving.size) as (chunks, start):
            arriving.cut(start)
            for chunk in chunks:
                arriving.write(chunk)

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
        with self._patiently(url, lambda: self._lines().get(url, headers, self.timeout)) as answer:
            begins = _begins_at(answer.headers.get("Content-Range", ""), start)
            if answer.status_code == 416 and start:  # what is there is complete, or wrong
                yield iter(()), start
            elif answer.status_code == 206 and begins == start:
                yield self._chunks(answer), start
            elif answer.status_code == 206 and start:  # another part than was asked for
                with self._open(url, 0) as whole:
                    yield whole
            elif answer.status_code == 200:
                yield self._chunks(answer), 0
            else:
                raise NotServed(url, f"HTTP status {answer.status_code}")

    def _chunks(self, answer: Answer) -> Iterator[bytes]:
        """What comes, as soon as it comes: when the transfer breaks off, nothing of it is lost."""
        while chunk := answer.raw.read1(_CHUNK):
            self.arrived(len(chunk))
            yield chunk


def _retry_after(text: str) -> float:
    """The seconds for which a server asks to be left alone (RFC 9110, 10.2.3)."""
    from email.utils import parsedate_to_datetime

    if text.strip().isdecimal():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - time.time() if text else 0.0
    except ValueError:
        return 0.0


def _begins_at(text: str, asked: int) -> int:
    """Where a part of a file begins, as the header Content-Range says it; what was asked for if there is none."""
    first = text.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else asked


def digest(content: bytes) -> str:
    """The sha256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
