"""The integrity hash of OpenTelemetry's audit draft (OTEP 0267): SHA-256 over JCS of a record.

What is hashed is the record without `audit.integrity.*` and without severity: event name, body,
both timestamps in decimal, ids in hex, attributes; every value in a wrapper that names its type, as
the draft's own signing and verifying processors write them. Resource and scope are not part of it.
"""

import base64
from hashlib import sha256
from typing import Any

import orjson

from audit_receiver.record import jcs, timestamp
from audit_receiver.record.model import Attributes, CanonicalValue, Observation, Sequenced

PREFIX = "audit.integrity."
NUMBER = "audit.sequence.number"
MOST_STREAM_NAME = 120  # characters; a longer one is known by its digest
_PREVIOUS = ("audit.sequence.previous_hash", "audit.sequence.prev_hash", "audit.prev.hash")
EMPTY = sha256(b"").hexdigest()  # what the first record of a stream may name as the one before

Object = dict[str, Any]


def digest(body: Object) -> str:
    """The integrity hash of a record, from its (decoded, canonical) body, in lower-case hex."""
    return sha256(canonical(body)).hexdigest()


def canonical(body: Object) -> bytes:
    """The bytes that are hashed, and that a producer signs."""
    otlp: Object = body["otlp"]
    found: Object = {}
    if name := otlp.get("event_name"):
        found["event_name"] = _text(name)
    if "body" in otlp and otlp["body"] is not None:
        found["body"] = typed(otlp["body"])
    for name, member in (("timestamp", "time"), ("observed_timestamp", "observed_time")):
        if member in otlp:
            found[name] = str(timestamp.parse(otlp[member]))
    for name in ("trace_id", "span_id"):
        if name in otlp:
            found[name] = otlp[name]
    if attributes := _attributes(body["attributes"]):
        found["attributes"] = attributes
    return _written(found).encode()


def sequence(observation: Observation) -> Sequenced | None:
    """Where the producer says that a record stands; None where it says nothing that can be judged.

    The names of the draft's revisions are all read.
    """
    attributes = observation.attributes
    number = attributes.get(NUMBER)
    if type(number) is not int or number < 1:
        return None
    named = [attributes[name] for name in _PREVIOUS if name in attributes]
    previous = named[0].lower() if named and isinstance(named[0], str) else ""
    stream = attributes.get("audit.sequence.stream_id") or attributes.get("audit.source.id")
    name = stream if isinstance(stream, str) else ""
    return Sequenced(
        name if len(name) <= MOST_STREAM_NAME else sha256(name.encode()).hexdigest(),
        number,
        previous,
        attributes.get("audit.sequence.end") is True,
        digest({"attributes": attributes, "otlp": observation.otlp}),
    )


def typed(value: CanonicalValue) -> Any:
    """A canonical value in the wrapper of its type."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return _special(value) or {_key(key): typed(item) for key, item in value.items()}
    return None


def _special(value: Object) -> Object | None:
    """The wrappers of our own form (DESIGN 3.3), None for a map."""
    if len(value) != 1:
        return None
    [(name, inner)] = value.items()
    match name:
        case "$int":
            return {"intValue": inner}
        case "$double":
            # Names of what is no number stand as OTLP/JSON writes them.
            return {"doubleValue": _number(inner)}
        case "$bytes":
            return {"bytesValue": inner}
        case "$utf8":
            return {"stringValue": _text(value)}
        case "$otlp":  # nothing of JSON holds it; hashed as it is kept
            return value
    return None


def _number(text: str) -> Any:
    if text[:3] == "NaN" or text.endswith("Infinity"):
        return text[:3] if text[:3] == "NaN" else text
    return float(text)


def _written(value: Any) -> str:
    """RFC 8785, where `jcs.text` would wrap an integral double in the form of our own bodies."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_written(name)}:{_written(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, float):
        return jcs.number_text(value)
    return orjson.dumps(value).decode()


def _attributes(attributes: Attributes) -> Object:
    return {
        _key(key): typed(value) for key, value in attributes.items() if not key.startswith(PREFIX)
    }


def _key(name: str) -> str:
    """A key as it came: one `$` less, or its bytes."""
    if name.startswith("$utf8:"):
        return base64.b64decode(name[6:]).decode("utf-8", "replace")
    return name[1:] if name.startswith("$$") else name


def _text(value: CanonicalValue) -> str:
    if isinstance(value, dict) and "$utf8" in value:
        return base64.b64decode(value["$utf8"]).decode("utf-8", "replace")
    return str(value)
