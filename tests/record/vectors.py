"""Reading the golden vectors of this room."""

import base64
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from audit_receiver.record import canonical, timestamp
from audit_receiver.record.model import Observation, Shared

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> dict[str, Any]:
    """One file of vectors."""
    found: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return found


def cases(name: str) -> list[Any]:
    """The cases of a file, as pytest wants them."""
    return load(name)["cases"]


def value_of(given: dict[str, Any], flags: set[str]) -> Any:
    """An OTLP value of a vector as a canonical value."""
    ((kind, inner),) = given.items()
    match kind:
        case "null":
            return None
        case "bool":
            return inner
        case "string":
            return canonical.of_string(base64.b64decode(inner), flags)
        case "int":
            return canonical.of_int(int(inner))
        case "double":
            return canonical.of_double(struct.unpack(">d", bytes.fromhex(inner))[0])
        case "bytes":
            return canonical.of_bytes(base64.b64decode(inner))
        case "protobuf":
            return canonical.raw_value(base64.b64decode(inner), flags)
        case "array":
            return [value_of(item, flags) for item in inner]
        case "map":
            return {
                canonical.key(base64.b64decode(key), flags): value_of(item, flags)
                for key, item in inner
            }
        case _:
            raise AssertionError(kind)


def shared(part: dict[str, Any]) -> Shared:
    """A resource or scope from its place in a body."""
    text = canonical.encode(part).decode()
    return Shared(part, text, part.get("attributes", {}), frozenset())


def observation(body: dict[str, Any], came: Iterable[str] = ()) -> Observation:
    """What must have come, for this body to be made: `audit` and `subject` are not looked at."""
    otlp = body["otlp"]
    first, second = ("start", "end") if body["kind"] == "span" else ("time", "observed_time")
    time = otlp.get(first, otlp.get(second))
    ids = {name: otlp.get(name, "") for name in ("trace_id", "span_id")}
    return Observation(
        kind=body["kind"],
        resource=shared(body["resource"]),
        scope=shared(body["scope"]),
        attributes=body["attributes"],
        attributes_raw=body.get("attributes_raw"),
        otlp=otlp,
        name=otlp.get("name", ""),
        event_attributes=tuple(event.get("attributes", {}) for event in otlp.get("events", ())),
        status_code=otlp.get("status", {}).get("code", 0),
        time_unix_nano=timestamp.parse(time) if time else 0,
        trace_id=ids["trace_id"] if ids["trace_id"].strip("0") else "",
        span_id=ids["span_id"] if ids["span_id"].strip("0") else "",
        flags=frozenset(came),
    )


def observed(
    kind: str = "log",
    attributes: dict[str, Any] | None = None,
    otlp: dict[str, Any] | None = None,
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
) -> Observation:
    """An observation with these parts, and a time of its own."""
    times = {"start" if kind == "span" else "time": "2026-03-04T05:06:07.000000000Z"}
    return observation(
        {
            "kind": kind,
            "attributes": attributes or {},
            "otlp": times if otlp is None else otlp,
            "resource": {"attributes": resource or {}},
            "scope": {"attributes": scope} if scope else {},
        }
    )
