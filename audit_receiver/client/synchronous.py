"""`AuditClient`: emit from ordinary code; safe for several threads."""

import http.client
import ssl
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from audit_receiver.client.outcome import AuditReceipt, UnknownKey
from audit_receiver.client.record import AuditRecord
from audit_receiver.client.sending import Sending, Settings


class AuditClient:
    """Keeps one connection to a sink; arguments as `Settings`."""

    def __init__(self, endpoint: str, service: str, **settings: Any) -> None:
        self._settings = Settings(endpoint, service, **settings)
        self._keys = self._settings.keys()
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> "AuditClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; emitting opens it again."""
        with self._lock:
            self._drop()

    def emit(
        self, event_name: str, *, actor: str, action: str, outcome: str, **more: Any
    ) -> AuditReceipt:
        """Store one record; returns once it is durable. `more` are fields of `AuditRecord`.

        Raises Refused, NotStored, Altered.
        """
        record = AuditRecord(event_name, actor, action, outcome, **more)
        return self.emit_all([record])[0]

    def emit_all(self, records: Sequence[AuditRecord]) -> list[AuditReceipt]:
        """Store several records, all or none; receipts in their order. Raises as `emit`."""
        sending = Sending(self._settings, records, self._keys)
        while True:
            retry_after = None
            try:
                status, body, retry_after = self._ask("POST", self._settings.path, sending.body)
                found = self._answered(sending, status, body)
            except (OSError, http.client.HTTPException) as exc:
                why = f"{type(exc).__name__}: {exc}"
            else:
                if found is not None:
                    return found
                why = f"the sink answered {status}"
            time.sleep(sending.pause(why, retry_after))

    def _answered(self, sending: Sending, status: int, body: bytes) -> list[AuditReceipt] | None:
        """As `sending.answered`, once the sink has said where a later key comes from."""
        try:
            return sending.answered(status, body)
        except UnknownKey:
            if self._keys is None:
                raise
            path = self._settings.keys_path + self._keys.query
            self._keys.learn(*self._ask("GET", path, None)[:2])
            return sending.answered(status, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes, str | None]:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            try:
                self._connection.request(method, path, body, self._settings.headers)
                response = self._connection.getresponse()
                return response.status, response.read(), response.getheader("Retry-After")
            except BaseException:
                self._drop()
                raise

    def _connect(self) -> http.client.HTTPConnection:
        settings, parts = self._settings, urlsplit(self._settings.endpoint)
        timeout = settings.timeout_seconds
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc, timeout=timeout)
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
