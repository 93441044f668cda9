"""HTTP to an outside that is not trusted: no redirects, bounded answers, errors in words.

A redirect is refused because it would send a checkpoint, and the credentials with it, to an address
that nobody configured. Content coding is not asked for, so that a small answer cannot unfold into
a large one.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

import audit_receiver
from audit_receiver.anchor.model import AnchorError
from audit_receiver.errors import ConfigError

MOST_BYTES = 1 << 20
TIMEOUT_SECONDS = 10.0
_MOST_SAID = 200  # characters of an answer that an error quotes
_USER_AGENT = f"audit-receiver/{audit_receiver.__version__}"


class Answer(NamedTuple):
    """What came back: any status but a redirect."""

    status: int
    content_type: str  # in lower case, without parameters
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of the 200s."""
        return 200 <= self.status < 300

    def said(self) -> str:
        """Status and the beginning of the body, for an error."""
        if not self.body:
            return f"HTTP {self.status}"
        return f"HTTP {self.status}: {_quoted(self.body.decode('utf-8', 'replace'))}"


class Peer:
    """One outside address, over one connection that is kept.

    Args:
        url: http:// or https://, without user or password; its query is never shown in an error.
        ca_file: PEM of the authorities that its certificate must chain to, instead of the system's.
        timeout_seconds: for one exchange, all of it.
        most_bytes: of an answer; a longer one is an error.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Raises ConfigError if `ca_file` cannot be used."""
        self._url = url
        self._tls = tls_context(ca_file) if urlsplit(url).scheme == "https" else None
        # A little before the keeper gives up, so that the error names the address; not rounded up.
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds * 0.95, ceil_threshold=1e9)
        self._seconds = timeout_seconds
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, path: str = ""
    ) -> Answer:
        """POST to the address, or to `path` below it. Raises AnchorError without an answer."""
        return await self._exchange("POST", path, body, headers)

    async def get(self, path: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """GET of the address, or of `path` below it. Raises AnchorError without an answer."""
        return await self._exchange("GET", path, None, headers)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        url = self._url.rstrip("/") + path if path else self._url
        shown = without_query(url)
        try:
            async with self._opened().request(
                method,
                url,
                data=body,
                headers={
                    "Accept-Encoding": "identity",
                    "User-Agent": _USER_AGENT,
                    **(headers or {}),
                },
                allow_redirects=False,
                ssl=True if self._tls is None else self._tls,
            ) as response:
                if 300 <= response.status < 400:
                    raise AnchorError(_redirected(shown, response))
                content = await self._read(response, shown)
                return Answer(response.status, response.content_type.lower(), content)
        except TimeoutError as exc:
            raise AnchorError(f"{shown}: no answer within {self._seconds:g} s") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise AnchorError(f"{shown}: {_in_words(exc)}") from exc

    def _opened(self) -> aiohttp.ClientSession:
        # Made with the first exchange, because it belongs to the loop that runs then.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=1),
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, shown: str) -> bytes:
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > self._most_bytes:
                response.close()
                raise AnchorError(
                    f"{shown}: HTTP {response.status} with more than {self._most_bytes} bytes; that"
                    " is not the service that this anchor talks to"
                )
        return bytes(content)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later that trusts `ca_file`, or the system's authorities. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError, ValueError) as exc:
        raise ConfigError(
            f"{ca_file}: cannot be used as certificates of authorities: {exc}. Name a PEM file"
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def secret_of(path: Path, what: str) -> str:
    """The first line of a small file, read anew each time so that it may be renewed.

    Raises AnchorError if it cannot be read or holds nothing.
    """
    try:
        text = await asyncio.to_thread(path.read_text)
    except (OSError, UnicodeDecodeError) as exc:
        said = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise AnchorError(f"{path}: {what} cannot be read: {said}") from exc
    found = text.strip()
    if not found or "\n" in found:
        raise AnchorError(f"{path}: {what} should be one line, and nothing else")
    return found


def without_query(url: str) -> str:
    """An address as errors and the ledger may show it: a query may be a secret."""
    parts = urlsplit(url)
    if not parts.netloc:
        return parts.path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _redirected(shown: str, response: aiohttp.ClientResponse) -> str:
    target = without_query(response.headers.get("Location", "nowhere"))
    return (
        f"{shown}: redirects with HTTP {response.status} to {_quoted(target)}; redirects are not"
        " followed. Configure the address that answers"
    )


def _in_words(exc: Exception) -> str:
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not accepted: {_quoted(str(exc.certificate_error))}"
        case aiohttp.ClientConnectorDNSError():
            return "the host name cannot be resolved"
        case aiohttp.ClientConnectorError():
            number = exc.os_error.errno
            return f"cannot be reached: {os.strerror(number) if number else exc.os_error}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer came; it may have been kept"
        case aiohttp.ClientPayloadError():
            return "the answer ended too early; it may have been kept"
        case aiohttp.ClientResponseError():
            return f"what answers does not speak HTTP: {_quoted(exc.message)}"
        case _:
            return _quoted(str(exc) or type(exc).__name__)


def _quoted(text: str) -> str:
    """The outside's words in ours: short, printable, never more than one line."""
    return repr(text[:_MOST_SAID] + ("…" if len(text) > _MOST_SAID else ""))
