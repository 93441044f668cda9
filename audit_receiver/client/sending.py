"""What both clients do alike: one request, what its answer means, how long to wait."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from google.rpc.status_pb2 import Status

from audit_receiver.client import record as records
from audit_receiver.client.keys import Keys
from audit_receiver.client.outcome import AuditReceipt, NotStored, Refused, checked
from audit_receiver.client.record import AuditRecord

PATH = "/v1/audit"
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 5.0
_AGAIN = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where records go and how long a client tries.

    Args:
        endpoint: http://host:4318 or https://…; the path is `/v1/audit` unless it has one.
        service: the resource's `service.name`.
        resource: further resource attributes.
        token: a bearer token for the sink.
        vkey: the sink's first verifier key; with it every receipt's signature is checked, and how
            the keys of later days come from it.
        ca_file: of the authority that signed the sink's certificate, if not the system's.
        timeout_seconds: for one attempt.
        patience_seconds: for all of them; then `NotStored`.
    """

    endpoint: str
    service: str
    resource: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""
    vkey: str = ""
    ca_file: str = ""
    timeout_seconds: float = 10.0
    patience_seconds: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.endpoint!r} is no endpoint; write http://127.0.0.1:4318")

    @property
    def path(self) -> str:
        """The path that is posted to."""
        path = urlsplit(self.endpoint).path
        return PATH if path in ("", "/") else path

    @property
    def keys_path(self) -> str:
        """Where the sink tells of its later keys."""
        return f"{self.path.rstrip('/')}/keys"

    def keys(self) -> Keys | None:
        """What a client begins to know of the sink's keys, None if it checks no signatures."""
        return Keys(self.vkey) if self.vkey else None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        found = {"Content-Type": "application/x-protobuf"}
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        return found


class Sending:
    """One request of records, until it has an answer that ends it."""

    def __init__(
        self, settings: Settings, given: Sequence[AuditRecord], keys: Keys | None = None
    ) -> None:
        resource = {"service.name": settings.service, **settings.resource}
        self._ids = [one.record_id for one in given]
        self.body = records.encode(given, resource)
        self._hashes = records.hashes(self.body)
        self._check_head = keys.check if keys is not None else None
        self._ends = time.monotonic() + settings.patience_seconds
        self._wait = FIRST_WAIT_SECONDS

    def answered(self, status: int, body: bytes) -> list[AuditReceipt] | None:
        """The receipts of a success, None to try again. Raises Refused, UnknownKey, Altered."""
        if status == 200:
            return checked(body, self._ids, self._hashes, self._check_head)
        if status in _AGAIN:
            return None
        raise Refused(status, _message(body))

    def pause(self, why: str, retry_after: str | None = None) -> float:
        """How long to wait before the next attempt. Raises NotStored once the patience is over."""
        seconds = self._wait
        if retry_after is not None and retry_after.isdigit():
            seconds = max(seconds, float(retry_after))
        self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)
        if time.monotonic() + seconds > self._ends:
            raise NotStored(
                f"no receipt in time: {why}. The records may be stored all the same; emit them"
                f" again with their ids: {', '.join(self._ids[:3])}"
            )
        return seconds


def _message(body: bytes) -> str:
    try:
        return str(Status.FromString(body).message) or "no reason given"
    except ValueError:  # protobuf's DecodeError is one
        return repr(body[:200])
