"""The receiver's own records, kind `ledger` (DESIGN 3.6): what happened to the ledger itself."""

from collections.abc import Mapping
from hashlib import sha3_256
from typing import Any

from audit_receiver.record import canonical, header, timestamp
from audit_receiver.record.model import CanonicalValue, Draft

EVENTS = ("genesis", "start", "stop", "heartbeat", "config", "incident", "read")


def draft(event: str, fields: Mapping[str, Any], time_unix_nano: int, salt: bytes) -> Draft:
    """An own record: `{"event": {fields, "time"}, "kind": "ledger", "salt"}`.

    `time` is the service's wall clock at the event, `salt` 16 fresh random bytes.
    """
    time = timestamp.render(time_unix_nano)
    members = {canonical.key(name.encode(), set()): _value(v) for name, v in fields.items()}
    body = {"event": {**members, "time": time}, "kind": "ledger", "salt": salt.hex()}
    text = canonical.encode(body)
    action = header.LEDGER_PREFIX + event
    found = header.Fields(action, "", "", "", "", "", "", "", ())
    return Draft(
        text.decode(),
        "ledger",
        "",
        time,
        time_unix_nano,
        b"",
        True,
        action,
        "",
        frozenset(),
        header.pieces(sha3_256(text).hexdigest(), "", "ledger", time, found),
    )


def _value(value: Any) -> CanonicalValue:
    """Our own values by the same rules as OTLP's."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return canonical.of_string(value.encode("utf-8", "surrogateescape"), set())
    if isinstance(value, int):
        return canonical.of_int(value)
    if isinstance(value, float):
        return canonical.of_double(value)
    if isinstance(value, bytes):
        return canonical.of_bytes(value)
    if isinstance(value, Mapping):
        return {canonical.key(str(k).encode(), set()): _value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    raise TypeError(f"an own record cannot hold {type(value).__name__}")
