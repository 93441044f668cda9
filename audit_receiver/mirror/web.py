"""A mirror behind a web server: read only, nothing followed, answers bounded."""

import zlib
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import audit_receiver
from audit_receiver.mirror.stores import StoreError

MOST_BYTES = 1 << 28
TIMEOUT_SECONDS = 30
_GONE = (404, 410)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: the answer stands as an error."""


class WebSource:
    """http:// or https://; one object a request."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._opener = build_opener(_NoRedirects)

    def __str__(self) -> str:
        return self._url

    def candidates(self, key: str) -> Iterator[bytes]:
        """What the server has, if it has it."""
        url = f"{self._url}/{key}"
        request = Request(
            url,
            headers={
                "User-Agent": f"audit-receiver/{audit_receiver.__version__}",
                "Accept-Encoding": "identity",
                "Cache-Control": "no-cache",
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                data: bytes = answer.read(MOST_BYTES + 1)
                if answer.headers.get("Content-Encoding") == "gzip":  # tlog-tiles: may come unasked
                    data = zlib.decompressobj(31).decompress(data, MOST_BYTES + 1)
        except HTTPError as exc:
            if exc.code in _GONE:
                return
            raise StoreError(f"{url}: HTTP {exc.code}") from exc
        except (URLError, HTTPException, OSError, zlib.error) as exc:
            raise StoreError(f"{url}: {getattr(exc, 'reason', None) or exc}") from exc
        if len(data) > MOST_BYTES:
            raise StoreError(f"{url}: more than {MOST_BYTES} bytes; that is no mirror of a ledger")
        yield data

    def sizes(self, least: int = 0) -> Iterator[int]:
        """A web server lists nothing."""
        return iter(())
