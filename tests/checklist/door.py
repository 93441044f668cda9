"""One running receiver for many checks: each finds its own records by an action of its own."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message

from tests.e2e.oracle import rows
from tests.kit import build
from tests.kit.senders import Sender
from tests.kit.server import Server
from tests.kit.wire import PROTOBUF, Answer, Wire

_actions = itertools.count(1)


class Door:
    """A server, and what became of what was sent to it."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A raw connection to the HTTP door."""
        connection = Wire(self.server.http)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def sender(self) -> Iterator[Sender]:
        """A sender to both doors."""
        with self.server.sender() as sender:
            yield sender

    def post(
        self,
        body: bytes,
        path: str = "/v1/traces",
        content_type: str | None = PROTOBUF,
        method: str = "POST",
        **headers: str,
    ) -> Answer:
        """One request over a connection of its own, header names with `_` for `-`."""
        with self.wire() as wire:
            return wire.ask(body, path, method, content_type, **headers)

    def stored(self, action: str) -> list[dict[str, Any]]:
        """The records with this action, duplicates and all, oldest first, bodies read."""
        sql = "SELECT * FROM audit_records_all WHERE action = ? ORDER BY seq"
        return [
            {**row, "body": json.loads(row["body"]), "flags": json.loads(row["flags"])}
            for row in rows(self.server.ledger, sql, (action,))
        ]

    def size(self) -> int:
        """How many records are in the ledger, the receiver's own left out."""
        [row] = rows(self.server.ledger, "SELECT count(*) AS n FROM audit_records_all")
        return int(row["n"])


def fresh_action() -> str:
    """An action that no other check uses."""
    return f"check_{next(_actions)}"


def span_request(action: str, number: int = 1, **fields: Any) -> Message:
    """An export of spans with this action."""
    spans = [build.span(attributes={"audit.action": action}, **fields) for _ in range(number)]
    message: Message = build.request(*spans)
    return message


def log_request(action: str, number: int = 1, **fields: Any) -> Message:
    """An export of log records with this action."""
    logs = [build.log_record(attributes={"audit.action": action}, **fields) for _ in range(number)]
    message: Message = build.request(*logs, signal="logs")
    return message


def json_logs(*records: dict[str, Any]) -> bytes:
    """An OTLP/JSON export of log records as written here."""
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}).encode()


def json_spans(*spans: dict[str, Any]) -> bytes:
    """An OTLP/JSON export of spans as written here."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def attribute(key: str, **value: Any) -> dict[str, Any]:
    """One attribute in OTLP/JSON, its value by the name of AnyValue's member."""
    return {"key": key, "value": value}
