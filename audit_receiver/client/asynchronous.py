"""`AsyncAuditClient`: the same under asyncio."""

import asyncio
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from audit_receiver.client.outcome import AuditReceipt, UnknownKey
from audit_receiver.client.record import AuditRecord
from audit_receiver.client.sending import Sending, Settings


class AsyncAuditClient:
    """Keeps connections to a sink; arguments as `Settings`. Use it as an async context manager."""

    def __init__(self, endpoint: str, service: str, **settings: Any) -> None:
        self._settings = Settings(endpoint, service, **settings)
        parts = urlsplit(endpoint)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._keys = self._settings.keys()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "AsyncAuditClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; emitting opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def emit(
        self, event_name: str, *, actor: str, action: str, outcome: str, **more: Any
    ) -> AuditReceipt:
        """Store one record; returns once it is durable. `more` are fields of `AuditRecord`.

        Raises Refused, NotStored, Altered.
        """
        record = AuditRecord(event_name, actor, action, outcome, **more)
        return (await self.emit_all([record]))[0]

    async def emit_all(self, records: Sequence[AuditRecord]) -> list[AuditReceipt]:
        """Store several records, all or none; receipts in their order. Raises as `emit`."""
        sending = Sending(self._settings, records, self._keys)
        while True:
            retry_after = None
            try:
                answer = await self._ask("POST", self._settings.path, sending.body)
                status, body, retry_after = answer
                found = await self._answered(sending, status, body)
            except (OSError, aiohttp.ClientError, TimeoutError) as exc:
                why = f"{type(exc).__name__}: {exc}"
            else:
                if found is not None:
                    return found
                why = f"the sink answered {status}"
            await asyncio.sleep(sending.pause(why, retry_after))

    async def _answered(
        self, sending: Sending, status: int, body: bytes
    ) -> list[AuditReceipt] | None:
        """As `sending.answered`, once the sink has said where a later key comes from."""
        try:
            return sending.answered(status, body)
        except UnknownKey:
            if self._keys is None:
                raise
            path = self._settings.keys_path + self._keys.query
            self._keys.learn(*(await self._ask("GET", path, None))[:2])
            return sending.answered(status, body)

    async def _ask(
        self, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes, str | None]:
        session = self._opened()
        async with session.request(
            method,
            self._base + path,
            data=body,
            headers=self._settings.headers,
            allow_redirects=False,
        ) as response:
            return response.status, await response.read(), response.headers.get("Retry-After")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            context = ssl.create_default_context(cafile=settings.ca_file or None)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
                connector=aiohttp.TCPConnector(ssl=context),
            )
        return self._session
