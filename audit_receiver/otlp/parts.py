"""What several OTLP messages have in common, each added to the object that stands in the body."""

import base64
from typing import Any

from audit_receiver.otlp.anyvalue import ValueReader
from audit_receiver.otlp.wire import unknown_fields
from audit_receiver.record.model import Attributes

Object = dict[str, Any]

NO_TRACE, NO_SPAN = bytes(16), bytes(8)  # the ids that W3C Trace Context calls invalid


def add_attributes(result: Object, item: Any, careful: bool, reader: ValueReader) -> Attributes:
    """Add the attributes of an inner object and return them; left out where there are none."""
    if not item.attributes:
        return {}
    attributes, raw = reader.attributes(item.attributes, careful)
    result["attributes"] = attributes
    if raw is not None:
        result["attributes_raw"] = raw
    return attributes


def add_id(
    result: Object, name: str, raw: bytes, none: bytes, flags: set[str], needed: bool = False
) -> str:
    """Add an id as it came; return it if it is valid, else "". `needed`: absent is invalid."""
    if not raw:
        if needed:
            flags.add("invalid_id")
        return ""
    result[name] = text = raw.hex()
    if len(raw) == len(none) and raw != none:
        return text
    flags.add("invalid_id")
    return ""


def add_dropped(result: Object, name: str, count: int, flags: set[str]) -> None:
    """Add a count of what the producer dropped, if it did."""
    if count:
        result[name] = count
        flags.add("truncated")


def add_unknown(result: Object, item: Any) -> None:
    """Add the fields of a message that the protocol does not know."""
    if raw := unknown_fields(item):
        result["unknown"] = base64_text(raw)


def base64_text(raw: bytes) -> str:
    """Base64 in the standard alphabet, padded."""
    return base64.b64encode(raw).decode()
