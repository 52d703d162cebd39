"""One thread's connections to hosts, asked for file after file at the cost of little more than the request itself.

Sessions of requests find out for every single request what proxy, certificates and login it takes. Here that is
found out once a host, and the same connections are used directly: of many small files that is the larger part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from reproc.record import record

if TYPE_CHECKING:
    import requests

_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
Self = TypeVar("Self")


class Answer(Protocol):
    """What a server answers: the part of a response of requests that downloads need."""

    status_code: int
    raw: Any
    """The body as urllib3 gives it: as it was sent, whatever encoding it claims."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def close(self) -> None: ...

    def __enter__(self: Self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class _Direct:
    """An answer that came without requests."""

    def __init__(self, raw: Any) -> None:
        self.status_code: int = raw.status
        self.raw = raw

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self.raw.headers
        return headers

    def close(self) -> None:
        self.raw.close()  # of a body that was read to its end the connection is free for others already

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@record
class _Line:
    """How a host is reached from here."""

    pool: Any
    headers: Mapping[str, str]
    whole: bool
    """Whether the request names the whole address, as proxies want it."""


class Lines:
    """The connections of one thread."""

    def __init__(self, session: requests.Session) -> None:
        self.session = session
        self._known: dict[str, _Line] = {}

    def get(self, url: str, headers: Mapping[str, str], timeout: tuple[float, float]) -> Answer:
        """The answer to a GET request, redirects followed; raises the exceptions of requests."""
        import requests
        import urllib3

        scheme, netloc, path, query, _ = urlsplit(url)
        root = f"{scheme}://{netloc}"
        line = self._known.get(root) or self._known.setdefault(root, self._line(root))
        target = f"{path or '/'}?{query}" if query else path or "/"
        if line.whole:
            target = f"{scheme}://{netloc.rpartition('@')[2]}{target}"
        try:
            raw = line.pool.urlopen(
                "GET",
                target,
                headers={**line.headers, **headers},
                timeout=urllib3.Timeout(*timeout),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.SSLError as failure:
            raise requests.exceptions.SSLError(str(failure)) from failure
        except urllib3.exceptions.ReadTimeoutError as failure:
            raise requests.exceptions.ReadTimeout(str(failure)) from failure
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise requests.exceptions.ConnectionError(f"{type(failure).__name__}: {failure}") from failure
        if raw.status not in _ELSEWHERE:
            return _Direct(raw)
        raw.close()
        return self.session.get(url, headers=dict(headers), timeout=timeout, stream=True)

    def _line(self, root: str) -> _Line:
        import requests

        session = self.session
        request = session.prepare_request(requests.Request("GET", f"{root}/"))
        settings = session.merge_environment_settings(request.url, {}, True, None, None)
        adapter: Any = session.get_adapter(f"{root}/")
        proxies, verify, cert = settings["proxies"], settings["verify"], settings["cert"]
        pool = adapter.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        adapter.cert_verify(pool, request.url, verify, cert)
        whole = not adapter.request_url(request, proxies).startswith("/")
        return _Line(pool, dict(request.headers), whole)
