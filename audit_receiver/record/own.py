"""The receiver's own records, kind `ledger` (DESIGN 3.6): what happened to the ledger itself."""

from collections.abc import Mapping
from hashlib import sha3_256
from typing import Any

from audit_receiver.record import canonical, header, timestamp
from audit_receiver.record.model import CanonicalValue, Draft


def draft(event: str, fields: Mapping[str, Any], time_unix_nano: int, salt: bytes) -> Draft:
    """An own record: `{"event": {fields, "name", "time"}, "kind": "ledger", "salt"}`.

    `time` is the service's wall clock at the event, `salt` 16 fresh random bytes. `name` and `time`
    are ours: no field may be called so.
    """
    if "name" in fields or "time" in fields:
        raise ValueError(f"{event}: no field of an own record may be called name or time")
    time = timestamp.render(time_unix_nano)
    members = {_key(name): _value(value) for name, value in fields.items()}
    body = {
        "event": {**members, "name": event, "time": time},
        "kind": "ledger",
        "salt": salt.hex(),
    }
    text = canonical.encode(body)
    action = header.LEDGER_PREFIX + event
    found = (action, "", "", "", "", "", "", "", ())
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
        header.fixed("ledger", sha3_256(text).hexdigest(), "", time, found),
    )


def _value(value: Any) -> CanonicalValue:
    """Our own values by the same rules as OTLP's, but that large integers are plain text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return canonical.of_string(_bytes(value), set())
    if isinstance(value, int):
        return value if abs(value) <= canonical.MOST_EXACT else str(value)
    if isinstance(value, float):
        return canonical.of_double(value)
    if isinstance(value, bytes):
        return canonical.of_bytes(value)
    if isinstance(value, Mapping):
        return {_key(name): _value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    raise TypeError(f"an own record cannot hold {type(value).__name__}")


def _key(name: object) -> str:
    return canonical.key(_bytes(str(name)), set())


def _bytes(text: str) -> bytes:
    """The bytes of a text; file names may carry some that are not UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
